/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	struct bytes text = scan_visible_text(scan);
	struct text_shape shape = text_shape(text);
	if (shape.letters >= 100 && shape.letters > shape.wide && shape.upper * 2 >= shape.letters)
		scan_evidence(scan, where_text(NULL, text), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(body_shouting){
	.symbol = "BODY_SHOUTING",
	.family = "body",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the text is mostly in capitals",
	.text_en = "The text is mostly written in capitals.",
	.text_ja = "本文の多くが大文字で書かれています。",
	.manual = "Fires when the visible text has a hundred Latin letters or more and at least half of them "
		  "are capitals. Only the first 32 kB are looked at. Japanese text has too few Latin letters to"
		  " count. Old systems that know capitals only, and texts full of codes, are honest cases.",
};
