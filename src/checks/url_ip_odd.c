/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_urls(scan, URL_IP_ODD);
	return CHECK_DONE;
}

CHECK_REGISTER(url_ip_odd){
	.symbol = "URL_IP_ODD",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.most = 5,
	.run = run,
	.summary = "a link to an address in disguise",
	.text_en = "A link leads to the address {1}, written in disguise.",
	.text_ja = "リンク先の IP アドレス（{1}）が読みにくい形で書かれています。",
	.manual = "Browsers take an IP address as one large number, in octal or hexadecimal, or with parts left"
		  " out (http://0x7f.1/). Nobody writes that by hand; it is done to hide the address from "
		  "people and filters. No honest case is known but texts on this very subject.",
};
