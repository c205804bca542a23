/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/compress.h: zstd (RFC 8878), the only compression that the product itself writes or is spoken to in: bodies in
 * the quarantine, requests of newer rspamd clients.
 *
 *     decompress_feed(d, data);  while ((err = decompress_next(d, &piece)) == ERR_OK) ...;  ERR_AGAIN: more bytes
 * needed
 *
 * Owns:   the window and one piece of output, until decompress_free().
 * Bounds: `max` bytes come out, DECOMPRESS_PIECE_MAX at a time, however many are promised: memory is that of the
 *         window, 8 MB at most (what RFC 9659 demands of senders), and not that of the content.
 * Fails:  ERR_LIMIT: over `max`, or a larger window; ERR_SYNTAX: malformed or damaged; ERR_UNSUPPORTED: made with a
 *         dictionary; ERR_NOMEM. They stick.
 */
#include "base/buf.h"

#define DECOMPRESS_PIECE_MAX ((size_t)64 << 10)

/* Room that compress_add() needs for so many bytes: the maximum of its buffer. */
size_t compress_bound(size_t len);
/* Adds one frame with a checksum. What fails is told by buf_err(). */
void compress_add(struct buf *out, struct bytes plain);

struct decompress;

NODISCARD enum err decompress_new(uint64_t max, struct decompress **ret_decompress);
/* Accepts NULL content; sets it to NULL. */
void decompress_free(struct decompress **decompress);
/* `data` must stay until decompress_next() said ERR_AGAIN. */
void decompress_feed(struct decompress *decompress, struct bytes data);
/* ERR_OK and a piece, never empty, that lives until the next call; ERR_AGAIN; or what failed. */
NODISCARD enum err decompress_next(struct decompress *decompress, struct bytes *ret_piece);
/* After the last piece: ERR_OK when what was fed is one or more whole frames. */
NODISCARD enum err decompress_end(const struct decompress *decompress);
