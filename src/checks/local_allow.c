/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_local(scan, true);
}

CHECK_REGISTER(local_allow){
	.symbol = "LOCAL_ALLOW",
	.family = "list",
	.stage = STAGE_CONTENT,
	.kind = KIND_UNWANTED,
	.fixed_weight = -3000,
	.in_favour = true,
	.run = run,
	.summary = "an allow list of your own names the proven sender",
	.text_en = "{1} is on your own list of good senders {2}.",
	.text_ja = "{1} は自組織の許可リスト {2} に掲載されています。",
	.manual = "The host that brought the message, the envelope sender where SPF passed for its domain, and the "
		  "author where DMARC passed are looked up in those of lists.local that are of kind allow. What is "
		  "not proven does not count, or the list would tell forgers whose name to take. It divides the "
		  "odds that the message is unwanted by twenty, once; malware and what is on a block list of yours "
		  "it does not excuse.",
};
