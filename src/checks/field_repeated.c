/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	static const enum header_id once[] = {HEADER_SENDER,     HEADER_REPLY_TO,    HEADER_TO,
					      HEADER_CC,         HEADER_SUBJECT,     HEADER_DATE,
					      HEADER_MESSAGE_ID, HEADER_IN_REPLY_TO, HEADER_REFERENCES};
	const struct header *header = scan_message(scan)->header;
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		const struct header_field *second = header_find(header, once[i], 1);
		if (second)
			scan_evidence(scan, where_field(second), bytes_from_cstr(header_id_name(once[i])),
				      (struct bytes){0});
	}
	return CHECK_DONE;
}

CHECK_REGISTER(field_repeated){
	.symbol = "FIELD_REPEATED",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.most = 3,
	.run = run,
	.summary = "a field that may stand once stands twice",
	.text_en = "The field {1} stands more than once.",
	.text_ja = "一度しか書けないヘッダー {1} が複数あります。",
	.manual = "Counts the fields that RFC 5322 allows once: Sender, Reply-To, To, Cc, Subject, Date, "
		  "Message-ID, In-Reply-To, References. Programs differ in which one they show, and signatures "
		  "may cover the other one. Several From fields are told by FROM_MANY. Servers that add a "
		  "second To or Message-ID to a message that they pass on do exist.",
};
