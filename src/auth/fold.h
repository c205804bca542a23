/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/fold.h: writes a header field of ours in lines of FOLD_WIDTH bytes.
 *
 * Bounds: a piece that may not be broken is at most FOLD_PIECE_MAX bytes, so no line is over 998 (RFC 5322 2.1.1).
 */
#include "base/buf.h"

#define FOLD_WIDTH     72 /* without the blank that begins a continuation */
#define FOLD_PIECE_MAX 900
#define FOLD_FIELD_MAX ((size_t)1 << 20)

struct fold {
	struct buf *buf;
	size_t column;
	bool crlf;
};

/* Begins with "Name:". */
struct fold fold_begin(struct buf *buf, const char *name, bool crlf);
/* A piece behind a blank, or on a new line where it has no room here. */
void fold_piece(struct fold *fold, struct bytes piece);
/* The next piece begins a new line. */
void fold_break(struct fold *fold);
/* Base64 of `data` behind what stands there, broken wherever a line is full; `whole`: never broken (512 bytes at most).
 */
void fold_base64(struct fold *fold, struct bytes data, bool whole);
/* "h=a:b:c;", broken behind colons. */
void fold_names(struct fold *fold, const struct bytes *names, size_t n);
void fold_end(struct fold *fold);
/* "name=value;" as one piece. */
PRINTF_LIKE(2, 3) void fold_printf(struct fold *fold, const char *fmt, ...);
