/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_zones(scan, 1u << LIST_IP_ALLOW, LIST_CLIENT | LIST_RECEIVED);
}

CHECK_REGISTER(dnswl){
	.symbol = "DNSWL",
	.family = "list",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.in_favour = true,
	.most = 5,
	.run = run,
	.summary = "a list of good senders names the sending host",
	.text_en = "The host that sent the message, {1}, is on the list of good senders {2}.",
	.text_ja = "送信元ホスト {1} が優良送信元リスト {2} に掲載されています。",
	.manual = "The host that brought the message, or the one from which a server of yours got it, is looked up "
		  "in those of lists.zones that are of kind ip-allow. That speaks for the message a little. A good "
		  "host sends bad mail when an account on it was stolen.",
};
