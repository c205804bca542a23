/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	tell_defects(scan, defect_unexamined);
	return CHECK_DONE;
}

CHECK_REGISTER(mime_unexamined){
	.symbol = "MIME_UNEXAMINED",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_INFO,
	.most = 5,
	.run = run,
	.summary = "not all of the message was examined",
	.text_en = "The message was not examined as a whole: {1}",
	.text_ja = "メールの一部を検査できませんでした（{2}）。",
	.manual = "Tells that a limit was met (parts, depth, header size, memory) and that some bytes were "
		  "therefore not looked at. The message is then never called clean: its class is unscannable, "
		  "or worse where the rest gives reason. It weighs nothing by itself. The limits are settings; "
		  "honest mail does not come near the defaults.",
};
