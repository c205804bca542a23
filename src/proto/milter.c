/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/milter.h"

#include "base/ascii.h"
#include "base/cursor.h"
#include "base/num.h"
#include "proto/smtp_reply.h"

#include "base/banned.h"

#define TEXT_MAX 2000 /* of a reply */

/* What has come; each bit allows what may follow. */
enum {
	SEEN_OPTIONS = 1,
	SEEN_CONNECT = 2,
	IN_MESSAGE = 4, /* MAIL came */
	IN_HEADER = 8,
	IN_BODY = 16,
};

void milter_init(struct milter *milter)
{
	*milter = (struct milter){0};
	/* What is kept is an incomplete packet and the feed that brought its end. */
	intake_init(&milter->intake, 2 * MILTER_PACKET_MAX + 4);
}

void milter_done(struct milter *milter)
{
	intake_done(&milter->intake);
}

void milter_feed(struct milter *milter, struct bytes data)
{
	intake_feed(&milter->intake, data);
}

static bool command_of(uint8_t letter, enum milter_command *ret)
{
	static const char letters[] = "ODCHMRTLNBEAQKU";
	const char *at = letter ? strchr(letters, letter) : NULL;
	if (at)
		*ret = (enum milter_command)(at - letters);
	return at != NULL;
}

/* A NUL-terminated text at the front; the end of the packet may stand for the last NUL. */
static bool take_text(struct bytes *data, struct bytes *ret)
{
	size_t end = bytes_find_byte(*data, '\0');
	if (end == BYTES_NONE)
		return false;
	*ret = bytes_sub(*data, 0, end);
	*data = bytes_from(*data, end + 1);
	return true;
}

static bool parse_options(struct bytes data, struct milter_event *event)
{
	struct cursor cur = cursor_make(data);
	event->version = cursor_be32(&cur);
	event->actions = cursor_be32(&cur);
	event->steps = cursor_be32(&cur);
	/* Version 1 had other steps; newer versions may say more. */
	return cur.err == ERR_OK && event->version >= 2;
}

static bool parse_connect(struct bytes data, struct milter_event *event)
{
	if (!take_text(&data, &event->one) || data.len == 0)
		return false;
	event->family = (char)data.ptr[0];
	data = bytes_from(data, 1);
	if (event->family == 'U')
		return true;
	if (event->family != '4' && event->family != '6' && event->family != 'L')
		return false;
	struct cursor cur = cursor_make(data);
	event->port = cursor_be16(&cur);
	if (cur.err != ERR_OK)
		return false;
	data = cursor_rest(&cur);
	if (!take_text(&data, &event->two))
		event->two = data;
	return true;
}

static bool parse_path(struct bytes data, struct milter_event *event)
{
	if (!take_text(&data, &event->one))
		return false;
	event->two = data.len > 0 && data.ptr[data.len - 1] == '\0' ? bytes_sub(data, 0, data.len - 1) : data;
	return true;
}

static bool parse_macros(struct bytes data, struct milter_event *event)
{
	enum milter_command ignored;
	if (data.len == 0 || !command_of(data.ptr[0], &ignored))
		return false;
	event->stage = (char)data.ptr[0];
	event->one = bytes_from(data, 1);
	return true;
}

static bool parse_data(struct bytes data, struct milter_event *event)
{
	switch (event->command) {
	case MILTER_OPTIONS:
		return parse_options(data, event);
	case MILTER_CONNECT:
		return parse_connect(data, event);
	case MILTER_MACROS:
		return parse_macros(data, event);
	case MILTER_HELO:
		return take_text(&data, &event->one);
	case MILTER_MAIL:
	case MILTER_RCPT:
		return parse_path(data, event);
	case MILTER_HEADER:
		return take_text(&data, &event->one) && event->one.len > 0 && take_text(&data, &event->two);
	case MILTER_UNKNOWN:
		if (!take_text(&data, &event->one))
			event->one = data;
		return true;
	case MILTER_BODY:
	case MILTER_EOM:
		event->one = data;
		return true;
	case MILTER_DATA:
	case MILTER_EOH:
	case MILTER_ABORT:
	case MILTER_QUIT:
	case MILTER_QUIT_NC:
		break;
	}
	return true;
}

/*
 * Whether the command may come now. Postfix leaves steps out that it was told to, and may send HELO twice or MAIL
 * without HELO; nothing may come before OPTIONS, and nothing of a message outside one.
 */
