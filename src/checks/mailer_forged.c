/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ascii.h"
#include "base/num.h"
#include "scan/check.h"

#include "base/banned.h"

/* "000d01c24a8b$4f3c1f60$0100a8c0@host": three groups of hex digits. */
static bool dollar_id(struct bytes id)
{
	unsigned groups = 1;
	for (size_t i = 0; i < id.len && id.ptr[i] != '@'; i++) {
		if (id.ptr[i] == '$')
			groups++;
		else if (ascii_hex(id.ptr[i]) < 0)
			return false;
	}
	return groups == 3;
}

/* Hotmail and MSN give each message an identifier of their own; so do Exchange and Sendmail to those that have none. */
static bool server_id(struct bytes id)
{
	return bytes_starts(id, BYTES_LIT("OE")) || bytes_starts(id, BYTES_LIT("BAY")) ||
	       bytes_starts(id, BYTES_LIT("BLU")) || bytes_starts(id, BYTES_LIT("DAV")) ||
	       (id.len > 12 && ascii_is_digit(id.ptr[0]) && ascii_is_digit(id.ptr[11]) &&
		bytes_find_byte(id, '.') < bytes_find_byte(id, '@'));
}

/* "1873462873.20020822123623@host" */
static bool bat_id(struct bytes id)
{
	uint64_t number;
	struct bytes rest = id;
	if (num_take(&rest, UINT64_MAX, &number) == ERR_SYNTAX || rest.len == 0 || rest.ptr[0] != '.')
		return false;
	rest = bytes_from(rest, 1);
	size_t before = rest.len;
	if (num_take(&rest, UINT64_MAX, &number) == ERR_SYNTAX)
		return false;
	return before - rest.len == 14 && rest.len > 1 && rest.ptr[0] == '@';
}

static enum check_step run(struct scan *scan)
{
	const struct message *message = scan_message(scan);
	const struct header_field *field = header_find(message->header, HEADER_X_MAILER, 0);
	bool mimeole = header_find(message->header, HEADER_X_MIMEOLE, 0) != NULL;
	struct bytes mailer = field ? bytes_trim(field->value) : (struct bytes){0};
	struct bytes id = message->message_id;
	const char *why = NULL;
	if (!field)
		field = header_find(message->header, HEADER_USER_AGENT, 0);
	if (!field)
		return CHECK_DONE;
	if (mailer.len == 0)
		mailer = bytes_trim(field->value);
	if (bytes_starts(mailer, BYTES_LIT("Microsoft Outlook Express")) &&
	    bytes_find(mailer, BYTES_LIT("Macintosh")) == BYTES_NONE) {
		if (!mimeole)
			why = "X-MimeOLE";
		else if (id.len > 0 && !dollar_id(id) && !server_id(id))
			why = "Message-ID";
	} else if (bytes_starts(mailer, BYTES_LIT("The Bat!"))) {
		if (mimeole)
			why = "X-MimeOLE";
		else if (id.len > 0 && !bat_id(id))
			why = "Message-ID";
	} else if (mimeole &&
		   (bytes_find(mailer, BYTES_LIT("Thunderbird")) != BYTES_NONE ||
		    bytes_starts(mailer, BYTES_LIT("Mozilla")) || bytes_starts(mailer, BYTES_LIT("Apple Mail")) ||
		    bytes_starts(mailer, BYTES_LIT("QUALCOMM")))) {
		why = "X-MimeOLE";
	}
	if (why)
		scan_evidence(scan, where_field(field), mailer, bytes_from_cstr(why));
	return CHECK_DONE;
}

CHECK_REGISTER(mailer_forged){
	.symbol = "MAILER_FORGED",
	.family = "header",
	.stage = STAGE_HEADER,
	.kind = KIND_UNWANTED,
	.run = run,
	.summary = "the mail program is not the one it claims to be",
	.text_en = "The message claims to be made by {1}, but its {2} does not fit.",
	.text_ja = "{1} で作成されたと称していますが、{2} がそのソフトのものと一致しません。",
	.manual = "Mail programs leave marks that fit together: Outlook Express always adds X-MimeOLE and "
		  "builds its Message-ID of hexadecimal groups with dollar signs, The Bat! builds it of a "
		  "number and the time, Thunderbird and The Bat! never write X-MimeOLE. Bulk mailers copy one "
		  "mark and not the others. Servers that replace the Message-ID, and lists that drop fields, "
		  "can make an honest message look so; old programs are seldom seen today in any case.",
};
