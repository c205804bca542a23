/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	struct bytes word;
	if (text_find_gappy(message->subject, 5, " .-_*/|", &word))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_SUBJECT, 0)), word,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_gappy){
	.symbol = "SUBJECT_GAPPY",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "words of the subject are pulled apart",
	.text_en = "The subject pulls words apart: {1}",
	.text_ja = "件名の単語が区切り文字で分割されています: {1}",
	.manual = "Fires on five or more single letters in a row with the same separator between them (blank, "
		  "dot, hyphen, underscore, asterisk, slash), as in \"F-R-E-E-!\". It is done to hide the word "
		  "from filters. Abbreviations with dots have four letters or fewer; titles set wide for their "
		  "looks are the honest case.",
};
