/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->comments_in_words >= 3;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_tag(part, "<!"),
			      arena_printf(scan_arena(scan), "%u", part->html->comments_in_words), (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_broken_words){
	.symbol = "HTML_BROKEN_WORDS",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "words cut by markup that shows nothing",
	.text_en = "Words of the HTML are cut {1} times by markup that shows nothing.",
	.text_ja = "単語の途中に表示されないタグやコメントが {1} 箇所挿入されています。",
	.manual = "Counts comments and unknown tags between two letters. The reader sees a whole word, a simple"
		  " filter sees its pieces. Fires from three on. Editing programs leave single ones behind.",
};
