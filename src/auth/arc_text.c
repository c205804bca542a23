/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc_text.h"

#include "auth/signature.h"
#include "auth/tags.h"
#include "base/ascii.h"

#include "base/banned.h"

size_t arc_text_skip(struct bytes text, size_t at)
{
	size_t depth = 0;
	for (; at < text.len; at++) {
		uint8_t c = text.ptr[at];
		if (c == '(')
			depth++;
		else if (depth == 0 && !tag_is_blank(c))
			return at;
		else if (c == ')')
			depth--;
		else if (c == '\\' && at + 1 < text.len)
			at++;
	}
	return at;
}

static bool take(struct bytes text, size_t *at, uint8_t c)
{
	*at = arc_text_skip(text, *at);
	if (*at == text.len || text.ptr[*at] != c)
		return false;
	++*at;
	return true;
}

unsigned arc_text_instance(struct bytes value, struct bytes *ret_rest)
{
	size_t at = 0;
	*ret_rest = (struct bytes){0};
	if (!take(value, &at, 'i') || !take(value, &at, '='))
		return 0;
	at = arc_text_skip(value, at);
	size_t start = at;
	while (at < value.len && ascii_is_digit(value.ptr[at]))
		at++;
	unsigned instance = signature_instance(bytes_sub(value, start, at - start));
	if (!take(value, &at, ';'))
		return 0;
	*ret_rest = bytes_trim(bytes_from(value, at));
	return instance;
}

struct bytes arc_text_results(struct bytes value)
{
	bool quoted = false;
	size_t at = 0;
	while (at < value.len) {
		uint8_t c = value.ptr[at];
		if (!quoted && (c == '(' || tag_is_blank(c))) {
			at = arc_text_skip(value, at);
			continue;
		}
		if (!quoted && c == ';')
			break;
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && at + 1 < value.len)
			at++;
		at++;
	}
	struct bytes results = bytes_from(value, at);
	while (results.len > 0 && (results.ptr[0] == ';' || tag_is_blank(results.ptr[0])))
		results = bytes_from(results, 1);
	while (results.len > 0 && (results.ptr[results.len - 1] == ';' || tag_is_blank(results.ptr[results.len - 1])))
		results.len--;
	return results;
}
