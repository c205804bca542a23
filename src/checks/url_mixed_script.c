/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_urls(scan, URL_MIXED_SCRIPT);
	return CHECK_DONE;
}

CHECK_REGISTER(url_mixed_script){
	.symbol = "URL_MIXED_SCRIPT",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.most = 5,
	.run = run,
	.summary = "a link whose host mixes alphabets",
	.text_en = "The host of a link mixes letters of several alphabets: {1}",
	.text_ja = "リンクのホスト名に複数の文字体系の似た文字が混ざっています: {1}",
	.manual = "A label of the host mixes letters of alphabets that no language mixes, such as Latin and "
		  "Cyrillic, which look alike. Registries forbid it, but below their level anybody may do it. "
		  "Names wholly in Japanese, or in Latin letters with accents, are fine.",
};
