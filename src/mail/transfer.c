/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/transfer.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

#define NONE 0xff /* not in the alphabet */
#define PAD  0xfe /* '=' */
#define GAP  0xfd /* blanks and line ends: allowed everywhere (RFC 2045, 6.8) */

#define N4  NONE, NONE, NONE, NONE
#define N8  N4, N4
#define N16 N8, N8
static const uint8_t base64_table[256] = {
	/* clang-format off */
	NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, GAP, GAP, GAP, GAP, GAP, NONE, NONE,
	N16,
	GAP, NONE, NONE, NONE, N4, NONE, NONE, NONE, 62, NONE, NONE, NONE, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NONE, NONE, NONE, PAD, NONE, NONE,
	NONE, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NONE, NONE, NONE, NONE, NONE,
	NONE, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NONE, NONE, NONE, NONE, NONE,
	N16, N16, N16, N16, N16, N16, N16, N16,
	/* clang-format on */
};

static void add_line(struct bytes in, size_t *at, struct bytes *ret_line);

struct base64 {
	enum transfer_padding padding;
	uint8_t *out;
	size_t len;
	uint32_t bits;
	unsigned have; /* sextets in `bits` */
	unsigned pads; /* of these, paddings taken for zeros */
	bool padded;   /* a padding was met, and nothing behind it yet */
	bool cut;      /* ... and it ended a group */
};

/* What a group that ends early still holds: two sextets are one byte, three are two. */
static void base64_flush(struct base64 *b, struct transfer_result *ret)
{
	if (b->have == 1)
		ret->truncated = true;
	if (b->have >= 2)
		b->out[b->len++] = (uint8_t)(b->bits >> (b->have == 2 ? 4 : 10));
	if (b->have == 3)
		b->out[b->len++] = (uint8_t)(b->bits >> 2);
	b->bits = 0;
	b->have = 0;
}

/* A sextet that is not part of a group on the fast path. */
static void base64_sextet(struct base64 *b, uint32_t value)
{
	b->bits = (b->bits << 6 | value) & 0xffffff;
	if (++b->have < 4)
		return;
	b->out[b->len++] = (uint8_t)(b->bits >> 16);
	if (b->pads < 2)
		b->out[b->len++] = (uint8_t)(b->bits >> 8);
	if (b->pads < 1)
		b->out[b->len++] = (uint8_t)b->bits;
	b->bits = 0;
	b->have = b->pads = 0;
}

/* A padding ends the group; where it does not fit, other clients skip it or take it for a zero. */
static void base64_pad(struct base64 *b, struct transfer_result *ret)
{
	if (b->padding == TRANSFER_PADDING_SKIPPED)
		return;
	if (b->padding == TRANSFER_PADDING_ZERO) {
		b->pads++;
		base64_sextet(b, 0);
		return;
	}
	b->cut = b->cut || b->have > 0;
	if (b->have > 0 || !b->padded) {
		base64_flush(b, ret);
		if (!ret->inner_padding)
			ret->first_end = b->len;
	}
	b->padded = true;
}

/* One byte outside the fast path. */
static void base64_byte(struct base64 *b, uint8_t c, struct transfer_result *ret)
{
	uint8_t value = base64_table[c];
	if (value == GAP)
		return;
	if (value == PAD) {
		base64_pad(b, ret);
		return;
	}
	if (value == NONE) {
		ret->junk = true;
		ret->raw_8bit = ret->raw_8bit || c > 0x7f;
		return;
	}
	if (b->padded) {
		ret->inner_padding = true;
		ret->padding_odd = ret->padding_odd || b->cut;
	}
	b->padded = b->cut = false;
	base64_sextet(b, value);
}

enum err transfer_base64(struct arena *arena, struct bytes in, enum transfer_padding padding,
			 struct transfer_result *ret)
{
	struct base64 b = {.padding = padding};
	*ret = (struct transfer_result){0};
	size_t room = in.len / 4 * 3 + 3;
	const uint8_t *p = in.ptr, *end = in.ptr + in.len;
	b.out = arena_alloc_raw(arena, room);
	if (!b.out)
		return ERR_NOMEM;
	while (p < end) {
		/* Whole groups, until something else than the alphabet comes up. */
		uint8_t *out = b.out + b.len;
		while (b.have == 0 && !b.padded && end - p >= 4) {
			uint32_t w = base64_table[p[0]], x = base64_table[p[1]], y = base64_table[p[2]],
				 z = base64_table[p[3]];
			if ((w | x | y | z) & 0x80)
				break;
			uint32_t bits = w << 18 | x << 12 | y << 6 | z;
			out[0] = (uint8_t)(bits >> 16);
			out[1] = (uint8_t)(bits >> 8);
			out[2] = (uint8_t)bits;
			out += 3;
			p += 4;
		}
		b.len = (size_t)(out - b.out);
		if (p < end)
			base64_byte(&b, *p++, ret);
	}
	if (b.have > 0) {
		ret->truncated = true;
		base64_flush(&b, ret);
	}
	arena_shrink(arena, b.out, room, b.len);
	ret->content = bytes_make(b.out, b.len);
	return ERR_OK;
}

