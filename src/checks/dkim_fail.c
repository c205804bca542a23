/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	for (size_t i = 0; auth->dkim && i < auth->dkim->count; i++) {
		const struct dkim_signature *signature = &auth->dkim->signatures[i];
		if (signature->result == DKIM_FAIL && !(signature->flags & DKIM_TESTING))
			scan_evidence(scan, where_none(), signature->domain, signature->reason);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(dkim_fail){
	.symbol = "DKIM_FAIL",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.most = 3,
	.run = run,
	.summary = "a signature does not fit the message",
	.text_en = "A signature of {1} does not fit the message: {2}.",
	.text_ja = "ドメイン {1} の電子署名（DKIM）がメールの内容と一致しません: {2}",
	.manual =
		"A DKIM signature (RFC 6376) that is sound in form was found wrong: the message was changed after it "
		"was signed, or the signature was taken from elsewhere. Mailing lists that add a footer or a tag to "
		"the subject break honest signatures. Signatures of keys that their owner calls a trial are left out.",
};
