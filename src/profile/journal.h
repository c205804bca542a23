/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/journal.h: what was learned since the last snapshot, as entries that are appended to a file. An entry that
 * was being written when the machine stopped is seen to be broken; those before it count.
 *
 * Form: u32 length of what follows up to the hash, u64 sequence, u8 outcome, i64 time, the packed question; u64 SipHash
 * of all that under a key of zeros. Big endian.
 */
#include "base/buf.h"
#include "base/cursor.h"
#include "profile/relations.h"

#define JOURNAL_ENTRY_MAX (RELATIONS_QUERY_MAX + 64)

struct journal_entry {
	uint64_t sequence; /* relations_sequence() after it was learned */
	enum relations_outcome outcome;
	int64_t time;
	struct bytes query; /* packed */
};

void journal_add(struct buf *buf, const struct journal_entry *entry);
/* The next one; false at the end, and where the file is broken: then the cursor has an error. */
bool journal_next(struct cursor *cur, struct journal_entry *ret_entry);
/*
 * Learns all entries that come after what the store knows, in order; `ret_good` tells how many bytes of the file are
 * whole entries. Returns how many were learned. The arena is reset by each.
 */
size_t journal_replay(struct arena *arena, struct bytes file, struct relations *relations, size_t *ret_good);
