/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "mail/received.h"

static void reads_what_mailers_write(void **state)
{
	(void)state;
	static const struct {
		const char *in, *helo, *rdns, *ip, *by, *with, *id, *recipient;
	} rows[] = {
		{"from helo.example (rdns.example [192.0.2.1])\015\012\011by mx.example (Postfix) with ESMTPS id "
		 "ABC\015\012\011for <a@b>; Mon, 22 Mar 1993 17:41:09 +0000",
		 "helo.example", "rdns.example", "192.0.2.1", "mx.example", "ESMTPS", "ABC", "a@b"},
		{"from unknown (HELO h.example) (192.0.2.2) by 0 with SMTP; Mon, 22 Mar 1993 17:41:09 +0000",
		 "h.example", "", "192.0.2.2", "0", "SMTP", "", ""},
		{"from rdns.example ([192.0.2.3] helo=h.example) by x.example with esmtp (Exim 4.9) id 1a-b; Mon, 22 "
		 "Mar 1993 17:41:09 +0000",
		 "h.example", "rdns.example", "192.0.2.3", "x.example", "esmtp", "1a-b", ""},
		{"from A.example (2001:db8::15) by B.example (192.0.2.9) with Microsoft SMTP Server (version=TLS1_2) "
		 "id 15.20; Mon, 22 Mar 1993 17:41:09 +0000",
		 "A.example", "", "2001:db8::15", "B.example", "Microsoft", "15.20", ""},
		{"from h (r.example. [192.0.2.4]) by mx.google.com with ESMTPS id z for <u@v> (version=TLS1_3); Mon, "
		 "22 Mar 1993 17:41:09 +0000",
		 "h", "r.example", "192.0.2.4", "mx.google.com", "ESMTPS", "z", "u@v"},
		{"by 10.1.2.3 with SMTP id q; Mon, 22 Mar 1993 17:41:09 +0000", "", "", "", "10.1.2.3", "SMTP", "q",
		 ""},
		{"from h [192.0.2.5] by localhost with POP3 (fetchmail-6.3) for <u@l> (single-drop); Mon, 22 Mar 1993 "
		 "17:41:09 +0000",
		 "h", "", "192.0.2.5", "localhost", "POP3", "", "u@l"},
		{"from h (u@r.example [192.0.2.6] (may be forged)) by s.example (8.15/8.15) with ESMTP id i; Mon, 22 "
		 "Mar 1993 17:41:09 +0000",
		 "h", "r.example", "192.0.2.6", "s.example", "ESMTP", "i", ""},
		{"from h ([::ffff:192.0.2.7]) by c.example with ESMTP; Mon, 22 Mar 1993 17:41:09 +0000", "h", "",
		 "192.0.2.7", "c.example", "ESMTP", "", ""},
		{"(qmail 1 invoked by uid 0); Mon, 22 Mar 1993 17:41:09 +0000", "", "", "", "", "", "", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct header_field field = {.id = HEADER_RECEIVED, .value = bytes_from_cstr(rows[i].in)};
		struct header header = {.fields = &field, .count = 1};
		struct received_list list;
		assert_ok(received_parse(arena, &header, &list));
		assert_int_equal(list.count, 1);
		const struct received_hop *hop = &list.hops[0];
		assert_bytes_str(hop->helo, rows[i].helo);
		assert_bytes_str(hop->rdns, rows[i].rdns);
		assert_bytes_str(hop->by, rows[i].by);
		assert_bytes_str(hop->with, rows[i].with);
		assert_bytes_str(hop->id, rows[i].id);
		assert_bytes_str(hop->recipient, rows[i].recipient);
		assert_true(hop->has_date);
		assert_int_equal(hop->date, 732822069);
		assert_int_equal(hop->has_ip, rows[i].ip[0] != 0);
		uint8_t ip[16];
		if (received_parse_ip(bytes_from_cstr(rows[i].ip), ip))
			assert_memory_equal(hop->ip, ip, 16);
	}
}

static void tells_local_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *ip;
		bool local;
	} rows[] = {{"10.0.0.1", true},    {"172.31.1.1", true},  {"172.32.1.1", false},  {"8.8.8.8", false},
		    {"[127.0.0.1]", true}, {"::1", true},         {"IPv6:fe80::1", true}, {"2a00::1", false},
		    {"100.127.1.1", true}, {"100.128.1.1", false}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t ip[16];
		assert_true(received_parse_ip(bytes_from_cstr(rows[i].ip), ip));
		assert_int_equal(received_ip_is_local(ip), rows[i].local);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_mailers_write),
	cmocka_unit_test(tells_local_addresses),
};
UNIT_MAIN(tests)
