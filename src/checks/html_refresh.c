/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->meta_refresh;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_tag(part, "refresh"), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_refresh){
	.symbol = "HTML_REFRESH",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "HTML that leads away by itself",
	.text_en = "The HTML takes the reader to another page by itself.",
	.text_ja = "開くと自動的に別のページへ移動する HTML です。",
	.manual = "Looks for <meta http-equiv=refresh>. In a mail program it does nothing or opens a page "
		  "unasked; in an attached HTML file, a favourite of phishers, it takes the browser to their "
		  "site. Web pages that were mailed or saved as a whole may hold one.",
};
