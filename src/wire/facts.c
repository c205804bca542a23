/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/facts.h"

#include "base/banned.h"

static void put_short(struct buf *buf, struct bytes b)
{
	b = bytes_sub(b, 0, UINT16_MAX);
	buf_add_be16(buf, (uint16_t)b.len);
	buf_add(buf, b);
}

static struct bytes take_short(struct cursor *cur)
{
	return cursor_take(cur, cursor_be16(cur));
}

static enum fact_kind take_kind(struct cursor *cur)
{
	uint8_t kind = cursor_u8(cur);
	if (kind >= FACT_KINDS)
		cursor_fail(cur, ERR_SYNTAX);
	return kind < FACT_KINDS ? (enum fact_kind)kind : FACT_TIME;
}

void facts_add_question(struct buf *buf, enum fact_kind kind, struct bytes key)
{
	buf_add_byte(buf, (uint8_t)kind);
	put_short(buf, key);
}

void facts_add(struct buf *buf, enum fact_kind kind, enum fact_state state, struct bytes key, struct bytes answer)
{
	buf_add_byte(buf, (uint8_t)kind);
	buf_add_byte(buf, (uint8_t)state);
	put_short(buf, key);
	buf_add_be32(buf, (uint32_t)answer.len);
	buf_add(buf, answer);
}

bool facts_next_question(struct cursor *cur, enum fact_kind *ret_kind, struct bytes *ret_key)
{
	if (cursor_end(cur))
		return false;
	*ret_kind = take_kind(cur);
	*ret_key = take_short(cur);
	return cur->err == ERR_OK;
}

bool facts_next(struct cursor *cur, struct fact *ret_fact)
{
	if (cursor_end(cur))
		return false;
	*ret_fact = (struct fact){.kind = take_kind(cur)};
	uint8_t state = cursor_u8(cur);
	if (state > FACT_FAILED)
		cursor_fail(cur, ERR_SYNTAX);
	ret_fact->state = state <= FACT_FAILED ? (enum fact_state)state : FACT_FAILED;
	ret_fact->key = take_short(cur);
	ret_fact->answer = cursor_take(cur, cursor_be32(cur));
	return cur->err == ERR_OK;
}

void facts_pack_sender(struct buf *buf, const struct facts_sender *sender)
{
	buf_add(buf, bytes_make(sender->ip, sizeof(sender->ip)));
	put_short(buf, sender->helo);
	put_short(buf, sender->from);
}

enum err facts_unpack_sender(struct bytes packed, struct facts_sender *ret_sender)
{
	struct cursor cur = cursor_make(packed);
	struct bytes ip = cursor_take(&cur, sizeof(ret_sender->ip));
	struct facts_sender sender = {.helo = take_short(&cur)};
	sender.from = take_short(&cur);
	if (cur.err != ERR_OK || !cursor_end(&cur))
		return ERR_SYNTAX;
	memcpy(sender.ip, ip.ptr, sizeof(sender.ip));
	*ret_sender = sender;
	return ERR_OK;
}
