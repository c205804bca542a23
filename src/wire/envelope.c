/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/envelope.h"

#include "base/arena.h"
#include "base/cursor.h"

#include "base/banned.h"

#define HAS_CLIENT     1u
#define HAS_FROM       2u
#define RECIPIENTS_MAX 100000u

static void put(struct buf *buf, struct bytes b)
{
	buf_add_be32(buf, (uint32_t)b.len);
	buf_add(buf, b);
}

static struct bytes take(struct cursor *cur)
{
	return cursor_take(cur, cursor_be32(cur));
}

void envelope_encode(struct buf *buf, const struct scan_envelope *envelope, int64_t now)
{
	buf_add_be64(buf, (uint64_t)now);
	buf_add_byte(buf, (uint8_t)((envelope->has_client ? HAS_CLIENT : 0) | (envelope->has_from ? HAS_FROM : 0)));
	buf_add(buf, bytes_make(envelope->client_ip, 16));
	put(buf, envelope->frontend);
	put(buf, envelope->client_name);
	put(buf, envelope->helo);
	put(buf, envelope->from);
	put(buf, envelope->user);
	put(buf, envelope->hostname);
	buf_add_be32(buf, (uint32_t)envelope->n_recipients);
	for (size_t i = 0; i < envelope->n_recipients; i++)
		put(buf, envelope->recipients[i]);
}

enum err envelope_decode(struct arena *arena, struct bytes data, struct scan_envelope *ret_envelope, int64_t *ret_now)
{
	struct cursor cur = cursor_make(data);
	struct scan_envelope *envelope = ret_envelope;
	*envelope = (struct scan_envelope){0};
	*ret_now = (int64_t)cursor_be64(&cur);
	uint8_t flags = cursor_u8(&cur);
	struct bytes ip = cursor_take(&cur, 16);
	if (ip.len == 16)
		memcpy(envelope->client_ip, ip.ptr, 16);
	envelope->has_client = flags & HAS_CLIENT;
	envelope->has_from = flags & HAS_FROM;
	envelope->frontend = take(&cur);
	envelope->client_name = take(&cur);
	envelope->helo = take(&cur);
	envelope->from = take(&cur);
	envelope->user = take(&cur);
	envelope->hostname = take(&cur);
	uint32_t n = cursor_be32(&cur);
	if (n > RECIPIENTS_MAX || n > cursor_left(&cur) / 4)
		return ERR_SYNTAX;
	envelope->recipients = arena_new(arena, struct bytes, n + 1);
	if (!envelope->recipients)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < n; i++)
		envelope->recipients[i] = take(&cur);
	envelope->n_recipients = n;
	return cur.err == ERR_OK && cursor_end(&cur) ? ERR_OK : ERR_SYNTAX;
}

void recipients_add(struct buf *buf, struct bytes address, struct bytes fate)
{
	put(buf, address);
	put(buf, fate);
}

bool recipients_next(struct bytes *list, struct bytes *ret_address, struct bytes *ret_fate)
{
	struct cursor cur = cursor_make(*list);
	if (list->len == 0)
		return false;
	*ret_address = take(&cur);
	*ret_fate = take(&cur);
	*list = bytes_from(*list, cur.at);
	return cur.err == ERR_OK;
}