/* One line of quoted-printable without its end; false when a soft line break ends it. */
static bool qp_line(struct bytes line, uint8_t *out, size_t *len, struct transfer_result *ret)
{
	/* Blanks at the end of a line were added on the way (RFC 2045, 6.7, rule 3). */
	while (line.len > 0 && ascii_is_blank(line.ptr[line.len - 1]))
		line.len--;
	for (size_t i = 0; i < line.len;) {
		const uint8_t *hit = memchr(line.ptr + i, '=', line.len - i);
		size_t n = hit ? (size_t)(hit - line.ptr) - i : line.len - i;
		memcpy(out + *len, line.ptr + i, n);
		*len += n;
		i += n;
		if (!hit)
			break;
		int hi = i + 2 < line.len ? ascii_hex(line.ptr[i + 1]) : -1;
		int lo = i + 2 < line.len ? ascii_hex(line.ptr[i + 2]) : -1;
		if (i + 1 == line.len)
			return false;
		size_t cr = i + 1;
		while (ascii_is_blank(line.ptr[cr]) && cr + 1 < line.len)
			cr++;
		if (line.ptr[cr] == '\r') { /* a bare CR is a line end for most clients, so this break is a soft one */
			ret->junk = true;
			i = cr + 1;
			continue;
		}
		if (hi >= 0 && lo >= 0) {
			out[(*len)++] = (uint8_t)(hi * 16 + lo);
			i += 3;
		} else {
			ret->junk = true;
			out[(*len)++] = '=';
			i++;
		}
	}
	return true;
}

static enum err qp_decode(struct arena *arena, struct bytes in, struct transfer_result *ret)
{
	size_t len = 0, at = 0;
	uint8_t *out = arena_alloc_raw(arena, in.len);
	if (!out)
		return ERR_NOMEM;
	while (at < in.len) {
		struct bytes line;
		size_t from = at;
		add_line(in, &at, &line);
		if (!qp_line(line, out, &len, ret))
			continue;
		size_t text = from + line.len;
		memcpy(out + len, in.ptr + text, at - text); /* the line end as it stands */
		len += at - text;
	}
	arena_shrink(arena, out, in.len, len);
	ret->raw_8bit = !utf8_is_ascii(in);
	ret->content = bytes_make(out, len);
	return ERR_OK;
}

/* The line at *at, without its LF or CRLF, and *at behind it. */
static void add_line(struct bytes in, size_t *at, struct bytes *ret_line)
{
	struct bytes rest = bytes_from(in, *at);
	size_t lf = bytes_find_byte(rest, '\n');
	size_t len = lf == BYTES_NONE ? rest.len : lf;
	*at += lf == BYTES_NONE ? len : len + 1;
	if (lf != BYTES_NONE && len > 0 && rest.ptr[len - 1] == '\r')
		len--;
	*ret_line = bytes_sub(rest, 0, len);
}

/* The line at *at of uuencode, which holds no CR: a bare one ends it, as it does for most clients. */
static void uu_next(struct bytes in, size_t *at, struct bytes *ret_line)
{
	size_t from = *at, i = from;
	while (i < in.len && in.ptr[i] != '\r' && in.ptr[i] != '\n')
		i++;
	*ret_line = bytes_sub(in, from, i - from);
	i += i + 1 < in.len && in.ptr[i] == '\r' && in.ptr[i + 1] == '\n';
	*at = MIN(i + 1, in.len);
}

/*
 * "begin 644 name": mode of three or four octal digits (POSIX, uuencode), *ret_mode tells. Clients in use need no name,
 * and some of them no mode.
 */
static bool uu_begin(struct bytes line, struct bytes *ret_name, bool *ret_mode)
{
	size_t i = 6;
	if (!bytes_starts(line, BYTES_LIT("begin ")))
		return false;
	while (i < line.len && line.ptr[i] >= '0' && line.ptr[i] <= '7')
		i++;
	*ret_mode = i >= 9 && i <= 10 && i < line.len && line.ptr[i] == ' ';
	*ret_name = bytes_trim(bytes_from(line, i));
	return true;
}

