/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (auth->dkim && auth->dmarc.code == DMARC_FAIL && auth->explained_by)
		scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)),
			      auth->dmarc.domain, auth->explained_by->domain);
	return CHECK_DONE;
}

CHECK_REGISTER(dmarc_explained){
	.symbol = "DMARC_EXPLAINED",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_INFO,
	.run = run,
	.summary = "a trusted forwarder saw the message pass",
	.text_en = "DMARC of {1} fails, but the forwarder {2}, which is trusted, saw the message pass.",
	.text_ja = "{1} の DMARC は失敗しましたが、信頼された転送元 {2} が認証の成功を確認しています。",
	.manual = "The message fails DMARC, and carries an ARC chain (RFC 8617) that holds, whose newest seal is of a "
		  "domain among auth.trusted_sealers. What that one wrote down says that the message passed when it "
		  "came there. So the policy of the author domain is not applied. Only sealers that are trusted count, "
		  "since anybody can seal anything.",
};
