/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/smtp_reply.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

#define LINE_MAX_BUILT ((size_t)512) /* RFC 5321, 4.5.3.1.5 */

/* -- Parser ---- */

void smtp_replies_init(struct smtp_replies *replies)
{
	*replies = (struct smtp_replies){0};
	intake_init(&replies->intake, (size_t)512 << 10);
	buf_init(&replies->text, SMTP_REPLY_MAX);
}

void smtp_replies_done(struct smtp_replies *replies)
{
	intake_done(&replies->intake);
	buf_done(&replies->text);
}

void smtp_replies_feed(struct smtp_replies *replies, struct bytes data)
{
	intake_feed(&replies->intake, data);
}

/* "5.7.1" at the front, of the class of the code and with a blank or nothing behind it; 0: none. */
static size_t enhanced_len(struct bytes text, unsigned code)
{
	size_t at = 0;
	if (text.len == 0 || (unsigned)(text.ptr[0] - '0') != code / 100)
		return 0;
	for (int part = 0; part < 3; part++) {
		size_t digits = 0;
		if (part > 0 && (at >= text.len || text.ptr[at++] != '.'))
			return 0;
		for (; at < text.len && ascii_is_digit(text.ptr[at]); at++)
			digits++;
		if (digits == 0 || digits > 3)
			return 0;
	}
	return at == text.len || text.ptr[at] == ' ' ? at : 0;
}

/* One line without its end. ERR_OK: the last of the reply; ERR_AGAIN: more follow. */
static enum err add_line(struct smtp_replies *replies, struct bytes line)
{
	uint64_t code;
	if (replies->complete) {
		buf_clear(&replies->text);
		replies->lines = 0;
		replies->enhanced_len = 0;
		replies->complete = false;
	}
	if (line.len < 3 || num_parse(bytes_sub(line, 0, 3), 10, 599, &code) != ERR_OK || code < 200 ||
	    (replies->lines > 0 && code != replies->code))
		return ERR_SYNTAX;
	bool last = line.len == 3 || line.ptr[3] == ' ';
	if (!last && line.ptr[3] != '-')
		return ERR_SYNTAX;
	replies->code = (unsigned)code;
	struct bytes text = bytes_from(line, 4);
	size_t enhanced = enhanced_len(text, replies->code);
	if (replies->lines == 0 && enhanced > 0) {
		memcpy(replies->enhanced, text.ptr, enhanced);
		replies->enhanced_len = enhanced;
	}
	if (replies->lines > 0)
		buf_add_byte(&replies->text, '\n');
	buf_add(&replies->text, bytes_from(text, enhanced > 0 ? enhanced + 1 : 0));
	replies->lines++;
	replies->complete = last;
	TRY(buf_err(&replies->text));
	return last ? ERR_OK : ERR_AGAIN;
}

enum err smtp_replies_next(struct smtp_replies *replies, struct smtp_reply *ret_reply)
{
	struct bytes line;
	enum err err = replies->intake.err;
	while (err == ERR_OK && (err = intake_line(&replies->intake, SMTP_REPLY_LINE_MAX, &line)) == ERR_OK) {
		err = add_line(replies, bytes_chomp(line));
		if (err == ERR_OK) {
			*ret_reply =
				(struct smtp_reply){.code = replies->code,
						    .enhanced = bytes_make(replies->enhanced, replies->enhanced_len),
						    .text = buf_bytes(&replies->text),
						    .lines = replies->lines};
			return ERR_OK;
		}
		if (err == ERR_AGAIN)
			err = ERR_OK;
	}
	return err == ERR_AGAIN ? err : intake_fail(&replies->intake, err);
}

/* -- Builder ---- */

/* Foreign text as the inside of a line: one byte for one, so that lengths stay. */
static void add_safe(struct buf *out, struct bytes text, bool utf8)
{
	while (text.len > 0) {
		struct bytes before = text;
		bool ok;
		uint32_t code = utf8_next(&text, &ok);
		bool c1 = code >= 0x80 && code < 0xa0;
		if (code < 0x80 ? ascii_is_print(code) : utf8 && ok && !c1)
			buf_add(out, bytes_sub(before, 0, before.len - text.len));
		else
			buf_add_byte(out, code == '\t' ? ' ' : '?');
	}
}

/* Takes what fits into `room` off the front of `*text`: up to LF, else to a blank in the second half, else as it is. */
static struct bytes take_fitting(struct bytes *text, size_t room)
{
	struct bytes line = bytes_sub(*text, 0, bytes_find_byte(*text, '\n'));
	size_t skip = line.len < text->len;
	if (line.len > room) {
		line = utf8_prefix(line, room);
		size_t blank = bytes_rfind_byte(line, ' ');
		skip = blank != BYTES_NONE && blank > room / 2;
		if (skip)
			line = bytes_sub(line, 0, blank);
	}
	*text = bytes_from(*text, line.len + skip);
	return line.len > 0 && line.ptr[line.len - 1] == '\r' ? bytes_sub(line, 0, line.len - 1) : line;
}

