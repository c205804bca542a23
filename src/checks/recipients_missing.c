/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (!first_address(&message->to) && !first_address(&message->cc))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_TO, 0)), (struct bytes){0},
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(recipients_missing){
	.symbol = "RECIPIENTS_MISSING",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "no recipient is named",
	.text_en = "The message names nobody it is for.",
	.text_ja = "宛先（To・Cc）が書かれていません。",
	.manual = "Looks for an address in To and Cc. Mass mail often has none, or an empty group such as "
		  "\"undisclosed-recipients:;\". Honest mail that was sent to blind copies only looks the same:"
		  " notes to a club, resent mail, some notices.",
};
