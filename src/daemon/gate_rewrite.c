/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate_rewrite.h"

#include "base/ascii.h"

#include "base/banned.h"

/*
 * Where the line at `at` ends, its end included: CRLF, LF, or a bare CR, which the proxy makes a line end on the way
 * out and which some clients take for one.
 */
static size_t line_after(struct bytes message, size_t at)
{
	while (at < message.len && message.ptr[at] != '\r' && message.ptr[at] != '\n')
		at++;
	if (at + 1 < message.len && message.ptr[at] == '\r' && message.ptr[at + 1] == '\n')
		return at + 2;
	return at < message.len ? at + 1 : at;
}

static bool is_line_end(uint8_t c)
{
	return c == '\r' || c == '\n';
}

/* Where the field that begins at `at` ends, with all its continuations. */
static size_t field_after(struct bytes message, size_t at)
{
	size_t after = line_after(message, at);
	while (after < message.len && ascii_is_blank(message.ptr[after]))
		after = line_after(message, after);
	return after;
}

/* True when the line is a field of that name; controls in it and blanks behind it do not hide it. */
static bool is_field(struct bytes line, struct bytes name)
{
	size_t i = 0, n = 0;
	for (; i < line.len && n < name.len; i++) {
		if (ascii_is_cntrl(line.ptr[i]) && !is_line_end(line.ptr[i]) && line.ptr[i] != '\t')
			continue;
		if (ascii_lower(line.ptr[i]) != ascii_lower(name.ptr[n]))
			return false;
		n++;
	}
	while (i < line.len && !is_line_end(line.ptr[i]) &&
	       (ascii_is_blank(line.ptr[i]) || ascii_is_cntrl(line.ptr[i])))
		i++;
	return n == name.len && i < line.len && line.ptr[i] == ':';
}

static void put(const struct rewrite *rewrite, struct bytes piece)
{
	if (piece.len > 0)
		rewrite->put(rewrite->ctx, piece);
}

/* What stands before an edit. A bare CR at its end must not meet a LF that stands behind the edit. */
static void put_before_edit(const struct rewrite *rewrite, struct bytes piece)
{
	put(rewrite, piece);
	if (piece.len > 0 && piece.ptr[piece.len - 1] == '\r')
		put(rewrite, BYTES_LIT("\n"));
}

static void put_subject(const struct rewrite *rewrite, struct bytes field)
{
	size_t colon = bytes_find_byte(field, ':');
	put(rewrite, BYTES_LIT("Subject: "));
	put(rewrite, rewrite->tag);
	put(rewrite, colon == BYTES_NONE ? (struct bytes){0} : bytes_trim(bytes_from(field, colon + 1)));
	put(rewrite, rewrite->line_end);
}

/*
 * Our field, on top. A message that begins with blanks would continue it: they go, which is how its first line is read
 * anyway. The line of an mbox file is one only where it is the first: it stays before our field.
 */
static size_t put_top(const struct rewrite *rewrite, struct bytes message)
{
	size_t at = 0;
	if (bytes_starts(message, BYTES_LIT("From ")) || bytes_starts(message, BYTES_LIT(">From "))) {
		at = line_after(message, 0);
		put_before_edit(rewrite, bytes_sub(message, 0, at));
	}
	put(rewrite, rewrite->field);
	while (at < message.len && ascii_is_blank(message.ptr[at]))
		at++;
	return at;
}

static bool has_subject(struct bytes message, size_t at)
{
	for (; at < message.len && !is_line_end(message.ptr[at]); at = field_after(message, at))
		if (is_field(bytes_from(message, at), BYTES_LIT("Subject")))
			return true;
	return false;
}

void rewrite_message(const struct rewrite *rewrite, struct bytes message)
{
	size_t at = put_top(rewrite, message), kept = at;
	bool tag = rewrite->tag.len > 0;
	if (tag && !has_subject(message, at)) {
		put_subject(rewrite, (struct bytes){0});
		tag = false;
	}
	while (at < message.len && !is_line_end(message.ptr[at])) {
		struct bytes rest = bytes_from(message, at);
		bool subject = tag && is_field(rest, BYTES_LIT("Subject"));
		size_t next = field_after(message, at);
		if (subject || is_field(rest, BYTES_LIT("X-Postern")) ||
		    is_field(rest, BYTES_LIT("X-Postern-Release"))) {
			put_before_edit(rewrite, bytes_sub(message, kept, at - kept));
			if (subject)
				put_subject(rewrite, bytes_sub(message, at, next - at));
			tag = tag && !subject;
			kept = next;
		}
		at = next;
	}
	put(rewrite, bytes_from(message, kept));
}
