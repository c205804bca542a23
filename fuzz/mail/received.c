/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/received.h"

#include "base/arena.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct header_field field = {.id = HEADER_RECEIVED, .value = bytes_make(data, size)};
	struct header header = {.fields = &field, .count = 1};
	struct received_list list;
	ASSERT(received_parse(arena, &header, &list) == ERR_OK && list.count == 1);
	const struct received_hop *hop = &list.hops[0];
	const struct bytes spans[] = {hop->helo, hop->rdns, hop->by, hop->with, hop->id, hop->recipient};
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		ASSERT(spans[i].len == 0 ||
		       (spans[i].ptr >= data && spans[i].len <= size - (size_t)(spans[i].ptr - data)));
	return 0;
}
