/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct address *author = first_address(&message->from);
	if (author && message->to.count == 1 && bytes_eq_nocase(message->to.items[0].address, author->address))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_TO, 0)), author->address,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(from_equals_to){
	.symbol = "FROM_EQUALS_TO",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "sender and recipient are the same",
	.text_en = "The message claims to come from its own recipient.",
	.text_ja = "差出人と宛先が同じアドレスです。",
	.manual = "Fires when the only address of To is that of From. Spammers write the victim's own address "
		  "as the sender, since people let themselves through. People who send a note to themselves, or"
		  " a message to many blind copies, do the same.",
};
