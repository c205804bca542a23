/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct address *author = first_address(&message->from), *reply = first_address(&message->reply_to);
	if (author && reply && author->domain.len > 0 && is_free_mail(reply->domain) &&
	    !same_site(author->domain, reply->domain) && !is_list_mail(message))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_REPLY_TO, 0)), reply->address,
			      author->domain);
	return CHECK_DONE;
}

CHECK_REGISTER(reply_to_free_mail){
	.symbol = "REPLY_TO_FREE_MAIL",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_PHISH,
	.run = run,
	.summary = "replies go to a free mailbox",
	.text_en = "Replies go to the free mailbox {1}, not to {2}.",
	.text_ja = "返信先（Reply-To）が {2} ではなく、フリーメール {1} です。",
	.manual = "Fires when Reply-To is an address at a provider where anybody gets a mailbox at once, and "
		  "From is of another domain. It is the usual form of invoice fraud and advance-fee fraud: the "
		  "name of a company in front, a throw-away mailbox behind. Small firms whose web shop mails "
		  "for them and who read their mail at such a provider are the honest case.",
};
