/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	return tell_policy(scan, DMARC_POLICY_REJECT);
}

CHECK_REGISTER(dmarc_reject){
	.symbol = "DMARC_REJECT",
	.family = "auth",
	.stage = STAGE_ENVELOPE,
	.kind = KIND_SENDER,
	.run = run,
	.summary = "the author domain asks to reject such mail",
	.text_en = "The domain {1} in From asks to reject mail that is not proven to be its own, and nothing proves "
		   "this one ({2}).",
	.text_ja = "差出人ドメイン {1} "
		   "は、認証できないメールの拒否を求めており（{2}）、このメールは認証できませんでした。",
	.manual = "DMARC (RFC 9989): neither SPF nor a DKIM signature of the domain in From passed, and the domain "
		  "publishes the policy reject. What is done then is actions.dmarc_reject. Mailing lists and "
		  "forwarders break honest mail in this way; those whose ARC seal is trusted (auth.trusted_sealers) "
		  "are believed, and those that the ledger knows for passing on honest mail (DMARC_KNOWN_FORWARDER); "
		  "then "
		  "this check says nothing. Nor does it of mail of users of ours (authenticated, or of "
		  "signing.networks) and of mail that began on a host of ours.",
};
