/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include "base/banned.h"

struct bytes cursor_take(struct cursor *cur, size_t n)
{
	if (cur->err != ERR_OK)
		return (struct bytes){0};
	if (n > cur->all.len - cur->at) {
		cur->err = ERR_SHORT;
		return (struct bytes){0};
	}
	struct bytes taken = bytes_sub(cur->all, cur->at, n);
	cur->at += n;
	return taken;
}

struct bytes cursor_rest(struct cursor *cur)
{
	return cursor_take(cur, cursor_left(cur));
}

struct bytes cursor_until(struct cursor *cur, uint8_t stop)
{
	if (cur->err != ERR_OK)
		return (struct bytes){0};
	size_t n = bytes_find_byte(bytes_from(cur->all, cur->at), stop);
	if (n == BYTES_NONE) {
		cur->err = ERR_SHORT;
		return (struct bytes){0};
	}
	struct bytes taken = bytes_sub(cur->all, cur->at, n);
	cur->at += n + 1;
	return taken;
}

uint8_t cursor_u8(struct cursor *cur)
{
	struct bytes b = cursor_take(cur, 1);
	return b.len ? b.ptr[0] : 0;
}

/* `n` bytes, the most significant first. */
static uint64_t big_endian(struct cursor *cur, size_t n)
{
	struct bytes b = cursor_take(cur, n);
	uint64_t v = 0;
	for (size_t i = 0; i < b.len; i++)
		v = v << 8 | b.ptr[i];
	return v;
}

static uint64_t little_endian(struct cursor *cur, size_t n)
{
	struct bytes b = cursor_take(cur, n);
	uint64_t v = 0;
	for (size_t i = b.len; i-- > 0;)
		v = v << 8 | b.ptr[i];
	return v;
}

uint16_t cursor_be16(struct cursor *cur)
{
	return (uint16_t)big_endian(cur, 2);
}

uint32_t cursor_be32(struct cursor *cur)
{
	return (uint32_t)big_endian(cur, 4);
}

uint64_t cursor_be64(struct cursor *cur)
{
	return big_endian(cur, 8);
}

uint16_t cursor_le16(struct cursor *cur)
{
	return (uint16_t)little_endian(cur, 2);
}

uint32_t cursor_le32(struct cursor *cur)
{
	return (uint32_t)little_endian(cur, 4);
}
