/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "checks/common.h"

#include "base/banned.h"

#define TRIED_MAX 300 /* link texts looked at in one message */

static bool looks_like_address(struct bytes text)
{
	if (text.len < 4 || text.len > 500 || bytes_has(text, ' ') || bytes_has(text, '\n') || bytes_has(text, '@'))
		return false;
	return bytes_starts_nocase(text, BYTES_LIT("http://")) || bytes_starts_nocase(text, BYTES_LIT("https://")) ||
	       (bytes_has(text, '.') && !bytes_has(bytes_sub(text, 0, bytes_find_byte(text, '.')), '/'));
}

/* A name with a known top-level domain, or an address. */
static bool url_tld_of(struct bytes host)
{
	size_t dot = bytes_rfind_byte(host, '.');
	return dot != BYTES_NONE &&
	       (url_tld_known(bytes_from(host, dot + 1)) || ascii_is_digit(host.ptr[host.len - 1]));
}

static enum check_step run(struct scan *scan)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	struct arena *arena = scan_arena(scan);
	for (size_t i = 0, tried = 0; i < urls->count && tried < TRIED_MAX; i++) {
		const struct url *url = &urls->items[i];
		struct bytes text = bytes_trim(url->text);
		if (!is_web_url(url) || (url->flags & URL_UNROLLED) || !looks_like_address(text))
			continue;
		struct arena_mark mark = arena_mark(arena);
		struct url shown;
		tried++;
		bool differs = url_parse(arena, text, true, &shown) == ERR_OK && url_tld_of(shown.host) &&
			       !same_site(shown.host, url->host);
		arena_rewind(arena, mark);
		if (differs)
			scan_evidence(scan, where_url(url), text, url->host);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(url_text_mismatch){
	.symbol = "URL_TEXT_MISMATCH",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.most = 5,
	.run = run,
	.summary = "the text of a link shows another site than the link",
	.text_en = "A link shows {1} but leads to {2}.",
	.text_ja = "リンクの表示は {1} ですが、実際の接続先は {2} です。",
	.manual = "The text of a link is itself an address, and its registrable domain differs from that of the"
		  " link. People check links by what they read. The usual honest case are newsletters whose "
		  "service counts clicks on a domain of its own; texts that merely name a file or a number with"
		  " a dot are not taken for addresses.",
};
