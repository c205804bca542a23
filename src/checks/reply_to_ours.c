/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"
#include "scan/relation.h"

#include "base/banned.h"

#define KNOWN_DAYS_MIN 2
#define KNOWN_AGE_MIN  7

static enum check_step run(struct scan *scan)
{
	const struct relations_answer *known = scan_relations(scan);
	if (!known)
		return CHECK_WAIT;
	const struct header *header = scan_message(scan)->header;
	const struct header_field *field = header_find(header, HEADER_IN_REPLY_TO, 0);
	if (!field)
		field = header_find(header, HEADER_REFERENCES, 0);
	const struct relations_query *query = scan_relations_query(scan);
	/* Who forges an author may quote an id too, and send a harmless message before. */
	bool believed =
		query->proven || (known->address.days >= KNOWN_DAYS_MIN && known->address.first_days >= KNOWN_AGE_MIN);
	if (field && known->reply_there.days > 0 && !query->outgoing && believed)
		scan_evidence(scan, where_field(field), query->domain, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(reply_to_ours){
	.symbol = "REPLY_TO_OURS",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.in_favour = true,
	.run = run,
	.summary = "an answer to a message that we sent there",
	.text_en = "The message answers one that was sent from here to {1}.",
	.text_ja = "ここから {1} に送信したメールへの返信です。",
	.manual =
		"Speaks for the message: it names, in In-Reply-To or References, the Message-ID of a message that one "
		"of our authenticated users sent to the domain of its author, by hand and not as an automatic answer. "
		"The ids are kept hashed. An answer from another domain does not count, since who has stolen a mailbox "
		"knows the ids in it; nor does one whose author is neither authenticated nor known for a week.",
};
