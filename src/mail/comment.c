/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/comment.h"

#include "base/arena.h"
#include "base/num.h"

#include "base/banned.h"

size_t comment_end(struct bytes value, size_t at)
{
	size_t depth = 0;
	for (; at < value.len; at++) {
		if (value.ptr[at] == '\\')
			at++;
		else if (value.ptr[at] == '(')
			depth++;
		else if (value.ptr[at] == ')' && --depth == 0)
			return at + 1;
	}
	return BYTES_NONE;
}

enum err comment_cut(struct arena *arena, struct bytes value, struct bytes *ret_value)
{
	uint8_t *out = arena_alloc_raw(arena, value.len);
	size_t len = 0;
	bool quoted = false;
	if (!out)
		return ERR_NOMEM;
	for (size_t i = 0; i < value.len;) {
		if (value.ptr[i] == '(' && !quoted) {
			i = MIN(comment_end(value, i), value.len);
			continue;
		}
		if (value.ptr[i] == '"')
			quoted = !quoted;
		else if (value.ptr[i] == '\\' && quoted && i + 1 < value.len)
			out[len++] = value.ptr[i++];
		out[len++] = value.ptr[i++];
	}
	*ret_value = bytes_trim(bytes_make(out, len));
	return ERR_OK;
}
