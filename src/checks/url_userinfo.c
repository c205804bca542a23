/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_urls(scan, URL_USERINFO);
	return CHECK_DONE;
}

CHECK_REGISTER(url_userinfo){
	.symbol = "URL_USERINFO",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.most = 5,
	.run = run,
	.summary = "a link with a name before the host",
	.text_en = "A link puts a name in front of its real host {1}.",
	.text_ja = "リンクの本当の接続先 {1} の前に、別の名前が書かれています（@ の悪用）。",
	.manual = "In http://www.bank.example@evil.example/ the host is what follows the @, and what stands "
		  "before it is only a user name. It is used to make people read another host. Links with a "
		  "real user name and password for a private site, and FTP links of that kind, are the rare "
		  "honest case.",
};
