/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	static const enum header_id fields[] = {HEADER_SUBJECT, HEADER_FROM, HEADER_TO, HEADER_REPLY_TO};
	const struct header *header = scan_message(scan)->header;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct header_field *field = header_find(header, fields[i], 0);
		if (field && !utf8_valid(field->value)) {
			scan_evidence(scan, where_field(field), bytes_from_cstr(header_id_name(fields[i])),
				      (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(header_raw_8bit){
	.symbol = "HEADER_RAW_8BIT",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "raw bytes of an unknown charset in the header",
	.text_en = "The field {1} holds raw bytes of an unknown charset.",
	.text_ja = "ヘッダー {1} に文字コード不明の生の 8 ビット文字が含まれています。",
	.manual = "Looks for bytes over 127 in From, To, Subject and Reply-To that are not UTF-8. Text in a "
		  "header is encoded (RFC 2047) or, between modern servers, UTF-8 (RFC 6532); raw Shift_JIS, "
		  "GB2312 or Windows-1252 comes from bulk mailers. Old web forms and old localised programs do "
		  "it too.",
};
