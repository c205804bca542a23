/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/fold.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

static void line_end(struct fold *fold)
{
	buf_add_cstr(fold->buf, fold->crlf ? "\r\n" : "\n");
	fold->column = 0;
}

struct fold fold_begin(struct buf *buf, const char *name, bool crlf)
{
	struct fold fold = {.buf = buf, .crlf = crlf};
	buf_add_cstr(buf, name);
	buf_add_byte(buf, ':');
	fold.column = strlen(name) + 1;
	return fold;
}

void fold_break(struct fold *fold)
{
	line_end(fold);
	buf_add_byte(fold->buf, ' ');
}

/* Behind a break the blank is there already. */
static void blank(struct fold *fold, size_t len)
{
	if (fold->column == 0)
		return;
	if (fold->column + 1 + len > FOLD_WIDTH) {
		fold_break(fold);
	} else {
		buf_add_byte(fold->buf, ' ');
		fold->column++;
	}
}

void fold_piece(struct fold *fold, struct bytes piece)
{
	blank(fold, piece.len);
	buf_add(fold->buf, piece);
	fold->column += piece.len;
}

void fold_printf(struct fold *fold, const char *fmt, ...)
{
	char text[FOLD_PIECE_MAX + 1];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ASSERT(n >= 0 && (size_t)n < sizeof(text));
	fold_piece(fold, bytes_make(text, (size_t)n));
}

void fold_base64(struct fold *fold, struct bytes data, bool whole)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < data.len; i += 3) {
		size_t n = data.len - i < 3 ? data.len - i : 3;
		uint32_t group = (uint32_t)data.ptr[i] << 16 | (n > 1 ? (uint32_t)data.ptr[i + 1] << 8 : 0) |
				 (n > 2 ? data.ptr[i + 2] : 0);
		for (size_t j = 0; j < 4; j++) {
			if (fold->column >= FOLD_WIDTH && !whole)
				fold_break(fold);
			buf_add_byte(fold->buf, j <= n ? (uint8_t)digits[group >> (18 - 6 * j) & 63] : '=');
			fold->column++;
		}
	}
}

void fold_names(struct fold *fold, const struct bytes *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = names[i].len + 1 + (i == 0 ? 2 : 0);
		if (i == 0)
			blank(fold, len);
		else if (fold->column + len > FOLD_WIDTH)
			fold_break(fold);
		buf_add_cstr(fold->buf, i == 0 ? "h=" : "");
		buf_add(fold->buf, names[i]);
		buf_add_byte(fold->buf, i + 1 < n ? ':' : ';');
		fold->column += len;
	}
}

void fold_end(struct fold *fold)
{
	line_end(fold);
}
