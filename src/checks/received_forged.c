/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"
#include "scan/check.h"

#include "base/banned.h"

static bool find_impossible(struct bytes value, struct bytes *ret_hit)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] != '[')
			continue;
		struct bytes rest = bytes_from(value, i + 1);
		unsigned numbers = 0;
		bool impossible = false;
		uint64_t number;
		while (numbers < 4 && num_take(&rest, 100000, &number) != ERR_SYNTAX) {
			impossible |= number > 255;
			numbers++;
			if (numbers < 4 && (rest.len == 0 || rest.ptr[0] != '.'))
				break;
			if (numbers < 4)
				rest = bytes_from(rest, 1);
		}
		if (numbers == 4 && impossible && rest.len > 0 && rest.ptr[0] == ']') {
			*ret_hit = bytes_sub(value, i + 1, value.len - i - 1 - rest.len);
			return true;
		}
	}
	return false;
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	for (size_t i = 0; i < message->header->count; i++) {
		const struct header_field *field = &message->header->fields[i];
		struct bytes hit;
		if (field->id == HEADER_RECEIVED && find_impossible(bytes_sub(field->value, 0, 2000), &hit)) {
			scan_evidence(scan, where_field(field), hit, (struct bytes){0});
			return CHECK_DONE;
		}
	}
	return CHECK_DONE;
}

CHECK_REGISTER(received_forged){
	.symbol = "RECEIVED_FORGED",
	.family = "path",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a Received field with an impossible address",
	.text_en = "A Received field names an impossible address: {1}",
	.text_ja = "Received ヘッダーにあり得ない IP アドレスがあります: {1}",
	.manual = "Looks in the Received fields for addresses in brackets that are four numbers with dots of which one "
		  "is "
		  "over 255. Servers write the address of the connection and cannot get it wrong, but forgers make up "
		  "numbers. Version numbers of servers stand in parentheses and are not looked at. No honest case is "
		  "known.",
};
