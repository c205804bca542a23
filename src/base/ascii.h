/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/ascii.h: character classes of ASCII, whatever the locale is. Bytes over 0x7f are in no class.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool ascii_is_upper(uint32_t c)
{
	return c - 'A' < 26u;
}

static inline bool ascii_is_lower(uint32_t c)
{
	return c - 'a' < 26u;
}

static inline bool ascii_is_digit(uint32_t c)
{
	return c - '0' < 10u;
}

static inline bool ascii_is_alpha(uint32_t c)
{
	return (c | 0x20u) - 'a' < 26u;
}

static inline bool ascii_is_alnum(uint32_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static inline bool ascii_is_xdigit(uint32_t c)
{
	return ascii_is_digit(c) || (c | 0x20u) - 'a' < 6u;
}

/* Space, HT, LF, VT, FF, CR. */
static inline bool ascii_is_space(uint32_t c)
{
	return c == ' ' || c - '\t' < 5u;
}

/* Space and HT: WSP of RFC 5234. */
static inline bool ascii_is_blank(uint32_t c)
{
	return c == ' ' || c == '\t';
}

static inline bool ascii_is_print(uint32_t c)
{
	return c - 0x20u < 0x5fu;
}

/* C0 controls and DEL. */
static inline bool ascii_is_cntrl(uint32_t c)
{
	return c < 0x20u || c == 0x7fu;
}

static inline uint8_t ascii_lower(uint8_t c)
{
	return ascii_is_upper(c) ? (uint8_t)(c | 0x20u) : c;
}

static inline uint8_t ascii_upper(uint8_t c)
{
	return ascii_is_lower(c) ? (uint8_t)(c & 0xdfu) : c;
}

/* The value of a hex digit, or -1. */
static inline int ascii_hex(uint32_t c)
{
	if (ascii_is_digit(c))
		return (int)(c - '0');
	c |= 0x20u;
	return c - 'a' < 6u ? (int)(c - 'a' + 10) : -1;
}

/* Eight bytes from anywhere, the first one lowest. */
static inline uint64_t ascii_load8(const void *from)
{
	uint64_t word;
	memcpy(&word, from, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* ascii_lower() of eight bytes at once. */
static inline uint64_t ascii_lower8(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	uint64_t low = word & ~tops;
	uint64_t capital = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~word & tops;
	return word | capital >> 2;
}
