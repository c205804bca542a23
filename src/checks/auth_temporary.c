/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return CHECK_WAIT;
	struct bytes what = {0}, why = {0};
	if (auth->has_spf && auth->spf.code == SPF_TEMPERROR) {
		what = BYTES_LIT("SPF");
		why = auth->spf.problem;
	}
	for (size_t i = 0; auth->dkim && i < auth->dkim->count && what.len == 0; i++) {
		if (auth->dkim->signatures[i].result == DKIM_TEMPERROR) {
			what = BYTES_LIT("DKIM");
			why = auth->dkim->signatures[i].reason;
		}
	}
	if (auth->dkim && what.len == 0 && auth->dmarc.code == DMARC_TEMPERROR) {
		what = BYTES_LIT("DMARC");
		why = auth->dmarc.reason;
	}
	if (what.len > 0)
		scan_evidence(scan, where_none(), what, why);
	return CHECK_DONE;
}

CHECK_REGISTER(auth_temporary){
	.symbol = "AUTH_TEMPORARY",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_INFO,
	.run = run,
	.summary = "the sender could not be checked now",
	.text_en = "The sender could not be checked ({1}): {2}.",
	.text_ja = "送信者を確認できませんでした（{1}）: {2}",
	.manual = "A question to the DNS was not answered in time, or by an error, so that SPF, DKIM or DMARC have no "
		  "result. The message is judged without. When this is frequent, look at the metrics "
		  "postern_dns_failures_total and postern_dns_late_total, and at the servers named in dns.servers.",
};
