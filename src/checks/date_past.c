/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	enum { LATEST = 4 * 86400 };
	const struct message *message = scan_message(scan);
	/* Stored mail that says nothing of its way could have come at any time. */
	bool arrival_known = message->received.count > 0 || scan_envelope(scan)->has_client;
	if (!arrival_known || !message->has_date || message->date >= arrival_time(scan) - LATEST)
		return CHECK_DONE;
	tell_date(scan);
	return CHECK_DONE;
}

CHECK_REGISTER(date_past){
	.symbol = "DATE_PAST",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "dated long before it arrived",
	.text_en = "The message is dated {1}, long before it arrived.",
	.text_ja = "日付（Date）が到着時刻よりかなり前（{1}）になっています。",
	.manual = "Compares the Date field with the time of arrival: the time at which the message is judged, "
		  "or that of the newest Received field where this is earlier, so that stored mail is judged as"
		  " it came. More than four days behind is evidence. Honest mail is that late when a list's "
		  "moderator was away, when a server was down for long, or when somebody sends an old message "
		  "again.",
};
