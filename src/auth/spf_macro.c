/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf_macro.h"

#include <inttypes.h>
#include <stdio.h>

#include "auth/dns.h"
#include "auth/spf_record.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/ip.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

/* -- Reading ---- */

struct piece {
	struct bytes literal; /* of a piece without a letter */
	uint8_t letter;       /* lower case; 0: literal text, or %%, %_, %- */
	bool macro;           /* a macro-expand of the grammar, so a domain-spec may end with it */
	bool escape;          /* written in upper case: URL-escaped */
	bool split;           /* has transformers or delimiters */
	bool reverse;
	uint64_t keep; /* right-hand parts; 0: all */
	struct bytes delimiters;
};

static bool is_delimiter(uint8_t byte)
{
	return bytes_has(BYTES_LIT(".-+,/_="), byte);
}

/* What stands behind "%{" at `at`. ERR_SYNTAX. */
static enum err braces_read(struct bytes text, size_t at, size_t *ret_end, struct piece *ret_piece,
			    struct error *reterr)
{
	size_t start = at - 2;
	if (at == text.len || !bytes_has(BYTES_LIT("slodiphcrtv"), ascii_lower(text.ptr[at])))
		return error_set(reterr, ERR_SYNTAX, at, "no such macro letter");
	ret_piece->macro = true;
	ret_piece->letter = ascii_lower(text.ptr[at]);
	ret_piece->escape = ascii_is_upper(text.ptr[at]);
	struct bytes rest = bytes_from(text, ++at);
	size_t before = rest.len;
	enum err err = num_take(&rest, SPF_VALUE_MAX, &ret_piece->keep);
	if (err != ERR_SYNTAX && ret_piece->keep == 0)
		return error_set(reterr, ERR_SYNTAX, at, "a macro keeps at least one part");
	at += before - rest.len;
	if (at < text.len && ascii_lower(text.ptr[at]) == 'r') {
		ret_piece->reverse = true;
		at++;
	}
	size_t from = at;
	while (at < text.len && is_delimiter(text.ptr[at]))
		at++;
	ret_piece->delimiters = bytes_sub(text, from, at - from);
	ret_piece->split = err != ERR_SYNTAX || ret_piece->reverse || at > from;
	if (at == text.len)
		return error_set(reterr, ERR_SYNTAX, start, "a macro without its closing brace");
	if (text.ptr[at] != '}')
		return error_set(reterr, ERR_SYNTAX, at, "neither a delimiter nor the end of a macro");
	*ret_end = at + 1;
	return ERR_OK;
}

/* The piece at `*at`, which is not the end. ERR_SYNTAX. */
static enum err piece_next(struct bytes text, size_t *at, struct piece *ret_piece, struct error *reterr)
{
	*ret_piece = (struct piece){0};
	if (text.ptr[*at] != '%') {
		size_t len = bytes_find_byte(bytes_from(text, *at), '%');
		ret_piece->literal = bytes_sub(text, *at, len);
		*at += ret_piece->literal.len;
		return ERR_OK;
	}
	uint8_t second = *at + 1 < text.len ? text.ptr[*at + 1] : 0;
	if (second == '{')
		return braces_read(text, *at + 2, at, ret_piece, reterr);
	if (second == '%')
		ret_piece->literal = BYTES_LIT("%");
	else if (second == '_')
		ret_piece->literal = BYTES_LIT(" ");
	else if (second == '-')
		ret_piece->literal = BYTES_LIT("%20");
	else
		return error_set(reterr, ERR_SYNTAX, *at, "a percent sign that begins no macro");
	ret_piece->macro = true;
	*at += 2;
	return ERR_OK;
}

static bool is_top_label(struct bytes label)
{
	bool alpha = false, dash = false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t byte = label.ptr[i];
		if (byte == '-' && i > 0 && i < label.len - 1)
			dash = true;
		else if (!ascii_is_alnum(byte))
			return false;
		alpha |= ascii_is_alpha(byte);
	}
	return alpha || dash;
}

/* domain-end of the grammar: a macro, or "." top label and perhaps one more dot; `last` begins at `at`. */
static enum err domain_end_check(const struct piece *last, size_t at, struct error *reterr)
{
	if (last->macro)
		return ERR_OK;
	struct bytes name = last->literal;
	if (name.len > 0 && name.ptr[name.len - 1] == '.')
		name.len--;
	size_t dot = bytes_rfind_byte(name, '.');
	if (dot == BYTES_NONE)
		return error_set(reterr, ERR_SYNTAX, at, "a domain has at least two labels");
	if (is_top_label(bytes_from(name, dot + 1)))
		return ERR_OK;
	return error_set(reterr, ERR_SYNTAX, at + dot + 1,
			 "not a top label: letters, digits and inner dashes, not digits alone");
}

