/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "checks/common.h"
#include "scan/relation.h"

#include "base/banned.h"

#define DAYS_MIN 2
#define AGE_MIN  7

static bool is_long(const struct relation_seen *seen)
{
	return seen->days >= DAYS_MIN && seen->first_days >= AGE_MIN;
}

static enum check_step run(struct scan *scan)
{
	const struct relations_answer *known = scan_relations(scan);
	char days[16];
	if (!known)
		return CHECK_WAIT;
	const struct relations_query *query = scan_relations_query(scan);
	/* Whom we wrote to is known as soon as it writes from where it writes always. */
	bool mutual = known->wrote_pair.days > 0 && is_long(&known->address);
	if (query->outgoing || (!is_long(&known->pair) && !mutual))
		return CHECK_DONE;
	unsigned n = known->pair.days > known->address.days ? known->pair.days : known->address.days;
	(void)snprintf(days, sizeof(days), "%u", n);
	scan_evidence(scan, where_field(header_find(scan_message(scan)->header, HEADER_FROM, 0)), query->author,
		      bytes_from_cstr(days));
	return CHECK_DONE;
}

CHECK_REGISTER(known_correspondent){
	.symbol = "KNOWN_CORRESPONDENT",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.in_favour = true,
	.run = run,
	.summary = "the author has long been writing to this recipient",
	.text_en = "{1} is a known correspondent: mail from there was wanted on {2} days.",
	.text_ja = "{1} は以前からの文通相手で、これまでに {2} 日、通常のメールが届いています。",
	.manual =
		"Speaks for the message: the ledger knows that this author wrote to this recipient before, over at "
		"least "
		"a week, and that the mail was delivered and no spam; or that the recipient wrote to it, and it to the "
		"organisation. An author whose domain is not authenticated counts only together with the network that "
		"it writes from, so that a forged address is not known. A mailbox that was taken over is known as "
		"well, "
		"which is why the weight is bounded.",
};
