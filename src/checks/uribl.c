/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_zones(scan, 1u << LIST_DOMAIN | 1u << LIST_IP, LIST_URLS);
}

CHECK_REGISTER(uribl){
	.symbol = "URIBL",
	.family = "list",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a reputation list names the site of a link",
	.text_en = "A link leads to {1}, which is on the list {2}.",
	.text_ja = "リンク先の {1} がブロックリスト {2} に掲載されています。",
	.manual = "The domains of links are looked up in lists.zones of kind domain that are asked about urls, and "
		  "hosts that tell more than the domain after them; addresses in links in those of kind ip. No more "
		  "than lists.max_questions questions are asked about a message, in the order of the links, and "
		  "links to your own domains and those of the recipients are left out. A site of an honest owner "
		  "gets on such a list when it was broken into. Warnings and discussions about unwanted mail hold "
		  "such links too.",
};