static bool in_order(struct milter *milter, enum milter_command command)
{
	unsigned *state = &milter->state;
	if (command == MILTER_OPTIONS) {
		bool first = *state == 0;
		*state |= SEEN_OPTIONS;
		return first;
	}
	if (!(*state & SEEN_OPTIONS))
		return false;
	switch (command) {
	case MILTER_CONNECT:
		*state = SEEN_OPTIONS | SEEN_CONNECT;
		return true;
	case MILTER_MAIL:
		*state = (*state & (SEEN_OPTIONS | SEEN_CONNECT)) | IN_MESSAGE;
		return true;
	case MILTER_RCPT:
	case MILTER_DATA:
		return (*state & IN_MESSAGE) && !(*state & (IN_HEADER | IN_BODY));
	case MILTER_HEADER:
		if (!(*state & IN_MESSAGE) || (*state & IN_BODY))
			return false;
		*state |= IN_HEADER;
		return true;
	case MILTER_EOH:
		if (!(*state & IN_MESSAGE) || (*state & IN_BODY))
			return false;
		*state |= IN_BODY;
		return true;
	case MILTER_BODY:
		*state |= IN_BODY;
		return (*state & IN_MESSAGE) != 0;
	case MILTER_EOM: {
		bool good = (*state & IN_MESSAGE) != 0;
		*state &= SEEN_OPTIONS | SEEN_CONNECT;
		return good;
	}
	case MILTER_ABORT:
		*state &= SEEN_OPTIONS | SEEN_CONNECT;
		return true;
	case MILTER_QUIT_NC:
		*state = SEEN_OPTIONS;
		return true;
	case MILTER_OPTIONS:
	case MILTER_MACROS:
	case MILTER_HELO:
	case MILTER_QUIT:
	case MILTER_UNKNOWN:
		break;
	}
	return true;
}

enum err milter_next(struct milter *milter, struct milter_event *ret_event)
{
	struct intake *intake = &milter->intake;
	if (intake->in.len < 4)
		return intake_keep(intake);
	struct cursor cur = cursor_make(intake->in);
	uint32_t len = cursor_be32(&cur);
	if (len == 0 || len > MILTER_PACKET_MAX)
		return intake_fail(intake, len ? ERR_LIMIT : ERR_SYNTAX);
	if (intake->in.len - 4 < len)
		return intake_keep(intake);
	struct bytes packet = bytes_from(intake_take(intake, len + (size_t)4), 4);
	*ret_event = (struct milter_event){0};
	if (!command_of(packet.ptr[0], &ret_event->command) || !parse_data(bytes_from(packet, 1), ret_event) ||
	    !in_order(milter, ret_event->command))
		return intake_fail(intake, ERR_SYNTAX);
	return ERR_OK;
}

