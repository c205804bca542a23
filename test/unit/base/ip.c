/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/err.h"
#include "base/ip.h"

/* The text in our form, or "none"; v: by which of the two readers. */
static const struct {
	const char *text, *v4, *v6;
} cases[] = {
	{"192.0.2.7", "192.0.2.7", "none"},
	{"0.0.0.0", "0.0.0.0", "none"},
	{"2001:DB8:0:0:0::25", "none", "2001:db8::25"},
	{"::", "none", "::"},
	{"::1", "none", "::1"},
	{"::ffff:192.0.2.7", "none", "192.0.2.7"},
	{"::ffff:c000:207", "none", "192.0.2.7"},
	{"192.0.2.256", "none", "none"},
	{"192.0.2", "none", "none"},
	{"192.0.2.7.", "none", "none"},
	{"192.0.2.7 ", "none", "none"},
	{" ::1", "none", "none"},
	{"::1%lo", "none", "none"},
	{"[::1]", "none", "none"},
	{"1::2::3", "none", "none"},
	{"", "none", "none"},
	{"2001:0db8:0000:0000:0000:0000:192.168.100.100x", "none", "none"},
};

static void check(bool (*parse)(struct bytes, uint8_t[16]), struct bytes text, const char *want)
{
	uint8_t ip[16];
	char out[IP_TEXT_MAX] = "none";
	if (parse(text, ip)) {
		struct bytes written = ip_format(ip, out);
		assert_bytes_str(written, out);
	}
	if (strcmp(out, want) != 0)
		fail_msg("%.*s: %s, not %s", BYTES_FMT(text), out, want);
}

static void texts_are_addresses_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes text = bytes_from_cstr(cases[i].text);
		bool four = strcmp(cases[i].v4, "none") != 0;
		check(ip_parse_v4, text, cases[i].v4);
		check(ip_parse_v6, text, cases[i].v6);
		check(ip_parse, text, four ? cases[i].v4 : cases[i].v6);
	}
}

static void a_nul_ends_nothing(void **state)
{
	(void)state;
	check(ip_parse, BYTES_LIT("192.0.2.7\0"), "none");
	check(ip_parse, BYTES_LIT("192.0.2.7\0.example"), "none");
	check(ip_parse, BYTES_LIT("::1\0"), "none");
}

static void the_longest_text_fits(void **state)
{
	(void)state;
	check(ip_parse, BYTES_LIT("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void what_is_none_leaves_the_address_alone(void **state)
{
	(void)state;
	uint8_t ip[16] = {1, [15] = 2}, same[16] = {1, [15] = 2};
	assert_false(ip_parse(BYTES_LIT("192.0.2"), ip));
	assert_false(ip_parse(BYTES_LIT("1:2:3"), ip));
	assert_memory_equal(ip, same, sizeof(ip));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(texts_are_addresses_or_none),
	cmocka_unit_test(a_nul_ends_nothing),
	cmocka_unit_test(the_longest_text_fits),
	cmocka_unit_test(what_is_none_leaves_the_address_alone),
};

UNIT_MAIN(tests)
