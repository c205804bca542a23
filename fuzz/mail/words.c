/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/words.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct defect_list defects;
	defect_list_init(&defects, arena);
	struct bytes text = words_decode(arena, bytes_make(data, size), NULL, 0, BYTES_LIT("Subject"), &defects);
	ASSERT(text.ptr && utf8_valid(text) && !bytes_has(text, 0) && !bytes_has(text, '\n'));
	return 0;
}
