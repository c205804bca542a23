/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (auth->dkim && auth->dmarc.code == DMARC_FAIL && auth->disposition != DMARC_POLICY_REJECT &&
	    auth->disposition != DMARC_POLICY_QUARANTINE && !auth->explained_by && !auth->inside)
		scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)),
			      auth->dmarc.domain, auth->dmarc.reason);
	return CHECK_DONE;
}

CHECK_REGISTER(dmarc_fail){
	.symbol = "DMARC_FAIL",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "nothing proves the domain in From",
	.text_en = "Nothing proves that the message is from {1}: {2}.",
	.text_ja = "メールが差出人ドメイン {1} から送られたことを確認できません: {2}",
	.manual = "DMARC failed, and the author domain asks for nothing to be done about it (policy none), as many do "
		  "while they watch the reports. Without a DMARC record there is no result, and this check says "
		  "nothing. Forwarded mail shows it as well.",
};
