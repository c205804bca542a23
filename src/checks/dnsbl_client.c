/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_zones(scan, 1u << LIST_IP, LIST_CLIENT);
}

CHECK_REGISTER(dnsbl_client){
	.symbol = "DNSBL_CLIENT",
	.family = "list",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a reputation list names the sending host",
	.text_en = "The host that sent the message, {1}, is on the list {2}.",
	.text_ja = "送信元ホスト {1} がブロックリスト {2} に掲載されています。",
	.manual = "The host that brought the message is looked up in those of lists.zones that are of kind ip and "
		  "are asked about the client. Hosts of your own (trusted_networks, private addresses) and of users "
		  "who logged in are not asked about. Only answers that the codes of the zone name count, so a list "
		  "that refuses to answer names nobody. Such lists are wrong about whole networks at times, and an "
		  "address changes its owner.",
};
