/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html.h"
#include "scan/check.h"

#include "base/banned.h"

/* In two halves, so that neither this file nor the program is taken for what it looks for. */
#define FIRST_HALF  "XJS*C4JDBQADN1.NSBN3*2IDNEN*"
#define SECOND_HALF "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

static bool holds_it(struct bytes text)
{
	size_t at;
	while ((at = bytes_find(text, BYTES_LIT(FIRST_HALF))) != BYTES_NONE) {
		text = bytes_from(text, at + sizeof(FIRST_HALF) - 1);
		if (bytes_starts(text, BYTES_LIT(SECOND_HALF)))
			return true;
	}
	return false;
}

/* As it came, in its charset, and as it is shown. */
static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		if (part->leaf && (holds_it(part->content) || holds_it(part->text) ||
				   (part->html && holds_it(part->html->visible)))) {
			scan_evidence(scan, where_text(part, BYTES_LIT(SECOND_HALF)), (struct bytes){0},
				      (struct bytes){0});
			break;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(gtube){
	.symbol = "GTUBE",
	.family = "test",
	.summary = "the test string for spam filters",
	.text_en = "The message holds GTUBE, the string that spam filters are tested with.",
	.text_ja = "スパムフィルターの試験用文字列(GTUBE)が含まれています。",
	.manual = "GTUBE is a string of 68 characters that every spam filter takes for spam, so that an installation "
		  "can be "
		  "tested with harmless mail. It never stands in real mail by chance. Mail that talks about GTUBE and "
		  "quotes "
		  "the string is caught too, which is what the string is for.",
	.kind = KIND_UNWANTED,
	.stage = STAGE_CONTENT,
	.fixed_weight = 20000,
	.run = run,
};