enum err spf_macro_check(struct bytes text, enum spf_text kind, struct error *reterr)
{
	struct piece piece = {0};
	size_t at = 0, start = 0;
	unsigned macros = 0;
	if (kind == SPF_TEXT_DOMAIN && text.len == 0)
		return error_set(reterr, ERR_SYNTAX, 0, "a domain is missing");
	while (at < text.len) {
		start = at;
		TRY(piece_next(text, &at, &piece, reterr));
		if (piece.letter && kind == SPF_TEXT_DOMAIN && bytes_has(BYTES_LIT("crt"), piece.letter))
			return error_set(reterr, ERR_SYNTAX, start, "%%{%c} is for explanations only", piece.letter);
		if (piece.macro && kind != SPF_TEXT_EXPLAIN && ++macros > SPF_MACROS_MAX)
			return error_set(reterr, ERR_SYNTAX, start, "over %d macros in one term", SPF_MACROS_MAX);
		for (size_t i = 0; !piece.macro && i < piece.literal.len; i++) {
			uint8_t byte = piece.literal.ptr[i];
			if (!ascii_is_print(byte) || (byte == ' ' && kind != SPF_TEXT_EXPLAIN))
				return error_set(reterr, ERR_SYNTAX, start + i, "a byte that may not stand here");
		}
	}
	return kind == SPF_TEXT_DOMAIN ? domain_end_check(&piece, start, reterr) : ERR_OK;
}

bool spf_macro_uses(struct bytes text, uint8_t letter)
{
	struct piece piece;
	for (size_t at = 0; at < text.len;) {
		if (piece_next(text, &at, &piece, NULL) != ERR_OK)
			return false;
		if (piece.letter == letter)
			return true;
	}
	return false;
}

/* -- Writing ---- */

/*
 * Where text is written to. With `tail` only its end matters: what no longer fits pushes the beginning out, and at
 * least half of the room is the end of the text then.
 */
struct sink {
	uint8_t *ptr;
	size_t len, room;
	bool tail;
	bool over;  /* without `tail`: it did not fit */
	bool never; /* a local part that is not ASCII was asked for */
};

static void sink_byte(struct sink *sink, uint8_t byte)
{
	if (sink->len == sink->room && sink->tail) {
		size_t keep = sink->room / 2;
		memmove(sink->ptr, sink->ptr + sink->len - keep, keep);
		sink->len = keep;
	}
	if (sink->len < sink->room)
		sink->ptr[sink->len++] = byte;
	else
		sink->over = true;
}

/* RFC 3986 2.3: unreserved bytes stay (RFC 7208 7.3). */
static void sink_text(struct sink *sink, struct bytes text, bool escape)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.len && !sink->over; i++) {
		uint8_t byte = text.ptr[i];
		if (!escape || ascii_is_alnum(byte) || bytes_has(BYTES_LIT("-._~"), byte)) {
			sink_byte(sink, byte);
			continue;
		}
		sink_byte(sink, '%');
		sink_byte(sink, (uint8_t)hex[byte >> 4]);
		sink_byte(sink, (uint8_t)hex[byte & 15]);
	}
}

/* The parts of `value` between delimiters, all or the `keep` at the right, joined by dots (RFC 7208 7.3). */
static void sink_parts(struct sink *sink, struct bytes value, const struct piece *piece)
{
	bool stops[256] = {false};
	struct bytes delimiters = piece->delimiters.len > 0 ? piece->delimiters : BYTES_LIT(".");
	for (size_t i = 0; i < delimiters.len; i++)
		stops[delimiters.ptr[i]] = true;
	size_t parts = 1;
	for (size_t i = 0; i < value.len; i++)
		parts += stops[value.ptr[i]];
	size_t keep = piece->keep == 0 || piece->keep > parts ? parts : (size_t)piece->keep;
	if (!piece->reverse) {
		size_t from = 0;
		for (size_t skip = parts - keep; skip > 0; from++)
			skip -= stops[value.ptr[from]];
		for (; from < value.len; from++)
			sink_text(sink, stops[value.ptr[from]] ? BYTES_LIT(".") : bytes_sub(value, from, 1),
				  piece->escape);
		return;
	}
	/* What is at the right after turning round is at the left before. */
	size_t end = value.len;
	for (size_t drop = parts - keep; drop > 0; end--)
		drop -= stops[value.ptr[end - 1]];
	for (;;) {
		size_t start = end;
		while (start > 0 && !stops[value.ptr[start - 1]])
			start--;
		sink_text(sink, bytes_sub(value, start, end - start), piece->escape);
		if (start == 0)
			return;
		sink_byte(sink, '.');
		end = start - 1;
	}
}

