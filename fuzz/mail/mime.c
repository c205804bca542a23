/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/mime.h"

#include "base/arena.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	const struct mime_limits limits = {
		.parts = 200, .depth = 8, .header = {.bytes = 4096, .fields = 50}, .readings = 20};
	struct defect_list defects;
	struct mime_tree tree;
	defect_list_init(&defects, arena);
	ASSERT(mime_parse(arena, bytes_make(data, size), &limits, &defects, &tree) == ERR_OK);
	ASSERT(tree.root && tree.n_parts >= 1 && tree.n_parts <= limits.parts && tree.parts[0] == tree.root);
	for (size_t i = 0; i < tree.n_parts; i++) {
		const struct mime_part *part = tree.parts[i];
		ASSERT(part->path.len > 0 && part->reading >= 1 && part->reading <= limits.readings + 1);
		ASSERT(part->depth <= limits.depth && part->body_at <= size && part->type.len > 0);
		ASSERT(!part->leaf || !part->first_child || (part->attached_message && !part->multipart));
		for (size_t k = i + 1; k < tree.n_parts; k++)
			ASSERT(part->reading != tree.parts[k]->reading || !bytes_eq(part->path, tree.parts[k]->path));
	}
	return 0;
}
