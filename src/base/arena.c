/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, len)   ASAN_POISON_MEMORY_REGION((ptr), (len))
#define UNPOISON(ptr, len) ASAN_UNPOISON_MEMORY_REGION((ptr), (len))
#define RED_ZONE           16
#else
#define POISON(ptr, len)   ((void)(ptr), (void)(len))
#define UNPOISON(ptr, len) ((void)(ptr), (void)(len))
#define RED_ZONE           0
#endif

#include "base/banned.h"

#define ALIGN         alignof(max_align_t)
#define FIRST_CHUNK   ((size_t)32 * 1024)
#define LARGEST_CHUNK ((size_t)1024 * 1024)

struct chunk {
	struct chunk *older;
	size_t size; /* of data */
	size_t used;
	alignas(max_align_t) uint8_t data[];
};

struct defer {
	struct defer *older;
	void (*fn)(void *obj);
	void *obj;
};

struct arena {
	struct chunk *newest;
	struct defer *defers;
	size_t n_defers;
	size_t budget;
	size_t spent;
	size_t next_size; /* of the next ordinary chunk */
	bool refused;
};

static struct chunk *chunk_new(size_t size)
{
	struct chunk *chunk = mem_alloc(sizeof(*chunk) + size);
	if (chunk) {
		chunk->older = NULL;
		chunk->size = size;
		chunk->used = 0;
		POISON(chunk->data, size);
	}
	return chunk;
}

static void chunk_free(struct chunk *chunk)
{
	UNPOISON(chunk->data, chunk->size);
	mem_free(chunk);
}

struct arena *arena_create(size_t budget)
{
	struct arena *arena = mem_new(struct arena, 1);
	if (!arena)
		return NULL;
	arena->budget = budget;
	arena->next_size = FIRST_CHUNK;
	return arena;
}

static void run_defers(struct arena *arena, size_t keep)
{
	while (arena->n_defers > keep) {
		struct defer *defer = arena->defers;
		arena->defers = defer->older;
		arena->n_defers--;
		defer->fn(defer->obj);
	}
}

void arena_free(struct arena **arena)
{
	if (!*arena)
		return;
	run_defers(*arena, 0);
	for (struct chunk *chunk = (*arena)->newest, *older; chunk; chunk = older) {
		older = chunk->older;
		chunk_free(chunk);
	}
	mem_free(*arena);
	*arena = NULL;
}

void arena_reset(struct arena *arena)
{
	struct chunk *first = NULL;
	run_defers(arena, 0);
	for (struct chunk *chunk = arena->newest, *older; chunk; chunk = older) {
		older = chunk->older;
		if (older || chunk->size > FIRST_CHUNK)
			chunk_free(chunk);
		else
			first = chunk;
	}
	if (first) {
		first->used = 0;
		POISON(first->data, first->size);
	}
	arena->newest = first;
	arena->spent = 0;
	arena->refused = false;
	arena->next_size = FIRST_CHUNK;
}

/* A chunk with room for `size`; a large block gets one of its own. */
static bool add_chunk(struct arena *arena, size_t size)
{
	size_t want = size > arena->next_size / 2 ? size : arena->next_size;
	if (arena->newest == NULL && want < FIRST_CHUNK)
		want = FIRST_CHUNK;
	struct chunk *chunk = chunk_new(want);
	if (!chunk)
		return false;
	if (want == arena->next_size && arena->next_size < LARGEST_CHUNK)
		arena->next_size *= 2;
	chunk->older = arena->newest;
	arena->newest = chunk;
	return true;
}

void *arena_alloc_raw(struct arena *arena, size_t size)
{
	size_t rounded;
	if (size == 0)
		size = 1;
	if (ckd_add(&rounded, size, ALIGN - 1 + RED_ZONE))
		return NULL;
	rounded &= ~(ALIGN - 1);
	if (rounded > arena->budget || arena->spent > arena->budget - rounded) {
		arena->refused = true;
		return NULL;
	}
	if ((!arena->newest || arena->newest->size - arena->newest->used < rounded) && !add_chunk(arena, rounded)) {
		arena->refused = true;
		return NULL;
	}
	struct chunk *chunk = arena->newest;
	uint8_t *block = chunk->data + chunk->used;
	chunk->used += rounded;
	arena->spent += rounded;
	UNPOISON(block, size);
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *block = arena_alloc_raw(arena, size);
	if (block)
		memset(block, 0, size);
	return block;
}

