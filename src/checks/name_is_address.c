/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "checks/common.h"
#include "mail/url.h"

#include "base/banned.h"

/* Takes the next run of characters that an address may have. */
static struct bytes next_word(struct bytes *rest)
{
	size_t from = 0, to;
	while (from < rest->len && !ascii_is_alnum(rest->ptr[from]))
		from++;
	for (to = from; to < rest->len; to++) {
		uint8_t c = rest->ptr[to];
		if (!ascii_is_alnum(c) && c != '.' && c != '-' && c != '_' && c != '+' && c != '@')
			break;
	}
	struct bytes word = bytes_sub(*rest, from, to - from);
	*rest = bytes_from(*rest, to);
	while (word.len > 0 && (word.ptr[word.len - 1] == '.' || word.ptr[word.len - 1] == '-'))
		word.len--;
	return word;
}

static bool is_domain(struct bytes domain)
{
	size_t dot = bytes_rfind_byte(domain, '.');
	if (dot == BYTES_NONE || dot < 2 || domain.len < 5 || bytes_has(domain, '_') || bytes_has(domain, '+'))
		return false;
	struct bytes top = bytes_from(domain, dot + 1);
	for (size_t i = 0; i < top.len; i++)
		if (!ascii_is_alpha(top.ptr[i]))
			return false;
	return url_tld_known(top) && !url_is_suffix(domain);
}

static enum check_step run(struct scan *scan)
{
	const struct address *author = first_address(&scan_message(scan)->from);
	if (!author || author->name.len == 0 || author->domain.len == 0)
		return CHECK_DONE;
	struct bytes name = bytes_sub(author->name, 0, 512), rest = name;
	while (rest.len > 0) {
		struct bytes word = next_word(&rest);
		size_t at = bytes_rfind_byte(word, '@');
		struct bytes domain = at == BYTES_NONE ? word : bytes_from(word, at + 1);
		/* A bare domain in the middle is a title ("News.com weekly"); in front it is the name. */
		bool named = at != BYTES_NONE || (size_t)(word.ptr - name.ptr) <= 2;
		if (named && is_domain(domain) && !same_site(domain, author->domain)) {
			scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)), word,
				      author->address);
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(name_is_address){
	.symbol = "NAME_IS_ADDRESS",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "the name of the sender shows another domain",
	.text_en = "The name of the sender shows {1}, but the address is {2}.",
	.text_ja = "差出人名に {1} と表示されますが、実際のアドレスは {2} です。",
	.manual = "Looks for an address in the display name of From, or for a domain in front of it, and compares its "
		  "registrable domain with that of the address itself. Phones show the name alone, so this is how a "
		  "stranger passes for a bank or a shop. Lists and helpdesks that write \"alice@example.com via"
		  " Helpdesk\" look alike, and so do companies whose name ends in \".com\" and that mail from "
		  "another domain.",
};
