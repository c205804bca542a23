/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "base/utf8.h"

static void validates(void **state)
{
	(void)state;
	static const struct {
		struct bytes in;
		bool valid;
		const char *sanitized;
	} rows[] = {
		{BYTES_INIT("caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"), true, NULL},
		{BYTES_INIT("\xc0\xaf"), false, "\xef\xbf\xbd\xef\xbf\xbd"},
		{BYTES_INIT("\xed\xa0\x80"), false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{BYTES_INIT("\xf4\x90\x80\x80"), false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{BYTES_INIT("a\xe6\x97"), false, "a\xef\xbf\xbd"},
		{BYTES_INIT("\xf0\x9f\x98"
			    "A"),
		 false,
		 "\xef\xbf\xbd"
		 "A"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(1000);
		assert_int_equal(utf8_valid(rows[i].in), rows[i].valid);
		utf8_add_sanitized(&out, rows[i].in);
		if (rows[i].sanitized)
			assert_bytes_str(buf_bytes(&out), rows[i].sanitized);
		else
			assert_bytes(buf_bytes(&out), rows[i].in);
	}
}

static void every_code_point_comes_back(void **state)
{
	(void)state;
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		uint8_t raw[4];
		bool ok;
		if (code == 0xd800)
			code = 0xe000;
		struct bytes text = bytes_make(raw, utf8_encode(code, raw));
		if (utf8_next(&text, &ok) != code || !ok || text.len != 0)
			fail_msg("U+%04X", code);
	}
}

static void prefix_cuts_between_characters(void **state)
{
	(void)state;
	struct bytes text = BYTES_LIT("a\xe6\x97\xa5z");
	static const size_t want[] = {0, 1, 1, 1, 4, 5, 5};
	for (size_t max = 0; max < 7; max++)
		assert_int_equal(utf8_prefix(text, max).len, want[max]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(validates),
	cmocka_unit_test(every_code_point_comes_back),
	cmocka_unit_test(prefix_cuts_between_characters),
};
UNIT_MAIN(tests)
