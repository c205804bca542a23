/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "scan/zone.h"

static void codes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint32_t value, mask; /* mask 0: refused */
		const char *meaning;
	} table[] = {
		{"127.0.0.2 = spam source", 0x7f000002, 0xffffffff, "spam source"},
		{"127.0.0.2=x", 0x7f000002, 0xffffffff, "x"},
		{"127.0.0.4/30 = exploited = host", 0x7f000004, 0xfffffffc, "exploited = host"},
		{"127.0.0.0/8 = all", 0x7f000000, 0xff000000, "all"},
		{"127.0.0.3/255.255.0.255 = high trust", 0x7f000003, 0xffff00ff, "high trust"},
		{"bit 8 = phishing", 0x7f000008, 0xffffff08, "phishing"},
		{"bit 128 = x", 0x7f000080, 0xffffff80, "x"},
		{"", 0, 0, NULL},
		{"127.0.0.2", 0, 0, NULL},
		{"127.0.0.2 =", 0, 0, NULL},
		{"= x", 0, 0, NULL},
		{"127.0.0 = x", 0, 0, NULL},
		{"127.0.0.2.3 = x", 0, 0, NULL},
		{"127.0.0.256 = x", 0, 0, NULL},
		{"127.0.0.2/33 = x", 0, 0, NULL},
		{"127.0.0.2/24 = x", 0, 0, NULL},
		{"127.0.0.2/-1 = x", 0, 0, NULL},
		{"bit 3 = x", 0, 0, NULL},
		{"bit 0 = x", 0, 0, NULL},
		{"bit 256 = x", 0, 0, NULL},
		{"10.0.0.2 = x", 0, 0, NULL},
		{"0.0.0.0/0 = x", 0, 0, NULL},
		{"126.0.0.0/7 = x", 0, 0, NULL},
		{"127.255.255.254 = x", 0, 0, NULL},
		{"127.255.255.0/24 = x", 0, 0, NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct zone_code code;
		struct error error;
		enum err err = zone_code_read(bytes_from_cstr(table[i].text), &code, &error);
		if ((err == ERR_OK) != (table[i].mask != 0))
			fail_msg("\"%s\": %s", table[i].text, err_name(err));
		if (err != ERR_OK)
			continue;
		assert_int_equal(code.value, table[i].value);
		assert_int_equal(code.mask, table[i].mask);
		assert_bytes_str(code.meaning, table[i].meaning);
	}
}

static struct list_zone read_zone(struct arena *arena, const char *text)
{
	struct list_zone zone;
	assert_ok(list_zone_read(arena, bytes_from_cstr(text), &zone));
	return zone;
}

