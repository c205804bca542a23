/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "scan/plan.h"

static enum check_step run(struct scan *scan)
{
	(void)scan;
	return CHECK_DONE;
}

#define TEXTS .summary = "s", .text_en = "s", .text_ja = "s", .manual = "s", .run = run

CHECK_REGISTER(late){.symbol = "A_LATE", .family = "header", .stage = STAGE_LATE, .fixed_weight = -7, TEXTS};
CHECK_REGISTER(second){.symbol = "Z_SECOND", .family = "header", .stage = STAGE_HEADER, .fixed_weight = 5, TEXTS};
CHECK_REGISTER(first){.symbol = "B_FIRST", .family = "link", .stage = STAGE_HEADER, TEXTS};
CHECK_REGISTER(info){
	.symbol = "INFO", .family = "link", .stage = STAGE_CONTENT, .kind = KIND_INFO, .fixed_weight = 99, TEXTS};

static void checks_run_by_stage_then_symbol(void **state)
{
	static const char *const order[] = {"B_FIRST", "Z_SECOND", "INFO", "A_LATE"};
	static const int weights[] = {0, 5, 0, -7};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_plan *plan;
	struct error error;
	(void)state;
	assert_ok(plan_new(arena, &plan, &error));
	assert_int_equal(plan_count(plan), ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		assert_string_equal(plan_check(plan, i)->symbol, order[i]);
		assert_int_equal(plan_weight(plan, i), weights[i]); /* what is only told is never weighed */
		assert_ptr_equal(plan_find(plan, bytes_from_cstr(order[i])), plan_check(plan, i));
	}
	assert_int_equal(plan->n_families, 2);
	assert_int_equal(plan->entries[1].family, plan->entries[3].family);
	assert_non_null(plan_find(plan, BYTES_LIT("b_first")));
	assert_null(plan_find(plan, BYTES_LIT("B_FIRS")));
	assert_true(plan_definitions(plan)[0] != '\0');
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(checks_run_by_stage_then_symbol)};

UNIT_MAIN(tests)
