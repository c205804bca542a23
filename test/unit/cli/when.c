/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "cli/when.h"

#define NOW_MS INT64_C(1795521600000) /* 2026-11-24T12:00:00Z */

static void times_are_read_as_people_type_them(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"0s", NOW_MS},
		{"90s", NOW_MS - 90000},
		{"5m", NOW_MS - 300000},
		{"2h", NOW_MS - 7200000},
		{"3d", NOW_MS - 3 * INT64_C(86400000)},
		{"1w", NOW_MS - 7 * INT64_C(86400000)},
		{"1795521600", NOW_MS},
		{"0", 0},
		/* Local time: Japan is nine hours ahead. */
		{"2026-11-24", NOW_MS - 21 * INT64_C(3600000)},
		{"2026-11-24T21:00", NOW_MS},
		{"2026-11-24 21:00", NOW_MS},
		{"2026-11-24T21:00:07", NOW_MS + 7000},
		{"2028-02-29", INT64_C(1835362800000)},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -1;
		assert_true(when_parse(cases[i].text, NOW_MS, &ms));
		assert_int_equal(ms, cases[i].ms);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = {"",
					    "h",
					    "2y",
					    "-2h",
					    "2 h",
					    "2h ",
					    "yesterday",
					    "2026-13-01",
					    "2026-11-32",
					    "2026-11-24T25:00",
					    "2026-11-24T",
					    "2026-11-24Z",
					    "2026-02-30",
					    "2027-02-29",
					    "99999999999999999999",
					    "99999999999999999999h"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms;
		if (when_parse(cases[i], NOW_MS, &ms))
			fail_msg("\"%s\" was taken", cases[i]);
	}
}

static void times_are_written_in_local_time_or_utc(void **state)
{
	char out[32];
	(void)state;
	when_format(NOW_MS + 999, true, out);
	assert_string_equal(out, "2026-11-24 12:00:00Z");
	when_format(NOW_MS + 999, false, out);
	assert_string_equal(out, "2026-11-24 21:00:00");
	when_format(0, true, out);
	assert_string_equal(out, "1970-01-01 00:00:00Z");
}

static int in_japan(void **state)
{
	(void)state;
	if (setenv("TZ", "JST-9", 1) != 0)
		return -1;
	tzset();
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(times_are_read_as_people_type_them, in_japan),
	cmocka_unit_test_setup(what_is_no_time_is_refused, in_japan),
	cmocka_unit_test_setup(times_are_written_in_local_time_or_utc, in_japan),
};

UNIT_MAIN(tests)
