/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (message->subject.len == 0)
		scan_evidence(scan, where_field(header_find(message->header, HEADER_SUBJECT, 0)), (struct bytes){0},
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_missing){
	.symbol = "SUBJECT_MISSING",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "no subject",
	.text_en = "The message has no subject.",
	.text_ja = "件名がありません。",
	.manual = "Looks for a Subject field with something in it. Mail programs warn before they send without "
		  "one, scripts do not. Quick notes from phones often have none.",
};