bool milter_macro(struct bytes macros, struct bytes name, struct bytes *ret_value)
{
	struct bytes key, value;
	while (take_text(&macros, &key) && take_text(&macros, &value)) {
		if (bytes_eq(key, name)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

/* -- Replies ---- */

static void packet(struct buf *out, char letter, size_t data_len)
{
	buf_add_be32(out, (uint32_t)(data_len + 1));
	buf_add_byte(out, (uint8_t)letter);
}

void milter_negotiate(struct milter *milter, struct buf *out, const struct milter_event *offer, uint32_t want_actions,
		      uint32_t want_steps, uint32_t *ret_actions)
{
	uint32_t version = MIN(offer->version, (uint32_t)MILTER_VERSION);
	*ret_actions = offer->actions & want_actions;
	milter->steps = offer->steps & want_steps;
	packet(out, 'O', 12);
	buf_add_be32(out, version);
	buf_add_be32(out, *ret_actions);
	buf_add_be32(out, milter->steps);
}

bool milter_wants_reply(const struct milter *milter, enum milter_command command)
{
	switch (command) {
	case MILTER_CONNECT:
		return !(milter->steps & MILTER_NO_REPLY_CONNECT);
	case MILTER_HELO:
		return !(milter->steps & MILTER_NO_REPLY_HELO);
	case MILTER_MAIL:
		return !(milter->steps & MILTER_NO_REPLY_MAIL);
	case MILTER_RCPT:
		return !(milter->steps & MILTER_NO_REPLY_RCPT);
	case MILTER_DATA:
		return !(milter->steps & MILTER_NO_REPLY_DATA);
	case MILTER_HEADER:
		return !(milter->steps & MILTER_NO_REPLY_HEADER);
	case MILTER_EOH:
		return !(milter->steps & MILTER_NO_REPLY_EOH);
	case MILTER_BODY:
		return !(milter->steps & MILTER_NO_REPLY_BODY);
	case MILTER_UNKNOWN:
		return !(milter->steps & MILTER_NO_REPLY_UNKNOWN);
	case MILTER_EOM:
		return true;
	case MILTER_OPTIONS:
	case MILTER_MACROS:
	case MILTER_ABORT:
	case MILTER_QUIT:
	case MILTER_QUIT_NC:
		break;
	}
	return false;
}

void milter_continue(struct buf *out)
{
	packet(out, 'c', 0);
}

void milter_accept(struct buf *out)
{
	packet(out, 'a', 0);
}

void milter_discard(struct buf *out)
{
	packet(out, 'd', 0);
}

void milter_tempfail(struct buf *out)
{
	packet(out, 't', 0);
}

void milter_progress(struct buf *out)
{
	packet(out, 'p', 0);
}

void milter_reject(struct buf *out)
{
	packet(out, 'r', 0);
}

void milter_skip(struct buf *out)
{
	packet(out, 's', 0);
}

void milter_reply(struct buf *out, const char *code, const char *enhanced, struct bytes text)
{
	uint64_t number = 0;
	CLEANUP(buf_done) struct buf plain = BUF_INIT(2 * TEXT_MAX + 1024);
	CLEANUP(buf_done) struct buf line = BUF_INIT(4 * TEXT_MAX + 2048);
	/* The protocol has no other codes. */
	ASSERT(num_parse(bytes_from_cstr(code), 10, 599, &number) == ERR_OK && number >= 400);
	smtp_reply_add(&plain, (unsigned)number, enhanced, bytes_sub(text, 0, TEXT_MAX), false);
	struct bytes rest = bytes_chomp(buf_bytes(&plain));
	for (size_t i = 0; i < rest.len; i++) {
		buf_add_byte(&line, rest.ptr[i]);
		if (rest.ptr[i] == '%') /* expanded as printf does */
			buf_add_byte(&line, '%');
	}
	if (buf_err(&plain) != ERR_OK || buf_err(&line) != ERR_OK) {
		/* No memory for the words: the refusal itself needs none. */
		packet(out, number < 500 ? 't' : 'r', 0);
		return;
	}
	packet(out, 'y', line.len + 1);
	buf_add(out, buf_bytes(&line));
	buf_add_byte(out, '\0');
}

/* Texts end with NUL on the wire: one inside would end it early. */
static void add_texts(struct buf *out, char letter, const uint32_t *index, struct bytes one, const struct bytes *two)
{
	one = bytes_sub(one, 0, bytes_find_byte(one, '\0'));
	struct bytes second = two ? bytes_sub(*two, 0, bytes_find_byte(*two, '\0')) : (struct bytes){0};
	packet(out, letter, (index ? 4 : 0) + one.len + 1 + (two ? second.len + 1 : 0));
	if (index)
		buf_add_be32(out, *index);
	buf_add(out, one);
	buf_add_byte(out, '\0');
	if (two) {
		buf_add(out, second);
		buf_add_byte(out, '\0');
	}
}

void milter_add_header(struct buf *out, struct bytes name, struct bytes value)
{
	add_texts(out, 'h', NULL, name, &value);
}

void milter_insert_header(struct buf *out, uint32_t index, struct bytes name, struct bytes value)
{
	add_texts(out, 'i', &index, name, &value);
}

void milter_change_header(struct buf *out, uint32_t index, struct bytes name, struct bytes value)
{
	add_texts(out, 'm', &index, name, &value);
}

void milter_change_from(struct buf *out, struct bytes path, struct bytes parameters)
{
	add_texts(out, 'e', NULL, path, parameters.len > 0 ? &parameters : NULL);
}

void milter_add_recipient(struct buf *out, struct bytes path)
{
	add_texts(out, '+', NULL, path, NULL);
}

void milter_add_recipient_with(struct buf *out, struct bytes path, struct bytes parameters)
{
	add_texts(out, '2', NULL, path, &parameters);
}

void milter_delete_recipient(struct buf *out, struct bytes path)
{
	add_texts(out, '-', NULL, path, NULL);
}

void milter_replace_body(struct buf *out, struct bytes body)
{
	do {
		struct bytes chunk = bytes_sub(body, 0, MILTER_CHUNK_MAX);
		packet(out, 'b', chunk.len);
		buf_add(out, chunk);
		body = bytes_from(body, chunk.len);
	} while (body.len > 0);
}

void milter_quarantine(struct buf *out, struct bytes reason)
{
	add_texts(out, 'q', NULL, reason, NULL);
}
