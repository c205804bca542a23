/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/tags.h"

#include "base/arena.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct bytes text = bytes_make(data, size);
	struct tags tags;
	struct error error = {0};
	enum err err = tags_parse(arena, text, &tags, &error);
	ASSERT(err == ERR_OK || (err == ERR_SYNTAX && error.at <= size && error.text[0]));
	for (size_t i = 0; err == ERR_OK && i < tags.count; i++) {
		const struct tag *tag = &tags.items[i];
		ASSERT(tag->name.len > 0 && tag->from <= tag->to && tag->to <= size && text.ptr[tag->from - 1] == '=');
		ASSERT(tag->to == size || text.ptr[tag->to] == ';');
		ASSERT(tag->value.len == 0 ||
		       (tag->value_at >= tag->from && tag->value_at + tag->value.len <= tag->to));
		ASSERT(!bytes_has(tag->value, ';'));
		struct tag_pieces pieces = tag_pieces_make(tag->value);
		struct bytes piece, decoded;
		size_t n = 0, at = 0;
		while (tag_pieces_next(&pieces, &piece))
			n++;
		ASSERT(n > 0 && n <= tag->value.len + 1);
		if (tag_base64(arena, tag->value, &decoded, &at) == ERR_OK)
			ASSERT(decoded.len > 0 && decoded.len <= tag->value.len);
		else
			ASSERT(at <= tag->value.len);
	}
	return 0;
}
