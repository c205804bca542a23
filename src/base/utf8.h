/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/utf8.h: UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#include "base/bytes.h"

struct buf;

#define UTF8_REPLACEMENT 0xfffdu

/* What is behind utf8_next() and utf8_encode() where it is not ASCII. */
uint32_t utf8_next_wide(struct bytes *text, bool *ret_ok);
size_t utf8_encode_wide(uint32_t code, uint8_t out[static 4]);

/*
 * Takes one code point off the front of `*text`, which must not be empty. A malformed sequence gives UTF8_REPLACEMENT
 * and takes its longest prefix that could have begun a character (Unicode 15, 3.9, U+FFFD substitution of maximal
 * subparts), at least one byte; `*ret_ok` (may be NULL) tells.
 */
static inline uint32_t utf8_next(struct bytes *text, bool *ret_ok)
{
	uint8_t first = text->ptr[0];
	if (first >= 0x80)
		return utf8_next_wide(text, ret_ok);
	text->ptr++;
	text->len--;
	if (ret_ok)
		*ret_ok = true;
	return first;
}

/* Writes 1 to 4 bytes; a code point that cannot be encoded becomes U+FFFD. Returns how many. */
static inline size_t utf8_encode(uint32_t code, uint8_t out[static 4])
{
	if (code >= 0x80)
		return utf8_encode_wide(code, out);
	out[0] = (uint8_t)code;
	return 1;
}

bool utf8_valid(struct bytes text);

/* True when no byte is over 0x7f. */
bool utf8_is_ascii(struct bytes text);

/* Adds `text`, each malformed sequence as U+FFFD. */
void utf8_add_sanitized(struct buf *buf, struct bytes text);

/* The longest prefix of at most `max` bytes that does not cut a well-formed character. */
struct bytes utf8_prefix(struct bytes text, size_t max);
