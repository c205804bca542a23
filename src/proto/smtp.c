/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/smtp.h"

#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "proto/smtp_path.h"

#include "base/banned.h"

static const char *const verbs[] = {
	[SMTP_UNKNOWN] = "",          [SMTP_HELO] = "HELO",      [SMTP_EHLO] = "EHLO", [SMTP_LHLO] = "LHLO",
	[SMTP_MAIL] = "MAIL",         [SMTP_RCPT] = "RCPT",      [SMTP_DATA] = "DATA", [SMTP_BDAT] = "BDAT",
	[SMTP_RSET] = "RSET",         [SMTP_NOOP] = "NOOP",      [SMTP_QUIT] = "QUIT", [SMTP_VRFY] = "VRFY",
	[SMTP_EXPN] = "EXPN",         [SMTP_HELP] = "HELP",      [SMTP_AUTH] = "AUTH", [SMTP_STARTTLS] = "STARTTLS",
	[SMTP_XFORWARD] = "XFORWARD", [SMTP_XCLIENT] = "XCLIENT"};

const char *smtp_verb_name(enum smtp_verb verb)
{
	return verbs[verb];
}

static enum smtp_verb verb_find(struct bytes word)
{
	for (size_t i = 1; i < ARRAY_LEN(verbs); i++)
		if (bytes_eq_nocase(word, bytes_from_cstr(verbs[i])))
			return (enum smtp_verb)i;
	return SMTP_UNKNOWN;
}

void smtp_init(struct smtp *smtp, const struct smtp_limits *limits)
{
	*smtp = (struct smtp){.limits = *limits};
	intake_init(&smtp->intake, limits->kept_max);
}

void smtp_done(struct smtp *smtp)
{
	intake_done(&smtp->intake);
}

void smtp_feed(struct smtp *smtp, struct bytes data)
{
	intake_feed(&smtp->intake, data);
}

void smtp_hold(struct smtp *smtp)
{
	intake_keep(&smtp->intake); /* an error sticks, and smtp_next() tells */
}

void smtp_begin_data(struct smtp *smtp)
{
	ASSERT(smtp->state == SMTP_IN_ASKED);
	smtp_data_init(&smtp->data);
	smtp->state = SMTP_IN_MESSAGE;
}

void smtp_refuse_data(struct smtp *smtp)
{
	ASSERT(smtp->state == SMTP_IN_ASKED);
	smtp->state = SMTP_IN_COMMAND;
}

void smtp_expect_text(struct smtp *smtp)
{
	ASSERT(smtp->state == SMTP_IN_COMMAND);
	smtp->state = SMTP_IN_TEXT;
}

/* -- Parameters ---- */

bool smtp_pair_next(struct bytes *rest, struct bytes *ret_key, struct bytes *ret_value)
{
	while (rest->len > 0 && rest->ptr[0] == ' ')
		*rest = bytes_from(*rest, 1);
	if (rest->len == 0)
		return false;
	struct bytes word = bytes_sub(*rest, 0, bytes_find_byte(*rest, ' '));
	size_t equals = bytes_find_byte(word, '=');
	*rest = bytes_from(*rest, word.len);
	*ret_key = bytes_sub(word, 0, equals);
	*ret_value = equals == BYTES_NONE ? (struct bytes){0} : bytes_from(word, equals + 1);
	return true;
}

static bool xtext_byte(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

enum err smtp_xtext_decode(struct buf *out, struct bytes xtext)
{
	size_t before = out->len;
	for (size_t i = 0; i < xtext.len; i++) {
		uint8_t c = xtext.ptr[i];
		if (c == '+' && i + 2 < xtext.len && ascii_hex(xtext.ptr[i + 1]) >= 0 &&
		    ascii_hex(xtext.ptr[i + 2]) >= 0) {
			buf_add_byte(out, (uint8_t)(ascii_hex(xtext.ptr[i + 1]) * 16 + ascii_hex(xtext.ptr[i + 2])));
			i += 2;
		} else if (c != '+' && c > ' ' && c != 0x7f) {
			buf_add_byte(out, c); /* "=" and UTF-8 (RFC 6533) as well: senders leave them as they are */
		} else {
			out->len = MIN(before, out->len);
			return ERR_SYNTAX;
		}
	}
	return buf_err(out);
}

void smtp_xtext_encode(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (xtext_byte(text.ptr[i]))
			buf_add_byte(out, text.ptr[i]);
		else
			buf_printf(out, "+%02X", text.ptr[i]);
	}
}

