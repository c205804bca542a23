/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/hash.h"
#include "profile/journal.h"

#include "fuzz.h"

/* The input is replayed as it is, and as the question of one entry that is otherwise right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)4 << 20);
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = NULL;
	size_t good;
	ASSERT(relations_create(65536, (struct hash_key){1, 2}, &relations) == ERR_OK);
	size_t n = journal_replay(arena, bytes_make(data, size), relations, &good);
	ASSERT(good <= size && n <= size);
	if (size > RELATIONS_QUERY_MAX)
		return 0;
	journal_add(&file, &(struct journal_entry){.sequence = UINT64_MAX, .time = 1768478400, .query = {data, size}});
	n = journal_replay(arena, buf_bytes(&file), relations, &good);
	ASSERT(good == 0 || good == file.len);
	ASSERT(n == 0 || relations_sequence(relations) == UINT64_MAX);
	return 0;
}
