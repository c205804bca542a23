/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/url_host.h"
#include "mail/words.h"

#include "base/banned.h"

/*
 * The head of a value is what stands before the first semicolon outside comments and quoted strings. All readers agree
 * on its authserv-id when it is plain: the name, perhaps a version, and comments behind the name that hold nothing on
 * which readers differ (quoted pairs, nesting, quotes, semicolons). Of any other head nobody knows what a reader makes
 * of it, so our name anywhere in it counts.
 */
struct head {
	struct bytes raw;
	struct bytes bare; /* each comment one blank */
	bool plain;
};

static bool is_name_byte(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool has_name_byte(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (is_name_byte(text.ptr[i]))
			return true;
	return false;
}

/* False when out of memory. */
static bool read_head(struct arena *arena, struct bytes value, struct head *head)
{
	size_t n = 0, depth = 0, i = 0;
	bool quoted = false;
	uint8_t *bare = arena_alloc_raw(arena, value.len + 1);
	if (!bare)
		return false;
	while (value.len > 0 && (value.ptr[0] <= ' ' || value.ptr[0] == ';'))
		value = bytes_from(value, 1);
	head->plain = true;
	for (; i < value.len; i++) {
		uint8_t c = value.ptr[i];
		if (c == ';' && depth == 0 && !quoted)
			break;
		if (depth > 0 || quoted)
			head->plain = head->plain && !bytes_has(BYTES_LIT("\\(\";"), c);
		if (c == '\\' && (depth > 0 || quoted) && i + 1 < value.len)
			c = value.ptr[++i];
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (c == '(' && !quoted && depth++ == 0) {
			head->plain = head->plain && n > 0;
			bare[n++] = ' ';
		} else if (c == ')' && depth > 0) {
			depth--;
			continue;
		}
		if (depth == 0)
			bare[n++] = c;
	}
	head->bare = bytes_trim(bytes_make(bare, n));
	/* Where something does not end, or there is no name, a reader may go on behind the semicolon. */
	if (depth > 0 || quoted || !has_name_byte(head->bare)) {
		head->plain = false;
		i = value.len;
	}
	head->raw = bytes_sub(value, 0, i);
	return true;
}

/* Takes the name off the front of `*text`: a quoted string or what reaches to the next blank. */
static struct bytes take_name(struct bytes *text)
{
	struct bytes name = *text;
	size_t n = 0;
	if (name.len > 0 && name.ptr[0] == '"') {
		name = bytes_from(name, 1);
		n = MIN(bytes_find_byte(name, '"'), name.len);
		*text = bytes_from(name, n + 1);
	} else {
		while (n < name.len && !ascii_is_space(name.ptr[n]))
			n++;
		*text = bytes_from(name, n);
	}
	return bytes_sub(name, 0, n);
}

/* Labels of such bytes with dots between them. */
static bool is_plain_name(struct bytes name)
{
	bool dot = true;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '.' ? dot : !is_name_byte(name.ptr[i]))
			return false;
		dot = name.ptr[i] == '.';
	}
	return !dot;
}

static bool is_version(struct bytes text)
{
	text = bytes_trim(text);
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_digit(text.ptr[i]))
			return false;
	return true;
}

static struct bytes without_dot(struct bytes name)
{
	return name.len > 0 && name.ptr[name.len - 1] == '.' ? bytes_sub(name, 0, name.len - 1) : name;
}

/* A host name that is not ASCII counts in its normal form too. */
static bool is_same(struct bytes name, struct bytes id)
{
	uint8_t host[URL_HOST_MAX];
	unsigned flags = 0;
	size_t len;
	if (bytes_eq_nocase(without_dot(name), id))
		return true;
	return !utf8_is_ascii(name) && url_host_parse(name, host, &len, &flags) == ERR_OK &&
	       bytes_eq_nocase(bytes_make(host, len), id);
}

/* Does the name stand in `text`, not as a part of a longer one? Dots at its ends change nothing. */
static bool occurs(struct bytes text, struct bytes id)
{
	for (size_t at = 0; at < text.len;) {
		size_t hit = bytes_find_nocase(bytes_from(text, at), id);
		if (hit == BYTES_NONE)
			return false;
		size_t begin = at + hit, end = begin + id.len, left = begin, right = end;
		while (left > 0 && text.ptr[left - 1] == '.')
			left--;
		while (right < text.len && text.ptr[right] == '.')
			right++;
		if ((left == 0 || !is_name_byte(text.ptr[left - 1])) &&
		    (right == text.len || !is_name_byte(text.ptr[right])))
			return true;
		at = MAX(begin + 1, right);
	}
	return false;
}

/* Without what some readers do not see: controls, backslashes, bytes beyond ASCII, and quotes unless they shall stay.
 */
static struct bytes squeeze(struct arena *arena, struct bytes text, bool keep_quotes)
{
	uint8_t *out = arena_alloc_raw(arena, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; out && i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '\t' || (ascii_is_print(c) && c != '\\' && (c != '"' || keep_quotes)))
			out[n++] = c;
	}
	return bytes_make(out, n);
}

/* A quote ends a name for some and is not there for others. */
static bool occurs_squeezed(struct arena *arena, struct bytes text, struct bytes id, bool keep_quotes)
{
	struct bytes squeezed = squeeze(arena, text, keep_quotes);
	return !squeezed.ptr || occurs(squeezed, id);
}

static bool claims(struct arena *arena, struct bytes value, struct bytes id)
{
	struct head head;
	if (!read_head(arena, value, &head))
		return true;
	struct bytes rest = head.bare, name = take_name(&rest);
	if (is_same(name, id))
		return true;
	if (head.plain && is_plain_name(name) && is_version(rest))
		return false;
	return occurs(head.raw, id) || occurs_squeezed(arena, head.raw, id, false) ||
	       occurs_squeezed(arena, head.raw, id, true);
}

bool authres_is_ours(struct arena *arena, struct bytes value, struct bytes id)
{
	struct arena_mark mark = arena_mark(arena);
	id = without_dot(id);
	bool ours = claims(arena, value, id);
	/* Some decode encoded words (RFC 2047) wherever they stand. */
	if (!ours && bytes_find(value, BYTES_LIT("=?")) != BYTES_NONE) {
		struct bytes decoded = words_decode(arena, value, NULL, 0, (struct bytes){0}, NULL);
		ours = !decoded.ptr || claims(arena, decoded, id);
	}
	arena_rewind(arena, mark);
	return ours;
}
