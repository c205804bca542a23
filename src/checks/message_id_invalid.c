/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "scan/check.h"

#include "base/banned.h"

static bool sound(struct bytes id)
{
	if (id.len < 5 || id.ptr[0] != '<' || id.ptr[id.len - 1] != '>')
		return false;
	id = bytes_sub(id, 1, id.len - 2);
	size_t at = bytes_rfind_byte(id, '@');
	if (at == BYTES_NONE || at == 0 || at + 1 == id.len)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (ascii_is_space(id.ptr[i]) || id.ptr[i] == '<' || id.ptr[i] == '>')
			return false;
	return true;
}

static enum check_step run(struct scan *scan)
{
	const struct header_field *field = header_find(scan_message(scan)->header, HEADER_MESSAGE_ID, 0);
	if (!field)
		return CHECK_DONE;
	struct bytes id = bytes_trim(field->value);
	if (!sound(id))
		scan_evidence(scan, where_field(field), id, (struct bytes){0});
	return CHECK_DONE;
}

CHECK_REGISTER(message_id_invalid){
	.symbol = "MESSAGE_ID_INVALID",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "a Message-ID of impossible form",
	.text_en = "The Message-ID is not one: {1}",
	.text_ja = "Message-ID の書式が不正です: {1}",
	.manual = "A Message-ID is one identifier with an @ inside angle brackets, with something on both sides"
		  " and without blanks. Forging scripts write empty ones, leave out the domain or the brackets."
		  " Long identifiers that are folded onto the next line are fine. A few old servers and web "
		  "shops write identifiers without a domain.",
};
