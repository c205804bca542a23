/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/spamd.h"

#include "base/ascii.h"
#include "base/num.h"

#include "base/banned.h"

void spamd_init(struct spamd *spamd, const struct spamd_limits *limits)
{
	*spamd = (struct spamd){.limits = *limits};
	/* Only a head is ever kept, and the feed that brought its end. */
	intake_init(&spamd->intake, limits->head_max + ((size_t)512 << 10));
}

void spamd_done(struct spamd *spamd)
{
	intake_done(&spamd->intake);
}

void spamd_feed(struct spamd *spamd, struct bytes data)
{
	if (spamd->state != SPAMD_OVER)
		intake_feed(&spamd->intake, data);
}

void spamd_eof(struct spamd *spamd)
{
	spamd->eof = true;
}

/* -- Head ---- */

static const struct bytes names[] = {
	[SPAMD_CHECK] = BYTES_INIT("CHECK"),     [SPAMD_SYMBOLS] = BYTES_INIT("SYMBOLS"),
	[SPAMD_REPORT] = BYTES_INIT("REPORT"),   [SPAMD_REPORT_IFSPAM] = BYTES_INIT("REPORT_IFSPAM"),
	[SPAMD_PROCESS] = BYTES_INIT("PROCESS"), [SPAMD_HEADERS] = BYTES_INIT("HEADERS"),
	[SPAMD_PING] = BYTES_INIT("PING"),       [SPAMD_SKIP] = BYTES_INIT("SKIP"),
	[SPAMD_TELL] = BYTES_INIT("TELL")};

/* "CHECK SPAMC/1.5" */
static bool parse_request_line(struct bytes line, struct spamd_request *request)
{
	size_t blank = bytes_find_byte(line, ' ');
	struct bytes word = bytes_sub(line, 0, blank);
	struct bytes version = bytes_from(line, word.len + 1);
	if (version.len != 9 || !bytes_eq(bytes_sub(version, 0, 8), BYTES_LIT("SPAMC/1.")) ||
	    !ascii_is_digit(version.ptr[8]))
		return false;
	request->minor = (unsigned)(version.ptr[8] - '0');
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (bytes_eq(word, names[i])) {
			request->command = (enum spamd_command)i;
			return true;
		}
	}
	return false;
}

static bool is(struct bytes name, const char *other)
{
	return bytes_eq_nocase(name, bytes_from_cstr(other));
}

static enum err parse_header(struct spamd *spamd, struct bytes line, struct spamd_request *request)
{
	size_t colon = bytes_find_byte(line, ':');
	if (colon == BYTES_NONE || colon == 0)
		return ERR_SYNTAX;
	struct bytes name = bytes_sub(line, 0, colon);
	struct bytes value = bytes_trim(bytes_from(line, colon + 1));
	for (size_t i = 0; i < line.len; i++)
		if (ascii_is_cntrl(line.ptr[i]) && line.ptr[i] != '\t')
			return ERR_SYNTAX;
	if (is(name, "Content-length")) {
		if (request->has_length)
			return ERR_SYNTAX;
		request->has_length = true;
		return num_parse(value, 10, spamd->limits.body_max, &request->length);
	}
	if (is(name, "User"))
		request->user = value;
	else if (is(name, "Message-class"))
		request->message_class = value;
	else if (is(name, "Set"))
		request->set = value;
	else if (is(name, "Remove"))
		request->remove = value;
	else if (is(name, "Compress"))
		request->compressed = true;
	return ERR_OK; /* others are for others */
}

/* Where the head ends, its empty line included: lines end with CRLF or, with old clients, LF. BYTES_NONE: not yet. */
static size_t find_head(struct intake *intake, size_t max)
{
	struct bytes window = bytes_sub(intake->in, 0, max);
	size_t at = MIN(intake->seen, window.len);
	for (size_t lf; (lf = bytes_find_byte(bytes_from(window, at), '\n')) != BYTES_NONE;) {
		/* `at` is at the start of a line, always. */
		if (lf == 0 || (lf == 1 && window.ptr[at] == '\r'))
			return at + lf + 1;
		at += lf + 1;
	}
	intake->seen = at;
	return BYTES_NONE;
}

static struct bytes without_cr(struct bytes line)
{
	return line.len > 0 && line.ptr[line.len - 1] == '\r' ? bytes_sub(line, 0, line.len - 1) : line;
}

