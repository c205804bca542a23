/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/tags.h"

#include "base/arena.h"
#include "base/ascii.h"

#include "base/banned.h"

bool tag_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blank(struct bytes text, size_t at)
{
	while (at < text.len && tag_is_blank(text.ptr[at]))
		at++;
	return at;
}

static bool is_name_byte(uint8_t c, bool first)
{
	return first ? ascii_is_alpha(c) : ascii_is_alnum(c) || c == '_';
}

/* VALCHAR of RFC 6376, with RFC 8616's bytes over 0x7f. */
static bool is_value_byte(uint8_t c)
{
	return !ascii_is_cntrl(c) || tag_is_blank(c);
}

/* One tag that begins at *at; *at is behind it, at ";" or at the end. */
static enum err parse_one(struct bytes text, size_t *at, struct tag *ret_tag, struct error *reterr)
{
	size_t pos = skip_blank(text, *at), start = pos;
	while (pos < text.len && is_name_byte(text.ptr[pos], pos == start))
		pos++;
	struct tag tag = {.name = bytes_sub(text, start, pos - start), .at = start};
	if (pos == start)
		return error_set(reterr, ERR_SYNTAX, pos, "a tag name is missing");
	pos = skip_blank(text, pos);
	if (pos == text.len || text.ptr[pos] != '=')
		return error_set(reterr, ERR_SYNTAX, pos, "\"=\" is missing behind a tag name");
	tag.from = ++pos;
	while (pos < text.len && text.ptr[pos] != ';') {
		if (!is_value_byte(text.ptr[pos]))
			return error_set(reterr, ERR_SYNTAX, pos, "a control character in a tag value");
		pos++;
	}
	tag.to = pos;
	size_t end = pos;
	tag.value_at = skip_blank(bytes_sub(text, 0, end), tag.from);
	while (end > tag.value_at && tag_is_blank(text.ptr[end - 1]))
		end--;
	tag.value = bytes_sub(text, tag.value_at, end - tag.value_at);
	*ret_tag = tag;
	*at = pos;
	return ERR_OK;
}

enum err tags_parse(struct arena *arena, struct bytes text, struct tags *ret_tags, struct error *reterr)
{
	size_t at = 0, capacity = 0;
	*ret_tags = (struct tags){0};
	for (;;) {
		struct tag tag;
		TRY(parse_one(text, &at, &tag, reterr));
		for (size_t i = 0; i < ret_tags->count; i++)
			if (bytes_eq(ret_tags->items[i].name, tag.name))
				return error_set(reterr, ERR_SYNTAX, tag.at, "a tag is there twice");
		if (ret_tags->count == TAGS_MAX)
			return error_set(reterr, ERR_SYNTAX, tag.at, "there are more than %d tags", TAGS_MAX);
		struct tag *items = arena_grow(arena, ret_tags->items, &capacity, ret_tags->count, sizeof(*items));
		if (!items)
			return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
		ret_tags->items = items;
		items[ret_tags->count++] = tag;
		if (at == text.len || skip_blank(text, at + 1) == text.len)
			return ERR_OK;
		at++;
	}
}

const struct tag *tags_find(const struct tags *tags, const char *name)
{
	for (size_t i = 0; i < tags->count; i++)
		if (bytes_eq(tags->items[i].name, bytes_from_cstr(name)))
			return &tags->items[i];
	return NULL;
}

struct tag_pieces tag_pieces_make(struct bytes value)
{
	return (struct tag_pieces){.rest = value};
}

bool tag_pieces_next(struct tag_pieces *pieces, struct bytes *ret_piece)
{
	if (pieces->done)
		return false;
	size_t colon = bytes_find_byte(pieces->rest, ':');
	pieces->done = colon == BYTES_NONE;
	*ret_piece = bytes_trim(bytes_sub(pieces->rest, 0, colon == BYTES_NONE ? pieces->rest.len : colon));
	pieces->rest = pieces->done ? (struct bytes){0} : bytes_from(pieces->rest, colon + 1);
	return true;
}

bool tag_has_piece(struct bytes value, struct bytes word)
{
	struct tag_pieces pieces = tag_pieces_make(value);
	struct bytes piece;
	while (tag_pieces_next(&pieces, &piece))
		if (bytes_eq_nocase(piece, word))
			return true;
	return false;
}

static unsigned hex_value(uint8_t c)
{
	return ascii_is_digit(c) ? (unsigned)(c - '0') : (unsigned)(ascii_lower(c) - 'a' + 10);
}

