/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *html = NULL;
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		if (!is_text_body(part))
			continue;
		if (part->html) {
			html = html ? html : part;
		} else if (bytes_eq(part->type, BYTES_LIT("text/plain")) && bytes_trim(part->text).len > 0) {
			return CHECK_DONE;
		}
	}
	if (html)
		scan_evidence(scan, where_part(html), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_only){
	.symbol = "HTML_ONLY",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "HTML without a plain text",
	.text_en = "The message is HTML only, without a plain text beside it.",
	.text_ja = "HTML のみで、テキスト版がありません。",
	.manual = "Mail programs that write HTML write the same text in plain form beside it; scripts save the "
		  "trouble. Fires when there is an HTML text and no text/plain part with anything in it. Many "
		  "newsletters and notices of web services have HTML only, so it is weak.",
};
