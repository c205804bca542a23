/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"
#include "scan/relation.h"

#include "base/banned.h"

#define USUAL_DAYS_MIN 3
#define HERE_DAYS_MIN  2
#define HERE_AGE_MIN   7

static struct bytes domain_of(struct bytes address)
{
	size_t at = bytes_rfind_byte(address, '@');
	return at == BYTES_NONE ? (struct bytes){0} : bytes_from(address, at + 1);
}

static enum check_step run(struct scan *scan)
{
	const struct relations_answer *known = scan_relations(scan);
	if (!known)
		return CHECK_WAIT;
	const struct relations_query *query = scan_relations_query(scan);
	/* One harmless message before does not make the name the author's: that takes a week. */
	bool borne = known->name_here.days >= HERE_DAYS_MIN && known->name_here.first_days >= HERE_AGE_MIN;
	/* A second address at the same firm is no other person. */
	if (known->usual_days >= USUAL_DAYS_MIN && !borne && !query->outgoing && query->author.len > 0 &&
	    !same_site(domain_of(known->usual), domain_of(query->author)))
		scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)), query->name,
			      known->usual);
	return CHECK_DONE;
}

CHECK_REGISTER(name_from_elsewhere){
	.symbol = "NAME_FROM_ELSEWHERE",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "a known name, from an address that it never came from",
	.text_en = "The name \"{1}\" usually comes from {2}, and is new at this address.",
	.text_ja = "差出人名「{1}」は通常 {2} から届いており、このアドレスからは最近まで届いたことがありません。",
	.manual =
		"Asks the ledger where this display name usually comes from: an address of authenticated mail on at "
		"least three days. When the name now comes from another domain, and has not been coming from there for "
		"a week, somebody may pass for a colleague or a supplier, since mail programs show the name alone. "
		"Capitals, the order of the words, accents and letters that look alike make no difference. Two people "
		"may bear one name, and people write from their private addresses too: it is a reason to look, no "
		"proof.",
};
