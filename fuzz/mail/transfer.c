/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/transfer.h"

#include "base/arena.h"
#include "fuzz.h"

/* The first byte chooses the encoding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes in = bytes_make(data + 1, size - 1);
	struct transfer_result result;
	enum transfer_encoding kind = (enum transfer_encoding)(data[0] % 5);
	ASSERT(transfer_decode(arena, kind, in, &result) == ERR_OK);
	ASSERT(result.content.len <= size * 4 && result.first_end <= result.content.len);
	size_t at = 0, len = 0;
	for (size_t from = 0; transfer_find_inline(in, from, &kind, &at, &len); from = at + len)
		ASSERT(at >= from && len > 0 && at + len <= in.len);
	return 0;
}
