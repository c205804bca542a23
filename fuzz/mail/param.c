/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/param.h"

#include "base/arena.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct param_list list;
	ASSERT(param_parse(arena, bytes_make(data, size), &list) == ERR_OK);
	ASSERT(list.count <= PARAM_MAX);
	for (size_t i = 0; i < list.count && i < 20; i++) {
		struct param_values values;
		ASSERT(list.items[i].name.len > 0);
		ASSERT(param_values(arena, &list, list.items[i].name, &values) == ERR_OK);
		for (size_t k = 0; k < values.count; k++)
			/* Twice: what follows a quote that is never closed is a value, and read as continuations of it as well. */
			ASSERT(values.items[k].text.ptr && values.items[k].text.len <= 2 * size);
	}
	return 0;
}
