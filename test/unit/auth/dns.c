/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dns.h"

#include "base/buf.h"
#include "unit_arena.h"

static void names_are_valid_by_the_lengths_of_rfc_1035(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{"example.com", true},
		{"example.com.", true},
		{"_dmarc.example.com", true},
		{"a", true},
		{"", false},
		{".", false},
		{"a..b", false},
		{".a", false},
		{"a.b..", false},
		{"123456789012345678901234567890123456789012345678901234567890123.example", true},
		{"1234567890123456789012345678901234567890123456789012345678901234.example", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(dns_name_valid(bytes_from_cstr(cases[i].name)), cases[i].valid);
	uint8_t name[255];
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	assert_true(dns_name_valid(bytes_make(name, 253)));
	assert_true(dns_name_valid(bytes_make(name, 254)));
	assert_false(dns_name_valid(bytes_make(name, 255)));
}

static void a_question_is_one_key(void **state)
{
	(void)state;
	struct bytes key, name;
	enum dns_type type;
	assert_ok(dns_question_write(arena, DNS_TXT, BYTES_LIT("_DMARC.Example.COM."), &key));
	assert_bytes_str(key, "TXT _dmarc.example.com");
	assert_ok(dns_question_read(key, &type, &name));
	assert_int_equal(type, DNS_TXT);
	assert_bytes_str(name, "_dmarc.example.com");
	static const char *const wrong[] = {"", "TXT", "TXT ", "txt a", "SOA a", "TXT a..b"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(dns_question_read(bytes_from_cstr(wrong[i]), &type, &name), ERR_SYNTAX);
}

static void addresses_are_reversed(void **state)
{
	(void)state;
	const uint8_t v4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1}, v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 0x5f};
	assert_bytes_str(dns_name_reverse(arena, v4, BYTES_LIT("zen.example")), "1.2.0.192.zen.example");
	assert_bytes_str(dns_name_reverse(arena, v6, dns_reverse_suffix(v6)),
			 "f.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static void an_answer_survives_packing(void **state)
{
	(void)state;
	struct dns_record records[] = {{10, BYTES_INIT("mx.example")}, {20, BYTES_INIT("")}};
	const struct dns_answer answers[] = {
		{.state = DNS_FOUND, .secure = true, .records = records, .n_records = 2},
		{.state = DNS_NO_NAME},
		{.state = DNS_NO_DATA, .secure = true},
		{.state = DNS_FAILED, .reason = BYTES_INIT("timeout")},
	};
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT(1000);
		struct dns_answer got;
		dns_answer_pack(&buf, &answers[i]);
		assert_ok(dns_answer_unpack(arena, buf_bytes(&buf), &got));
		assert_int_equal(got.state, answers[i].state);
		assert_int_equal(got.secure, answers[i].secure);
		assert_bytes(got.reason, answers[i].reason);
		assert_int_equal(got.n_records, answers[i].n_records);
		for (size_t j = 0; j < got.n_records; j++) {
			assert_int_equal(got.records[j].preference, records[j].preference);
			assert_bytes(got.records[j].data, records[j].data);
		}
		for (size_t cut = 0; answers[i].state == DNS_FOUND && cut < buf.len; cut++) {
			enum err err = dns_answer_unpack(arena, bytes_sub(buf_bytes(&buf), 0, cut), &got);
			assert_true(err == ERR_SYNTAX || got.n_records == 1);
		}
	}
}

/* -- Messages ---- */

#define HEAD(flags, answers, authorities)                                                                              \
	"\x12\x34" flags "\x00\x01\x00" answers "\x00" authorities "\x00\x00"                                          \
	"\x07"                                                                                                         \
	"Example\x00"
#define ASKED(type) "\x00" type "\x00\x01"
#define TTL(n)      "\x00\x00\x00" n

static const struct {
	const char *rule;
	struct bytes packet;
	enum dns_type type;
	enum dns_state state;
	const char *data; /* of the records, joined by | */
	uint32_t ttl;
} messages[] = {
	{"an address",
	 BYTES_INIT(HEAD("\x81\x80", "\x01", "\x00") ASKED("\x01") "\xc0\x0c" ASKED("\x01") TTL("\x3c") "\x00\x04"
													"abcd"),
	 DNS_A, DNS_FOUND, "abcd", 60},
	{"strings of a TXT record are joined, the least TTL counts",
	 BYTES_INIT(HEAD("\x81\x80", "\x02", "\x00") ASKED("\x10") "\xc0\x0c" ASKED("\x10")
			    TTL("\x3c") "\x00\x06"
					"\x02"
					"ab"
					"\x02"
					"cd"
					"\xc0\x0c" ASKED("\x10") TTL("\x09") "\x00\x01\x00"),
	 DNS_TXT, DNS_FOUND, "abcd|", 9},
	{"a CNAME is followed",
	 BYTES_INIT(HEAD("\x81\x80", "\x02", "\x00") ASKED("\x01") "\xc0\x0c" ASKED("\x05")
			    TTL("\x07") "\x00\x04\x01"
					"b\xc0\x0c"
					"\xc0\x25" ASKED("\x01") TTL("\x3c") "\x00\x04"
									     "abcd"),
	 DNS_A, DNS_FOUND, "abcd", 7},
	{"records of other names do not count",
	 BYTES_INIT(HEAD("\x81\x80", "\x01", "\x00") ASKED("\x01") "\x01x\x00" ASKED("\x01") TTL("\x3c") "\x00\x04"
													 "abcd"),
	 DNS_A, DNS_NO_DATA, "", 0},
	{"no such name, kept as long as the SOA says",
	 BYTES_INIT(HEAD("\x81\x83", "\x00", "\x01") ASKED("\x01") "\xc0\x0c" ASKED("\x06")
			    TTL("\x3c") "\x00\x16\x00\x00"
					"1234567890123456"
					"\x00\x00\x00\x05"),
	 DNS_A, DNS_NO_NAME, "", 5},
	{"servfail", BYTES_INIT(HEAD("\x81\x82", "\x00", "\x00") ASKED("\x01")), DNS_A, DNS_FAILED, "", 0},
	{"an answer to another question", BYTES_INIT(HEAD("\x81\x80", "\x00", "\x00") ASKED("\x1c")), DNS_A, DNS_FAILED,
	 "", 0},
	{"a question is no answer", BYTES_INIT(HEAD("\x01\x80", "\x00", "\x00") ASKED("\x01")), DNS_A, DNS_FAILED, "",
	 0},
	{"a pointer to itself",
	 BYTES_INIT(HEAD("\x81\x80", "\x01", "\x00") ASKED("\x0f") "\xc0\x0c" ASKED("\x0f")
			    TTL("\x3c") "\x00\x04\x00\x0a\xc0\x27"),
	 DNS_MX, DNS_FAILED, "", 0},
	{"an address of three bytes",
	 BYTES_INIT(HEAD("\x81\x80", "\x01", "\x00") ASKED("\x01") "\xc0\x0c" ASKED("\x01") TTL("\x3c") "\x00\x03"
													"abc"),
	 DNS_A, DNS_FAILED, "", 0},
	{"a string longer than its record",
	 BYTES_INIT(HEAD("\x81\x80", "\x01", "\x00") ASKED("\x10") "\xc0\x0c" ASKED("\x10") TTL("\x3c") "\x00\x02\x05"
													"abcdefg"),
	 DNS_TXT, DNS_FAILED, "", 0},
};

static void messages_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct dns_answer answer;
		uint32_t ttl;
		assert_ok(dns_packet_read(arena, messages[i].packet, messages[i].type, BYTES_LIT("example"), &answer,
					  &ttl));
		if (answer.state != messages[i].state || ttl != messages[i].ttl)
			print_error("%s: state %d ttl %u\n", messages[i].rule, (int)answer.state, ttl);
		assert_int_equal(answer.state, messages[i].state);
		assert_int_equal(ttl, messages[i].ttl);
		CLEANUP(buf_done) struct buf data = BUF_INIT(1000);
		for (size_t j = 0; j < answer.n_records; j++) {
			buf_add_cstr(&data, j ? "|" : "");
			buf_add(&data, answer.records[j].data);
		}
		assert_bytes_str(buf_bytes(&data), messages[i].data);
		/* Cut short anywhere it is a failed answer, or no answer to the question; never a crash. */
		for (size_t cut = 0; cut < messages[i].packet.len; cut++) {
			assert_ok(dns_packet_read(arena, bytes_sub(messages[i].packet, 0, cut), messages[i].type,
						  BYTES_LIT("example"), &answer, &ttl));
			if (messages[i].state == DNS_FOUND)
				assert_int_equal(answer.state, DNS_FAILED);
		}
	}
}

static const struct CMUnitTest tests[] = {
	TEST(names_are_valid_by_the_lengths_of_rfc_1035),
	TEST(a_question_is_one_key),
	TEST(addresses_are_reversed),
	TEST(an_answer_survives_packing),
	TEST(messages_are_read),
};
UNIT_MAIN(tests)
