/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/mem.h"

static void gives_zeroed_aligned_memory(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	for (size_t size = 1; size < 200000; size = size * 3 + 1) {
		uint8_t *block = arena_alloc(arena, size);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(block[i], 0);
		memset(block, 0xff, size);
	}
}

static void stops_at_its_budget(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(1000);
	assert_non_null(arena_alloc(arena, 400));
	assert_null(arena_alloc(arena, 700));
	assert_null(arena_alloc(arena, SIZE_MAX / 2));
	assert_null(arena_alloc_array(arena, SIZE_MAX / 2, 4));
	assert_non_null(arena_alloc(arena, 400));
	assert_true(arena_left(arena) <= 200);
}

static void note(void *obj)
{
	int *log = *(int **)obj;
	*log = *log * 10 + 1;
}

static void runs_deferred_calls(void **state)
{
	(void)state;
	int log = 0;
	int *p = &log;
	struct arena *arena = arena_create(SIZE_MAX);
	assert_ok(arena_defer(arena, note, &p));
	struct arena_mark mark = arena_mark(arena);
	assert_ok(arena_defer(arena, note, &p));
	assert_ok(arena_defer(arena, note, &p));
	arena_rewind(arena, mark);
	assert_int_equal(log, 11);
	arena_free(&arena);
	assert_int_equal(log, 111);
	assert_null(arena);
}

static void rewinds_over_chunks(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	assert_non_null(arena_alloc(arena, 10));
	struct arena_mark mark = arena_mark(arena);
	size_t used = arena_used(arena);
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(arena, 30000));
	arena_rewind(arena, mark);
	assert_int_equal(arena_used(arena), used);
	struct bytes copy = arena_copy(arena, BYTES_LIT("after"));
	assert_bytes_str(copy, "after");
}

static void grows_arrays(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	int *items = NULL;
	size_t capacity = 0;
	for (size_t n = 0; n < 1000; n++) {
		items = arena_grow(arena, items, &capacity, n, sizeof(*items));
		assert_non_null(items);
		items[n] = (int)n;
	}
	for (int n = 0; n < 1000; n++)
		assert_int_equal(items[n], n);
}

static void survives_failed_allocations(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth < 6; nth++) {
		mem_fail_after(nth, 1);
		struct arena *arena = arena_create(SIZE_MAX);
		for (int i = 0; arena && i < 10; i++)
			(void)arena_alloc(arena, 50000);
		arena_free(&arena);
		mem_fail_after(0, 0);
	}
}

static void shrinks_the_newest(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	uint8_t *block = arena_alloc_raw(arena, 10000);
	assert_non_null(block);
	memset(block, 'x', 10000);
	arena_shrink(arena, block, 10000, 100);
	assert_true(arena_used(arena) < 200);
	assert_int_equal(block[99], 'x');
	assert_bytes_str(arena_printf(arena, "%d-%s", 7, "b"), "7-b");
	assert_string_equal(arena_cstr(arena, BYTES_LIT("abc")), "abc");
}

static void remembers_that_it_refused(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(4096);
	assert_non_null(arena_alloc(arena, 1000));
	assert_false(arena_refused(arena));
	struct arena_mark mark = arena_mark(arena);
	assert_null(arena_alloc(arena, 5000));
	assert_non_null(arena_alloc(arena, 100));
	arena_rewind(arena, mark);
	assert_true(arena_refused(arena)); /* what was missing then is missing still */
	arena_reset(arena);
	assert_false(arena_refused(arena));
	/* A budget that is not used up does not help when the heap is empty. */
	CLEANUP(arena_free) struct arena *other = arena_create(SIZE_MAX);
	mem_fail_after(1, 0);
	assert_null(arena_alloc(other, 100));
	mem_fail_after(0, 0);
	assert_true(arena_refused(other));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(gives_zeroed_aligned_memory),
	cmocka_unit_test(stops_at_its_budget),
	cmocka_unit_test(runs_deferred_calls),
	cmocka_unit_test(rewinds_over_chunks),
	cmocka_unit_test(grows_arrays),
	cmocka_unit_test(survives_failed_allocations),
	cmocka_unit_test(shrinks_the_newest),
	cmocka_unit_test(remembers_that_it_refused),
};
UNIT_MAIN(tests)
