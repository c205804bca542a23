/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->scripts > 0 || html->event_handlers || html->javascript_urls;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_tag(part, "script"), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_script){
	.symbol = "HTML_SCRIPT",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "HTML with program code",
	.text_en = "The HTML holds program code (script).",
	.text_ja = "HTML にスクリプトが含まれています。",
	.manual = "Looks for script elements, event handlers and javascript: links. Mail programs run none of "
		  "them, so honest mail has no use for them; old spam tries, and attached HTML files build "
		  "their false log-in pages with scripts. Web pages that were mailed as a whole, and "
		  "newsletters made from web pages, are the honest case.",
};
