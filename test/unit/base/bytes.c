/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/bytes.h"

static void sub_clamps(void **state)
{
	(void)state;
	assert_bytes_str(bytes_sub(BYTES_LIT("abc"), 1, 9), "bc");
	assert_bytes_str(bytes_sub(BYTES_LIT("abc"), 9, 1), "");
	assert_bytes_str(bytes_from((struct bytes){0}, 3), "");
}

static void finds_in_any_case(void **state)
{
	(void)state;
	static const struct {
		const char *hay, *needle;
		size_t exact, nocase;
	} rows[] = {
		{"Hello World", "World", 6, 6},
		{"Hello World", "world", BYTES_NONE, 6},
		{"aaab", "aab", 1, 1},
		{"AAaB", "aab", BYTES_NONE, 1},
		{"short", "much longer", BYTES_NONE, BYTES_NONE},
		{"x", "", 0, 0},
		{"", "x", BYTES_NONE, BYTES_NONE},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes hay = bytes_from_cstr(rows[i].hay), needle = bytes_from_cstr(rows[i].needle);
		assert_int_equal(bytes_find(hay, needle), rows[i].exact);
		assert_int_equal(bytes_find_nocase(hay, needle), rows[i].nocase);
	}
}

static void splits_with_empty_pieces(void **state)
{
	(void)state;
	struct bytes rest = BYTES_LIT("a,,b,"), piece;
	static const char *const want[] = {"a", "", "b", ""};
	size_t n = 0;
	while (bytes_split(&rest, ',', &piece)) {
		assert_true(n < 4);
		assert_bytes_str(piece, want[n++]);
	}
	assert_int_equal(n, 4);
}

static void trims_and_chomps(void **state)
{
	(void)state;
	assert_bytes_str(bytes_trim(BYTES_LIT(" \t a b\r\n")), "a b");
	assert_bytes_str(bytes_trim(BYTES_LIT(" \t ")), "");
	assert_bytes_str(bytes_chomp(BYTES_LIT("a\r\n")), "a");
	assert_bytes_str(bytes_chomp(BYTES_LIT("a\r")), "a\r");
	assert_true(bytes_ends_nocase(BYTES_LIT("x.EXE"), BYTES_LIT(".exe")));
	assert_int_equal(bytes_rfind_byte(BYTES_LIT("a.b.c"), '.'), 3);
}

static void orders_prefix_first(void **state)
{
	(void)state;
	assert_true(bytes_cmp(BYTES_LIT("ab"), BYTES_LIT("abc")) < 0);
	assert_true(bytes_cmp(BYTES_LIT("b"), BYTES_LIT("abc")) > 0);
	assert_int_equal(bytes_cmp(BYTES_LIT(""), BYTES_LIT("")), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sub_clamps),
	cmocka_unit_test(finds_in_any_case),
	cmocka_unit_test(splits_with_empty_pieces),
	cmocka_unit_test(trims_and_chomps),
	cmocka_unit_test(orders_prefix_first),
};
UNIT_MAIN(tests)
