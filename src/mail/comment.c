/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/comment.h"

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
