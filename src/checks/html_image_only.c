/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool wanted(const struct html_document *html)
{
	if (html->images == 0)
		return false;
	bool linked = false;
	for (size_t i = 0; i < html->n_links && !linked; i++)
		linked = html->links[i].kind == HTML_LINK_ANCHOR;
	return linked && text_shape(html->visible).printable < 40;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct mime_part *part = find_html(message, wanted);
	if (part)
		scan_evidence(scan, where_tag(part, "<img"), (struct bytes){0}, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(html_image_only){
	.symbol = "HTML_IMAGE_ONLY",
	.family = "html",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "pictures instead of text",
	.text_en = "The HTML shows pictures and next to no text.",
	.text_ja = "ほとんど文字がなく、画像だけの HTML です。",
	.manual = "Fires when an HTML part has pictures that are loaded or attached, a link, and less than "
		  "forty visible characters. What would be read by filters is in the picture. A photo sent from"
		  " a phone has no link and is left out; invitations and leaflets that are one picture with a "
		  "link are the honest case.",
};
