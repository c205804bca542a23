/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/num.h"

static void parses_whole_text(void **state)
{
	(void)state;
	uint64_t v = 0;
	assert_ok(num_parse(BYTES_LIT("18446744073709551615"), 10, UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_ok(num_parse(BYTES_LIT("fF"), 16, 255, &v));
	assert_int_equal(v, 255);
	assert_int_equal(num_parse(BYTES_LIT("18446744073709551616"), 10, UINT64_MAX, &v), ERR_LIMIT);
	assert_int_equal(num_parse(BYTES_LIT("256"), 10, 255, &v), ERR_LIMIT);
	static const char *const bad[] = {"", "+1", "-1", " 1", "1 ", "a", "0x1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(num_parse(bytes_from_cstr(bad[i]), 10, 100, &v), ERR_SYNTAX);
}

static void takes_leading_digits(void **state)
{
	(void)state;
	uint64_t v = 0;
	struct bytes text = BYTES_LIT("250-rest");
	assert_ok(num_take(&text, 999, &v));
	assert_int_equal(v, 250);
	assert_bytes_str(text, "-rest");
	text = BYTES_LIT("99999x");
	assert_int_equal(num_take(&text, 999, &v), ERR_LIMIT);
	assert_int_equal(v, 999);
	assert_bytes_str(text, "x");
	assert_int_equal(num_take(&text, 999, &v), ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(parses_whole_text), cmocka_unit_test(takes_leading_digits)};
UNIT_MAIN(tests)
