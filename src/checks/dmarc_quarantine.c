/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return tell_policy(scan, DMARC_POLICY_QUARANTINE);
}

CHECK_REGISTER(dmarc_quarantine){
	.symbol = "DMARC_QUARANTINE",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_SENDER,
	.run = run,
	.summary = "the author domain asks to quarantine such mail",
	.text_en = "The domain {1} in From asks to keep apart mail that is not proven to be its own, and nothing "
		   "proves this one ({2}).",
	.text_ja = "差出人ドメイン {1} "
		   "は、認証できないメールの隔離を求めており（{2}）、このメールは認証できませんでした。",
	.manual = "As DMARC_REJECT, for domains that publish the policy quarantine, or whose policy reject is on trial "
		  "(t=y). What is done then is actions.dmarc_quarantine. A forwarder whose ARC seal is trusted is "
		  "believed.",
};