static struct bytes readable_ip(const uint8_t ip[16], char out[static IP_TEXT_MAX])
{
	return ip_format(ip, out);
}

/* Nibbles between dots, in upper case, as RFC 7208 7.3 has IPv6 addresses for %{i}. */
static struct bytes dotted_ip(const uint8_t ip[16], char out[static 64])
{
	if (ip_is_v4(ip))
		return readable_ip(ip, out);
	for (size_t i = 0; i < 16; i++) {
		out[4 * i] = "0123456789ABCDEF"[ip[i] >> 4];
		out[4 * i + 2] = "0123456789ABCDEF"[ip[i] & 15];
		out[4 * i + 1] = out[4 * i + 3] = '.';
	}
	return bytes_make(out, 63);
}

static struct bytes value_of(uint8_t letter, const struct spf_values *values, char scratch[static 64])
{
	switch (letter) {
	case 's':
		return values->sender;
	case 'l':
		return values->local;
	case 'o':
		return values->sender_domain;
	case 'd':
		return values->domain;
	case 'i':
		return dotted_ip(values->ip, scratch);
	case 'p':
		return values->validated;
	case 'v':
		return ip_is_v4(values->ip) ? BYTES_LIT("in-addr") : BYTES_LIT("ip6");
	case 'h':
		return values->helo;
	case 'c':
		return readable_ip(values->ip, scratch);
	case 'r':
		return values->receiver.len > 0 ? values->receiver : BYTES_LIT("unknown");
	default:
		return bytes_make(scratch, (size_t)snprintf(scratch, 64, "%" PRId64, values->now));
	}
}

/* ERR_SYNTAX in a text that was not checked. */
static enum err expand(struct sink *sink, struct bytes text, const struct spf_values *values)
{
	struct piece piece;
	char scratch[64];
	for (size_t at = 0; at < text.len && !sink->over && !sink->never;) {
		TRY(piece_next(text, &at, &piece, NULL));
		if (!piece.letter) {
			sink_text(sink, piece.literal, false);
			continue;
		}
		struct bytes value = bytes_sub(value_of(piece.letter, values, scratch), 0, SPF_VALUE_MAX);
		if ((piece.letter == 's' || piece.letter == 'l') && !utf8_is_ascii(value))
			sink->never = true;
		else if (piece.split)
			sink_parts(sink, value, &piece);
		else
			sink_text(sink, value, piece.escape);
	}
	return ERR_OK;
}

enum err spf_macro_name(struct arena *arena, struct bytes spec, const struct spf_values *values, struct bytes *ret_name)
{
	uint8_t room[4 * DNS_NAME_MAX];
	struct sink sink = {.ptr = room, .room = sizeof(room), .tail = true};
	bool plain = !bytes_has(spec, '%');
	if (!plain)
		TRY(expand(&sink, spec, values));
	struct bytes name = plain ? spec : bytes_make(room, sink.never ? 0 : sink.len);
	if (name.len > 0 && name.ptr[name.len - 1] == '.')
		name.len--;
	while (name.len > DNS_NAME_MAX) {
		size_t dot = bytes_find_byte(name, '.');
		if (dot == BYTES_NONE)
			break;
		name = bytes_from(name, dot + 1);
	}
	*ret_name = plain ? name : arena_copy(arena, name);
	return plain || ret_name->ptr ? ERR_OK : ERR_NOMEM;
}

enum err spf_macro_explain(struct arena *arena, struct bytes text, const struct spf_values *values,
			   struct bytes *ret_text)
{
	uint8_t room[SPF_EXPLANATION_MAX];
	struct sink sink = {.ptr = room, .room = sizeof(room)};
	*ret_text = BYTES_LIT("");
	if (spf_macro_check(text, SPF_TEXT_EXPLAIN, NULL) != ERR_OK || expand(&sink, text, values) != ERR_OK ||
	    sink.over || sink.never)
		return ERR_OK;
	for (size_t i = 0; i < sink.len; i++)
		if (!ascii_is_print(room[i]))
			return ERR_OK;
	*ret_text = arena_copy(arena, bytes_make(room, sink.len));
	return ret_text->ptr ? ERR_OK : ERR_NOMEM;
}
