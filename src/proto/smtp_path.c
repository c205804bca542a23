/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/smtp_path.h"

#include "base/ascii.h"

#include "base/banned.h"

/* Of atoms (RFC 5322 atext) and, with RFC 6531, any character beyond ASCII. */
static bool atom_byte(uint8_t c)
{
	return ascii_is_alnum(c) || c >= 0x80 || (c > ' ' && c < 0x7f && !strchr("()<>[]:;@\\,.\"", c));
}

/* Letters, digits, hyphens; the underscore too, since such hosts exist. */
static bool label_byte(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c >= 0x80;
}

/* Words of such bytes with single dots between them. Returns the length of what is one, at the front; 0: none. */
static size_t dotted(struct bytes text, bool (*good)(uint8_t c))
{
	size_t at = 0;
	while (at < text.len && good(text.ptr[at])) {
		while (at < text.len && good(text.ptr[at]))
			at++;
		if (at + 1 < text.len && text.ptr[at] == '.' && good(text.ptr[at + 1]))
			at++;
	}
	return at;
}

/* A quoted string with its quotes; 0: none. */
static size_t quoted(struct bytes text)
{
	if (text.len == 0 || text.ptr[0] != '"')
		return 0;
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] == '"')
			return i + 1;
		if (text.ptr[i] == '\\')
			i++;
	}
	return 0;
}

static size_t domain(struct bytes text)
{
	if (text.len == 0 || text.ptr[0] != '[')
		return dotted(text, label_byte);
	for (size_t i = 1; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == ']')
			return i > 1 ? i + 1 : 0;
		if (!ascii_is_alnum(c) && c != ':' && c != '.' && c != '-')
			return 0;
	}
	return 0;
}

/* "@one,@two:"; 0: none, or not a good one. */
static size_t source_route(struct bytes text)
{
	size_t at = 0;
	while (at < text.len && text.ptr[at] == '@') {
		size_t n = domain(bytes_from(text, at + 1));
		if (n == 0)
			return 0;
		at += 1 + n;
		if (at < text.len && text.ptr[at] == ',')
			at++;
	}
	return at > 0 && at < text.len && text.ptr[at] == ':' && text.ptr[at - 1] != ',' ? at + 1 : 0;
}

bool smtp_path_take(struct bytes *rest, struct bytes *ret_mailbox)
{
	struct bytes text = *rest;
	if (text.len < 2 || text.ptr[0] != '<')
		return false;
	size_t at = 1 + source_route(bytes_from(text, 1));
	size_t start = at;
	if (at > 1 || text.ptr[1] != '>') {
		struct bytes local = bytes_from(text, at);
		size_t n = local.len > 0 && local.ptr[0] == '"' ? quoted(local) : dotted(local, atom_byte);
		if (n == 0)
			return false;
		at += n;
		if (at < text.len && text.ptr[at] == '@') {
			n = domain(bytes_from(text, at + 1));
			if (n == 0)
				return false;
			at += 1 + n;
		}
	}
	if (at >= text.len || text.ptr[at] != '>')
		return false;
	*ret_mailbox = bytes_sub(text, start, at - start);
	*rest = bytes_from(text, at + 1);
	return true;
}
