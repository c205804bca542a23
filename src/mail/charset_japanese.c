/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/charset_japanese.h"

#include <unicode/ucnv.h>

#include "base/utf8.h"

#include "base/banned.h"

enum { ROWS = 120, CELLS = 94, ROWS_0212 = 94 };

/* Code points; 0 where there is none. Written once, by japanese_init(). */
static uint16_t cp932[ROWS][CELLS];
static uint16_t jisx0212[ROWS_0212][CELLS];
static bool filled;

static uint16_t ask(UConverter *converter, const char *bytes, int32_t n)
{
	UChar out[8];
	UErrorCode err = U_ZERO_ERROR;
	ucnv_resetToUnicode(converter);
	int32_t len = ucnv_toUChars(converter, out, 8, bytes, n, &err);
	return U_SUCCESS(err) && len == 1 && out[0] != 0xfffd && out[0] >= 0x80 ? (uint16_t)out[0] : 0;
}

enum err japanese_init(void)
{
	if (filled)
		return ERR_OK;
	UErrorCode err = U_ZERO_ERROR;
	UConverter *sjis = ucnv_open("ibm-943_P15A-2003", &err);
	UConverter *euc = ucnv_open("euc-jp-2007", &err);
	if (U_SUCCESS(err)) {
		for (unsigned row = 0; row < ROWS; row++) {
			for (unsigned cell = 0; cell < CELLS; cell++) {
				unsigned lead = row / 2 + (row < 62 ? 0x81 : 0xc1);
				unsigned low = cell + (row % 2 ? CELLS : 0);
				char pair[2] = {(char)lead, (char)(low + (low >= 63 ? 0x41 : 0x40))};
				cp932[row][cell] = ask(sjis, pair, 2);
			}
		}
		for (unsigned row = 0; row < ROWS_0212; row++) {
			for (unsigned cell = 0; cell < CELLS; cell++) {
				char three[3] = {(char)0x8f, (char)(row + 0xa1), (char)(cell + 0xa1)};
				jisx0212[row][cell] = ask(euc, three, 3);
			}
		}
		filled = true;
	}
	ucnv_close(sjis);
	ucnv_close(euc);
	return filled ? ERR_OK : ERR_INTERNAL;
}

static inline uint8_t *put(uint8_t *out, uint32_t code)
{
	if (code >= 0x800) {
		out[0] = (uint8_t)(0xe0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (code & 0x3f));
		return out + 3;
	}
	if (code >= 0x80) {
		out[0] = (uint8_t)(0xc0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 0x3f));
		return out + 2;
	}
	*out = (uint8_t)code;
	return out + 1;
}

static inline uint8_t *put_cell(uint8_t *out, uint16_t code, size_t *gaps)
{
	if (code == 0) {
		code = UTF8_REPLACEMENT;
		(*gaps)++;
	}
	return put(out, code);
}

static inline uint8_t *put_error(uint8_t *out, size_t *errors)
{
	(*errors)++;
	return put(out, UTF8_REPLACEMENT);
}

static inline bool is_kana(unsigned c)
{
	return c - 0xa1u <= 0xdfu - 0xa1u;
}

static inline bool is_high(unsigned c)
{
	return c - 0xa1u < CELLS;
}

static inline bool is_low(unsigned c)
{
	return c - 0x21u < CELLS;
}

size_t japanese_shift_jis(struct bytes in, uint8_t *out, size_t *ret_errors, size_t *ret_gaps)
{
	uint8_t *p = out;
	size_t errors = 0, gaps = 0;
	for (size_t i = 0; i < in.len;) {
		unsigned c = in.ptr[i++];
		if (c < 0x80) {
			*p++ = (uint8_t)c;
		} else if (is_kana(c)) {
			p = put(p, 0xff61u + (c - 0xa1u));
		} else if (c == 0x80 || c == 0xa0 || c > 0xfc || i == in.len) {
			p = put_error(p, &errors);
		} else {
			unsigned trail = in.ptr[i];
			if (trail < 0x40 || trail == 0x7f || trail > 0xfc) {
				/* An ASCII byte is a character of its own: it must not vanish behind a stray lead. */
				i += trail >= 0x80;
				p = put_error(p, &errors);
				continue;
			}
			i++;
			unsigned row = (c - (c < 0xa0 ? 0x81u : 0xc1u)) * 2,
				 low = trail - (trail >= 0x80 ? 0x41u : 0x40u);
			uint16_t code = low >= CELLS ? cp932[row + 1][low - CELLS] : cp932[row][low];
			i -= code == 0 && trail < 0x80;
			p = put_cell(p, code, &gaps);
		}
	}
	*ret_errors = errors;
	*ret_gaps = gaps;
	return (size_t)(p - out);
}

