/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/date.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	enum { SLACK = 12 * 3600 };
	const struct received_list *received = &scan_message(scan)->received;
	const struct received_hop *above = NULL;
	for (size_t i = 0; i < received->count; i++) {
		const struct received_hop *hop = &received->hops[i];
		if (!hop->has_date)
			continue;
		if (above && hop->date > above->date + SLACK) {
			char later[21], earlier[21];
			date_format_rfc3339(hop->date, later);
			date_format_rfc3339(above->date, earlier);
			scan_evidence(scan, where_field(hop->field), bytes_from_cstr(later), bytes_from_cstr(earlier));
			return CHECK_DONE;
		}
		above = hop;
	}
	return CHECK_DONE;
}

CHECK_REGISTER(received_times){
	.symbol = "RECEIVED_TIMES",
	.family = "path",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the path runs backwards in time",
	.text_en = "By its Received fields the message arrived before it was sent: {1} is later than {2}.",
	.text_ja = "Received ヘッダーの時刻が逆転しています（{1} が {2} より後）。",
	.manual = "Each server puts its Received field with its time on top. Where an older one (below) is more than "
		  "twelve "
		  "hours later than the one above it, a clock is wrong or the field below is forged. Computers with a "
		  "dead "
		  "clock battery, and servers that write a wrong time zone, do it without intent.",
};
