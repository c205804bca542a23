/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "resolve/quick_packet.h"

#include "fuzz.h"

#define TRUNCATED  2
#define RESPONSE   0x80
#define OURS       0x80 /* of the first byte: the packet continues our question, behind a head of its own */
#define NAME_BYTES 0x7f /* of the second: the length of the name */

static void check(struct arena *arena, const struct quick_packet *question, struct bytes packet)
{
	struct dns_answer answer;
	uint32_t ttl;
	if (!quick_packet_answers(question, packet))
		return;
	/* A guess that errs in one bit of the number, or of the type, is nobody's. */
	struct quick_packet other = *question;
	other.id ^= 1;
	ASSERT(!quick_packet_answers(&other, packet));
	other = *question;
	other.type = question->type == DNS_A ? DNS_AAAA : DNS_A;
	ASSERT(!quick_packet_answers(&other, packet));
	if (!quick_packet_is_whole(arena, question, packet))
		return;
	/* Who is given it reads the same, and finds no failure. */
	ASSERT((packet.ptr[2] & TRUNCATED) == 0 && ((packet.ptr[3] & 15) == 0 || (packet.ptr[3] & 15) == 3));
	ASSERT(dns_packet_read(arena, packet, question->type, question->name, &answer, &ttl) == ERR_OK &&
	       answer.state != DNS_FAILED);
	ASSERT((answer.state == DNS_FOUND) == (answer.n_records > 0));
}

/* Two bytes that choose, the name that we ask for, and what comes back: all of it, or what follows our question. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA};
	struct bytes input = bytes_make(data, size);
	if (size < 2)
		return 0;
	struct bytes name = bytes_sub(input, 2, data[1] & NAME_BYTES), rest = bytes_from(input, 2 + name.len);
	if (bytes_ends(name, BYTES_LIT(".")) || !dns_name_valid(name))
		return 0;
	struct quick_packet question = {
		.id = 0x0102, .type = types[(data[0] & NAME_BYTES) % ARRAY_LEN(types)], .name = name};
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	CLEANUP(buf_done) struct buf sent = BUF_INIT(1024), packet = BUF_INIT((size_t)1 << 20);
	quick_packet_write(&sent, &question);
	ASSERT(buf_err(&sent) == ERR_OK);
	/* Our own words are no answer. */
	ASSERT(!quick_packet_answers(&question, buf_bytes(&sent)));
	struct bytes asked = bytes_sub(buf_bytes(&sent), 12, sent.len - 12 - 11);
	if ((data[0] & OURS) != 0) {
		if (rest.len < 8)
			return 0;
		buf_add(&packet, BYTES_LIT("\1\2"));
		buf_add_byte(&packet, rest.ptr[0] | RESPONSE);
		buf_add_byte(&packet, rest.ptr[1]);
		buf_add(&packet, BYTES_LIT("\0\1"));
		buf_add(&packet, bytes_sub(rest, 2, 6));
		buf_add(&packet, asked);
		rest = bytes_from(rest, 8);
	}
	buf_add(&packet, rest);
	if (buf_err(&packet) == ERR_OK)
		check(arena, &question, buf_bytes(&packet));
	return 0;
}
