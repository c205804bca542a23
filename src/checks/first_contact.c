/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"
#include "scan/relation.h"

#include "base/banned.h"

#define MEMORY_AGE_MIN  14 /* days: before that everybody is new */
#define MEMORY_DAYS_MIN 5  /* on which anything came */

/* A harmless message an hour ago is no acquaintance. */
static bool is_older(const struct relation_seen *seen)
{
	return seen->days > 0 && seen->first_days > 0;
}

static enum check_step run(struct scan *scan)
{
	const struct relations_answer *known = scan_relations(scan);
	if (!known)
		return CHECK_WAIT;
	const struct relations_query *query = scan_relations_query(scan);
	bool old_enough = known->org.first_days >= MEMORY_AGE_MIN && known->org.days >= MEMORY_DAYS_MIN;
	bool stranger = !is_older(&known->address) && !is_older(&known->proven) && known->wrote.days == 0;
	if (old_enough && stranger && !query->outgoing && query->author.len > 0)
		scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)), query->author,
			      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(first_contact){
	.symbol = "FIRST_CONTACT",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the author never wrote here before today",
	.text_en = "{1} had never written to this organisation before today, nor has it written there.",
	.text_ja = "{1} からこの組織へのメールも、この組織からの送信も、昨日までにありません。",
	.manual = "Asks the ledger whether mail of this author was delivered to the organisation before today, or was "
		  "ever sent to it from there. Everybody is a stranger once, so this says little by itself; beside a "
		  "request for money or a password it says much. A harmless message an hour before changes nothing. "
		  "Nothing is said in the first two weeks, when the ledger knows nobody yet, nor where it cannot be "
		  "asked. Who has not written for some years is forgotten.",
};
