/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/quick_packet.h"

#include "base/arena.h"
#include "base/buf.h"

#include "base/banned.h"

#define EDNS_SIZE 1232
#define TYPE_OPT  41
#define CLASS_IN  1
#define RECURSE   0x0100
#define HEAD_LEN  12
#define OPT_LEN   11

static void add_be16(struct buf *buf, unsigned value)
{
	buf_add_byte(buf, (uint8_t)(value >> 8));
	buf_add_byte(buf, (uint8_t)value);
}

void quick_packet_write(struct buf *buf, const struct quick_packet *question)
{
	const unsigned head[] = {question->id, RECURSE, 1, 0, 0, 1};
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		add_be16(buf, head[i]);
	for (struct bytes rest = question->name; rest.len > 0;) {
		size_t dot = bytes_find_byte(rest, '.');
		struct bytes label = bytes_sub(rest, 0, dot == BYTES_NONE ? rest.len : dot);
		buf_add_byte(buf, (uint8_t)label.len);
		buf_add(buf, label);
		rest = dot == BYTES_NONE ? (struct bytes){0} : bytes_from(rest, dot + 1);
	}
	buf_add_byte(buf, 0);
	add_be16(buf, (unsigned)question->type);
	add_be16(buf, CLASS_IN);
	buf_add_byte(buf, 0);
	add_be16(buf, TYPE_OPT);
	add_be16(buf, EDNS_SIZE);
	buf_add(buf, BYTES_LIT("\0\0\0\0\0\0"));
}

bool quick_packet_answers(const struct quick_packet *question, struct bytes packet)
{
	CLEANUP(buf_done) struct buf sent = BUF_INIT(1024);
	if (packet.len < HEAD_LEN || question->id != (packet.ptr[0] << 8 | packet.ptr[1]))
		return false;
	quick_packet_write(&sent, question);
	size_t len = sent.len - OPT_LEN;
	return buf_err(&sent) == ERR_OK && packet.len >= len && (packet.ptr[2] & 0xf8) == 0x80 && packet.ptr[4] == 0 &&
	       packet.ptr[5] == 1 &&
	       bytes_eq_nocase(bytes_sub(packet, HEAD_LEN, len - HEAD_LEN),
			       bytes_sub(buf_bytes(&sent), HEAD_LEN, len - HEAD_LEN));
}

/*
 * That there is no record must not be the end of a chain of names, and is not said by whoever sends us on to other
 * servers (RFC 2308 2.2: those are in the authority section, and no SOA is, whose TTL would be found).
 */
bool quick_packet_is_whole(struct arena *scratch, const struct quick_packet *question, struct bytes packet)
{
	struct dns_answer answer;
	uint32_t ttl;
	bool truncated = (packet.ptr[2] & 2) != 0;
	bool chain = packet.ptr[6] != 0 || packet.ptr[7] != 0;
	bool authority = packet.ptr[8] != 0 || packet.ptr[9] != 0;
	bool whole = !truncated &&
		     dns_packet_read(scratch, packet, question->type, question->name, &answer, &ttl) == ERR_OK &&
		     (answer.state == DNS_FOUND || answer.state == DNS_NO_NAME ||
		      (answer.state == DNS_NO_DATA && !chain && (ttl > 0 || !authority)));
	arena_reset(scratch);
	return whole;
}
