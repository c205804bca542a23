/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "daemon/policy.h"

static bool matches(const char *pattern, const char *address)
{
	return policy_matches(bytes_from_cstr(pattern), bytes_from_cstr(address));
}

static void a_pattern_has_one_star_or_none(void **state)
{
	(void)state;
	assert_true(matches("a@example.org", "A@Example.ORG"));
	assert_false(matches("a@example.org", "aa@example.org"));
	assert_true(matches("*@example.org", "a@example.org"));
	assert_true(matches("postmaster@*", "postmaster@example.org"));
	assert_true(matches("*", ""));
	assert_false(matches("ab*bc", "abc"));
}

static void another_spelling_of_the_address_is_the_same_recipient(void **state)
{
	(void)state;
	assert_true(matches("a@example.org", "\"a\"@example.org"));
	assert_true(matches("a@example.org", "\"\\a\"@example.org"));
	assert_true(matches("a@example.org", "a@example.org."));
	assert_true(matches("a b@example.org", "\"a b\"@example.org"));
	assert_true(matches("\"a b\"@example.org", "\"a b\"@example.org"));
	assert_false(matches("a@example.org", "\"a@example.org"));
	assert_false(matches("a@example.org", "\"a\"b@example.org"));
	assert_false(matches("a@example.org", "\"\\"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_pattern_has_one_star_or_none),
	cmocka_unit_test(another_spelling_of_the_address_is_the_same_recipient),
};
UNIT_MAIN(tests)
