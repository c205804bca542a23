/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dns.h"

#include "base/arena.h"
#include "base/buf.h"

#include "fuzz.h"

/* The first byte chooses the type of the question, the rest is the message; what was read must survive packing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_NS, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA};
	if (size < 1)
		return 0;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)4 << 20);
	struct bytes packet = bytes_make(data + 1, size - 1);
	struct dns_answer answer, again;
	uint32_t ttl;
	if (dns_packet_read(arena, packet, types[data[0] % ARRAY_LEN(types)], BYTES_LIT("example"), &answer, &ttl) !=
	    ERR_OK)
		return 0;
	ASSERT((answer.state == DNS_FOUND) == (answer.n_records > 0));
	CLEANUP(buf_done) struct buf buf = BUF_INIT(DNS_PACKED_MAX);
	dns_answer_pack(&buf, &answer);
	ASSERT(buf_err(&buf) == ERR_OK);
	ASSERT(dns_answer_unpack(arena, buf_bytes(&buf), &again) == ERR_OK && again.n_records == answer.n_records);
	for (size_t i = 0; i < answer.n_records; i++)
		ASSERT(bytes_eq(answer.records[i].data, again.records[i].data));
	if (dns_answer_unpack(arena, packet, &again) == ERR_OK)
		ASSERT((again.state == DNS_FOUND) == (again.n_records > 0));
	enum dns_type type;
	struct bytes name;
	if (dns_question_read(packet, &type, &name) == ERR_OK) {
		struct bytes key;
		ASSERT(dns_question_write(arena, type, name, &key) == ERR_OK);
	}
	return 0;
}
