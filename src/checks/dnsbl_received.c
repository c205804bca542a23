/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_zones(scan, 1u << LIST_IP, LIST_RECEIVED);
}

CHECK_REGISTER(dnsbl_received){
	.symbol = "DNSBL_RECEIVED",
	.family = "list",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.most = 5,
	.run = run,
	.summary = "a reputation list names the host that handed the message to yours",
	.text_en = "The host {1}, from which one of your servers got the message, is on the list {2}.",
	.text_ja = "自組織のサーバーに配送したホスト {1} がブロックリスト {2} に掲載されています。",
	.manual = "Where the client is a server of your own, as behind a second mail exchanger, the first relay of "
		  "the Received path that is not yours is looked up in those of lists.zones that are of kind ip and "
		  "are asked about received. Received fields below it are not believed: whoever sent the message "
		  "may have written them. What is not in trusted_networks is not yours, so a forwarder of yours "
		  "that is missing there is taken for the sender.",
};
