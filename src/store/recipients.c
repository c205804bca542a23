/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients as one value: u32 length and address, u32 length and fate, for each. */
#include "base/arena.h"
#include "base/cursor.h"
#include "store/private.h"

#include "base/banned.h"

size_t store_recipients_pack(struct buf *buf, const struct store_recipient *recipients, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bytes address = recipients[i].address, fate = recipients[i].fate;
		if (address.len > buf->max || fate.len > buf->max || buf->max - buf->len < address.len + fate.len + 8)
			return i;
		buf_add_be32(buf, (uint32_t)address.len);
		buf_add(buf, address);
		buf_add_be32(buf, (uint32_t)fate.len);
		buf_add(buf, fate);
	}
	return n;
}

enum err store_recipients_unpack(struct arena *arena, struct bytes packed,
				 const struct store_recipient **ret_recipients, size_t *ret_n)
{
	struct store_recipient *items = NULL;
	size_t count = 0, capacity = 0;
	struct cursor cur = cursor_make(packed);
	while (!cursor_end(&cur)) {
		struct store_recipient item;
		item.address = cursor_take(&cur, cursor_be32(&cur));
		item.fate = cursor_take(&cur, cursor_be32(&cur));
		if (cur.err != ERR_OK)
			break; /* a damaged row: what was before it */
		items = arena_grow(arena, items, &capacity, count, sizeof(*items));
		if (!items)
			return ERR_NOMEM;
		items[count++] = item;
	}
	*ret_recipients = items;
	*ret_n = count;
	return ERR_OK;
}
