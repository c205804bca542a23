/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/table.h"

#include "unit.h"

#define HALF 180u
#define DAY  20000u

/* A key that a hash might give. */
static uint64_t key_of(uint64_t n)
{
	n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
	return (n ^ n >> 29) & UINT64_C(0xffffffffffff);
}

static void a_weight_halves_with_each_half_life(void **state)
{
	(void)state;
	static const struct {
		uint16_t weight;
		unsigned days;
		uint16_t left;
	} cases[] = {
		{64, 0, 64},          {64, 180, 32},    {64, 90, 48},      {64, 360, 16},
		{64, 270, 24},        {64, 7 * 180, 0}, {65535, 0, 65535}, {65535, 15 * 180, 1},
		{65535, 16 * 180, 0}, {1, 1, 1},        {1, 180, 0},       {65535, 65535, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(table_decay(cases[i].weight, cases[i].days, HALF), cases[i].left);
	uint16_t before = 64;
	for (unsigned day = 0; day < 2000; day++) {
		uint16_t left = table_decay(64, day, HALF);
		assert_true(left <= before);
		before = left;
	}
	assert_int_equal(before, 0);
}

static void a_day_counts_once(void **state)
{
	(void)state;
	struct table table;
	assert_ok(table_init(&table, 4096));
	assert_null(table_find(&table, 7));
	for (int i = 0; i < 1000; i++)
		assert_non_null(table_learn(&table, 7, DAY, TABLE_DAY, HALF));
	const struct table_record *record = table_find(&table, 7);
	assert_int_equal(record->weight, TABLE_DAY);
	assert_non_null(table_learn(&table, 7, DAY + 1, TABLE_DAY, HALF));
	assert_int_equal(record->weight, 2 * TABLE_DAY);
	assert_int_equal(record->first, DAY);
	assert_int_equal(record->last, DAY + 1);
	/* A clock that was put back changes nothing. */
	assert_non_null(table_learn(&table, 7, DAY - 100, TABLE_DAY, HALF));
	assert_int_equal(record->weight, 2 * TABLE_DAY);
	assert_int_equal(record->last, DAY + 1);
	/* Every day for a long time: the top is kept, nothing wraps. */
	for (uint16_t day = DAY + 2; day < DAY + 10000; day++)
		assert_non_null(table_learn(&table, 7, day, 60000, HALF));
	assert_int_equal(record->weight, UINT16_MAX);
	table_done(&table);
}

static void what_decayed_begins_anew(void **state)
{
	(void)state;
	struct table table;
	assert_ok(table_init(&table, 4096));
	assert_non_null(table_learn(&table, 7, DAY, TABLE_DAY, HALF));
	const struct table_record *record = table_learn(&table, 7, DAY + 2000, TABLE_DAY, HALF);
	assert_non_null(record);
	assert_int_equal(record->first, DAY + 2000);
	assert_int_equal(record->weight, TABLE_DAY);
	table_done(&table);
}

static void a_key_is_found_again(void **state)
{
	(void)state;
	struct table table;
	size_t found = 0, strangers = 0;
	assert_ok(table_init(&table, 1 << 20));
	size_t n = table_slots(&table) * 8 / 10, moved = 0;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(table_learn(&table, key_of(i), DAY, TABLE_DAY, HALF));
		assert_true(table.changed);
		moved += table.moved != TABLE_NOBODY;
		if (table.moved != TABLE_NOBODY)
			assert_non_null(table_find(&table, table.moved));
	}
	/* Where ten slots are taken one of the records moves, and nothing is lost. */
	assert_true(moved > 0);
	assert_int_equal(table.evicted, 0);
	for (size_t i = 0; i < n; i++)
		found += table_find(&table, key_of(i)) != NULL;
	for (size_t i = n; i < 2 * n; i++)
		strangers += table_find(&table, key_of(i)) != NULL;
	assert_int_equal(found, n);
	assert_int_equal(strangers, 0);
	size_t slots = 0;
	for (size_t i = 0; i < table_slots(&table); i++)
		slots += table_slot(&table, i) != NULL;
	assert_int_equal(slots, found);
	table_done(&table);
}

/* Twenty times as many strangers as there are slots, all on one day. */
static void a_flood_of_strangers_pushes_out_strangers(void **state)
{
	(void)state;
	struct table table;
	assert_ok(table_init(&table, 1 << 18));
	size_t slots = table_slots(&table), known = slots / 3, kept = 0;
	for (size_t i = 0; i < known; i++)
		for (uint16_t week = 0; week < 2; week++)
			(void)table_learn(&table, key_of(i), (uint16_t)(DAY + week * 7u), TABLE_DAY, HALF);
	for (size_t i = 0; i < known; i++)
		kept += table_find(&table, key_of(i)) != NULL;
	assert_int_equal(kept, known);
	for (size_t i = 0; i < 20 * slots; i++)
		(void)table_learn(&table, key_of(i + known), DAY + 200, TABLE_DAY, HALF);
	assert_true(table.evicted > 10 * slots);
	kept = 0;
	for (size_t i = 0; i < known; i++)
		kept += table_find(&table, key_of(i)) != NULL;
	assert_int_equal(kept, known);
	table_done(&table);
}

/* As many strangers as there are slots, who come once more a week later; then correspondents of later on. */
static void a_flood_that_came_twice_does_not_keep_out_who_comes_later(void **state)
{
	(void)state;
	struct table table;
	assert_ok(table_init(&table, 1 << 16));
	size_t slots = table_slots(&table), known = slots / 20, kept = 0;
	for (uint16_t week = 0; week < 2; week++)
		for (size_t i = 0; i < slots; i++)
			(void)table_learn(&table, key_of(i), (uint16_t)(DAY + week * 7u), TABLE_DAY, HALF);
	for (unsigned day = 20; day < 48; day += 4)
		for (size_t i = 0; i < known; i++)
			(void)table_learn(&table, key_of(2 * slots + i), (uint16_t)(DAY + day), TABLE_DAY, HALF);
	for (size_t i = 0; i < known; i++)
		kept += table_find(&table, key_of(2 * slots + i)) != NULL;
	assert_true(kept * 4 >= known * 3);
	table_done(&table);
}

static void what_is_stronger_than_a_newcomer_stays(void **state)
{
	(void)state;
	struct table table;
	assert_ok(table_init(&table, 1)); /* one line */
	assert_int_equal(table_slots(&table), TABLE_SLOTS);
	for (uint64_t key = 1; key <= TABLE_SLOTS; key++)
		for (uint16_t day = 0; day < 2; day++)
			assert_non_null(table_learn(&table, key, (uint16_t)(DAY + day), TABLE_DAY, HALF));
	assert_null(table_learn(&table, 9, DAY + 2, TABLE_DAY, HALF));
	assert_int_equal(table.refused, 1);
	/* After a year the two days are worth less than today. */
	assert_non_null(table_learn(&table, 9, DAY + 400, TABLE_DAY, HALF));
	assert_int_equal(table.evicted, 1);
	/* Of equals the one not seen for longest goes. */
	table_done(&table);
	assert_ok(table_init(&table, 1));
	for (uint64_t key = 1; key <= TABLE_SLOTS; key++)
		assert_non_null(table_learn(&table, key, (uint16_t)(DAY + key), TABLE_DAY, 60000));
	assert_non_null(table_learn(&table, 9, DAY + 6, TABLE_DAY, 60000));
	assert_null(table_find(&table, 1));
	assert_non_null(table_find(&table, 2));
	table_done(&table);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_weight_halves_with_each_half_life),
	cmocka_unit_test(a_day_counts_once),
	cmocka_unit_test(what_decayed_begins_anew),
	cmocka_unit_test(a_key_is_found_again),
	cmocka_unit_test(a_flood_of_strangers_pushes_out_strangers),
	cmocka_unit_test(a_flood_that_came_twice_does_not_keep_out_who_comes_later),
	cmocka_unit_test(what_is_stronger_than_a_newcomer_stays),
};

UNIT_MAIN(tests)
