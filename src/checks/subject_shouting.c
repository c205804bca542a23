/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	struct bytes core = subject_core(message->subject, NULL);
	struct text_shape shape = text_shape(core);
	if (shape.wide == 0 && shape.loud_words >= 2 && shape.upper * 5 >= shape.letters * 4)
		scan_evidence(scan, where_field(header_find(message->header, HEADER_SUBJECT, 0)), core,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_shouting){
	.symbol = "SUBJECT_SHOUTING",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a subject in capitals",
	.text_en = "The subject is written in capitals: {1}",
	.text_ja = "件名が大文字ばかりです: {1}",
	.manual = "Fires when at least four fifths of the letters are capitals and two words of four letters or"
		  " more are capitals throughout. \"Re:\" and the [name] of a list are not counted; "
		  "abbreviations are not enough. Japanese text is left out, since it has no capitals. Some "
		  "authorities and old systems write like that in earnest.",
};
