/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/banned.h"

static uint64_t count;
static uint64_t fail_at;
static bool fail_sticky;

static bool must_fail(void)
{
	count++;
	if (fail_at == 0)
		return false;
	return count == fail_at || (fail_sticky && count > fail_at);
}

void *mem_alloc(size_t size)
{
	return must_fail() ? NULL : malloc(size ? size : 1);
}

void *mem_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *mem_realloc(void *ptr, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes) || must_fail())
		return NULL;
	return realloc(ptr, bytes ? bytes : 1);
}

void mem_free(void *ptr)
{
	free(ptr);
}

void mem_fail_after(uint64_t nth, int sticky)
{
	fail_at = nth ? count + nth : 0;
	fail_sticky = sticky != 0;
}

uint64_t mem_count(void)
{
	return count;
}
