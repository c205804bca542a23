/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_zones(scan, 1u << LIST_DOMAIN, LIST_HELO | LIST_SENDER | LIST_FROM | LIST_REPLIES);
}

CHECK_REGISTER(rhsbl_sender){
	.symbol = "RHSBL_SENDER",
	.family = "list",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a reputation list names a domain of the sender",
	.text_en = "The domain {1}, which the message has as its sender, is on the list {2}.",
	.text_ja = "送信者のドメイン {1} がブロックリスト {2} に掲載されています。",
	.manual = "The name in HELO, the domain of the envelope sender, those of the authors and those that replies "
		  "go to are looked up in lists.zones of kind domain, each in the zones that are asked about it. "
		  "Your own domains and those of the recipients are not asked about. A sender that is forged brings "
		  "an honest domain into this, but honest domains are not on such lists for long.",
};
