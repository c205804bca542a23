/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return lists_tell_local(scan, false);
}

CHECK_REGISTER(local_block){
	.symbol = "LOCAL_BLOCK",
	.family = "list",
	.stage = STAGE_CONTENT,
	.kind = KIND_POLICY,
	.most = 5,
	.run = run,
	.summary = "a block list of your own names the sender or a link",
	.text_en = "{1} is on your own block list {2}.",
	.text_ja = "{1} は自組織のブロックリスト {2} に掲載されています。",
	.manual = "Addresses, domains and mail addresses of the message are looked up in those of lists.local that "
		  "are of kind block, each in the lists that are asked about it. As the organisation said that it "
		  "does not want such mail, the class is policy, and actions.policy is done. It is as right as the "
		  "file is; the evidence names the list and the entry.",
};
