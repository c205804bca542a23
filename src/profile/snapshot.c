/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file form of a store, little endian:
 *
 *     head     "PSTREL1\n", u64 k0, u64 k1, u64 sequence, u16 day, then u64 SipHash of all that under a key of zeros
 *     pieces   u8 section, u8 0, u16 count, u32 number of the piece, `count` records, u64 SipHash under the key
 *     ...
 *     end      a piece of section SECTION_END with no records
 *
 * Records do not say where they lay: they are put back by their keys, so the budget may change. Nothing may follow.
 */
#include "base/buf.h"
#include "base/cursor.h"
#include "base/num.h"
#include "profile/store.h"

#include "base/banned.h"

#define MAGIC     "PSTREL1\n"
#define HEAD_LEN  (8u + 8u + 8u + 8u + 2u + 8u)
#define FRAME_LEN 16u /* of a piece: head and hash */

static const struct {
	size_t size; /* of a record in the file */
	size_t most; /* records a piece */
	size_t step; /* slots looked at a piece, so that an empty store is not gone through at one go */
} sections[SECTION_END] = {
	[SECTION_RECEIVED] = {12, 5000, 20000},
	[SECTION_SENT] = {12, 5000, 20000},
	[SECTION_NAMES] = {64, 1000, 4000},
	[SECTION_FORWARDERS] = {32, 2000, 8000},
};

static const struct hash_key no_key;

/* -- Writing ---- */

static void put16(struct buf *buf, uint16_t v)
{
	buf_add_byte(buf, (uint8_t)v);
	buf_add_byte(buf, (uint8_t)(v >> 8));
}

static void put64(struct buf *buf, uint64_t v)
{
	for (unsigned i = 0; i < 64; i += 8)
		buf_add_byte(buf, (uint8_t)(v >> i));
}

static void put_key(struct buf *buf, const uint16_t key[static 3])
{
	for (size_t i = 0; i < 3; i++)
		put16(buf, key[i]);
}

static void put_record(struct buf *buf, const struct table_record *record)
{
	put_key(buf, record->key);
	put16(buf, record->first);
	put16(buf, record->last);
	put16(buf, record->weight);
}

static void put_name(struct buf *buf, const struct names_slot *slot)
{
	put_key(buf, slot->key);
	put16(buf, slot->gained);
	put16(buf, slot->lost);
	put16(buf, slot->weight);
	buf_add_byte(buf, slot->len);
	buf_add(buf, bytes_make(slot->address, sizeof(slot->address)));
}

static void put_forwarder(struct buf *buf, const struct forwarder_record *record)
{
	put_key(buf, record->key);
	put16(buf, record->first);
	put16(buf, record->last);
	put16(buf, record->aged);
	for (size_t i = 0; i < ARRAY_LEN(record->counts); i++)
		put16(buf, record->counts[i]);
	put16(buf, record->today);
	put16(buf, record->days);
	put64(buf, record->authors);
}

const void *record_find(const struct relations *relations, enum section section, uint64_t key)
{
	if (section == SECTION_NAMES)
		return names_find(&relations->names, key);
	if (section == SECTION_FORWARDERS)
		return forwarders_find(&relations->forwarders, key);
	return table_find(section == SECTION_SENT ? &relations->sent : &relations->received, key);
}

void record_put(struct buf *buf, enum section section, const void *slot)
{
	if (section == SECTION_NAMES)
		put_name(buf, slot);
	else if (section == SECTION_FORWARDERS)
		put_forwarder(buf, slot);
	else
		put_record(buf, slot);
}

static size_t slots_of(const struct relations *relations, unsigned section)
{
	switch (section) {
	case SECTION_RECEIVED:
		return table_slots(&relations->received);
	case SECTION_SENT:
		return table_slots(&relations->sent);
	case SECTION_NAMES:
		return relations->names.n_slots;
	case SECTION_FORWARDERS:
		return relations->forwarders.n_records;
	default:
		return 0;
	}
}

/* NULL: the slot is free. */
static const void *slot_of(const struct relations *relations, unsigned section, size_t at)
{
	switch (section) {
	case SECTION_RECEIVED:
		return table_slot(&relations->received, at);
	case SECTION_SENT:
		return table_slot(&relations->sent, at);
	case SECTION_NAMES:
		return relations->names.slots[at].weight > 0 ? &relations->names.slots[at] : NULL;
	default:
		return relations->forwarders.records[at].first > 0 ? &relations->forwarders.records[at] : NULL;
	}
}

static void put_head(struct relations_writer *writer, struct buf *buf)
{
	size_t from = buf->len;
	buf_add_cstr(buf, MAGIC);
	put64(buf, writer->relations->key.k0);
	put64(buf, writer->relations->key.k1);
	put64(buf, writer->sequence);
	put16(buf, writer->day);
	if (buf_err(buf) == ERR_OK)
		put64(buf, hash_sip(no_key, bytes_from(buf_bytes(buf), from)));
}

