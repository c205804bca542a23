/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "base/escape.h"

static void escapes(void **state)
{
	(void)state;
	static const struct {
		struct bytes in;
		const char *json, *plain;
	} rows[] = {
		{BYTES_INIT("plain"), "plain", "plain"},
		{BYTES_INIT("a\"b\\c\n"), "a\\\"b\\\\c\\n", "a\"b\\c\xef\xbf\xbd"},
		{BYTES_INIT("\x1b[2J\0"), "\\u001b[2J\\u0000", "\xef\xbf\xbd[2J\xef\xbf\xbd"},
		{BYTES_INIT("\xe2\x80\xae"
			    "exe"),
		 "\\u202eexe", "<U+202E>exe"},
		{BYTES_INIT("\xc2\x9b"
			    "31m\xe2\x80\xa8"),
		 "\\u009b31m\\u2028",
		 "\xef\xbf\xbd"
		 "31m\xef\xbf\xbd"},
		{BYTES_INIT("\xff\xe6\x97\xa5"), "\xef\xbf\xbd\xe6\x97\xa5", "\xef\xbf\xbd\xe6\x97\xa5"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(buf_done) struct buf json = BUF_INIT(1000);
		CLEANUP(buf_done) struct buf plain = BUF_INIT(1000);
		escape_json(&json, rows[i].in);
		escape_plain(&plain, rows[i].in);
		assert_bytes_str(buf_bytes(&json), rows[i].json);
		assert_bytes_str(buf_bytes(&plain), rows[i].plain);
	}
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(escapes)};
UNIT_MAIN(tests)
