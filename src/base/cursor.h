/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/cursor.h: a bounded reader with a sticky error: read straight on, test once at the end.
 *
 * After an error every read gives 0 or the empty span, and the position stays.
 */
#include "base/bytes.h"
#include "base/err.h"

struct cursor {
	struct bytes all;
	size_t at;
	enum err err;
};

static inline struct cursor cursor_make(struct bytes all)
{
	return (struct cursor){.all = all};
}

static inline size_t cursor_left(const struct cursor *cur)
{
	return cur->err == ERR_OK ? cur->all.len - cur->at : 0;
}

static inline bool cursor_end(const struct cursor *cur)
{
	return cursor_left(cur) == 0;
}

/* The next `n` bytes; ERR_SHORT sticks when there are fewer. */
struct bytes cursor_take(struct cursor *cur, size_t n);
/* All that is left. */
struct bytes cursor_rest(struct cursor *cur);
/* Up to `stop`, which is skipped; ERR_SHORT sticks when it is not there. */
struct bytes cursor_until(struct cursor *cur, uint8_t stop);
uint8_t cursor_u8(struct cursor *cur);
uint16_t cursor_be16(struct cursor *cur);
uint32_t cursor_be32(struct cursor *cur);
uint64_t cursor_be64(struct cursor *cur);
uint16_t cursor_le16(struct cursor *cur);
uint32_t cursor_le32(struct cursor *cur);

/* Sets the sticky error, if there is none yet. */
static inline void cursor_fail(struct cursor *cur, enum err err)
{
	if (cur->err == ERR_OK)
		cur->err = err;
}
