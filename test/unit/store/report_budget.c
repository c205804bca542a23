/* SPDX-License-Identifier: Apache-2.0 */
#include "store/report_budget.h"

#include <stdio.h>

#include "unit.h"

#include "base/banned.h"

#define DAY  20718
#define PART ((size_t)100000)

/* How many parts are taken until one is not. */
static size_t fill(struct report_budget *budget, int64_t day, const char *sender)
{
	size_t n = 0;
	while (report_budget_use(budget, day, bytes_from_cstr(sender), PART))
		n++;
	return n;
}

static void a_sender_has_a_quarter_of_a_day(void **state)
{
	(void)state;
	struct report_budget budget = {0};
	assert_int_equal(fill(&budget, DAY, "evil.example"), REPORT_BUDGET_DAY / 4 / PART);
	assert_false(report_budget_use(&budget, DAY, BYTES_LIT("evil.example"), PART));
	assert_true(report_budget_use(&budget, DAY, BYTES_LIT("receiver.example"), PART));
	assert_int_equal(fill(&budget, DAY + 1, "evil.example"), REPORT_BUDGET_DAY / 4 / PART);
}

static void many_senders_leave_something_and_do_not_exceed_the_day(void **state)
{
	(void)state;
	struct report_budget budget = {0};
	char name[40];
	size_t all = 0;
	for (int i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "evil%d.example", i);
		all += fill(&budget, DAY, name);
	}
	assert_true(fill(&budget, DAY, "receiver.example") >= 3);
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "other%d.example", i);
		all += fill(&budget, DAY, name);
	}
	assert_true(all > 150 && all * PART <= REPORT_BUDGET_DAY);
	assert_false(report_budget_use(&budget, DAY, BYTES_LIT("x"), SIZE_MAX));
	assert_false(report_budget_use(&budget, DAY, (struct bytes){0}, (size_t)REPORT_BUDGET_DAY + 1));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_sender_has_a_quarter_of_a_day),
	cmocka_unit_test(many_senders_leave_something_and_do_not_exceed_the_day),
};
UNIT_MAIN(tests)
