/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit_arena.h: for tests that need memory: each TEST() finds a fresh arena in `arena`. A file whose tests need
 * more than that begins its own set-up with unit_arena_begin().
 */
#include "base/arena.h"
#include "unit.h"

static struct arena *arena;

static inline int unit_arena_begin(void **state)
{
	(void)state;
	arena = arena_create(SIZE_MAX);
	return arena ? 0 : -1;
}

static inline int unit_arena_end(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_arena_begin, unit_arena_end)
