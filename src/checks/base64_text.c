/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "checks/common.h"

#include "base/banned.h"

static bool plain(struct bytes text)
{
	size_t line = 0;
	text = bytes_sub(text, 0, SHAPE_MAX);
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] >= 0x80 || text.ptr[i] == 0x1b || text.ptr[i] == 0)
			return false;
		line = text.ptr[i] == '\n' ? 0 : line + 1;
		if (line > 998)
			return false;
	}
	return true;
}

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (is_text_body(part) && part->transfer == TRANSFER_BASE64 && part->content.len >= 40 &&
		    plain(part->content)) {
			scan_evidence(scan, where_range(part, part->body_at, MIN(part->body.len, (size_t)76)),
				      (struct bytes){0}, (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(base64_text){
	.symbol = "BASE64_TEXT",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "plain English text is encoded in base64",
	.text_en = "Plain ASCII text is encoded in base64 although nothing needs it.",
	.text_ja = "ASCII だけの本文が不必要に base64 で符号化されています。",
	.manual = "A text part is encoded in base64, but what comes out is ASCII with lines of normal length. "
		  "Encoding it serves only to hide the words from simple filters. ISO-2022-JP is left out, "
		  "since its escapes are a fair reason, and so are attachments. Some programs encode every part"
		  " alike, among them web services that always write UTF-8.",
};
