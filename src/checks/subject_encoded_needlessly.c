/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct header_field *field = header_find(message->header, HEADER_SUBJECT, 0);
	if (!field || message->subject.len == 0)
		return CHECK_DONE;
	bool encoded = bytes_find(field->value, BYTES_LIT("=?")) != BYTES_NONE &&
		       bytes_find(field->value, BYTES_LIT("?=")) != BYTES_NONE;
	if (encoded && utf8_is_ascii(message->subject) && bytes_find(message->subject, BYTES_LIT("=?")) == BYTES_NONE)
		scan_evidence(scan, where_field(field), message->subject, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(subject_encoded_needlessly){
	.symbol = "SUBJECT_ENCODED_NEEDLESSLY",
	.family = "subject",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a plain subject is encoded",
	.text_en = "The subject is encoded although it is plain ASCII.",
	.text_ja = "件名は ASCII 文字だけなのに符号化されています。",
	.manual = "The Subject field holds encoded words (RFC 2047), and what comes out is plain ASCII that "
		  "needed none. It hides words from simple filters. Programs that encode every subject alike do"
		  " it without intent, among them some newsletter systems. An encoded word with an equals sign "
		  "and a question mark in it is left out, since that needs encoding.",
};
