/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "fuzz.h"
#include "mail/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct url_list list = {0};
	size_t last = 0;

	ASSERT(arena && url_find(arena, bytes_make(data, size), NULL, &list) == ERR_OK);
	ASSERT(list.count <= URL_MAX);
	for (size_t i = 0; i < list.count; i++) {
		const struct url *url = &list.items[i];
		struct url again;
		ASSERT(url->len > 0 && url->at >= last && url->at <= size && url->len <= size - url->at);
		last = url->at;
		ASSERT(url_parse(arena, url->url, false, &again) == ERR_OK && bytes_eq(again.url, url->url));
		for (size_t j = 0; j < i; j++)
			ASSERT(!bytes_eq(list.items[j].url, url->url));
	}
	return 0;
}
