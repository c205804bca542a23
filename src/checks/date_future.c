/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	enum { DAY = 86400 };
	const struct message *message = scan_message(scan);
	if (!message->has_date || message->date <= arrival_time(scan) + DAY)
		return CHECK_DONE;
	tell_date(scan);
	return CHECK_DONE;
}

CHECK_REGISTER(date_future){
	.symbol = "DATE_FUTURE",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "dated in the future",
	.text_en = "The message is dated {1}, in the future.",
	.text_ja = "日付（Date）が未来（{1}）になっています。",
	.manual = "Compares the Date field with the time of arrival: the time at which the message is judged, "
		  "or that of the newest Received field where this is earlier, so that stored mail is judged as"
		  " it came. More than a day ahead is evidence: such a message stays on top of the reader's "
		  "list. A computer whose clock is wrong does it without intent; a wrong time zone stays below "
		  "the limit.",
};