static bool xtext_valid(struct bytes value, size_t max)
{
	CLEANUP(buf_done) struct buf decoded = BUF_INIT(4096);
	return value.len > 0 && value.len <= max && smtp_xtext_decode(&decoded, value) == ERR_OK;
}

/* NOTIFY: NEVER alone, or a list of the others (RFC 3461, 4.1). */
static bool parse_notify(struct bytes value, unsigned *ret)
{
	static const struct bytes words[] = {BYTES_INIT("NEVER"), BYTES_INIT("SUCCESS"), BYTES_INIT("FAILURE"),
					     BYTES_INIT("DELAY")};
	struct bytes word;
	unsigned notify = 0;
	while (bytes_split(&value, ',', &word)) {
		size_t i = 0;
		while (i < ARRAY_LEN(words) && !bytes_eq_nocase(word, words[i]))
			i++;
		if (i == ARRAY_LEN(words) || (notify & 1u << i))
			return false;
		notify |= 1u << i;
	}
	*ret = notify;
	return notify != 0 && (!(notify & SMTP_NOTIFY_NEVER) || notify == SMTP_NOTIFY_NEVER);
}

static bool parse_body(struct bytes value, enum smtp_body *ret)
{
	static const struct bytes words[] = {{0}, BYTES_INIT("7BIT"), BYTES_INIT("8BITMIME"), BYTES_INIT("BINARYMIME")};
	for (size_t i = 1; i < ARRAY_LEN(words); i++) {
		if (bytes_eq_nocase(value, words[i])) {
			*ret = (enum smtp_body)i;
			return true;
		}
	}
	return false;
}

static bool is(struct bytes key, const char *name)
{
	return bytes_eq_nocase(key, bytes_from_cstr(name));
}

enum known { PARAMETER_UNKNOWN, PARAMETER_BAD, PARAMETER_GOOD };

/* A parameter given twice is wrong (each setter sees that its place is free). */
static enum known mail_parameter(struct smtp_parameters *all, struct bytes key, struct bytes value)
{
	bool good;
	if (is(key, "SIZE")) {
		good = !all->has_size && num_parse(value, 10, UINT64_MAX / 10, &all->size) == ERR_OK;
		all->has_size = true;
	} else if (is(key, "BODY")) {
		good = all->body == SMTP_BODY_NONE && parse_body(value, &all->body);
	} else if (is(key, "SMTPUTF8")) {
		good = !all->utf8 && value.ptr == NULL;
		all->utf8 = true;
	} else if (is(key, "RET")) {
		good = !all->ret.ptr && (is(value, "FULL") || is(value, "HDRS"));
		all->ret = value;
	} else if (is(key, "ENVID")) {
		good = !all->envid.ptr && xtext_valid(value, 100);
		all->envid = value;
	} else if (is(key, "AUTH")) {
		good = !all->auth.ptr && xtext_valid(value, 500);
		all->auth = value;
	} else {
		return PARAMETER_UNKNOWN;
	}
	return good ? PARAMETER_GOOD : PARAMETER_BAD;
}

static enum known rcpt_parameter(struct smtp_parameters *all, struct bytes key, struct bytes value)
{
	bool good;
	if (is(key, "NOTIFY")) {
		good = all->notify == 0 && parse_notify(value, &all->notify);
	} else if (is(key, "ORCPT")) {
		size_t semicolon = bytes_find_byte(value, ';');
		good = !all->orcpt.ptr && semicolon != BYTES_NONE && semicolon > 0 &&
		       xtext_valid(bytes_from(value, semicolon + 1), 500);
		all->orcpt = value;
	} else {
		return PARAMETER_UNKNOWN;
	}
	return good ? PARAMETER_GOOD : PARAMETER_BAD;
}

/* -- Commands ---- */

