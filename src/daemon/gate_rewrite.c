/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate_rewrite.h"

#include "base/ascii.h"
#include "base/err.h"
#include "base/num.h"

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

static void put(struct rewrite *rewrite, struct bytes text)
{
	ASSERT(rewrite->count < ARRAY_LEN(rewrite->pieces));
	if (text.len > 0)
		rewrite->pieces[rewrite->count++] = (struct rewrite_piece){.text = text.ptr, .len = text.len};
}

/* message[from, to). */
static void put_slice(struct rewrite *rewrite, size_t from, size_t to)
{
	ASSERT(rewrite->count < ARRAY_LEN(rewrite->pieces));
	if (to > from)
		rewrite->pieces[rewrite->count++] = (struct rewrite_piece){.at = from, .len = to - from};
}

/* What stands before an edit. A bare CR at its end must not meet a LF that stands behind the edit. */
static void put_before_edit(struct rewrite *rewrite, struct bytes message, size_t from, size_t to)
{
	put_slice(rewrite, from, to);
	if (to > from && message.ptr[to - 1] == '\r')
		put(rewrite, BYTES_LIT("\n"));
}

/* With the value of the field that is message[from, to). */
static void put_subject(struct rewrite *rewrite, struct bytes message, size_t from, size_t to)
{
	struct bytes field = bytes_sub(message, from, to - from);
	size_t colon = bytes_find_byte(field, ':');
	put(rewrite, BYTES_LIT("Subject: "));
	put(rewrite, rewrite->tag);
	if (colon != BYTES_NONE) {
		struct bytes value = bytes_trim(bytes_from(field, colon + 1));
		size_t at = (size_t)(value.ptr - message.ptr);
		put_slice(rewrite, at, at + value.len);
	}
	put(rewrite, rewrite->line_end);
	rewrite->tagged = true;
}

static bool has_subject(struct bytes message, size_t at)
{
	for (; at < message.len && !is_line_end(message.ptr[at]); at = field_after(message, at))
		if (is_field(bytes_from(message, at), BYTES_LIT("Subject")))
			return true;
	return false;
}

/*
 * Our field, on top. A message that begins with blanks would continue it: they go, which is how its first line is read
 * anyway. The line of an mbox file is one only where it is the first: it stays before our field.
 */
static void put_top(struct rewrite *rewrite, struct bytes message)
{
	size_t at = 0;
	if (bytes_starts(message, BYTES_LIT("From ")) || bytes_starts(message, BYTES_LIT(">From "))) {
		at = line_after(message, 0);
		put_before_edit(rewrite, message, 0, at);
		if (!is_line_end(message.ptr[at - 1]))
			put(rewrite, rewrite->line_end);
	}
	put(rewrite, rewrite->field);
	while (at < message.len && ascii_is_blank(message.ptr[at]))
		at++;
	rewrite->at = rewrite->kept = at;
	if (rewrite->tag.len == 0)
		rewrite->tagged = true;
	else if (!has_subject(message, at))
		put_subject(rewrite, message, 0, 0);
}

/* An Authentication-Results that claims to be ours. */
static bool is_forged(const struct rewrite *rewrite, struct bytes field)
{
	if (!rewrite->speaks_for_us || !is_field(field, BYTES_LIT("Authentication-Results")))
		return false;
	return rewrite->speaks_for_us(rewrite->ctx, bytes_from(field, bytes_find_byte(field, ':') + 1));
}

bool rewrite_finds_forged(const struct rewrite *rewrite, struct bytes message)
{
	size_t at = 0, next;
	for (; at < message.len && !is_line_end(message.ptr[at]); at = next) {
		next = field_after(message, at);
		if (is_forged(rewrite, bytes_sub(message, at, next - at)))
			return true;
	}
	return false;
}

/* Up to the next edit; behind the last one, all the rest. */
static void put_header(struct rewrite *rewrite, struct bytes message)
{
	while (rewrite->at < message.len && !is_line_end(message.ptr[rewrite->at])) {
		size_t at = rewrite->at;
		struct bytes rest = bytes_from(message, at);
		bool subject = !rewrite->tagged && is_field(rest, BYTES_LIT("Subject"));
		bool ours = is_field(rest, BYTES_LIT("X-Postern")) || is_field(rest, BYTES_LIT("X-Postern-Release"));
		rewrite->at = field_after(message, at);
		ours = ours || is_forged(rewrite, bytes_sub(message, at, rewrite->at - at));
		if (!subject && !ours)
			continue;
		put_before_edit(rewrite, message, rewrite->kept, at);
		if (subject)
			put_subject(rewrite, message, at, rewrite->at);
		rewrite->kept = rewrite->at;
		if (rewrite->count > 0)
			return;
	}
	put_slice(rewrite, rewrite->kept, message.len);
	rewrite->place = REWRITE_END;
}

struct bytes rewrite_next(struct rewrite *rewrite, struct bytes message, size_t max)
{
	while (rewrite->first == rewrite->count) {
		rewrite->first = rewrite->count = 0;
		if (rewrite->place == REWRITE_END)
			return (struct bytes){0};
		if (rewrite->place == REWRITE_TOP) {
			put_top(rewrite, message);
			rewrite->place = REWRITE_HEADER;
		} else {
			put_header(rewrite, message);
		}
	}
	struct rewrite_piece *piece = &rewrite->pieces[rewrite->first];
	struct bytes whole = piece->text ? bytes_make(piece->text, piece->at + piece->len) : message;
	struct bytes next = bytes_sub(whole, piece->at, MIN(piece->len, max));
	piece->at += next.len;
	piece->len -= next.len;
	if (piece->len == 0)
		rewrite->first++;
	return next;
}
