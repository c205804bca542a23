/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "scan/plan.h"

static enum check_step run(struct scan *scan)
{
	(void)scan;
	return CHECK_DONE;
}

/* In different stages, so that sorting alone does not bring them together. */
CHECK_REGISTER(one){.symbol = "TWICE",
		    .family = "header",
		    .stage = STAGE_LATE,
		    .summary = "s",
		    .text_en = "s",
		    .text_ja = "s",
		    .manual = "s",
		    .run = run};
CHECK_REGISTER(between){.symbol = "OTHER",
			.family = "header",
			.stage = STAGE_CONTENT,
			.summary = "s",
			.text_en = "s",
			.text_ja = "s",
			.manual = "s",
			.run = run};
CHECK_REGISTER(two){.symbol = "TWICE",
		    .family = "link",
		    .stage = STAGE_ENVELOPE,
		    .summary = "s",
		    .text_en = "s",
		    .text_ja = "s",
		    .manual = "s",
		    .run = run};

static void two_checks_of_one_name_are_refused(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_plan *plan;
	struct error error = {0};
	(void)state;
	assert_int_equal(plan_new(arena, &plan, &error), ERR_INTERNAL);
	assert_string_equal(error.text, "two checks are called TWICE");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(two_checks_of_one_name_are_refused)};

UNIT_MAIN(tests)
