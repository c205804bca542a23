/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "scan/case.h"

static void kinds_have_names(void **state)
{
	(void)state;
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		enum fact_kind found;
		assert_true(fact_kind_find(bytes_from_cstr(fact_kind_name(kind)), &found));
		assert_int_equal(found, kind);
	}
	enum fact_kind found;
	assert_false(fact_kind_find(BYTES_LIT("tim"), &found));
	assert_false(fact_kind_find(BYTES_LIT(""), &found));
}

static void a_fact_is_kept_by_kind_and_key_and_replaced_in_its_place(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct fact_list list = {0};
	char key[] = "key", answer[] = "answer";
	(void)state;
	assert_null(fact_find(&list, FACT_RELEASE, BYTES_LIT("key")));
	assert_ok(fact_set(arena, &list, FACT_RELEASE, bytes_from_cstr(key), FACT_ASKED, (struct bytes){0}));
	assert_ok(fact_set(arena, &list, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1")));
	assert_ok(fact_set(arena, &list, FACT_RELEASE, BYTES_LIT("key"), FACT_KNOWN, bytes_from_cstr(answer)));
	/* Copies, so what the caller does with its own afterwards does not matter. */
	key[0] = answer[0] = '!';
	assert_int_equal(list.count, 2);
	const struct fact *fact = fact_find(&list, FACT_RELEASE, BYTES_LIT("key"));
	assert_ptr_equal(fact, &list.items[0]);
	assert_int_equal(fact->state, FACT_KNOWN);
	assert_bytes_str(fact->answer, "answer");
	assert_null(fact_find(&list, FACT_TIME, BYTES_LIT("key")));
}

static void there_is_an_end_to_what_one_message_may_ask(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct fact_list list = {0};
	(void)state;
	for (int i = 0; i <= FACTS_MAX; i++) {
		struct bytes key = arena_printf(arena, "%d", i);
		assert_int_equal(fact_set(arena, &list, FACT_RELEASE, key, FACT_ASKED, key),
				 i < FACTS_MAX ? ERR_OK : ERR_LIMIT);
	}
	/* Those that are there can still be answered. */
	assert_ok(fact_set(arena, &list, FACT_RELEASE, BYTES_LIT("7"), FACT_FAILED, (struct bytes){0}));
	assert_int_equal(list.count, FACTS_MAX);
}

static void networks_hold_what_they_say(void **state)
{
	static const struct {
		const char *network, *ip;
		bool holds;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.77/24", "192.0.2.1", true},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.128/25", "192.0.2.200", true},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "192.0.2.1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1/128", "2001:db8::2", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan_network network, address;
		assert_ok(scan_network_parse(bytes_from_cstr(cases[i].network), &network));
		assert_ok(scan_network_parse(bytes_from_cstr(cases[i].ip), &address));
		assert_int_equal(scan_network_holds(&network, address.ip), cases[i].holds);
	}
	static const char *const wrong[] = {"",       "/8",           "192.0.2.0/33", "192.0.2.0/",    "192.0.2/24",
					    "::/129", "192.0.2.0/-1", "example.org",  "192.0.2.0/24 ", "1.2.3.4/8/8"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct scan_network network;
		assert_int_not_equal(scan_network_parse(bytes_from_cstr(wrong[i]), &network), ERR_OK);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(kinds_have_names),
	cmocka_unit_test(a_fact_is_kept_by_kind_and_key_and_replaced_in_its_place),
	cmocka_unit_test(there_is_an_end_to_what_one_message_may_ask),
	cmocka_unit_test(networks_hold_what_they_say),
};

UNIT_MAIN(tests)
