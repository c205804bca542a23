/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "scan/auth.h"
#include "scan/check.h"
#include "scan/relation.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct scan_auth *auth = scan_auth(scan);
	struct forwarder_figures figures;
	struct bytes forwarder;
	char days[16];
	if (!auth || !scan_known_forwarder(scan, &forwarder, &figures))
		return CHECK_WAIT;
	if (forwarder.len == 0 || auth->explained_by)
		return CHECK_DONE;
	(void)snprintf(days, sizeof(days), "%u", (unsigned)figures.days);
	scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)), forwarder,
		      bytes_from_cstr(days));
	return CHECK_DONE;
}

CHECK_REGISTER(dmarc_known_forwarder){
	.symbol = "DMARC_KNOWN_FORWARDER",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_INFO,
	.run = run,
	.summary = "DMARC fails in mail of a list that is known",
	.text_en = "DMARC fails, but the message came by {1}, which has passed on honest mail of many authors here on "
		   "{2} days.",
	.text_ja = "DMARC は失敗しましたが、{1} は多くの差出人の正当なメールを {2} 日にわたり転送してきました。",
	.manual = "Mailing lists change messages, and so break the signatures of their authors. The ledger counts for "
		  "each "
		  "list (its List-Id together with the domain of its relay) and for each ARC sealer how often the "
		  "proof of "
		  "an author survived. One with a long and clean record is believed to have broken "
		  "this "
		  "message, and the policy of the author domain is not applied. Of a sealer that counts only when it "
		  "wrote "
		  "down that the message was proven when it came. A relay that merely forwards is never believed, and "
		  "nobody in mail in the name of the recipients' domain or of lists.own_domains: for that "
		  "auth.trusted_sealers is the place. What an unknown sealer vouches for earns it nothing.",
};
