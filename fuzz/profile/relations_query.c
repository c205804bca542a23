/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "profile/relations.h"

#include "fuzz.h"

/* What is read packs to exactly what was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)4 << 20);
	CLEANUP(buf_done) struct buf buf = BUF_INIT(RELATIONS_QUERY_MAX);
	struct relations_query query;
	if (relations_query_unpack(arena, bytes_make(data, size), &query) == ERR_OK) {
		relations_query_pack(&buf, &query);
		ASSERT(bytes_eq(buf_bytes(&buf), bytes_make(data, size)));
	}
	return 0;
}
