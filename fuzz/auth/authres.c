/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"

#include "fuzz.h"

static bool is_plain(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.ptr[i]) && id.ptr[i] != '-')
			return false;
	return id.len > 0;
}

/* What is written of a value is well formed, is read as what was written, and a field with our name is always ours. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct bytes value = bytes_make(data, size);
	struct authres authres, again;
	if (authres_parse(arena, value, &authres) != ERR_OK)
		return 0;
	ASSERT(authres.n_results <= AUTHRES_RESULTS_MAX);
	(void)authres_is_ours(arena, value, BYTES_LIT("mx.example.org"));
	if (is_plain(authres.id))
		ASSERT(authres_is_ours(arena, value, authres.id));

	CLEANUP(buf_done) struct buf first = BUF_INIT(2 * AUTHRES_FIELD_MAX), second = BUF_INIT(2 * AUTHRES_FIELD_MAX);
	size_t n = authres_write(&first, &authres);
	ASSERT(buf_err(&first) == ERR_OK && first.len <= AUTHRES_FIELD_MAX && n <= authres.n_results);
	for (size_t i = 0; i < first.len; i++)
		ASSERT(!ascii_is_cntrl(first.ptr[i]));
	ASSERT(authres_parse(arena, buf_bytes(&first), &again) == ERR_OK);
	ASSERT(authres.id.len == 0 || !again.malformed);
	ASSERT(again.n_results <= n);
	(void)authres_write(&second, &again);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
