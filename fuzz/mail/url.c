/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/url.h"

#include "base/arena.h"
#include "fuzz.h"

static bool within(struct bytes slice, struct bytes whole)
{
	return slice.len == 0 || (slice.ptr >= whole.ptr && slice.ptr + slice.len <= whole.ptr + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes raw = bytes_make(data, size);
	struct url url, again;
	struct url_list list = {0};

	ASSERT(arena);
	for (int schemeless = 0; schemeless < 2; schemeless++) {
		enum err err = url_parse(arena, raw, schemeless, &url);
		ASSERT(err == ERR_OK || err == ERR_SYNTAX);
		if (err != ERR_OK)
			continue;
		ASSERT(url.url.len <= URL_MAX_LEN);
		for (size_t i = 0; i < url.url.len; i++)
			ASSERT(url.url.ptr[i] > ' ' && url.url.ptr[i] < 0x7f);
		ASSERT(within(url.scheme, url.url) && within(url.host, url.url) && within(url.path, url.url) &&
		       within(url.query, url.url) && within(url.fragment, url.url));
		/* The normal form is a fixed point. */
		ASSERT(url_parse(arena, url.url, false, &again) == ERR_OK);
		ASSERT(bytes_eq(url.url, again.url) && bytes_eq(url.host, again.host) &&
		       bytes_eq(url.path, again.path));
		struct bytes domain = url_registrable(url.host);
		ASSERT(bytes_ends(url.host, domain));
		ASSERT(bytes_eq(url_registrable(domain), domain));
		(void)url_is_suffix(url.host);
	}
	ASSERT(url_add(arena, raw, (struct bytes){0}, NULL, 0, size, 0, &list) == ERR_OK);
	size_t half = size / 2;
	struct bytes joined = url_join(arena, bytes_sub(raw, 0, half), bytes_from(raw, half));
	ASSERT(joined.ptr && joined.len <= size + 1);
	return 0;
}
