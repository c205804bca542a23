/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->password_inputs > 0;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_tag(part, "password"), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_password_form){
	.symbol = "HTML_PASSWORD_FORM",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "a form that asks for a password",
	.text_en = "The message itself asks for a password.",
	.text_ja = "メール本文にパスワード入力欄があります。",
	.manual = "Looks for a password field in the HTML. No honest service asks for a password inside a "
		  "message: it sends a link to its site. Where a web page was mailed as a whole (\"send "
		  "page\"), its log-in box comes along, which is the rare honest case.",
};
