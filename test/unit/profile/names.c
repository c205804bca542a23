/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/names.h"

#include "unit.h"

#define HALF 180u
#define DAY  20000u

static void names_that_look_the_same_are_the_same(void **state)
{
	(void)state;
	static const struct {
		const char *name, *folded;
	} cases[] = {
		{"Bob Smith", "bob smith"},
		{"SMITH, Bob", "bob smith"},
		{"\"Bob  Smith\"", "bob smith"},
		{" bob\tsmith ", "bob smith"},
		{"B\u200bob Sm\u00adith\u202e", "bob smith"},
		{"\u0412ob Smith", "bob smith"},
		{"B\u043eb Smith", "bob smith"},
		{"\uff22\uff4f\uff42\u3000Smith", "bob smith"},
		{"Jos\u00e9 M\u00dcLLER", "jose muller"},
		{"Jose\u0301 Mu\u0308ller", "jose muller"},
		{"\u0141ukasz \u017b\u00f3\u0142\u0107", "lukasz zolc"},
		{"Conan O'Brien", "conan obrien"},
		{"Conan O\u2019Brien", "conan obrien"},
		{"Smith-Jones", "jones smith"},
		{"\u5c71\u7530\u3000\u592a\u90ce", "\u592a\u90ce \u5c71\u7530"},
		{"\u0418\u0412\u0410\u041d", "\u0438bah"},
		{"", ""},
		{" .,\"()", ""},
		{"\u200b\u200d", ""},
		{"a\xff\xfe"
		 "b",
		 "a\ufffd\ufffd"
		 "b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t out[NAME_FOLDED_MAX];
		size_t len = name_fold(bytes_from_cstr(cases[i].name), out);
		assert_bytes_str(bytes_make(out, len), cases[i].folded);
	}
}

static void a_name_without_end_is_cut(void **state)
{
	(void)state;
	static uint8_t text[4000];
	uint8_t out[NAME_FOLDED_MAX];
	static const char *const units[] = {"a", "a ", "\xe5\xb1\xb1", "\xe5\xb1\xb1 ", "\xc0", " "};
	for (size_t u = 0; u < ARRAY_LEN(units); u++) {
		struct bytes unit = bytes_from_cstr(units[u]);
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = unit.ptr[i % unit.len];
		for (size_t len = 0; len < sizeof(text); len += 7)
			assert_true(name_fold(bytes_make(text, len), out) <= NAME_FOLDED_MAX);
	}
}

static void assert_usual(const struct names *names, uint64_t key, const char *address)
{
	const struct names_slot *slot = names_find(names, key);
	assert_int_equal(slot != NULL, address != NULL);
	if (slot)
		assert_bytes_str(bytes_make(slot->address, slot->len), address);
}

static void the_address_of_more_days_stays(void **state)
{
	(void)state;
	struct names names;
	uint16_t day = DAY;
	assert_ok(names_init(&names, 4096));
	assert_usual(&names, 5, NULL);
	for (; day < DAY + 3; day++)
		names_learn(&names, 5, BYTES_LIT("bob@example.com"), day, HALF);
	/* A hundred messages of one day are one vote against three. */
	for (int i = 0; i < 100; i++)
		names_learn(&names, 5, BYTES_LIT("bob@example.net"), day, HALF);
	assert_usual(&names, 5, "bob@example.com");
	assert_int_equal(names_find(&names, 5)->weight, 2 * TABLE_DAY);
	/* Both write each day: it stays as it is. */
	for (; day < DAY + 50; day++) {
		names_learn(&names, 5, BYTES_LIT("bob@example.net"), day, HALF);
		names_learn(&names, 5, BYTES_LIT("bob@example.com"), day, HALF);
	}
	assert_usual(&names, 5, "bob@example.com");
	/* The old one is silent: the other takes over at last. */
	for (uint16_t end = (uint16_t)(day + 5); day < end; day++)
		names_learn(&names, 5, BYTES_LIT("bob@example.net"), day, HALF);
	assert_usual(&names, 5, "bob@example.net");
	names_done(&names);
}

static void what_is_too_long_is_not_kept(void **state)
{
	(void)state;
	struct names names;
	char address[NAMES_ADDRESS_MAX + 2];
	memset(address, 'a', sizeof(address));
	assert_ok(names_init(&names, 1));
	names_learn(&names, 5, bytes_make(address, NAMES_ADDRESS_MAX + 1), DAY, HALF);
	names_learn(&names, 5, (struct bytes){0}, DAY, HALF);
	assert_usual(&names, 5, NULL);
	names_learn(&names, 5, bytes_make(address, NAMES_ADDRESS_MAX), DAY, HALF);
	assert_int_equal(names_find(&names, 5)->len, NAMES_ADDRESS_MAX);
	names_done(&names);
}

static void newcomers_do_not_push_out_what_is_stronger(void **state)
{
	(void)state;
	struct names names;
	assert_ok(names_init(&names, 1)); /* one window */
	for (uint64_t key = 0; key < NAMES_WINDOW; key++)
		for (uint16_t day = 0; day < 3; day++)
			names_learn(&names, key, BYTES_LIT("a@example.com"), (uint16_t)(DAY + day), HALF);
	for (uint64_t key = 100; key < 200; key++)
		names_learn(&names, key, BYTES_LIT("b@example.com"), DAY + 3, HALF);
	for (uint64_t key = 0; key < NAMES_WINDOW; key++)
		assert_usual(&names, key, "a@example.com");
	/* Two years later they are worth less than a day. */
	names_learn(&names, 100, BYTES_LIT("b@example.com"), DAY + 730, HALF);
	assert_usual(&names, 100, "b@example.com");
	names_done(&names);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_that_look_the_same_are_the_same),
	cmocka_unit_test(a_name_without_end_is_cut),
	cmocka_unit_test(the_address_of_more_days_stays),
	cmocka_unit_test(what_is_too_long_is_not_kept),
	cmocka_unit_test(newcomers_do_not_push_out_what_is_stronger),
};

UNIT_MAIN(tests)