/* Records of one section, from writer->at on. */
static void put_piece(struct relations_writer *writer, struct buf *buf)
{
	const struct relations *relations = writer->relations;
	size_t from = buf->len, count = 0, looked = 0;
	buf_add_byte(buf, (uint8_t)writer->section);
	buf_add_byte(buf, 0);
	put16(buf, 0);
	for (unsigned i = 0; i < 32; i += 8)
		buf_add_byte(buf, (uint8_t)(writer->piece >> i));
	if (writer->section < SECTION_END) {
		size_t slots = slots_of(relations, writer->section);
		while (writer->at < slots && looked++ < sections[writer->section].step &&
		       count < sections[writer->section].most) {
			const void *slot = slot_of(relations, writer->section, writer->at++);
			if (slot)
				record_put(buf, (enum section)writer->section, slot);
			count += slot != NULL;
		}
		if (writer->at == slots) {
			writer->section++;
			writer->at = 0;
		}
	} else {
		writer->section++;
	}
	if (buf_err(buf) != ERR_OK)
		return;
	buf->ptr[from + 2] = (uint8_t)count;
	buf->ptr[from + 3] = (uint8_t)(count >> 8);
	put64(buf, hash_sip(relations->key, bytes_from(buf_bytes(buf), from)));
	writer->piece++;
	writer->records += count;
}

void relations_snapshot_begin(const struct relations *relations, int64_t now, struct relations_writer *ret_writer)
{
	*ret_writer = (struct relations_writer){
		.relations = relations, .sequence = relations->sequence, .day = relations_day(now)};
}

bool relations_snapshot_next(struct relations_writer *writer, struct buf *buf)
{
	if (writer->section > SECTION_END)
		return false;
	if (writer->section == 0 && writer->at == 0)
		put_head(writer, buf);
	put_piece(writer, buf);
	return true;
}

/* -- Reading ---- */

static uint64_t get64(struct cursor *cur)
{
	uint64_t low = cursor_le32(cur);
	return low | (uint64_t)cursor_le32(cur) << 32;
}

static void get_key(struct cursor *cur, uint16_t key[static 3])
{
	for (size_t i = 0; i < 3; i++)
		key[i] = cursor_le16(cur);
}

/* False: no store writes such a record. */
static bool get_record(struct cursor *cur, struct table_record *record)
{
	get_key(cur, record->key);
	record->first = cursor_le16(cur);
	record->last = cursor_le16(cur);
	record->weight = cursor_le16(cur);
	return record->weight > 0 && record->first > 0 && record->first <= record->last;
}

static bool get_name(struct cursor *cur, struct names_slot *slot)
{
	*slot = (struct names_slot){0};
	get_key(cur, slot->key);
	slot->gained = cursor_le16(cur);
	slot->lost = cursor_le16(cur);
	slot->weight = cursor_le16(cur);
	slot->len = cursor_u8(cur);
	struct bytes address = cursor_take(cur, sizeof(slot->address));
	if (address.len != sizeof(slot->address) || slot->weight == 0 || slot->gained == 0 || slot->len == 0 ||
	    slot->len > NAMES_ADDRESS_MAX)
		return false;
	memcpy(slot->address, address.ptr, slot->len);
	return true;
}

static bool get_forwarder(struct cursor *cur, struct forwarder_record *record)
{
	get_key(cur, record->key);
	record->first = cursor_le16(cur);
	record->last = cursor_le16(cur);
	record->aged = cursor_le16(cur);
	for (size_t i = 0; i < ARRAY_LEN(record->counts); i++)
		record->counts[i] = cursor_le16(cur);
	record->today = cursor_le16(cur);
	record->days = cursor_le16(cur);
	record->authors = get64(cur);
	return record->first > 0 && record->first <= record->aged && record->aged <= record->last && record->days > 0;
}

bool record_get(struct cursor *cur, enum section section, union record *ret_record)
{
	if (section == SECTION_NAMES)
		return get_name(cur, &ret_record->name);
	if (section == SECTION_FORWARDERS)
		return get_forwarder(cur, &ret_record->forwarder);
	return get_record(cur, &ret_record->table);
}

void record_restore(struct relations *relations, enum section section, const union record *record, uint16_t today)
{
	if (section == SECTION_NAMES)
		names_restore(&relations->names, &record->name, today, RELATIONS_HALF_LIFE);
	else if (section == SECTION_FORWARDERS)
		forwarders_restore(&relations->forwarders, &record->forwarder, today, RELATIONS_HALF_LIFE);
	else
		table_restore(section == SECTION_SENT ? &relations->sent : &relations->received, &record->table, today,
			      RELATIONS_HALF_LIFE);
}

#define AHEAD ((size_t)16)

