/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	bool reply;
	subject_core(message->subject, &reply);
	const struct header_field *field = header_find(message->header, HEADER_IN_REPLY_TO, 0);
	if (!field)
		field = header_find(message->header, HEADER_REFERENCES, 0);
	struct bytes text = bytes_sub(scan_visible_text(scan), 0, SHAPE_MAX);
	if (reply && field && (bytes_starts(text, BYTES_LIT(">")) || bytes_find(text, BYTES_LIT("\n>")) != BYTES_NONE))
		scan_evidence(scan, where_field(field), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(reply_thread){
	.symbol = "REPLY_THREAD",
	.family = "body",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.in_favour = true,
	.run = run,
	.summary = "a reply that quotes what it answers",
	.text_en = "The message answers another one and quotes it.",
	.text_ja = "引用付きの返信メールです。",
	.manual = "Speaks for the message: it has In-Reply-To or References, its subject begins with \"Re:\", "
		  "and lines of its text are quoted with \">\". Such mail is part of a conversation. A spammer "
		  "can imitate all of it, and some do with stolen mail, so its weight is bounded.",
};
