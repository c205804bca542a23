/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The links of mail/html.h against those of libxml2's SAX parser, over the HTML of a corpus of messages (the folder
 * that POSTERN_CORPUS names). Both get the same bytes. At least 99 of 100 links that libxml2 finds must be found.
 */
#include "unit.h"

#include <ftw.h>
#include <libxml/HTMLparser.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "mail/html.h"
#include "mail/url.h"

#define FILE_MAX ((size_t)8 << 20)

static size_t documents, expected, missing, html_bytes;

struct oracle {
	struct arena *arena;
	struct bytes *urls;
	size_t count, capacity;
	struct bytes base;
};

static struct bytes clean(struct arena *arena, struct bytes raw)
{
	struct bytes out = arena_copy(arena, raw);
	uint8_t *to = arena_alloc_raw(arena, raw.len + 1);
	size_t n = 0;
	while (out.len > 0 && out.ptr[0] <= ' ')
		out = bytes_from(out, 1);
	while (out.len > 0 && out.ptr[out.len - 1] <= ' ')
		out.len--;
	for (size_t i = 0; i < out.len; i++)
		if (out.ptr[i] != '\t' && out.ptr[i] != '\n' && out.ptr[i] != '\r')
			to[n++] = out.ptr[i];
	return bytes_make(to, n);
}

static bool one_of(const char *name, const char *words)
{
	size_t len = strlen(name);
	for (const char *at = words; (at = strstr(at, name)) != NULL; at++)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0))
			return true;
	return false;
}

static void start_element(void *ctx, const xmlChar *name_raw, const xmlChar **attrs)
{
	struct oracle *oracle = ctx;
	const char *name = (const char *)name_raw;
	for (; attrs && attrs[0]; attrs += 2) {
		const char *attr = (const char *)attrs[0];
		const char *value = (const char *)attrs[1];
		struct bytes url = clean(oracle->arena, bytes_from_cstr(value));
		if (url.len == 0)
			continue;
		if (strcmp(name, "base") == 0 && strcmp(attr, "href") == 0 && oracle->base.len == 0)
			oracle->base = url;
		bool link = (strcmp(attr, "href") == 0 && one_of(name, "a area link")) ||
			    (strcmp(attr, "src") == 0 && one_of(name, "img script iframe frame input embed")) ||
			    (strcmp(attr, "action") == 0 && strcmp(name, "form") == 0) ||
			    strcmp(attr, "background") == 0;
		if (!link)
			continue;
		struct bytes *urls =
			arena_grow(oracle->arena, oracle->urls, &oracle->capacity, oracle->count, sizeof(*urls));
		ASSERT(urls);
		oracle->urls = urls;
		urls[oracle->count++] = url;
	}
}

static int by_bytes(const void *a, const void *b)
{
	return bytes_cmp(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void compare(const char *path, struct bytes html)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct oracle oracle = {.arena = arena};
	struct html_document *doc;
	htmlSAXHandler sax;

	memset(&sax, 0, sizeof(sax));
	sax.startElement = start_element;
	htmlParserCtxtPtr parser = htmlCreatePushParserCtxt(&sax, &oracle, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
	ASSERT(parser);
	(void)htmlCtxtUseOptions(parser, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING);
	(void)htmlParseChunk(parser, (const char *)html.ptr, (int)html.len, 1);
	htmlFreeParserCtxt(parser);

	ASSERT(html_parse(arena, html, &doc) == ERR_OK);
	struct bytes *ours = arena_new(arena, struct bytes, doc->n_links + 1);
	for (size_t i = 0; i < doc->n_links; i++)
		ours[i] = doc->links[i].url;
	qsort(ours, doc->n_links, sizeof(*ours), by_bytes);
	for (size_t i = 0; i < oracle.count; i++) {
		struct bytes url = oracle.urls[i];
		if (oracle.base.len > 0)
			url = url_join(arena, oracle.base, url);
		if (!bsearch(&url, ours, doc->n_links, sizeof(*ours), by_bytes)) {
			missing++;
			if (getenv("POSTERN_VERBOSE"))
				fprintf(stderr, "# %s: %.*s\n", path, BYTES_FMT(url));
		}
	}
	documents++;
	expected += oracle.count;
	html_bytes += html.len;
}

static void unquote(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '=' && i + 1 < text.len && text.ptr[i + 1] == '\n') {
			i++;
			continue;
		}
		if (c == '=' && i + 2 < text.len && ascii_is_xdigit(text.ptr[i + 1]) &&
		    ascii_is_xdigit(text.ptr[i + 2])) {
			c = (uint8_t)(ascii_hex(text.ptr[i + 1]) << 4 | ascii_hex(text.ptr[i + 2]));
			i += 2;
		}
		buf_add_byte(out, c);
	}
}

/* A message whose body, or one part of it, is HTML: what follows the header field's block. No MIME parser is needed. */
static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	CLEANUP(buf_done) struct buf file = BUF_INIT(FILE_MAX);
	CLEANUP(buf_done) struct buf plain = BUF_INIT(FILE_MAX * 2);
	CLEANUP(buf_done) struct buf html = BUF_INIT(FILE_MAX * 3);
	if (type != FTW_F || st->st_size <= 0 || (size_t)st->st_size > FILE_MAX)
		return 0;
	FILE *in = fopen(path, "rb");
	uint8_t *room = buf_reserve(&file, (size_t)st->st_size);
	if (in && room)
		buf_commit(&file, fread(room, 1, (size_t)st->st_size, in));
	if (in)
		(void)fclose(in);
	struct bytes all = buf_bytes(&file);
	size_t field = bytes_find_nocase(all, BYTES_LIT("Content-Type: text/html"));
	size_t start = field == BYTES_NONE ? field : bytes_find(bytes_from(all, field), BYTES_LIT("\n\n"));
	if (start == BYTES_NONE)
		return 0;
	struct bytes head = bytes_sub(all, 0, field + start), body = bytes_from(all, field + start + 2);
	if (bytes_find_nocase(head, BYTES_LIT("Transfer-Encoding: base64")) != BYTES_NONE)
		return 0;
	if (bytes_find_nocase(head, BYTES_LIT("Transfer-Encoding: quoted-printable")) != BYTES_NONE)
		unquote(&plain, body);
	else
		buf_add(&plain, body);
	utf8_add_sanitized(&html, buf_bytes(&plain));
	compare(path, buf_bytes(&html));
	return 0;
}

static void finds_the_links_that_libxml2_finds(void **state)
{
	(void)state;
	print_message("# %zu documents, %zu bytes, %zu links of libxml2, %zu of them not found\n", documents,
		      html_bytes, expected, missing);
	assert_true(missing * 100 <= expected);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_the_links_that_libxml2_finds),
};

int main(void)
{
	const char *corpus = getenv("POSTERN_CORPUS");
	if (!corpus || nftw(corpus, visit, 16, FTW_PHYS) != 0 || documents == 0) {
		printf("1..0 # SKIP POSTERN_CORPUS names no folder with HTML mail\n");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
