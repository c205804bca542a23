/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (auth->arc && auth->arc->result == ARC_FAIL && !auth->arc->temporary)
		scan_evidence(scan, where_none(), auth->arc->reason, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(arc_fail){
	.symbol = "ARC_FAIL",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the chain of forwarders does not hold",
	.text_en = "The chain of those who forwarded the message (ARC) does not hold: {1}.",
	.text_ja = "転送経路の認証情報（ARC）が正しくありません: {1}",
	.manual = "An ARC chain (RFC 8617) is there and fails: a seal is wrong, a set is missing, or the message was "
		  "changed after the newest one. A chain that fails proves nothing, and by itself says little, since a "
		  "later hop that knows nothing of ARC may have changed the message. Chains whose keys cannot be had "
		  "now are left out.",
};