/* The bytes that a line of uuencode says it holds; -1 when its length cannot be one. */
static int uu_count(struct bytes line)
{
	if (line.len == 0)
		return 0;
	if (line.ptr[0] < ' ' || line.ptr[0] > '`')
		return -1;
	unsigned count = (line.ptr[0] - 32u) & 63;
	/* Some encoders cut blanks at the end of lines, some add a check byte. */
	return line.len - 1 <= (count + 2) / 3 * 4 + 2 ? (int)count : -1;
}

static size_t uu_line(struct bytes line, unsigned count, uint8_t *out)
{
	size_t len = 0;
	for (size_t i = 1; len < count; i += 4) {
		uint32_t bits = 0;
		for (size_t k = i; k < i + 4; k++)
			bits = bits << 6 | ((k < line.len ? line.ptr[k] - 32u : 0) & 63);
		out[len++] = (uint8_t)(bits >> 16);
		if (len < count)
			out[len++] = (uint8_t)(bits >> 8);
		if (len < count)
			out[len++] = (uint8_t)bits;
	}
	return len;
}

static enum err uu_decode(struct arena *arena, struct bytes in, struct transfer_result *ret)
{
	size_t at = 0, len = 0, n_lines = 0;
	struct bytes line;
	bool begun = false, ended = false, mode;
	/* A line of one byte can claim 63: room is counted by what lines really hold. */
	for (size_t scan = 0; scan < in.len; n_lines++)
		uu_next(in, &scan, &line);
	size_t room = in.len + n_lines * 3;
	uint8_t *out = arena_alloc_raw(arena, room);
	if (!out)
		return ERR_NOMEM;
	while (at < in.len && !ended) {
		uu_next(in, &at, &line);
		if (!begun) {
			begun = uu_begin(line, &ret->name, &mode);
			continue;
		}
		if (bytes_eq(bytes_trim(line), BYTES_LIT("end"))) {
			ended = true;
			continue;
		}
		int count = uu_count(line);
		if (count < 0) {
			ret->junk = true;
			continue;
		}
		/* Cut blanks count as zeros, but only as many as a line could have lost at its end. */
		size_t holds = line.len > 0 ? (line.len - 1) * 3 / 4 + 3 : 0;
		if ((size_t)count > holds)
			ret->junk = true;
		len += uu_line(line, (unsigned)MIN((size_t)count, holds), out + len);
	}
	ret->truncated = !ended;
	ret->junk = ret->junk || !begun;
	arena_shrink(arena, out, room, len);
	ret->content = bytes_make(out, len);
	return ERR_OK;
}

/* The value of " key=" on a line of yEnc; what is behind name= goes to the end of the line. */
static bool yenc_value(struct bytes line, struct bytes key, struct bytes *ret_value)
{
	size_t at = bytes_find(line, key);
	if (at == BYTES_NONE)
		return false;
	struct bytes value = bytes_from(line, at + key.len);
	size_t stop = bytes_find_byte(value, ' ');
	*ret_value = stop == BYTES_NONE || bytes_eq(key, BYTES_LIT(" name=")) ? bytes_trim(value)
									      : bytes_sub(value, 0, stop);
	return true;
}

/* yEnc 1.3: bytes are shifted by 42; '=' escapes the next one by 64 more. */
static size_t yenc_line(struct bytes line, uint8_t *out)
{
	size_t len = 0;
	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.ptr[i];
		if (c == '=' && i + 1 < line.len)
			c = (uint8_t)(line.ptr[++i] - 64u);
		out[len++] = (uint8_t)(c - 42u);
	}
	return len;
}

static void yenc_check(struct bytes end, struct transfer_result *ret)
{
	struct bytes text;
	uint64_t want;
	if (yenc_value(end, BYTES_LIT(" size="), &text) && num_parse(text, 10, UINT64_MAX, &want) == ERR_OK)
		ret->checksum_bad = want != ret->content.len;
	bool part = yenc_value(end, BYTES_LIT(" pcrc32="), &text);
	if ((part || yenc_value(end, BYTES_LIT(" crc32="), &text)) &&
	    num_parse(text, 16, UINT32_MAX, &want) == ERR_OK && want != hash_crc32(0, ret->content))
		ret->checksum_bad = true;
}

