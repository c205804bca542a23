/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "mail/date.h"

static void reads_forms_in_use(void **state)
{
	(void)state;
	static const struct {
		const char *in, *want;
	} rows[] = {
		{"Mon, 22 Mar 1993 17:41:09 +0000", "1993-03-22T17:41:09Z"},
		{"22 mar 93 17:41:09 GMT", "1993-03-22T17:41:09Z"},
		{"Mon, 22 Mar 1993 12:41:09 EST", "1993-03-22T17:41:09Z"},
		{"Mon Mar 22 17:41:09 1993", "1993-03-22T17:41:09Z"},
		{"Tue, 23 Mar 1993 02:41:09 +0900 (JST)", "1993-03-22T17:41:09Z"},
		{"Tue, 23 Mar 1993 02:41:09 GMT+0900", "1993-03-22T17:41:09Z"},
		{"1993-03-22T17:41:09Z", "1993-03-22T17:41:09Z"},
		{"1993-03-22 19:41:09.5+02:00", "1993-03-22T17:41:09Z"},
		{"Mon, 22 Mar 1993 17:41 +0000", "1993-03-22T17:41:00Z"},
		{"30 Feb 2020 00:00:00 +0000", NULL},
		{"31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00Z"},
		{"", NULL},
		{"22 Mar 1993", NULL},
		{"Mon, 22 Mar 1993 25:00:00 +0000", NULL},
		{"Mon, 22-Mar-1993 17:41:09 +0000 12345678", "1993-03-22T17:41:09Z"},
		{"(c (d)) Mon(x), 22 Mar 1993 17:41:09 -0000", "1993-03-22T17:41:09Z"},
		{"29 Feb 2000 0:0:0 +0000", "2000-02-29T00:00:00Z"},
		{"29 Feb 1900 0:0:0 +0000", NULL},
		{"Mon Mar 22 17:41:09 UTC 1993", "1993-03-22T17:41:09Z"},
		{"Mon, 22 Mar 1993 5:41:09 PM +0000", "1993-03-22T17:41:09Z"},
		/* RFC 5322, A.6.3 */
		{"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06Z"},
		{"22 Mar 1993 17 (x)\r\n : (y) 41 (z) +0000", "1993-03-22T17:41:00Z"},
		{"Mon, 22 Mar 1993 18.41.09 +0100", "1993-03-22T17:41:09Z"},
		{"22.3.1993 17:41:09", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct date date;
		char text[21];
		enum err err = date_parse(bytes_from_cstr(rows[i].in), &date);
		if (err != (rows[i].want ? ERR_OK : ERR_SYNTAX))
			fail_msg("%s", rows[i].in);
		if (err != ERR_OK)
			continue;
		date_format_rfc3339(date.time, text);
		assert_string_equal(text, rows[i].want);
	}
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (int64_t time = -62167219200; time < 253402300800; time += 86400 * 37 + 12345) {
		char text[40];
		struct date date;
		date_format_rfc5322(time, text);
		assert_ok(date_parse(bytes_from_cstr(text), &date));
		assert_int_equal(date.time, time);
		assert_false(date.weekday_wrong);
		assert_false(date.obsolete);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_forms_in_use),
	cmocka_unit_test(what_is_written_is_read_back),
};
UNIT_MAIN(tests)
