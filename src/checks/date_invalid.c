/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (header_find(message->header, HEADER_DATE, 0) && !message->has_date)
		scan_evidence(scan, where_field(header_find(message->header, HEADER_DATE, 0)), (struct bytes){0},
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(date_invalid){
	.symbol = "DATE_INVALID",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the date cannot be read",
	.text_en = "The date of the message cannot be read.",
	.text_ja = "日付（Date）の書式が不正で読み取れません。",
	.manual = "Reads the Date field, with the obsolete and the common wrong forms. What is left unread is "
		  "no day of the calendar or no date at all. It matters because readers sort by it and scripts "
		  "that forge it get it wrong. Programs with a date in a local language are the honest "
		  "exception.",
};