/* MAIL and RCPT: "FROM:" or "TO:", the path, parameters. A blank after the colon is common, and harmless. */
static const char *parse_envelope(struct smtp_event *event)
{
	bool mail = event->verb == SMTP_MAIL;
	struct bytes keyword = mail ? BYTES_LIT("FROM:") : BYTES_LIT("TO:");
	struct bytes rest = event->argument, key, value;
	if (!bytes_starts_nocase(rest, keyword))
		return mail ? "501 5.5.4 Syntax: MAIL FROM:<address>" : "501 5.5.4 Syntax: RCPT TO:<address>";
	rest = bytes_from(rest, keyword.len);
	while (rest.len > 0 && rest.ptr[0] == ' ')
		rest = bytes_from(rest, 1);
	if (!smtp_path_take(&rest, &event->path) || (!mail && event->path.len == 0))
		return mail ? "501 5.1.7 Bad sender address syntax" : "501 5.1.3 Bad recipient address syntax";
	event->path_utf8 = !utf8_is_ascii(event->path);
	event->parameters.text = bytes_trim(rest);
	if (rest.len > 0 && rest.ptr[0] != ' ')
		return "501 5.5.4 A space is missing after the address";
	while (smtp_pair_next(&rest, &key, &value)) {
		enum known known = mail ? mail_parameter(&event->parameters, key, value)
					: rcpt_parameter(&event->parameters, key, value);
		if (known == PARAMETER_UNKNOWN)
			return "555 5.5.4 Unsupported parameter";
		if (known == PARAMETER_BAD)
			return "501 5.5.4 Bad or repeated parameter";
	}
	return NULL;
}

static const char *parse_bdat(struct smtp_event *event)
{
	struct bytes rest = event->argument, size, last, ignored;
	if (smtp_pair_next(&rest, &size, &ignored) && !ignored.ptr &&
	    num_parse(size, 10, UINT64_MAX / 10, &event->size) == ERR_OK) {
		if (!smtp_pair_next(&rest, &last, &ignored))
			return NULL;
		event->last = is(last, "LAST");
		if (event->last && !smtp_pair_next(&rest, &last, &ignored))
			return NULL;
	}
	return "501 5.5.4 Syntax: BDAT size [LAST]";
}

static const char *parse_argument(struct smtp_event *event)
{
	bool empty = event->argument.len == 0;
	switch (event->verb) {
	case SMTP_HELO:
	case SMTP_EHLO:
	case SMTP_LHLO:
		return empty || bytes_has(event->argument, ' ') ? "501 5.5.4 Syntax: EHLO name" : NULL;
	case SMTP_MAIL:
	case SMTP_RCPT:
		return parse_envelope(event);
	case SMTP_BDAT:
		return parse_bdat(event);
	case SMTP_DATA:
	case SMTP_RSET:
	case SMTP_QUIT:
	case SMTP_STARTTLS:
		return empty ? NULL : "501 5.5.4 This command takes no argument";
	case SMTP_VRFY:
	case SMTP_EXPN:
	case SMTP_AUTH:
	case SMTP_XFORWARD:
	case SMTP_XCLIENT:
		return empty ? "501 5.5.4 This command needs an argument" : NULL;
	case SMTP_NOOP:
	case SMTP_HELP:
		return NULL;
	case SMTP_UNKNOWN:
		break;
	}
	return "500 5.5.2 Unknown command";
}

/* What speaks HTTP to a mail port was made to by somebody else (a browser), and may send commands in its body. */
static bool is_http(struct bytes line)
{
	static const struct bytes words[] = {BYTES_INIT("GET "),  BYTES_INIT("POST "),    BYTES_INIT("PUT "),
					     BYTES_INIT("HEAD "), BYTES_INIT("CONNECT "), BYTES_INIT("OPTIONS ")};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (bytes_starts_nocase(line, words[i]))
			return true;
	return false;
}

static bool has_control(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (ascii_is_cntrl(line.ptr[i]))
			return true;
	return false;
}

static void parse_command(struct smtp_event *event)
{
	struct bytes line = event->line;
	struct bytes word = bytes_sub(line, 0, bytes_find_byte(line, ' '));
	event->verb = verb_find(word);
	event->argument = bytes_trim(bytes_from(line, word.len));
	event->fault = has_control(line)   ? "500 5.5.2 Control characters in a command"
		       : !utf8_valid(line) ? "500 5.5.2 The command is not valid UTF-8"
					   : parse_argument(event);
}

/*
 * The next line without its CRLF. ERR_AGAIN, ERR_LIMIT (the line is to be skipped), ERR_SYNTAX: a bare CR or LF.
 */
static enum err take_line(struct smtp *smtp, size_t max, struct bytes *ret_line)
{
	TRY(intake_line(&smtp->intake, max, ret_line));
	struct bytes line = *ret_line;
	if (line.len < 2 || line.ptr[line.len - 2] != '\r')
		return ERR_SYNTAX;
	*ret_line = bytes_sub(line, 0, line.len - 2);
	return bytes_has(*ret_line, '\r') ? ERR_SYNTAX : ERR_OK;
}

