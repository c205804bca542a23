/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_urls(scan, URL_BACKSLASH);
	return CHECK_DONE;
}

CHECK_REGISTER(url_backslash){
	.symbol = "URL_BACKSLASH",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a link with backslashes",
	.text_en = "A link is written with backslashes, which browsers take as slashes: {2}",
	.text_ja = "リンクの / の代わりに \\ が使われています: {2}",
	.manual = "Browsers read http:\\\\host as http://host, most filters do not. Fires when a backslash "
		  "stands where a slash belongs, in front of or behind the host. Web pages made by careless "
		  "people on Windows are the honest case.",
};
