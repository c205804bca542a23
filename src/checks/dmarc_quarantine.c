/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"
#include "scan/relation.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (!auth->dkim || auth->dmarc.code != DMARC_FAIL || auth->disposition != DMARC_POLICY_QUARANTINE)
		return CHECK_DONE;
	struct forwarder_figures figures;
	struct bytes forwarder;
	if (!scan_known_forwarder(scan, &forwarder, &figures))
		return CHECK_WAIT;
	if (forwarder.len == 0)
		scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)),
			      auth->dmarc.domain, auth->dmarc.policy_domain);
	return CHECK_DONE;
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