enum err tag_quoted_printable(struct arena *arena, struct bytes value, struct bytes *ret_text)
{
	uint8_t *out = arena_alloc_raw(arena, value.len + 1);
	size_t len = 0;
	if (!out)
		return ERR_NOMEM;
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];
		if (tag_is_blank(c))
			continue;
		if (c == '=' && i + 2 < value.len && ascii_is_xdigit(value.ptr[i + 1]) &&
		    ascii_is_xdigit(value.ptr[i + 2])) {
			c = (uint8_t)(hex_value(value.ptr[i + 1]) << 4 | hex_value(value.ptr[i + 2]));
			i += 2;
		}
		out[len++] = c;
	}
	*ret_text = bytes_make(out, len);
	return ERR_OK;
}

#define NO_DIGIT 64

static const uint8_t base64_values[256] = {
#define SIXTEEN(a) a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a
	SIXTEEN(64), SIXTEEN(64), /* controls */
	64,          64,          64, 64, 64,          64,          64,          64,          64,          64,
	64,          62,          64, 64, 64,          63, /* + / */
	52,          53,          54, 55, 56,          57,          58,          59,          60,          61,
	64,          64,          64, 64, 64,          64, /* 0 to 9 */
	64,          0,           1,  2,  3,           4,           5,           6,           7,           8,
	9,           10,          11, 12, 13,          14,          15,          16,          17,          18,
	19,          20,          21, 22, 23,          24,          25,          64,          64,          64,
	64,          64,          64, 26, 27,          28,          29,          30,          31,          32,
	33,          34,          35, 36, 37,          38,          39,          40,          41,          42,
	43,          44,          45, 46, 47,          48,          49,          50,          51,          64,
	64,          64,          64, 64, SIXTEEN(64), SIXTEEN(64), SIXTEEN(64), SIXTEEN(64), SIXTEEN(64), SIXTEEN(64),
	SIXTEEN(64), SIXTEEN(64),
#undef SIXTEEN
};

/* Whole groups of four digits with nothing between them; *at stops at what is no such group. */
static size_t base64_groups(struct bytes value, size_t *at, uint8_t *out)
{
	size_t len = 0;
	for (; *at + 4 <= value.len; *at += 4) {
		const uint8_t *p = value.ptr + *at;
		uint32_t a = base64_values[p[0]], b = base64_values[p[1]], c = base64_values[p[2]],
			 d = base64_values[p[3]];
		if ((a | b | c | d) & NO_DIGIT)
			break;
		uint32_t group = a << 18 | b << 12 | c << 6 | d;
		out[len++] = (uint8_t)(group >> 16);
		out[len++] = (uint8_t)(group >> 8 & 255);
		out[len++] = (uint8_t)(group & 255);
	}
	return len;
}

enum err tag_base64(struct arena *arena, struct bytes value, struct bytes *ret_data, size_t *ret_at)
{
	uint8_t *out = arena_alloc_raw(arena, value.len / 4 * 3 + 3);
	size_t len = 0, digits = 0, padding = 0, at = 0;
	uint32_t group = 0;
	if (!out)
		return ERR_NOMEM;
	for (; at < value.len; at++) {
		if (digits % 4 == 0 && padding == 0) {
			size_t got = base64_groups(value, &at, out + len);
			len += got;
			digits += got / 3 * 4;
			if (at == value.len)
				break;
		}
		uint8_t c = value.ptr[at], digit = base64_values[c];
		if (tag_is_blank(c))
			continue;
		if (c == '=' && digits % 4 >= 2 && digits % 4 + padding < 4) {
			padding++;
			continue;
		}
		if (digit == NO_DIGIT || padding > 0)
			break;
		group = (group & 0xffffff) << 6 | digit;
		if (++digits % 4 == 0) {
			out[len++] = (uint8_t)(group >> 16 & 255);
			out[len++] = (uint8_t)(group >> 8 & 255);
			out[len++] = (uint8_t)(group & 255);
		}
	}
	/* The grammar lets the padding away, and some do. */
	size_t left = digits % 4;
	if (at < value.len || digits == 0 || left == 1 || (padding > 0 && left + padding != 4)) {
		if (ret_at)
			*ret_at = at;
		return ERR_SYNTAX;
	}
	if (left == 2) {
		out[len++] = (uint8_t)(group >> 4 & 255);
	} else if (left == 3) {
		out[len++] = (uint8_t)(group >> 10 & 255);
		out[len++] = (uint8_t)(group >> 2 & 255);
	}
	*ret_data = bytes_make(out, len);
	return ERR_OK;
}
