/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (!header_find(message->header, HEADER_DATE, 0))
		scan_evidence(scan, where_none(), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(date_missing){
	.symbol = "DATE_MISSING",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "no Date field",
	.text_en = "The message bears no date.",
	.text_ja = "日付（Date）がありません。",
	.manual = "Looks for a Date field. RFC 5322 demands one, and every mail program writes it; bulk senders"
		  " of their own making forget it. Some scripts and devices leave it to their mail server, "
		  "which adds it, so honest mail without a date is rare by the time it arrives.",
};
