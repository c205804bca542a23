/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	const struct url *outer = NULL;
	for (size_t i = 0; i < urls->count; i++) {
		const struct url *url = &urls->items[i];
		if ((url->flags & URL_UNROLLED) == 0)
			outer = url;
		else if (outer && outer->part == url->part && is_web_url(url) && is_web_url(outer) &&
			 !same_site(outer->host, url->host))
			scan_evidence(scan, where_url(outer), outer->host, url->host);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(url_redirect){
	.symbol = "URL_REDIRECT",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a link that leads on to another site",
	.text_en = "A link to {1} leads on to {2}.",
	.text_ja = "{1} へのリンクが、さらに {2} へ転送されます。",
	.manual = "The address of one site is packed into the link of another "
		  "(http://shop.example/go?url=http://evil.example/). Open redirectors of well-known sites are "
		  "used so that the link looks like theirs. Only the form of the link is looked at; nothing is "
		  "fetched. Newsletters that count clicks, search engines and list archives use such links in "
		  "earnest.",
};
