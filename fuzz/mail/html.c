/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "fuzz.h"

static bool inside(struct bytes slice, size_t at, size_t len)
{
	return at <= slice.len && len <= slice.len - at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf source = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct html_document *doc;

	utf8_add_sanitized(&source, bytes_make(data, size));
	ASSERT(arena && html_parse(arena, buf_bytes(&source), &doc) == ERR_OK);
	ASSERT(utf8_valid(doc->visible) && utf8_valid(doc->hidden) && utf8_valid(doc->title));
	ASSERT(doc->n_links <= HTML_MAX_LINKS && doc->hidden_at <= source.len);
	ASSERT(doc->hidden.len > 0 || (doc->hidden_why & ~(unsigned)HTML_HIDDEN_ZERO_WIDTH) == 0);
	for (size_t i = 0; i < doc->n_links; i++) {
		const struct html_link *link = &doc->links[i];
		ASSERT(link->url.len > 0 && utf8_valid(link->url) && utf8_valid(link->text));
		ASSERT(!bytes_has(link->url, '\n') && inside(buf_bytes(&source), link->at, link->len));
	}
	/* Shown text has no blank at an end and no two in a row. */
	for (size_t i = 0; i < doc->visible.len; i++) {
		bool blank = doc->visible.ptr[i] == ' ' || doc->visible.ptr[i] == '\n';
		bool edge = i == 0 || i + 1 == doc->visible.len;
		bool next = !edge && (doc->visible.ptr[i + 1] == ' ' || doc->visible.ptr[i + 1] == '\n');
		ASSERT(!blank || (!edge && !next));
	}
	return 0;
}