void smtp_reply_add(struct buf *out, unsigned code, const char *enhanced, struct bytes text, bool utf8)
{
	size_t room = LINE_MAX_BUILT - 2 - 4 - (enhanced ? strlen(enhanced) + 1 : 0);
	text = bytes_trim(text);
	for (int n = 1;; n++) {
		struct bytes line = take_fitting(&text, room);
		bool last = text.len == 0 || n == SMTP_REPLY_LINES;
		buf_printf(out, "%03u%c%s%s", code, last ? ' ' : '-', enhanced ? enhanced : "", enhanced ? " " : "");
		add_safe(out, line, utf8);
		buf_add_cstr(out, "\r\n");
		if (last)
			return;
	}
}

void smtp_reply_add_again(struct buf *out, const struct smtp_reply *reply, bool utf8)
{
	char enhanced[12] = "";
	ASSERT(reply->enhanced.len < sizeof(enhanced));
	if (reply->enhanced.len > 0)
		memcpy(enhanced, reply->enhanced.ptr, reply->enhanced.len);
	smtp_reply_add(out, reply->code, enhanced[0] ? enhanced : NULL, reply->text, utf8);
}

/* -- EHLO ---- */

static const struct feature {
	struct bytes keyword;
	unsigned can;
} features[] = {
	{BYTES_INIT("PIPELINING"), SMTP_CAN_PIPELINING},
	{BYTES_INIT("SIZE"), SMTP_CAN_SIZE},
	{BYTES_INIT("VRFY"), SMTP_CAN_VRFY},
	{BYTES_INIT("STARTTLS"), SMTP_CAN_STARTTLS},
	{BYTES_INIT("AUTH"), SMTP_CAN_AUTH},
	{BYTES_INIT("ENHANCEDSTATUSCODES"), SMTP_CAN_ENHANCED},
	{BYTES_INIT("8BITMIME"), SMTP_CAN_8BITMIME},
	{BYTES_INIT("BINARYMIME"), SMTP_CAN_BINARYMIME},
	{BYTES_INIT("DSN"), SMTP_CAN_DSN},
	{BYTES_INIT("SMTPUTF8"), SMTP_CAN_SMTPUTF8},
	{BYTES_INIT("CHUNKING"), SMTP_CAN_CHUNKING},
	{BYTES_INIT("XFORWARD"), SMTP_CAN_XFORWARD},
	{BYTES_INIT("XCLIENT"), SMTP_CAN_XCLIENT},
};

void smtp_features_parse(struct bytes text, struct smtp_features *ret)
{
	struct bytes line;
	*ret = (struct smtp_features){0};
	(void)bytes_split(&text, '\n', &line);
	while (bytes_split(&text, '\n', &line)) {
		struct bytes word = bytes_sub(line, 0, bytes_find_byte(line, ' '));
		struct bytes argument = bytes_trim(bytes_from(line, word.len));
		for (size_t i = 0; i < ARRAY_LEN(features); i++) {
			if (!bytes_eq_nocase(word, features[i].keyword))
				continue;
			ret->can |= features[i].can;
			if (features[i].can == SMTP_CAN_AUTH)
				ret->auth = argument;
			else if (features[i].can == SMTP_CAN_XFORWARD)
				ret->xforward = argument;
			else if (features[i].can == SMTP_CAN_XCLIENT)
				ret->xclient = argument;
			else if (features[i].can == SMTP_CAN_SIZE &&
				 num_parse(argument, 10, UINT64_MAX / 10, &ret->size) != ERR_OK)
				ret->size = 0;
		}
	}
}

bool smtp_list_has(struct bytes list, struct bytes word)
{
	struct bytes item;
	while (bytes_split(&list, ' ', &item))
		if (item.len > 0 && bytes_eq_nocase(item, word))
			return true;
	return false;
}

void smtp_features_add(struct buf *out, struct bytes name, const struct smtp_features *all)
{
	size_t last = out->len;
	buf_add_cstr(out, "250-");
	add_safe(out, bytes_sub(name, 0, 255), false);
	for (size_t i = 0; i < ARRAY_LEN(features); i++) {
		unsigned can = features[i].can;
		struct bytes list = can == SMTP_CAN_AUTH       ? all->auth
				    : can == SMTP_CAN_XFORWARD ? all->xforward
				    : can == SMTP_CAN_XCLIENT  ? all->xclient
							       : (struct bytes){0};
		if (!(all->can & can))
			continue;
		buf_add_cstr(out, "\r\n");
		last = out->len;
		buf_add_cstr(out, "250-");
		buf_add(out, features[i].keyword);
		if (can == SMTP_CAN_SIZE && all->size > 0)
			buf_printf(out, " %llu", (unsigned long long)all->size);
		if (list.len > 0) {
			buf_add_byte(out, ' ');
			add_safe(out, bytes_sub(list, 0, 400), false);
		}
	}
	buf_add_cstr(out, "\r\n");
	if (buf_err(out) == ERR_OK)
		out->ptr[last + 3] = ' ';
}
