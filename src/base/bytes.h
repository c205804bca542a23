/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/bytes.h: a read-only span of bytes, passed by value everywhere.
 *
 * A span never owns what it points at and is never NUL-terminated. An empty span may have a NULL pointer.
 * "nocase" means ASCII case only, whatever the locale is.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/ascii.h"

struct bytes {
	const uint8_t *ptr;
	size_t len;
};

#define BYTES_NONE ((size_t)-1) /* "not found" of the bytes_find family */

/* A span over a string literal, without its NUL; for code, and for static tables. */
#define BYTES_LIT(s) ((struct bytes){(const uint8_t *)("" s), sizeof(s) - 1})
#define BYTES_INIT(s)                                                                                                  \
	{                                                                                                              \
		(const uint8_t *)("" s), sizeof(s) - 1                                                                 \
	}
/* For printf: printf("%.*s", BYTES_FMT(b)). Foreign text goes through base/escape.h first. */
#define BYTES_FMT(b) (int)((b).len > 0x7fffffff ? 0x7fffffff : (b).len), (const char *)(b).ptr

static inline struct bytes bytes_make(const void *ptr, size_t len)
{
	return (struct bytes){(const uint8_t *)ptr, len};
}

/* A span over a NUL-terminated string; NULL gives the empty span. */
static inline struct bytes bytes_from_cstr(const char *s)
{
	return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool bytes_empty(struct bytes b)
{
	return b.len == 0;
}

/* `len` bytes from `from`, both clamped to what is there. */
static inline struct bytes bytes_sub(struct bytes b, size_t from, size_t len)
{
	if (from > b.len)
		from = b.len;
	if (len > b.len - from)
		len = b.len - from;
	return (struct bytes){b.ptr ? b.ptr + from : NULL, len};
}

/* All from `from` on. */
static inline struct bytes bytes_from(struct bytes b, size_t from)
{
	return bytes_sub(b, from, b.len);
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The first `len` bytes of both, without regard to case. */
bool bytes_same_nocase(const uint8_t *a, const uint8_t *b, size_t len);

/* Inline as far as length and first letter, which is where most comparisons end. */
static inline bool bytes_eq_nocase(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	       (a.len == 0 || (((a.ptr[0] ^ b.ptr[0]) & 0xdf) == 0 && bytes_same_nocase(a.ptr, b.ptr, a.len)));
}

/* <0, 0, >0 as memcmp; a prefix sorts first. */
int bytes_cmp(struct bytes a, struct bytes b);

static inline bool bytes_starts(struct bytes b, struct bytes prefix)
{
	return b.len >= prefix.len && bytes_eq(bytes_sub(b, 0, prefix.len), prefix);
}

static inline bool bytes_ends(struct bytes b, struct bytes suffix)
{
	return b.len >= suffix.len && bytes_eq(bytes_from(b, b.len - suffix.len), suffix);
}

static inline bool bytes_starts_nocase(struct bytes b, struct bytes prefix)
{
	return b.len >= prefix.len && bytes_eq_nocase(bytes_sub(b, 0, prefix.len), prefix);
}

bool bytes_ends_nocase(struct bytes b, struct bytes suffix);

/* Offset of the first hit, or BYTES_NONE. An empty needle is found at 0. */
size_t bytes_find(struct bytes hay, struct bytes needle);
size_t bytes_find_nocase(struct bytes hay, struct bytes needle);

static inline size_t bytes_find_byte(struct bytes hay, uint8_t byte)
{
	const uint8_t *hit = hay.len ? memchr(hay.ptr, byte, hay.len) : NULL;
	return hit ? (size_t)(hit - hay.ptr) : BYTES_NONE;
}

size_t bytes_rfind_byte(struct bytes hay, uint8_t byte);

static inline bool bytes_has(struct bytes hay, uint8_t byte)
{
	return bytes_find_byte(hay, byte) != BYTES_NONE;
}

/* Without leading and trailing space, tab, CR, LF, FF and VT. */
struct bytes bytes_trim(struct bytes b);

/* Without one trailing LF or CRLF. */
struct bytes bytes_chomp(struct bytes b);

/*
 * Takes the next piece up to `sep` (not included) off the front of `*rest`; false when nothing is left.
 * "a,,b" gives "a", "", "b"; the empty span gives nothing.
 */
bool bytes_split(struct bytes *rest, uint8_t sep, struct bytes *ret_piece);
