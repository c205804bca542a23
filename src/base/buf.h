/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/buf.h: a growing buffer that cannot be made without its maximum.
 *
 * Errors are sticky: after the first one nothing is added and buf_err() tells; so write straight on and test once.
 * Owns its memory; heap, not arena, because it grows. buf_done() frees it, and is what CLEANUP() wants.
 */
#include "base/bytes.h"
#include "base/err.h"

struct buf {
	uint8_t *ptr;
	size_t len;
	size_t capacity;
	size_t max;
	enum err err;
};

void buf_init(struct buf *buf, size_t max);
#define BUF_INIT(maximum)                                                                                              \
	{                                                                                                              \
		.max = (maximum)                                                                                       \
	}
void buf_done(struct buf *buf);
/* Empties it and forgets the error; the memory stays. */
void buf_clear(struct buf *buf);

void buf_add(struct buf *buf, struct bytes b);
void buf_add_byte(struct buf *buf, uint8_t byte);
void buf_add_cstr(struct buf *buf, const char *s);
PRINTF_LIKE(2, 3) void buf_printf(struct buf *buf, const char *fmt, ...);
/* Big endian, as on the wire. */
void buf_add_be16(struct buf *buf, uint16_t v);
void buf_add_be32(struct buf *buf, uint32_t v);
void buf_add_be64(struct buf *buf, uint64_t v);

/* Room for `n` more bytes to write into directly; buf_commit() adds them. NULL on error (which sticks). */
uint8_t *buf_reserve(struct buf *buf, size_t n);
void buf_commit(struct buf *buf, size_t n);

/* Drops `n` bytes from the front (all of them at most). */
void buf_consume(struct buf *buf, size_t n);

static inline struct bytes buf_bytes(const struct buf *buf)
{
	return (struct bytes){buf->ptr, buf->len};
}

/* ERR_OK, ERR_LIMIT (the maximum) or ERR_NOMEM. */
static inline enum err buf_err(const struct buf *buf)
{
	return buf->err;
}
