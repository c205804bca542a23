/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	size_t fields = header_count(message->header, HEADER_FROM);
	bool authors = message->from.count > 1 && message->sender.count == 0;
	if (fields > 1 || authors)
		scan_evidence(scan, where_field(header_find(message->header, HEADER_FROM, fields > 1 ? 1 : 0)),
			      arena_printf(scan_arena(scan), "%zu", fields > 1 ? fields : message->from.count),
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(from_many){
	.symbol = "FROM_MANY",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "several authors without a sender",
	.text_en = "The message names {1} authors and no single sender.",
	.text_ja = "差出人（From）が {1} 件あり、実際の送信者が特定できません。",
	.manual = "Counts From fields and the addresses in them. More than one From field is forbidden, and "
		  "mail programs differ in which one they show, so one reader sees another author than the "
		  "filter checked. Several authors in one field are allowed only together with a Sender field "
		  "(RFC 5322, 3.6.2). Honest cases are rare: a message that two people sign and whose program "
		  "forgets the Sender field.",
};