static enum err next_head(struct spamd *spamd, struct spamd_event *event)
{
	struct intake *intake = &spamd->intake;
	struct spamd_request *request = &event->request;
	size_t len = find_head(intake, spamd->limits.head_max);
	if (len == BYTES_NONE) {
		if (intake->in.len > 0 && !ascii_is_upper(intake->in.ptr[0]))
			return ERR_SYNTAX; /* another protocol */
		if (intake->in.len >= spamd->limits.head_max)
			return ERR_LIMIT;
		return spamd->eof ? ERR_SHORT : intake_keep(intake);
	}
	struct bytes head = intake_take(intake, len), line;
	(void)bytes_split(&head, '\n', &line);
	if (!parse_request_line(without_cr(line), request))
		return ERR_SYNTAX;
	while (bytes_split(&head, '\n', &line)) {
		line = without_cr(line);
		if (line.len > 0)
			TRY(parse_header(spamd, line, request));
	}
	event->kind = SPAMD_HEAD;
	spamd->has_length = request->has_length;
	spamd->left = request->has_length ? request->length : spamd->limits.body_max;
	spamd->state = request->command == SPAMD_PING || request->command == SPAMD_SKIP ? SPAMD_AT_END : SPAMD_IN_BODY;
	return ERR_OK;
}

static enum err next_body(struct spamd *spamd, struct spamd_event *event)
{
	struct intake *intake = &spamd->intake;
	event->kind = SPAMD_BODY;
	event->data = intake_take(intake, (size_t)MIN(spamd->left, (uint64_t)intake->in.len));
	spamd->left -= event->data.len;
	if (event->data.len > 0)
		return ERR_OK;
	if (spamd->has_length ? spamd->left > 0 : !spamd->eof)
		return intake->in.len > 0 ? ERR_LIMIT : spamd->eof ? ERR_SHORT : intake_keep(intake);
	if (!spamd->has_length && intake->in.len > 0)
		return ERR_LIMIT;
	event->kind = SPAMD_END;
	spamd->state = SPAMD_OVER;
	return ERR_OK;
}

enum err spamd_next(struct spamd *spamd, struct spamd_event *ret_event)
{
	enum err err = spamd->intake.err;
	*ret_event = (struct spamd_event){0};
	if (err != ERR_OK)
		return err;
	switch (spamd->state) {
	case SPAMD_IN_HEAD:
		err = next_head(spamd, ret_event);
		break;
	case SPAMD_IN_BODY:
		err = next_body(spamd, ret_event);
		break;
	case SPAMD_AT_END:
		ret_event->kind = SPAMD_END;
		spamd->state = SPAMD_OVER;
		break;
	case SPAMD_OVER:
		(void)intake_take(&spamd->intake, SIZE_MAX);
		err = intake_keep(&spamd->intake);
		break;
	}
	return err == ERR_OK || err == ERR_AGAIN ? err : intake_fail(&spamd->intake, err);
}

/* -- Answers ---- */

/* Thousandths with one decimal, cut towards zero. */
static void add_tenths(struct buf *out, int milli)
{
	unsigned size = milli < 0 ? 0u - (unsigned)milli : (unsigned)milli;
	buf_printf(out, "%s%u.%u", milli < 0 ? "-" : "", size / 1000, size % 1000 / 100);
}

void spamd_add_head(struct buf *out, const struct spamd_request *request, const struct spamd_result *result,
		    uint64_t body_len)
{
	buf_add_cstr(out, "SPAMD/1.1 0 EX_OK\r\n");
	if (body_len > 0 || request->minor >= 3)
		buf_printf(out, "Content-length: %llu\r\n", (unsigned long long)body_len);
	buf_printf(out, "Spam: %s ; ", result->spam ? "True" : "False");
	add_tenths(out, result->score);
	buf_add_cstr(out, " / ");
	add_tenths(out, result->threshold);
	buf_add_cstr(out, "\r\n\r\n");
}

void spamd_add_pong(struct buf *out)
{
	buf_add_cstr(out, "SPAMD/1.5 0 PONG\r\n");
}

void spamd_add_error(struct buf *out, enum spamd_code code, struct bytes text)
{
	text = bytes_sub(text, 0, 400);
	buf_printf(out, "SPAMD/1.0 %d ", (int)code);
	for (size_t i = 0; i < text.len; i++)
		buf_add_byte(out, ascii_is_print(text.ptr[i]) ? text.ptr[i] : '?');
	buf_add_cstr(out, "\r\n");
}

void spamd_add_told_nothing(struct buf *out)
{
	spamd_add_error(out, SPAMD_UNAVAILABLE, BYTES_LIT("Service Unavailable: nothing is learned from what is told"));
}

int spamd_score(int log_odds, int spam_at)
{
	int64_t score = spam_at > 0 ? (int64_t)log_odds * 5000 / spam_at : (int64_t)log_odds - spam_at + 5000;
	return (int)MAX((int64_t)-100000, MIN(score, (int64_t)100000));
}