static enum err yenc_decode(struct arena *arena, struct bytes in, struct transfer_result *ret)
{
	size_t at = 0, len = 0;
	struct bytes line, end = {0};
	bool begun = false, ended = false;
	uint8_t *out = arena_alloc_raw(arena, in.len);
	if (!out)
		return ERR_NOMEM;
	while (at < in.len && !ended) {
		add_line(in, &at, &line);
		if (!begun) {
			begun = bytes_starts(line, BYTES_LIT("=ybegin "));
			if (begun && !yenc_value(line, BYTES_LIT(" name="), &ret->name))
				ret->junk = true;
		} else if (bytes_starts(line, BYTES_LIT("=yend"))) {
			ended = true;
			end = line;
		} else if (!bytes_starts(line, BYTES_LIT("=ypart "))) {
			/* Two dots at the start are the one that a transport doubled (RFC 5321, 4.5.2). */
			if (bytes_starts(line, BYTES_LIT("..")))
				line = bytes_from(line, 1);
			len += yenc_line(line, out + len);
		}
	}
	ret->truncated = !ended;
	ret->junk = ret->junk || !begun;
	arena_shrink(arena, out, in.len, len);
	ret->content = bytes_make(out, len);
	if (ended)
		yenc_check(end, ret);
	return ERR_OK;
}

enum err transfer_decode(struct arena *arena, enum transfer_encoding encoding, struct bytes in,
			 struct transfer_result *ret)
{
	*ret = (struct transfer_result){0};
	switch (encoding) {
	case TRANSFER_BASE64:
		return transfer_base64(arena, in, TRANSFER_PADDING_ENDS, ret);
	case TRANSFER_QUOTED_PRINTABLE:
		return qp_decode(arena, in, ret);
	case TRANSFER_UUENCODE:
		return uu_decode(arena, in, ret);
	case TRANSFER_YENC:
		return yenc_decode(arena, in, ret);
	case TRANSFER_IDENTITY:
		break;
	}
	ret->content = in;
	return ERR_OK;
}

/* True for a full line of uuencode as encoders write it: as long as it says, and without lower case. */
static bool uu_is_plain(struct bytes line)
{
	int count = uu_count(line);
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] < ' ' || line.ptr[i] > '`')
			return false;
	return count > 0 && line.len - 1 == ((size_t)count + 2) / 3 * 4;
}

/*
 * A uuencoded file is believed when the line behind "begin" is one of uuencode, or the end: prose begins with "begin"
 * too, above all where no mode follows. The range goes to the end line, or, where it is missing, to the end of the
 * text.
 */
static bool uu_inline(struct bytes text, size_t at, size_t *ret_len)
{
	size_t pos = at;
	struct bytes line, name;
	bool mode;
	uu_next(text, &pos, &line);
	if (!uu_begin(line, &name, &mode) || (!mode && pos >= text.len))
		return false;
	for (bool first = true; pos < text.len; first = false) {
		uu_next(text, &pos, &line);
		if (first && !mode && !uu_is_plain(line))
			return false;
		if (bytes_eq(bytes_trim(line), BYTES_LIT("end")))
			break;
		if (first &&
		    (line.len == 0 || uu_count(line) <= 0 || (line.len - 1) * 3 / 4 + 3 < (size_t)uu_count(line)))
			return false;
	}
	*ret_len = pos - at;
	return true;
}

static bool yenc_inline(struct bytes text, size_t at, size_t *ret_len)
{
	size_t pos = at;
	struct bytes line, value;
	add_line(text, &pos, &line);
	if (!yenc_value(line, BYTES_LIT(" line="), &value) || !yenc_value(line, BYTES_LIT(" name="), &value))
		return false;
	while (pos < text.len) {
		add_line(text, &pos, &line);
		if (bytes_starts(line, BYTES_LIT("=yend")))
			break;
	}
	*ret_len = pos - at;
	return true;
}

bool transfer_find_inline(struct bytes text, size_t from, enum transfer_encoding *ret_kind, size_t *ret_at,
			  size_t *ret_len)
{
	/* One pass over the word that both kinds begin with, so that many files cost no more than the text. */
	const struct bytes begin = BYTES_LIT("begin "), yenc = BYTES_LIT("=y");
	for (size_t at = from; at < text.len;) {
		size_t hit = bytes_find(bytes_from(text, at), begin);
		if (hit == BYTES_NONE)
			break;
		at += hit;
		bool is_yenc = at >= from + yenc.len && bytes_starts(bytes_from(text, at - yenc.len), yenc);
		*ret_at = is_yenc ? at - yenc.len : at;
		*ret_kind = is_yenc ? TRANSFER_YENC : TRANSFER_UUENCODE;
		if (*ret_at == 0 || text.ptr[*ret_at - 1] == '\n' || text.ptr[*ret_at - 1] == '\r') {
			if (is_yenc ? yenc_inline(text, *ret_at, ret_len) : uu_inline(text, *ret_at, ret_len))
				return true;
		}
		at += begin.len;
	}
	return false;
}
