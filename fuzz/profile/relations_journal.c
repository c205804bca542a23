/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "profile/journal.h"

#include "fuzz.h"

static const struct hash_key key = {1, 2};

static void add_hash(struct buf *file, size_t from)
{
	uint64_t hash = hash_sip(key, bytes_from(buf_bytes(file), from));
	for (unsigned shift = 0; shift < 64; shift += 8)
		buf_add_byte(file, (uint8_t)(hash >> shift));
}

/* What is taken can be asked, and written as a snapshot that can be read. */
static void try(struct bytes file)
{
	CLEANUP(relations_free) struct relations *relations = NULL, *again = NULL;
	CLEANUP(buf_done) struct buf snapshot = BUF_INIT(1 << 20);
	struct relations_query query = {.author = BYTES_LIT("a@b.example"), .name = BYTES_LIT("A"), .proven = true};
	struct relations_answer answer;
	struct relations_writer writer;
	struct journal_result result;
	struct error error;
	ASSERT(relations_create(65536, key, &relations) == ERR_OK);
	enum err err = journal_replay(file, relations, &result);
	ASSERT(result.good <= file.len && (err == ERR_OK || result.learned + result.good == 0));
	if (result.learned == 0)
		return;
	relations_ask(relations, &query, 1768478400, &answer);
	relations_snapshot_begin(relations, 1768478400, &writer);
	while (relations_snapshot_next(&writer, &snapshot))
		;
	ASSERT(relations_snapshot_read(buf_bytes(&snapshot), 65536, &again, &error) == ERR_OK);
}

/* The input is replayed as it is, and as one entry whose hash is right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = NULL;
	ASSERT(relations_create(65536, key, &relations) == ERR_OK);
	try(bytes_make(data, size));
	journal_begin(&file, relations);
	size_t from = file.len;
	buf_add(&file, bytes_make(data, size));
	add_hash(&file, from);
	if (buf_err(&file) == ERR_OK)
		try(buf_bytes(&file));
	return 0;
}