static void prefetch(const struct relations *relations, enum section section, const union record *record)
{
	const uint16_t *key = record->table.key;
	uint64_t number = key[0] | (uint64_t)key[1] << 16 | (uint64_t)key[2] << 32;
	if (section == SECTION_RECEIVED || section == SECTION_SENT)
		table_prefetch(section == SECTION_SENT ? &relations->sent : &relations->received, number);
}

struct head {
	struct hash_key key;
	uint64_t sequence;
	uint16_t day;
};

static enum err read_head(struct cursor *cur, struct head *ret_head, struct error *reterr)
{
	struct bytes all = bytes_sub(cur->all, 0, HEAD_LEN - 8);
	if (!bytes_starts(cur->all, BYTES_LIT(MAGIC)))
		return error_set(reterr, ERR_UNSUPPORTED, 0, "this is no snapshot of this version");
	(void)cursor_take(cur, sizeof(MAGIC) - 1);
	ret_head->key = (struct hash_key){get64(cur), 0};
	ret_head->key.k1 = get64(cur);
	ret_head->sequence = get64(cur);
	ret_head->day = cursor_le16(cur);
	uint64_t hash = get64(cur);
	if (cur->err != ERR_OK)
		return error_set(reterr, ERR_SHORT, cur->at, "the snapshot ends in its head");
	if (hash != hash_sip(no_key, all) || ret_head->day == 0)
		return error_set(reterr, ERR_SYNTAX, 0, "the head of the snapshot is damaged");
	return ERR_OK;
}

bool relations_snapshot_key(struct bytes file, struct hash_key *ret_key)
{
	struct cursor cur = cursor_make(file);
	struct head head = {0};
	bool good = read_head(&cur, &head, NULL) == ERR_OK;
	*ret_key = head.key;
	return good;
}

/* One piece; its section in *section, which must not go back. */
static enum err read_piece(struct relations *relations, const struct head *head, struct cursor *cur, uint32_t number,
			   unsigned *section, struct error *reterr)
{
	size_t begin = cur->at;
	unsigned kind = cursor_u8(cur), zero = cursor_u8(cur);
	size_t count = cursor_le16(cur);
	uint32_t found = cursor_le32(cur);
	if (cur->err != ERR_OK)
		return error_set(reterr, ERR_SHORT, begin, "the snapshot is cut at byte %zu", begin);
	bool good = kind <= SECTION_END && kind >= *section && zero == 0 && found == number &&
		    (kind < SECTION_END ? count <= sections[kind].most : count == 0);
	if (!good)
		return error_set(reterr, ERR_SYNTAX, begin, "the snapshot is damaged at byte %zu", begin);
	size_t len = kind < SECTION_END ? count * sections[kind].size : 0;
	struct cursor records = cursor_make(cursor_take(cur, len));
	struct bytes hashed = bytes_sub(cur->all, begin, FRAME_LEN - 8 + len);
	uint64_t hash = get64(cur);
	if (cur->err != ERR_OK)
		return error_set(reterr, ERR_SHORT, begin, "the snapshot is cut in the piece at byte %zu", begin);
	good = hash == hash_sip(head->key, hashed);
	for (size_t i = 0; good && i < count; i += AHEAD) {
		union record some[AHEAD];
		size_t n = MIN(count - i, AHEAD);
		/* Looked up together, so that the misses of the cache wait together. */
		for (size_t j = 0; good && j < n; j++) {
			good = record_get(&records, (enum section)kind, &some[j]);
			prefetch(relations, (enum section)kind, &some[j]);
		}
		for (size_t j = 0; good && j < n; j++)
			record_restore(relations, (enum section)kind, &some[j], head->day);
	}
	if (!good)
		return error_set(reterr, ERR_SYNTAX, begin, "the piece of the snapshot at byte %zu is damaged", begin);
	*section = kind;
	return ERR_OK;
}

enum err relations_snapshot_read(struct bytes file, size_t budget, struct relations **ret_relations,
				 struct error *reterr)
{
	CLEANUP(relations_free) struct relations *relations = NULL;
	struct cursor cur = cursor_make(file);
	struct head head = {0};
	unsigned section = 0;
	*ret_relations = NULL;
	TRY(read_head(&cur, &head, reterr));
	if (relations_create(budget, head.key, &relations) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the relations");
	for (uint32_t number = 0; section != SECTION_END; number++)
		TRY(read_piece(relations, &head, &cur, number, &section, reterr));
	if (!cursor_end(&cur))
		return error_set(reterr, ERR_SYNTAX, cur.at, "there is more after the end of the snapshot");
	relations->sequence = head.sequence;
	/* What did not fit was given up long ago. */
	relations->received.evicted = relations->received.refused = 0;
	relations->sent.evicted = relations->sent.refused = 0;
	*ret_relations = relations;
	relations = NULL;
	return ERR_OK;
}