size_t japanese_euc(struct bytes in, uint8_t *out, size_t *ret_errors, size_t *ret_gaps)
{
	uint8_t *p = out;
	size_t errors = 0, gaps = 0;
	for (size_t i = 0; i < in.len;) {
		unsigned c = in.ptr[i++];
		if (c < 0x80) {
			*p++ = (uint8_t)c;
		} else if (is_high(c) && i < in.len && is_high(in.ptr[i])) {
			p = put_cell(p, cp932[c - 0xa1][in.ptr[i++] - 0xa1], &gaps);
		} else if (c == 0x8e && i < in.len && is_kana(in.ptr[i])) {
			p = put(p, 0xff61u + (in.ptr[i++] - 0xa1u));
		} else if (c == 0x8f && in.len - i >= 2 && is_high(in.ptr[i]) && is_high(in.ptr[i + 1])) {
			p = put_cell(p, jisx0212[in.ptr[i] - 0xa1][in.ptr[i + 1] - 0xa1], &gaps);
			i += 2;
		} else {
			p = put_error(p, &errors);
		}
	}
	*ret_errors = errors;
	*ret_gaps = gaps;
	return (size_t)(p - out);
}

enum set { SET_ASCII, SET_KANA, SET_0208, SET_0212, SET_EMPTY, SET_FOREIGN, SET_BAD };

/* What the escape sequence behind an ESC asks for, and how long it is. */
static enum set read_escape(const uint8_t *p, size_t left, size_t *ret_len)
{
	*ret_len = 2;
	if (left < 2)
		return SET_BAD;
	if (p[0] == '(') {
		if (p[1] == 'B' || p[1] == 'J' || p[1] == 'H')
			return SET_ASCII;
		return p[1] == 'I' ? SET_KANA : SET_BAD;
	}
	if (p[0] == '$' && (p[1] == '@' || p[1] == 'B'))
		return SET_0208;
	if ((p[0] == '$' && p[1] == 'A') || (p[0] == '.' && (p[1] == 'A' || p[1] == 'F')))
		return SET_FOREIGN;
	if (p[0] != '$' || p[1] != '(' || left < 3)
		return SET_BAD;
	*ret_len = 3;
	switch (p[2]) {
	case '@':
	case 'B':
	case 'O': /* JIS X 0213, plane 1: rows 1 to 84 are those of JIS X 0208 but for what is new in them */
	case 'Q':
		return SET_0208;
	case 'D':
		return SET_0212;
	case 'P':
		return SET_EMPTY;
	case 'C':
		return SET_FOREIGN;
	default:
		return SET_BAD;
	}
}

/*
 * State: the set in G0, and whether SO chose katakana. A line end takes both back to ASCII (RFC 1468 wants it so, and
 * this is what saves a text without the last escape sequence). 8-bit katakana is read in every state.
 */
size_t japanese_iso2022(struct bytes in, uint8_t *out, size_t *ret_errors, size_t *ret_gaps, bool *ret_foreign)
{
	uint8_t *p = out;
	size_t errors = 0, gaps = 0;
	enum set set = SET_ASCII;
	bool shifted = false;
	*ret_foreign = false;
	for (size_t i = 0; i < in.len;) {
		unsigned c = in.ptr[i];
		if (is_low(c) && !shifted && (set == SET_0208 || set == SET_0212 || set == SET_EMPTY)) {
			if (i + 1 < in.len && is_low(in.ptr[i + 1])) {
				unsigned row = c - 0x21, cell = in.ptr[i + 1] - 0x21u;
				uint16_t code = set == SET_0208   ? cp932[row][cell]
						: set == SET_0212 ? jisx0212[row][cell]
								  : 0;
				p = put_cell(p, code, &gaps);
				i += 2;
				continue;
			}
			p = put_error(p, &errors);
			i++;
			continue;
		}
		i++;
		if (c == 0x1b) {
			size_t len;
			enum set next = read_escape(in.ptr + i, in.len - i, &len);
			if (next == SET_FOREIGN)
				*ret_foreign = true;
			if (next == SET_BAD && in.len - i >= 2 && in.ptr[i] == '&' && in.ptr[i + 1] == '@') {
				i += 2; /* "JIS X 0208-1990 follows" */
			} else if (next == SET_BAD) {
				p = put_error(p, &errors);
			} else {
				set = next;
				shifted = false;
				i += len;
			}
		} else if (c == 0x0e || c == 0x0f) {
			shifted = c == 0x0e;
		} else if (is_kana(c)) {
			p = put(p, 0xff61u + (c - 0xa1u));
		} else if (c >= 0x80) {
			p = put_error(p, &errors);
		} else if ((shifted || set == SET_KANA) && c - 0x21u <= 0x5fu - 0x21u) {
			p = put(p, 0xff61u + (c - 0x21u));
		} else {
			if (c == '\n' || c == '\r') {
				set = SET_ASCII;
				shifted = false;
			}
			*p++ = (uint8_t)c;
		}
	}
	*ret_errors = errors;
	*ret_gaps = gaps;
	return (size_t)(p - out);
}
