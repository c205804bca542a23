/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	if (!header_find(message->header, HEADER_MESSAGE_ID, 0))
		scan_evidence(scan, where_none(), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(message_id_missing){
	.symbol = "MESSAGE_ID_MISSING",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "no Message-ID",
	.text_en = "The message bears no Message-ID.",
	.text_ja = "Message-ID がありません。",
	.manual = "Looks for a Message-ID field. Mail programs and servers write one, since replies and lists "
		  "depend on it. A message without it was delivered straight from a script to our server. Some "
		  "devices and web forms are as careless.",
};
