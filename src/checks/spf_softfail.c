/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (auth->has_spf && auth->spf.code == SPF_SOFTFAIL)
		scan_evidence(scan, where_none(), auth->spf.domain, auth->spf.mechanism);
	return CHECK_DONE;
}

CHECK_REGISTER(spf_softfail){
	.symbol = "SPF_SOFTFAIL",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the sender domain doubts this client",
	.text_en = "The domain {1} says that this client probably may not send mail in its name (SPF: {2}).",
	.text_ja = "ドメイン {1} は、この送信元を正規の送信元とは認めていない可能性があります（SPF: {2}）。",
	.manual = "As SPF_FAIL, for records that end in a softer word (~all). Domains publish it while they are not "
		  "sure that they know all their servers. Forwarded mail shows it as well.",
};
