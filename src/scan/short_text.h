/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/short_text.h: texts of at most SHORT_TEXT_MAX bytes in what processes tell each other: a number of 16 bits, then
 * the bytes. A text that is absent ({NULL, 0}) stays so. Longer ones are cut.
 */
#include "base/buf.h"
#include "base/cursor.h"

#define SHORT_TEXT_MAX ((size_t)2000)

static inline void short_text_put(struct buf *buf, struct bytes text)
{
	text = bytes_sub(text, 0, SHORT_TEXT_MAX);
	buf_add_be16(buf, text.ptr ? (uint16_t)text.len : UINT16_MAX);
	buf_add(buf, text);
}

static inline struct bytes short_text_take(struct cursor *cur)
{
	uint16_t len = cursor_be16(cur);
	return len == UINT16_MAX ? (struct bytes){0} : cursor_take(cur, len);
}