void *arena_alloc_array(struct arena *arena, size_t n, size_t size)
{
	size_t total;
	if (ckd_mul(&total, n, size))
		return NULL;
	return arena_alloc(arena, total);
}

void *arena_grow(struct arena *arena, void *items, size_t *capacity, size_t count, size_t size)
{
	size_t wanted;
	if (count < *capacity)
		return items;
	if (ckd_mul(&wanted, *capacity, (size_t)2))
		return NULL;
	if (wanted < 8)
		wanted = 8;
	size_t total;
	uint8_t *grown = ckd_mul(&total, wanted, size) ? NULL : arena_alloc_raw(arena, total);
	if (!grown)
		return NULL;
	if (count > 0)
		memcpy(grown, items, count * size);
	memset(grown + count * size, 0, total - count * size);
	*capacity = wanted;
	return grown;
}

void arena_shrink(struct arena *arena, void *block, size_t old, size_t new_size)
{
	struct chunk *chunk = arena->newest;
	size_t was = ((old ? old : 1) + ALIGN - 1 + RED_ZONE) & ~(ALIGN - 1);
	size_t is = ((new_size ? new_size : 1) + ALIGN - 1 + RED_ZONE) & ~(ALIGN - 1);
	ASSERT(new_size <= old);
	if (!chunk || chunk->used < was || (uint8_t *)block != chunk->data + (chunk->used - was))
		return;
	chunk->used -= was - is;
	arena->spent -= was - is;
	POISON((uint8_t *)block + new_size, was - new_size);
}

struct bytes arena_copy(struct arena *arena, struct bytes b)
{
	uint8_t *copy = arena_alloc_raw(arena, b.len);
	if (!copy)
		return (struct bytes){0};
	if (b.len > 0)
		memcpy(copy, b.ptr, b.len);
	return (struct bytes){copy, b.len};
}

struct bytes arena_copy_lower(struct arena *arena, struct bytes b)
{
	uint8_t *copy = arena_alloc_raw(arena, b.len);
	if (!copy)
		return (struct bytes){0};
	for (size_t i = 0; i < b.len; i++)
		copy[i] = ascii_lower(b.ptr[i]);
	return (struct bytes){copy, b.len};
}

char *arena_cstr(struct arena *arena, struct bytes b)
{
	char *copy = b.len < SIZE_MAX ? arena_alloc_raw(arena, b.len + 1) : NULL;
	if (!copy)
		return NULL;
	if (b.len > 0)
		memcpy(copy, b.ptr, b.len);
	copy[b.len] = '\0';
	return copy;
}

struct bytes arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *text = len < 0 ? NULL : arena_alloc_raw(arena, (size_t)len + 1);
	if (!text)
		return (struct bytes){0};
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return bytes_make(text, (size_t)len);
}

enum err arena_defer(struct arena *arena, void (*fn)(void *obj), void *obj)
{
	struct defer *defer = arena_new(arena, struct defer, 1);
	if (!defer)
		return ERR_NOMEM;
	*defer = (struct defer){.older = arena->defers, .fn = fn, .obj = obj};
	arena->defers = defer;
	arena->n_defers++;
	return ERR_OK;
}

struct arena_mark arena_mark(struct arena *arena)
{
	return (struct arena_mark){.chunk = arena->newest,
				   .used = arena->newest ? arena->newest->used : 0,
				   .spent = arena->spent,
				   .defers = arena->n_defers};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
	run_defers(arena, mark.defers);
	while (arena->newest && arena->newest != mark.chunk) {
		struct chunk *older = arena->newest->older;
		chunk_free(arena->newest);
		arena->newest = older;
	}
	if (arena->newest) {
		arena->newest->used = mark.used;
		POISON(arena->newest->data + mark.used, arena->newest->size - mark.used);
	}
	arena->spent = mark.spent;
}

size_t arena_used(const struct arena *arena)
{
	return arena->spent;
}

bool arena_refused(const struct arena *arena)
{
	return arena->refused;
}

size_t arena_left(const struct arena *arena)
{
	return arena->budget - arena->spent;
}
