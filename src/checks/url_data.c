/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct mime_tree *tree = &scan_message(scan)->tree;
	for (size_t i = 0; i < tree->n_parts; i++) {
		const struct mime_part *part = tree->parts[i];
		for (size_t n = 0; part->html && n < part->html->n_links; n++) {
			const struct html_link *link = &part->html->links[n];
			if (link->kind != HTML_LINK_IMAGE && link->kind != HTML_LINK_OTHER &&
			    bytes_starts_nocase(link->url, BYTES_LIT("data:")) &&
			    !bytes_starts_nocase(link->url, BYTES_LIT("data:image/"))) {
				scan_evidence(scan, where_source(part, link->at, link->len), (struct bytes){0},
					      (struct bytes){0});
				return CHECK_DONE;
			}
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(url_data){
	.symbol = "URL_DATA",
	.family = "link",
	.stage = STAGE_CONTENT,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "a link that holds its page itself",
	.text_en = "A link holds the page it opens within itself (data:).",
	.text_ja = "リンク自体にページの内容が埋め込まれています（data: URL）。",
	.manual = "A data: link contains the page instead of leading to one, so that no list of bad sites "
		  "catches it. Looked for in links, forms, frames and refreshes. Embedded pictures use the same"
		  " form and are left out. No honest mail links that way.",
};
