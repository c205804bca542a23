/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/err.h"
#include "sys/clock.h"

static void times_are_formatted_without_time_zone_files(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{-1, "1969-12-31T23:59:59Z"},
		{951782399, "2000-02-28T23:59:59Z"},
		{951782400, "2000-02-29T00:00:00Z"},
		{1709210096, "2024-02-29T12:34:56Z"},
		{4107542400, "2100-03-01T00:00:00Z"}, /* 2100 is no leap year */
		{-62135596800, "0001-01-01T00:00:00Z"},
		{253402300799, "9999-12-31T23:59:59Z"},
		{-2203891200, "1900-03-01T00:00:00Z"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[24];
		clock_format(cases[i].seconds, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void monotonic_time_does_not_go_back(void **state)
{
	int64_t last = clock_monotonic_ms();
	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t now = clock_monotonic_ms();
		assert_true(now >= last);
		last = now;
	}
}

static void the_fine_clock_agrees_with_the_coarse_one(void **state)
{
	(void)state;
	int64_t begin = clock_monotonic_usec();
	int64_t coarse = clock_monotonic_ms() * 1000;
	assert_true(clock_monotonic_usec() >= begin);
	assert_true(coarse <= clock_monotonic_usec() && coarse > begin - 100000);
}

static void cpu_time_grows_with_work(void **state)
{
	uint64_t begin = clock_cpu_usec();
	volatile uint64_t sum = 0;
	(void)state;
	for (uint64_t i = 0; i < 5000000; i++)
		sum += i;
	assert_true(sum > 0 && clock_cpu_usec() > begin);
}

static void wall_time_is_after_this_was_written(void **state)
{
	(void)state;
	assert_true(clock_wall_ms() > INT64_C(1700000000000));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(times_are_formatted_without_time_zone_files),
	cmocka_unit_test(monotonic_time_does_not_go_back),
	cmocka_unit_test(the_fine_clock_agrees_with_the_coarse_one),
	cmocka_unit_test(cpu_time_grows_with_work),
	cmocka_unit_test(wall_time_is_after_this_was_written),
};
UNIT_MAIN(tests)
