/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	struct bytes word;
	if (text_find_gappy(scan_visible_text(scan), 5, ".-_*/|", &word))
		scan_evidence(scan, where_text(NULL, word), word, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(body_gappy){
	.symbol = "BODY_GAPPY",
	.family = "body",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "words of the text are pulled apart",
	.text_en = "The text pulls words apart: {1}",
	.text_ja = "本文の単語が区切り文字で分割されています: {1}",
	.manual = "Fires on five or more single letters in a row with the same mark between them (dot, hyphen, "
		  "underscore, asterisk, slash), as in \"v*i*a*g*r*a\". It hides the word from filters. Blanks "
		  "are not looked at in the text, since headings are set wide with them; nor are abbreviations "
		  "of up to four letters.",
};
