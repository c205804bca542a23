/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/arena.h: memory that is freed all at once: one arena a message, a connection, a configuration.
 *
 * Bounds:   a byte budget given at creation, counted on what is asked for; over it every allocation returns NULL, which
 *           ends in ERR_LIMIT or ERR_NOMEM at the caller, never in a dead process.
 * Memory:   zeroed, aligned for any object. Under ASan each block has a red zone behind it and the tail is poisoned.
 * Not for:  secrets (nothing is wiped), threads.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

struct arena_mark {
	void *chunk;
	size_t used;
	size_t spent;
	size_t defers;
};

/* NULL when there is no memory. `budget` is in bytes; SIZE_MAX for none. */
struct arena *arena_create(size_t budget);
/* Runs the deferred calls, newest first, and frees all. Accepts NULL content; sets it to NULL. */
void arena_free(struct arena **arena);
/* As free and create, but keeps the first chunk: for the next message. */
void arena_reset(struct arena *arena);

__attribute__((alloc_size(2))) void *arena_alloc(struct arena *arena, size_t size);
void *arena_alloc_array(struct arena *arena, size_t n, size_t size);
/* As above, but the memory is not zeroed: for buffers that are filled at once. */
__attribute__((alloc_size(2))) void *arena_alloc_raw(struct arena *arena, size_t size);

/* Typed and multiplied checked: struct foo *f = arena_new(arena, struct foo, n). */
#define arena_new(arena, type, n) ((type *)arena_alloc_array((arena), (n), sizeof(type)))

/*
 * Makes room for one more element in an array that lives in the arena: doubles it, at least 8, by a copy (the old one
 * stays in the arena). Returns the array to use from now on, or NULL (then the old one is still good).
 *     items = arena_grow(arena, items, &capacity, count, sizeof(*items));
 */
NODISCARD void *arena_grow(struct arena *arena, void *items, size_t *capacity, size_t count, size_t size);

/* Gives back the end of the newest raw or plain block, which shrinks from `old` to `new` bytes. */
void arena_shrink(struct arena *arena, void *block, size_t old, size_t new_size);

/* A copy. The empty span gives an empty span with a pointer that is not NULL. {NULL, 0} when out of budget. */
struct bytes arena_copy(struct arena *arena, struct bytes b);
struct bytes arena_copy_lower(struct arena *arena, struct bytes b);
/* A NUL-terminated copy, for the edge of libc; NULL when out of budget. NULs inside stay and end it early. */
char *arena_cstr(struct arena *arena, struct bytes b);
PRINTF_LIKE(2, 3) struct bytes arena_printf(struct arena *arena, const char *fmt, ...);

/* Calls fn(obj) when the arena is freed or reset, or rewound past this point. */
NODISCARD enum err arena_defer(struct arena *arena, void (*fn)(void *obj), void *obj);

/* Scratch: all that was allocated after the mark is given back. */
struct arena_mark arena_mark(struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* Bytes asked for so far, and what the budget still gives. */
size_t arena_used(const struct arena *arena);
size_t arena_left(const struct arena *arena);
/* Whether any allocation failed since the arena was created or reset: then something is missing that was asked for. */
bool arena_refused(const struct arena *arena);
