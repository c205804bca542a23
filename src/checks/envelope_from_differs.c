/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct scan_envelope *envelope = scan_envelope(scan);
	const struct address *author = first_address(&message->from);
	size_t at = bytes_rfind_byte(envelope->from, '@');
	if (!envelope->has_from || at == BYTES_NONE || !author || author->domain.len == 0 || is_list_mail(message))
		return CHECK_DONE;
	if (!same_site(bytes_from(envelope->from, at + 1), author->domain))
		scan_evidence(scan, where_field(header_find(message->header, HEADER_FROM, 0)), envelope->from,
			      author->address);
	return CHECK_DONE;
}

CHECK_REGISTER(envelope_from_differs){
	.symbol = "ENVELOPE_FROM_DIFFERS",
	.family = "sender",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the return path is of another domain",
	.text_en = "The message was sent by {1}, but names {2} as its author.",
	.text_ja = "配送上の送信者 {1} と差出人 {2} のドメインが異なります。",
	.manual = "Compares the registrable domains of the reverse path (MAIL FROM) and of From. Mail that is "
		  "sent by its author has the same in both. Lists, mass-mailing services and forwarders use a "
		  "domain of their own and are many, so this is weak; bounces (an empty reverse path) and lists"
		  " are left out.",
};
