/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_urls(scan, URL_ESCAPED_HOST);
	return CHECK_DONE;
}

CHECK_REGISTER(url_escaped_host){
	.symbol = "URL_ESCAPED_HOST",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.most = 5,
	.run = run,
	.summary = "a link whose host is written in escapes",
	.text_en = "A link writes its host {1} in percent escapes.",
	.text_ja = "リンクのホスト名 {1} が % 表記で隠されています。",
	.manual = "A host name needs no percent escapes; browsers decode them all the same. They hide the name "
		  "from people and simple filters. Escapes in the path and in the query are normal and not "
		  "looked at. No honest case is known but broken programs.",
};
