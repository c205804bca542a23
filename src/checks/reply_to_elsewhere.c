/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static bool is_recipient(const struct message *message, struct bytes address)
{
	for (size_t i = 0; i < message->to.count && i < 50; i++)
		if (bytes_eq_nocase(message->to.items[i].address, address))
			return true;
	for (size_t i = 0; i < message->cc.count && i < 50; i++)
		if (bytes_eq_nocase(message->cc.items[i].address, address))
			return true;
	return false;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct address *author = first_address(&message->from), *reply = first_address(&message->reply_to);
	if (!author || !reply || reply->domain.len == 0 || same_site(author->domain, reply->domain) ||
	    is_list_mail(message) || is_recipient(message, reply->address))
		return CHECK_DONE;
	scan_evidence(scan, where_field(header_find(message->header, HEADER_REPLY_TO, 0)), reply->address,
		      (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(reply_to_elsewhere){
	.symbol = "REPLY_TO_ELSEWHERE",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "replies go to another domain",
	.text_en = "Replies go to {1}, not to the domain of the sender.",
	.text_ja = "返信先（Reply-To）が差出人とは別のドメイン（{1}）です。",
	.manual = "Compares the registrable domains of Reply-To and From. Senders who forge an address want the"
		  " answers elsewhere. Mailing lists are left out, and so is a reply to one of the recipients. "
		  "Agencies that mail for a customer, and people who write from work and want the answer at "
		  "home, are honest cases.",
};