static void answers_mean_what_the_codes_say(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct list_zone zone =
		read_zone(arena, "zen\nzen.example.org\nip\nclient\n127.0.0.2 = spam\n127.0.0.4/30 = host\n"
				 "bit 64 = abuse\n127.1.0.255 = odd\n127.0.0.0/255.0.0.0 = any\n");
	static const struct {
		uint8_t answers[2][4];
		size_t count;
		const char *meaning; /* NULL: no hit */
	} table[] = {
		{{{127, 0, 0, 2}}, 1, "spam, any"},
		{{{127, 0, 0, 7}}, 1, "host, any"},
		{{{127, 0, 0, 68}}, 1, "abuse, any"},
		{{{127, 0, 0, 2}, {127, 0, 0, 5}}, 2, "spam, host, any"},
		{{{127, 0, 0, 2}, {127, 0, 0, 2}}, 2, "spam, any"},
		{{{127, 9, 9, 9}}, 1, "any"},
		{{{127, 1, 0, 255}}, 1, "odd"},
		{{{127, 0, 0, 255}}, 1, NULL},
		{{{127, 255, 255, 254}}, 1, NULL},
		{{{127, 255, 255, 255}, {127, 255, 255, 2}}, 2, NULL},
		{{{10, 0, 0, 2}}, 1, NULL},
		{{{10, 0, 0, 2}, {127, 0, 0, 2}}, 2, "spam, any"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct dns_record records[2] = {{.data = bytes_make(table[i].answers[0], 4)},
						{.data = bytes_make(table[i].answers[1], 4)}};
		struct dns_answer answer = {.records = records, .n_records = table[i].count};
		struct bytes meaning;
		bool hit = list_zone_hit(arena, &zone, &answer, &meaning);
		assert_int_equal(hit, table[i].meaning != NULL);
		assert_bytes_str(meaning, table[i].meaning);
	}
}

static void an_answer_without_addresses_is_no_hit(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct list_zone zone = read_zone(arena, "z\nz.example.org\nip\nclient\n127.0.0.0/8 = any\n");
	struct dns_record six = {.data = BYTES_LIT("0123456789abcdef")};
	struct dns_answer answers[] = {{.state = DNS_NO_NAME},
				       {.state = DNS_NO_DATA},
				       {.state = DNS_FAILED, .reason = BYTES_LIT("timeout")},
				       {.state = DNS_FOUND},
				       {.state = DNS_FOUND, .records = &six, .n_records = 1}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct bytes meaning;
		uint32_t address;
		assert_false(list_zone_hit(arena, &zone, &answers[i], &meaning));
		assert_false(list_zone_refusal(&answers[i], &address));
	}
}

static void a_refusal_is_told_from_an_answer(void **state)
{
	static const struct {
		uint8_t ip[4];
		bool refusal;
	} table[] = {{{127, 0, 0, 2}, false},      {{127, 255, 254, 255}, false}, {{127, 255, 255, 0}, true},
		     {{127, 255, 255, 254}, true}, {{126, 255, 255, 255}, true},  {{203, 0, 113, 1}, true}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct dns_record record = {.data = bytes_make(table[i].ip, 4)};
		struct dns_answer answer = {.records = &record, .n_records = 1};
		uint32_t address = 0;
		assert_int_equal(list_zone_refusal(&answer, &address), table[i].refusal);
		assert_int_equal(address & 255, table[i].refusal ? table[i].ip[3] : 0);
	}
}

static void a_list_comes_back_from_its_recorded_form(void **state)
{
	static const char zone_text[] =
		"dbl\ndbl.example.org\ndomain-allow\nsender,from\n127.0.1.2/255.255.255.255 = a\n"
		"127.0.0.8/255.255.255.8 = b, c\n";
	static const char local_text[] = "blocked\nblock\nclient,received,helo,sender,from,replies,urls\n";
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf zone_buf = BUF_INIT(4096);
	CLEANUP(buf_done) struct buf local_buf = BUF_INIT(4096);
	struct list_zone zone = read_zone(arena, zone_text);
	struct list_local local;
	(void)state;
	assert_int_equal(zone.kind, LIST_DOMAIN_ALLOW);
	assert_int_equal(zone.about, LIST_SENDER | LIST_FROM);
	assert_int_equal(zone.n_codes, 2);
	list_zone_write(&zone_buf, &zone);
	assert_bytes_str(buf_bytes(&zone_buf), zone_text);
	assert_ok(list_local_read(bytes_from_cstr(local_text), &local));
	assert_int_equal(local.about, LIST_ABOUT_ALL);
	assert_false(local.allow);
	list_local_write(&local_buf, &local);
	assert_bytes_str(buf_bytes(&local_buf), local_text);
}

static void a_damaged_list_is_refused(void **state)
{
	static const char *const texts[] = {"",
					    "z",
					    "z\nz.example",
					    "z\nz.example\nip",
					    "z\nz.example\nbad\nclient\n",
					    "z\nz.example\nip\nclient,bad\n",
					    "z\nz.example\nip\nclient\nno code\n"};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct list_zone zone;
	struct list_local local;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(list_zone_read(arena, bytes_from_cstr(texts[i]), &zone), ERR_SYNTAX);
	assert_int_equal(list_local_read(BYTES_LIT("x\nblock"), &local), ERR_SYNTAX);
}

static void what_anybody_may_write_is_not_asked_of_lists_in_favour(void **state)
{
	(void)state;
	assert_int_equal(list_about_wrong(LIST_IP, LIST_ABOUT_ALL), LIST_HELO | LIST_SENDER | LIST_FROM | LIST_REPLIES);
	assert_int_equal(list_about_wrong(LIST_IP_ALLOW, LIST_URLS | LIST_CLIENT), LIST_URLS);
	assert_int_equal(list_about_wrong(LIST_DOMAIN, LIST_ABOUT_ALL), LIST_CLIENT | LIST_RECEIVED);
	assert_int_equal(list_about_wrong(LIST_DOMAIN_ALLOW, LIST_HELO | LIST_URLS | LIST_REPLIES | LIST_FROM),
			 LIST_HELO | LIST_URLS | LIST_REPLIES);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(codes_are_read),
	cmocka_unit_test(answers_mean_what_the_codes_say),
	cmocka_unit_test(an_answer_without_addresses_is_no_hit),
	cmocka_unit_test(a_refusal_is_told_from_an_answer),
	cmocka_unit_test(a_list_comes_back_from_its_recorded_form),
	cmocka_unit_test(a_damaged_list_is_refused),
	cmocka_unit_test(what_anybody_may_write_is_not_asked_of_lists_in_favour),
};
UNIT_MAIN(tests)
