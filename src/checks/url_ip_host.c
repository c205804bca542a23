/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	for (size_t i = 0; i < urls->count; i++) {
		const struct url *url = &urls->items[i];
		uint8_t ip[16];
		if ((url->flags & URL_IP_HOST) != 0 && is_web_url(url) &&
		    !(received_parse_ip(url->host, ip) && received_ip_is_local(ip)))
			scan_evidence(scan, where_url(url), url->host, (struct bytes){0});
	}
	return CHECK_DONE;
}

CHECK_REGISTER(url_ip_host){
	.symbol = "URL_IP_HOST",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a link to a bare address",
	.text_en = "A link leads to the bare address {1}.",
	.text_ja = "リンク先がドメイン名ではなく IP アドレス（{1}）です。",
	.manual = "Fires for links to a public IP address instead of a name. Hijacked computers have no name, "
		  "and lists of bad names do not catch them. Addresses of private networks are left out. "
		  "Administrators who send each other links to devices, and old list archives, are the honest "
		  "case.",
};
