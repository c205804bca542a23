/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include "base/banned.h"

bool bytes_same_nocase(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;
	for (; i + 8 <= len; i += 8)
		if (ascii_lower8(ascii_load8(a + i)) != ascii_lower8(ascii_load8(b + i)))
			return false;
	for (; i < len; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
	if (c != 0)
		return c;
	return (a.len > b.len) - (a.len < b.len);
}

bool bytes_ends_nocase(struct bytes b, struct bytes suffix)
{
	return b.len >= suffix.len && bytes_eq_nocase(bytes_from(b, b.len - suffix.len), suffix);
}

size_t bytes_find(struct bytes hay, struct bytes needle)
{
	if (needle.len == 0)
		return 0;
	if (needle.len > hay.len)
		return BYTES_NONE;
	if (needle.len == 2) { /* which memmem() looks for byte by byte */
		struct bytes rest = bytes_sub(hay, 0, hay.len - 1);
		for (size_t at; (at = bytes_find_byte(rest, needle.ptr[0])) != BYTES_NONE;
		     rest = bytes_from(rest, at + 1))
			if (rest.ptr[at + 1] == needle.ptr[1])
				return (size_t)(rest.ptr + at - hay.ptr);
		return BYTES_NONE;
	}
	const uint8_t *hit = memmem(hay.ptr, hay.len, needle.ptr, needle.len);
	return hit ? (size_t)(hit - hay.ptr) : BYTES_NONE;
}

/* The next of either case of `byte` at or after `at`, or hay.len. */
static size_t next_either(struct bytes hay, size_t at, uint8_t byte)
{
	for (; at < hay.len; at++)
		if (ascii_lower(hay.ptr[at]) == byte)
			return at;
	return hay.len;
}

size_t bytes_find_nocase(struct bytes hay, struct bytes needle)
{
	if (needle.len == 0)
		return 0;
	if (needle.len > hay.len)
		return BYTES_NONE;
	uint8_t first = ascii_lower(needle.ptr[0]);
	size_t last = hay.len - needle.len;
	for (size_t at = next_either(hay, 0, first); at <= last; at = next_either(hay, at + 1, first))
		if (bytes_eq_nocase(bytes_sub(hay, at, needle.len), needle))
			return at;
	return BYTES_NONE;
}

size_t bytes_rfind_byte(struct bytes hay, uint8_t byte)
{
	const uint8_t *hit = hay.len ? memrchr(hay.ptr, byte, hay.len) : NULL;
	return hit ? (size_t)(hit - hay.ptr) : BYTES_NONE;
}

struct bytes bytes_trim(struct bytes b)
{
	size_t from = 0;
	while (from < b.len && ascii_is_space(b.ptr[from]))
		from++;
	while (b.len > from && ascii_is_space(b.ptr[b.len - 1]))
		b.len--;
	return bytes_from(b, from);
}

struct bytes bytes_chomp(struct bytes b)
{
	if (b.len > 0 && b.ptr[b.len - 1] == '\n') {
		b.len--;
		if (b.len > 0 && b.ptr[b.len - 1] == '\r')
			b.len--;
	}
	return b;
}

bool bytes_split(struct bytes *rest, uint8_t sep, struct bytes *ret_piece)
{
	if (rest->ptr == NULL)
		return false;
	size_t at = bytes_find_byte(*rest, sep);
	if (at == BYTES_NONE) {
		*ret_piece = *rest;
		*rest = (struct bytes){0};
		return ret_piece->len > 0 || ret_piece->ptr != NULL;
	}
	*ret_piece = bytes_sub(*rest, 0, at);
	*rest = bytes_from(*rest, at + 1);
	return true;
}
