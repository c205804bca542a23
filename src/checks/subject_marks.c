/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "scan/check.h"

#include "base/banned.h"

static bool marks(struct bytes subject)
{
	unsigned exclaims = 0, money = 0, ornaments = 0, run = 0;
	uint32_t before = 0;
	subject = bytes_sub(subject, 0, 1000);
	while (subject.len > 0) {
		uint32_t code = utf8_next(&subject, NULL);
		run = code == before ? run + 1 : 1;
		before = code;
		exclaims += code == '!' || code == 0xff01;
		money += code == '$' || code == 0xa5 || code == 0xffe5;
		/* Stars, boxes, circles, hearts, notes, and the pictures of emoji. */
		ornaments +=
			(code >= 0x25a0 && code <= 0x27bf) || code == 0x266a || (code >= 0x1f300 && code <= 0x1faff);
		if (run >= 3 && (code == '?' || code == '*' || code == 0xff1f))
			return true;
	}
	return exclaims >= 3 || money >= 2 || ornaments >= 2;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (marks(message->subject))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_SUBJECT, 0)), message->subject,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_marks){
	.symbol = "SUBJECT_MARKS",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a subject full of marks",
	.text_en = "The subject is full of marks: {1}",
	.text_ja = "件名に記号が多用されています: {1}",
	.manual = "Counts what shouts without letters: three or more exclamation marks, two dollar or yen "
		  "signs, a run of three question marks or asterisks, two stars or other ornaments. Advertising"
		  " lives on them. Japanese newsletters decorate their subjects in the same way, and a cheerful"
		  " friend writes three exclamation marks too.",
};
