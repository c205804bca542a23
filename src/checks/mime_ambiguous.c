/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_defects(scan, defect_ambiguous);
	return CHECK_DONE;
}

CHECK_REGISTER(mime_ambiguous){
	.symbol = "MIME_AMBIGUOUS",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "mail clients read the structure differently",
	.text_en = "Mail clients read this message differently: {1}",
	.text_ja = "メールソフトによって解釈が異なる構造です（{2}）。",
	.manual = "Fires for each defect of the structure on which mail clients in use differ in what they show"
		  " or save: two Content-Types, a missing boundary, parts behind the end, data behind base64 "
		  "padding and the like. Attackers use them so that the filter sees one message and the reader "
		  "another. Both readings are examined here. Broken programs make such mail too, above all "
		  "home-made newsletter scripts; text that quotes a uuencoded file is a harmless case.",
};
