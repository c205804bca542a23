/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/header.h"

#include "base/arena.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	const struct header_limits limits = {.bytes = 4096, .fields = 50};
	struct bytes in = bytes_make(data, size);
	struct defect_list defects;
	struct header header;
	size_t body, last = 0;
	defect_list_init(&defects, arena);
	ASSERT(header_parse(arena, in, 0, &limits, NULL, &defects, &header, &body) == ERR_OK);
	ASSERT(body <= size && header.len <= size && header.count <= 50);
	ASSERT(header.n_others <= HEADER_ENDS);
	for (size_t i = 0; i < header.n_others; i++)
		ASSERT(header.others[i].body <= size && header.others[i].count <= 50);
	for (size_t i = 0; i < header.count; i++) {
		const struct header_field *field = &header.fields[i];
		ASSERT(field->at >= last && field->at + field->len <= size);
		ASSERT(field->name.len > 0 && field->value.ptr + field->value.len <= data + size);
		struct bytes value = header_unfold(arena, field->value);
		ASSERT(!bytes_has(value, '\n') && !bytes_has(value, '\r'));
		last = field->at + field->len;
	}
	return 0;
}
