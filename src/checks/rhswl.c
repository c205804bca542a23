/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_zones(scan, 1u << LIST_DOMAIN_ALLOW, LIST_SENDER | LIST_FROM);
}

CHECK_REGISTER(rhswl){
	.symbol = "RHSWL",
	.family = "list",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.in_favour = true,
	.most = 5,
	.run = run,
	.summary = "a list of good senders names the domain that is proven to have sent",
	.text_en = "The domain {1}, which is proven to have sent the message, is on the list of good senders {2}.",
	.text_ja = "送信が確認されたドメイン {1} が優良送信元リスト {2} に掲載されています。",
	.manual = "The domain of the envelope sender counts where SPF passed for it, that of the author where DMARC "
		  "passed: a name that anybody may write says nothing for a message. It is looked up in lists.zones "
		  "of kind domain-allow. A good domain sends bad mail when an account of it was stolen.",
};
