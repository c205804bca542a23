/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/journal.h: what was learned since the last snapshot, as entries that are appended to a file. An entry that
 * was being written when the machine stopped is seen to be broken; those before it count.
 *
 * Form: the head "PSTJRN2\n", u64 SipHash of that; then entries: u64 sequence, u16 day, u16 count, so many changed
 * records, each u8 section and the record as a snapshot has it, u64 SipHash of all that. Little endian; every SipHash
 * is under the key of the store. A record is written as it is after the lesson, so reading it twice does no harm.
 *
 * So it holds what a snapshot holds: keyed hashes and days, no text but the usual address of a name. Nothing of it can
 * be used without the key, which lies in the snapshot.
 */
#include "base/buf.h"
#include "profile/relations.h"

#define JOURNAL_ENTRY_MAX 8192

/* Begins a file. */
void journal_begin(struct buf *buf, const struct relations *relations);
/* Adds what the last lesson changed; nothing if it changed nothing. */
void journal_add(struct buf *buf, const struct relations *relations);

struct journal_result {
	size_t learned; /* entries that the store did not know */
	size_t good;    /* bytes of the file that are whole */
};
/*
 * Learns all entries that come after what the store knows, in order. ERR_UNSUPPORTED: the file has another form;
 * ERR_DENIED: it was written under another key. A file that breaks off, if only in its head, is no error.
 */
NODISCARD enum err journal_replay(struct bytes file, struct relations *relations, struct journal_result *ret_result);