/* Drops the rest of a line that is too long; its end must be CRLF as well. ERR_OK once it is gone. */
static enum err skip_line(struct smtp *smtp)
{
	struct intake *intake = &smtp->intake;
	struct bytes rest = intake->in;
	size_t lf = bytes_find_byte(rest, '\n');
	size_t n = lf != BYTES_NONE ? lf + 1 : rest.len;
	/* A CR at the end stays until what follows is there. */
	if (lf == BYTES_NONE && n > 0 && rest.ptr[n - 1] == '\r')
		n--;
	size_t text = lf != BYTES_NONE ? n - MIN(n, (size_t)2) : n;
	if (bytes_has(bytes_sub(rest, 0, text), '\r') || (lf != BYTES_NONE && (lf == 0 || rest.ptr[lf - 1] != '\r')))
		return ERR_SYNTAX;
	(void)intake_take(intake, n);
	if (lf == BYTES_NONE)
		return intake_keep(intake);
	smtp->skipping = false;
	return ERR_OK;
}

static enum err next_line(struct smtp *smtp, struct smtp_event *event)
{
	bool text = smtp->state == SMTP_IN_TEXT;
	struct intake *intake = &smtp->intake;
	event->kind = text ? SMTP_TEXT : SMTP_COMMAND;
	if (!smtp->skipping) {
		uint8_t first = intake->in.len > 0 ? intake->in.ptr[0] : 'A';
		if (!text && !ascii_is_alpha(first) && first != '\r' && first != ' ')
			return ERR_SYNTAX;
		enum err err = take_line(smtp, text ? smtp->limits.text_max : smtp->limits.line_max, &event->line);
		if (err == ERR_LIMIT && intake->err == ERR_OK)
			smtp->skipping = true;
		else if (err != ERR_OK)
			return err;
	}
	smtp->state = SMTP_IN_COMMAND;
	if (smtp->skipping) {
		smtp->state = text ? SMTP_IN_TEXT : SMTP_IN_COMMAND;
		TRY(skip_line(smtp));
		smtp->state = SMTP_IN_COMMAND;
		event->fault = "500 5.5.2 Line too long";
		return ERR_OK;
	}
	if (text)
		return ERR_OK;
	if (is_http(event->line))
		return ERR_SYNTAX;
	parse_command(event);
	if (event->verb == SMTP_DATA && !event->fault)
		smtp->state = SMTP_IN_ASKED;
	if (event->verb == SMTP_BDAT && !event->fault) {
		smtp->state = SMTP_IN_CHUNK;
		smtp->chunk = event->size;
	}
	return ERR_OK;
}

static enum err next_piece(struct smtp *smtp, struct smtp_event *event)
{
	struct intake *intake = &smtp->intake;
	bool chunk = smtp->state == SMTP_IN_CHUNK;
	if (chunk) {
		event->data = intake_take(intake, (size_t)MIN(smtp->chunk, (uint64_t)intake->in.len));
		smtp->chunk -= event->data.len;
	} else {
		event->data = smtp_data_next(&smtp->data, &intake->in);
	}
	event->kind = SMTP_PIECE;
	if (event->data.len > 0)
		return ERR_OK;
	if (chunk ? smtp->chunk > 0 : smtp->data.state != SMTP_DATA_END)
		return intake_keep(intake);
	event->kind = SMTP_END;
	smtp->state = SMTP_IN_COMMAND;
	intake->seen = 0;
	return ERR_OK;
}

enum err smtp_next(struct smtp *smtp, struct smtp_event *ret_event)
{
	enum err err = smtp->intake.err;
	*ret_event = (struct smtp_event){0};
	if (err != ERR_OK)
		return err;
	switch (smtp->state) {
	case SMTP_IN_ASKED:
		err = intake_keep(&smtp->intake);
		break;
	case SMTP_IN_COMMAND:
	case SMTP_IN_TEXT:
		err = next_line(smtp, ret_event);
		break;
	case SMTP_IN_MESSAGE:
	case SMTP_IN_CHUNK:
		err = next_piece(smtp, ret_event);
		break;
	}
	return err == ERR_OK || err == ERR_AGAIN ? err : intake_fail(&smtp->intake, err);
}
