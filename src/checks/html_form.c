/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->forms > 0 && html->inputs > 0;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_tag(part, "<form"), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_form){
	.symbol = "HTML_FORM",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a form to fill in",
	.text_en = "The message holds a form to fill in.",
	.text_ja = "メール本文に入力フォームがあります。",
	.manual = "Looks for a form in the HTML. Most mail programs disable forms or warn of them, so honest "
		  "senders use links; those who collect addresses and card numbers do not. Newsletters with a "
		  "search or unsubscribe box are the honest case.",
};
