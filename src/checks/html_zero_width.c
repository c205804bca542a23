/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	if (html->zero_width < 3)
		return false;
	struct text_shape shape = text_shape(html->visible);
	return shape.letters > 2 * (shape.wide + shape.other);
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_text(part, part->html->visible),
			      arena_printf(scan_arena(scan), "%zu", part->html->zero_width), (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_zero_width){
	.symbol = "HTML_ZERO_WIDTH",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "invisible characters inside words",
	.text_en = "Words of the HTML are cut by {1} invisible characters.",
	.text_ja = "単語の途中に見えない文字（ゼロ幅文字）が {1} 個入っています。",
	.manual = "Counts characters without width between letters. In text of Latin letters they serve only to"
		  " break words for filters. Persian, the languages of India and emoji need them, so text that "
		  "is not mostly of Latin letters is left out. Fires from three on; one or two come with pasted"
		  " text.",
};
