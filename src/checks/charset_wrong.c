/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "base/utf8.h"
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (!is_text_body(part) || part->charset.len == 0 || utf8_is_ascii(part->content))
			continue;
		bool seven = bytes_eq(part->charset, BYTES_LIT("us-ascii")) ||
			     bytes_eq(part->charset, BYTES_LIT("iso-2022-jp"));
		bool utf8 = bytes_eq(part->charset, BYTES_LIT("utf-8")) && !utf8_valid(part->content);
		if (seven || utf8) {
			scan_evidence(scan, where_range(part, part->body_at, MIN(part->body.len, (size_t)160)),
				      part->charset, (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(charset_wrong){
	.symbol = "CHARSET_WRONG",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the text is not in the charset it declares",
	.text_en = "A text is declared as {1}, and its bytes are not.",
	.text_ja = "宣言された文字コード（{1}）と本文の実際のバイト列が一致しません。",
	.manual = "Checks the charsets that can be disproved: us-ascii and ISO-2022-JP hold no byte over 127, "
		  "and UTF-8 has a strict form. Scripts declare what they found in an example. Programs of the "
		  "nineties, and text that was pasted into a template by somebody else, are honest cases.",
};
