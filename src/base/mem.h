/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/mem.h: the only door to the heap. Everything else calls these (a lint test looks), so that tests can make the
 * n-th allocation fail. All return NULL when there is no memory; sizes are multiplied checked.
 */
#include <stddef.h>
#include <stdint.h>

__attribute__((malloc, alloc_size(1))) void *mem_alloc(size_t size);
__attribute__((malloc, alloc_size(1, 2))) void *mem_calloc(size_t n, size_t size);
/* As realloc of n * size bytes; on failure the old block stays. */
void *mem_realloc(void *ptr, size_t n, size_t size);
void mem_free(void *ptr);

/* Typed: struct foo *f = mem_new(struct foo, 1); zeroed. */
#define mem_new(type, n) ((type *)mem_calloc((n), sizeof(type)))

/*
 * Torture: the `nth` allocation from now (1 = the next) fails, and every one after it while `sticky`; 0 switches it
 * off. Not for threads.
 */
void mem_fail_after(uint64_t nth, int sticky);

/* Number of allocations asked for since the start, failed ones included. */
uint64_t mem_count(void);
