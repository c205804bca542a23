/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct address_list *from = &scan_message(scan)->from;
	for (size_t i = 0; i < from->count && i < 20; i++) {
		struct bytes word = text_mixed_word(from->items[i].name);
		if (word.len == 0)
			word = text_mixed_word(from->items[i].address);
		if (word.len > 0) {
			scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)), word,
				      (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(name_mixed_script){
	.symbol = "NAME_MIXED_SCRIPT",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "letters of several alphabets in one word of the sender",
	.text_en = "The sender writes one word in letters of several alphabets: {1}",
	.text_ja = "差出人の一語に複数の文字体系の似た文字が混ざっています: {1}",
	.manual = "Looks at each word of the display name and of the address of From for letters of Latin mixed"
		  " with Greek or Cyrillic ones, which look alike and are used to pass for a known name. Words "
		  "that are wholly of one alphabet are fine, and so is Latin beside Japanese. Scientific words "
		  "(a Greek letter joined to a Latin one) are the rare honest case.",
};
