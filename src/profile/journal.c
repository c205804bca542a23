/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/journal.h"

#include "base/cursor.h"
#include "base/hash.h"
#include "base/num.h"
#include "profile/store.h"

#include "base/banned.h"

#define MAGIC "PSTJRN2\n"

_Static_assert(8 + 2 + 2 + CHANGES_MAX * (1 + RECORD_MAX) + 8 <= JOURNAL_ENTRY_MAX, "an entry holds all that changed");

/* -- Writing ---- */

static void add_number(struct buf *buf, uint64_t number, unsigned bits)
{
	for (unsigned shift = 0; shift < bits; shift += 8)
		buf_add_byte(buf, (uint8_t)(number >> shift));
}

static void add_hash(struct buf *buf, const struct relations *relations, size_t from)
{
	if (buf_err(buf) == ERR_OK)
		add_number(buf, hash_sip(relations->key, bytes_from(buf_bytes(buf), from)), 64);
}

void journal_begin(struct buf *buf, const struct relations *relations)
{
	size_t from = buf->len;
	buf_add_cstr(buf, MAGIC);
	add_hash(buf, relations, from);
}

void journal_add(struct buf *buf, const struct relations *relations)
{
	size_t from = buf->len, count = 0;
	if (relations->n_changes == 0)
		return;
	add_number(buf, relations->sequence, 64);
	add_number(buf, relations->changed_on, 16);
	size_t count_at = buf->len;
	add_number(buf, 0, 16);
	for (size_t i = 0; i < relations->n_changes; i++) {
		enum section section = relations->changes[i].section;
		const void *slot = record_find(relations, section, relations->changes[i].key);
		if (!slot)
			continue; /* it was pushed out by what the same lesson taught next */
		buf_add_byte(buf, (uint8_t)section);
		record_put(buf, section, slot);
		count++;
	}
	if (buf_err(buf) != ERR_OK)
		return;
	buf->ptr[count_at] = (uint8_t)count;
	buf->ptr[count_at + 1] = (uint8_t)(count >> 8);
	add_hash(buf, relations, from);
}

/* -- Repeating ---- */

struct entry {
	uint64_t sequence;
	uint16_t day, count;
	struct bytes records;
};

static uint64_t take64(struct cursor *cur)
{
	uint64_t low = cursor_le32(cur);
	return low | (uint64_t)cursor_le32(cur) << 32;
}

static bool next_record(struct cursor *cur, enum section *ret_section, union record *ret_record)
{
	uint8_t section = cursor_u8(cur);
	*ret_section = (enum section)section;
	return section < SECTION_END && record_get(cur, *ret_section, ret_record) && cur->err == ERR_OK;
}

/* The next one; false at the end, and where the file is broken. */
static bool next_entry(struct cursor *cur, const struct relations *relations, struct entry *ret_entry)
{
	size_t from = cur->at;
	enum section section;
	union record record;
	ret_entry->sequence = take64(cur);
	ret_entry->day = cursor_le16(cur);
	ret_entry->count = cursor_le16(cur);
	size_t begin = cur->at;
	for (size_t i = 0; i < ret_entry->count; i++)
		if (!next_record(cur, &section, &record))
			return false;
	ret_entry->records = bytes_sub(cur->all, begin, cur->at - begin);
	struct bytes hashed = bytes_sub(cur->all, from, cur->at - from);
	uint64_t hash = take64(cur);
	return cur->err == ERR_OK && hash == hash_sip(relations->key, hashed) && ret_entry->day > 0;
}

static void repeat(struct relations *relations, const struct entry *entry)
{
	struct cursor cur = cursor_make(entry->records);
	enum section section;
	union record record;
	while (!cursor_end(&cur) && next_record(&cur, &section, &record))
		record_restore(relations, section, &record, entry->day);
	relations->sequence = entry->sequence;
}

enum err journal_replay(struct bytes file, struct relations *relations, struct journal_result *ret_result)
{
	struct bytes magic = bytes_from_cstr(MAGIC);
	struct cursor cur = cursor_make(file);
	struct entry entry;
	*ret_result = (struct journal_result){0};
	if (!bytes_eq(bytes_sub(file, 0, magic.len), bytes_sub(magic, 0, MIN(file.len, magic.len))))
		return ERR_UNSUPPORTED;
	(void)cursor_take(&cur, magic.len);
	uint64_t hash = take64(&cur);
	if (cur.err != ERR_OK)
		return ERR_OK;
	if (hash != hash_sip(relations->key, magic))
		return ERR_DENIED;
	ret_result->good = cur.at;
	while (next_entry(&cur, relations, &entry)) {
		ret_result->good = cur.at;
		if (entry.sequence <= relations->sequence)
			continue;
		repeat(relations, &entry);
		ret_result->learned++;
	}
	return ERR_OK;
}
