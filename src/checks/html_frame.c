/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->iframes > 0;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_part(part), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_frame){
	.symbol = "HTML_FRAME",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "HTML with a frame for another page",
	.text_en = "The HTML loads another page into a frame.",
	.text_ja = "別のページを読み込むフレーム（iframe）があります。",
	.manual = "Looks for iframe, frame, object and embed elements. Mail programs that load them show "
		  "content that nobody has checked, and worms start their attachment that way. Newsletters with"
		  " an embedded film or map are the honest case.",
};
