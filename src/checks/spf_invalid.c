/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (auth->has_spf && auth->spf.code == SPF_PERMERROR)
		scan_evidence(scan, where_none(), auth->spf.domain, auth->spf.problem);
	return CHECK_DONE;
}

CHECK_REGISTER(spf_invalid){
	.symbol = "SPF_INVALID",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_INFO,
	.run = run,
	.summary = "the SPF record cannot be used",
	.text_en = "The SPF record of {1} cannot be used: {2}.",
	.text_ja = "ドメイン {1} の SPF レコードが正しくありません: {2}",
	.manual = "The record is wrong, or takes more than ten look-ups (RFC 7208 4.6.4), so that nothing follows from "
		  "it. The evidence says where in the record the mistake is. Many honest domains have such a record; "
		  "their administrator would like to know.",
};
