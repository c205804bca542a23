/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	bool reply;
	subject_core(message->subject, &reply);
	if (reply && !is_list_mail(message) && !header_find(message->header, HEADER_IN_REPLY_TO, 0) &&
	    !header_find(message->header, HEADER_REFERENCES, 0) &&
	    !header_find_name(message->header, BYTES_LIT("Thread-Index"), 0))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_SUBJECT, 0)), message->subject,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_fake_reply){
	.symbol = "SUBJECT_FAKE_REPLY",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a reply to nothing",
	.text_en = "The subject says it is a reply, but the message answers none.",
	.text_ja = "件名は返信（Re:）ですが、返信元の情報がありません。",
	.manual = "The subject begins with \"Re:\", yet there is no In-Reply-To, References or Thread-Index, "
		  "which programs add to a reply. The trick makes people believe in a conversation that never "
		  "was. Some web mail services and old programs leave these fields out; people who type \"Re:\""
		  " themselves do so too.",
};
