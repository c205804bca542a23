/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/address.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct defect_list defects;
	struct address_list list = {0};
	struct bytes path;
	defect_list_init(&defects, arena);
	ASSERT(address_parse(arena, bytes_make(data, size), NULL, 0, BYTES_LIT("To"), &defects, &list) == ERR_OK);
	ASSERT(list.count <= ADDRESS_MAX);
	for (size_t i = 0; i < list.count; i++) {
		const struct address *a = &list.items[i];
		ASSERT(utf8_valid(a->name) && utf8_valid(a->address));
		ASSERT(a->name.len > 0 || a->address.len > 0);
		ASSERT(a->at <= size && a->len <= size - a->at);
		ASSERT(a->local.len + a->domain.len <= a->address.len);
	}
	if (address_from_path(bytes_make(data, size), &path))
		ASSERT(path.len <= size);
	return 0;
}
