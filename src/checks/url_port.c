/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	for (size_t i = 0; i < urls->count; i++) {
		const struct url *url = &urls->items[i];
		bool usual =
			url->port == 0 || url->port == 80 || url->port == 443 || url->port == 8080 || url->port == 8443;
		if (!usual && is_web_url(url) && !bytes_eq(url->scheme, BYTES_LIT("ftp")))
			scan_evidence(scan, where_url(url), url->url, (struct bytes){0});
	}
	return CHECK_DONE;
}

CHECK_REGISTER(url_port){
	.symbol = "URL_PORT",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a link to an unusual port",
	.text_en = "A link leads to an unusual port: {1}",
	.text_ja = "リンク先が通常と異なるポートです: {1}",
	.manual = "Fires for web links with a port other than 80, 443, 8080 and 8443. Hijacked machines serve "
		  "pages on whatever port is free. Internal services, test systems and the web consoles of "
		  "devices are honest cases.",
};
