/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	bool sly = (html->hidden_why & (HTML_HIDDEN_FONT | HTML_HIDDEN_COLOUR | HTML_HIDDEN_OFFSCREEN)) != 0;
	bool preview = (html->hidden_why & HTML_HIDDEN_DISPLAY) != 0;
	return sly && bytes_trim(html->hidden).len >= (preview ? 400u : 40u);
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_text(part, bytes_trim(part->html->hidden)), bytes_trim(part->html->hidden),
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_hidden_text){
	.symbol = "HTML_HIDDEN_TEXT",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "HTML with text that nobody sees",
	.text_en = "The HTML holds text that is hidden from the reader: {1}",
	.text_ja = "読者に見えない隠しテキストが含まれています: {1}",
	.manual = "Looks for text that is set in the colour of its background, in size 0, or outside of the "
		  "page. Spammers hide harmless words there to mislead statistical filters, phishers hide what "
		  "would betray them. The short preview line (display:none) of newsletters and blocks for small"
		  " screens are left out, unless they come with one of these tricks and are long. Generated "
		  "HTML with leftovers in white is the honest case.",
};
