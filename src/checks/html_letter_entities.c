/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	return html->entities_heavy;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_source(part, bytes_find(part->text, BYTES_LIT("&#")), 120), (struct bytes){0},
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_letter_entities){
	.symbol = "HTML_LETTER_ENTITIES",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "letters written as numbers",
	.text_en = "Ordinary letters of the HTML are written as numeric references.",
	.text_ja = "通常の文字が数値文字参照で書かれています。",
	.manual = "Fires when many letters and digits of the source are written as numeric character references"
		  " (&#86;&#105;...). The reader sees normal words, a simple filter sees none. Addresses that "
		  "are protected from harvesters that way on web pages are short; programs that escape all of "
		  "Japanese are not touched, since only ASCII letters count.",
};
