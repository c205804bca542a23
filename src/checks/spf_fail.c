/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	if (auth->has_spf && auth->spf.code == SPF_FAIL)
		scan_evidence(scan, where_none(), auth->spf.domain, auth->spf.mechanism);
	return CHECK_DONE;
}

CHECK_REGISTER(spf_fail){
	.symbol = "SPF_FAIL",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the sender domain forbids this client",
	.text_en = "The domain {1} does not let this client send mail in its name (SPF: {2}).",
	.text_ja = "ドメイン {1} は、この送信元からのメール送信を許可していません（SPF: {2}）。",
	.manual = "Evaluates the SPF record (RFC 7208) of the envelope sender, or of the HELO name where the sender is "
		  "empty, for the client that brought the message; where that is one of our own, for the relay before "
		  "it. A forwarder that does not rewrite the sender makes honest mail fail. The evidence names the "
		  "directive of the record that decided.",
};
