/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

/* What of a message that verifies anybody could still change. */
static struct bytes unprotected(const struct dkim_signature *signature)
{
	if (signature->flags & DKIM_PARTIAL)
		return BYTES_LIT("text at the end of the body");
	if (signature->flags & DKIM_FROM_UNSIGNED)
		return BYTES_LIT("a second From field");
	if (signature->flags & DKIM_SUBJECT_UNSIGNED)
		return BYTES_LIT("the subject");
	return (struct bytes){0};
}

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	for (size_t i = 0; auth->dkim && i < auth->dkim->count; i++) {
		const struct dkim_signature *signature = &auth->dkim->signatures[i];
		struct bytes what = unprotected(signature);
		if (signature->result == DKIM_PASS && what.len > 0)
			scan_evidence(scan, where_none(), signature->domain, what);
	}
	return CHECK_DONE;
}

CHECK_REGISTER(dkim_partial){
	.symbol = "DKIM_PARTIAL",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.most = 3,
	.run = run,
	.summary = "a valid signature leaves something unprotected",
	.text_en = "The signature of {1} is valid, but leaves unprotected: {2}.",
	.text_ja = "ドメイン {1} の電子署名（DKIM）は有効ですが、保護されていない部分があります: {2}",
	.manual = "A valid DKIM signature proves only what it covers. With the tag l= anybody may add text at the end "
		  "of the body, and a field that is not among the signed ones may have been added or changed. Spammers "
		  "replay such messages with a text of their own. Few honest signers still do it.",
};
