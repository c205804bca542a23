/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/charset.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "fuzz.h"

/* The label, a NUL, the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes label, rest = bytes_make(data, size);
	if (!bytes_split(&rest, 0, &label))
		return 0;
	const struct charset *charset = charset_find(label);
	if (charset_is_utf7(charset))
		return 0;
	struct charset_result result;
	ASSERT(charset_decode(arena, charset, rest, &result) == ERR_OK);
	ASSERT(utf8_valid(result.text) && result.used);
	ASSERT(charset_decode_strict(arena, charset, rest, &result) == ERR_OK);
	ASSERT(utf8_valid(result.text));
	return 0;
}
