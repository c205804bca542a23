/* SPDX-License-Identifier: Apache-2.0 */
#include "checks/common.h"

#include "base/banned.h"

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	static const enum header_id fields[] = {HEADER_LIST_ID, HEADER_LIST_UNSUBSCRIBE, HEADER_LIST_POST,
						HEADER_PRECEDENCE};
	if (!is_list_mail(message))
		return CHECK_DONE;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct header_field *field = header_find(message->header, fields[i], 0);
		if (field) {
			scan_evidence(scan, where_field(field), field->name, (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(bulk_list){
	.symbol = "BULK_LIST",
	.family = "bulk",
	.stage = STAGE_HEADER,
	.kind = KIND_BULK,
	.in_favour = true,
	.run = run,
	.summary = "the message says that it is bulk mail",
	.text_en = "The message says itself that it was sent to a list ({1}).",
	.text_ja = "一斉配信メールであることが明示されています（{1}）。",
	.manual = "Looks for List-Id, List-Unsubscribe, List-Post and \"Precedence: bulk\" or \"list\". Mailing"
		  " lists and honest newsletters say so themselves, which lets the class be bulk rather than "
		  "clean. Spammers copy these fields, so they may speak for a message only a little.",
};
