/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (!first_address(&message->from))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_FROM, 0)), (struct bytes){0},
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(from_missing){
	.symbol = "FROM_MISSING",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "no author is named",
	.text_en = "The message names no author.",
	.text_ja = "差出人（From）が書かれていません。",
	.manual = "Looks for a From field that holds an address. Every mail program writes one, so a message "
		  "without it was put together by a script or was damaged on its way. Notices of small devices "
		  "(printers, alarm boxes) are the usual honest case.",
};
