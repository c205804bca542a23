/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/charset.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (part->leaf && part->charset.len > 0 && charset_is_utf7(charset_find(part->charset))) {
			scan_evidence(scan, where_text(part, part->charset), (struct bytes){0}, (struct bytes){0});
			return CHECK_DONE;
		}
	}
	static const enum header_id fields[] = {HEADER_SUBJECT, HEADER_FROM};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct header_field *field = header_find(scan_message(scan)->header, fields[i], 0);
		if (field && (bytes_find_nocase(field->value, BYTES_LIT("=?utf-7?")) != BYTES_NONE ||
			      bytes_find_nocase(field->value, BYTES_LIT("=?unicode-1-1-utf-7?")) != BYTES_NONE)) {
			scan_evidence(scan, where_field(field), (struct bytes){0}, (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(charset_utf7){
	.symbol = "CHARSET_UTF7",
	.family = "mime",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "text in UTF-7",
	.text_en = "A text is declared as UTF-7, which some programs decode into hidden markup.",
	.text_ja = "本文または件名が UTF-7 と宣言されています（隠しコードに悪用される文字コードです）。",
	.manual = "UTF-7 writes any character in ASCII letters. Browsers have dropped it, because markup hid in"
		  " it, and mail has no use for it. It is looked for as the declared charset of text parts and "
		  "in the encoded words of Subject and From. A text about UTF-7 is not touched; very old "
		  "Exchange servers wrote it in earnest.",
};
