/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/journal.h"

#include "base/arena.h"
#include "base/hash.h"
#include "profile/store.h"

#include "base/banned.h"

#define HEAD_LEN 17u /* sequence, outcome, time */

static const struct hash_key no_key;

void journal_add(struct buf *buf, const struct journal_entry *entry)
{
	size_t from = buf->len;
	buf_add_be32(buf, (uint32_t)(HEAD_LEN + entry->query.len));
	buf_add_be64(buf, entry->sequence);
	buf_add_byte(buf, (uint8_t)entry->outcome);
	buf_add_be64(buf, (uint64_t)entry->time);
	buf_add(buf, entry->query);
	if (buf_err(buf) == ERR_OK)
		buf_add_be64(buf, hash_sip(no_key, bytes_from(buf_bytes(buf), from)));
}

bool journal_next(struct cursor *cur, struct journal_entry *ret_entry)
{
	size_t from = cur->at;
	if (cursor_end(cur))
		return false;
	uint32_t len = cursor_be32(cur);
	if (len < HEAD_LEN || len > HEAD_LEN + RELATIONS_QUERY_MAX)
		cursor_fail(cur, ERR_SYNTAX);
	struct cursor body = cursor_make(cursor_take(cur, len));
	struct bytes hashed = bytes_sub(cur->all, from, 4 + (size_t)len);
	uint64_t hash = cursor_be64(cur);
	if (cur->err == ERR_OK && hash != hash_sip(no_key, hashed))
		cursor_fail(cur, ERR_SYNTAX);
	ret_entry->sequence = cursor_be64(&body);
	uint8_t outcome = cursor_u8(&body);
	ret_entry->outcome = (enum relations_outcome)outcome;
	ret_entry->time = (int64_t)cursor_be64(&body);
	ret_entry->query = cursor_rest(&body);
	if (outcome > RELATIONS_UNWANTED)
		cursor_fail(cur, ERR_SYNTAX);
	return cur->err == ERR_OK;
}

size_t journal_replay(struct arena *arena, struct bytes file, struct relations *relations, size_t *ret_good)
{
	struct cursor cur = cursor_make(file);
	struct journal_entry entry;
	size_t n = 0;
	*ret_good = 0;
	while (journal_next(&cur, &entry)) {
		struct relations_query query;
		arena_reset(arena);
		if (relations_query_unpack(arena, entry.query, &query) != ERR_OK)
			break;
		*ret_good = cur.at;
		if (entry.sequence <= relations->sequence)
			continue;
		relations_learn(relations, &query, entry.outcome, entry.time);
		relations->sequence = entry.sequence;
		n++;
	}
	return n;
}
