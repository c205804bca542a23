/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/rspamd.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/json.h"
#include "base/num.h"

#include "base/banned.h"

static const struct {
	struct bytes path;
	enum rspamd_command command;
} commands[] = {
	{BYTES_INIT("/checkv2"), RSPAMD_CHECK},   {BYTES_INIT("/symbols"), RSPAMD_SYMBOLS},
	{BYTES_INIT("/check"), RSPAMD_SYMBOLS},   {BYTES_INIT("/report"), RSPAMD_SYMBOLS},
	{BYTES_INIT("CHECK"), RSPAMD_SYMBOLS},    {BYTES_INIT("SYMBOLS"), RSPAMD_SYMBOLS},
	{BYTES_INIT("REPORT"), RSPAMD_SYMBOLS},   {BYTES_INIT("/ping"), RSPAMD_PING},
	{BYTES_INIT("PING"), RSPAMD_PING},        {BYTES_INIT("/stat"), RSPAMD_STAT},
	{BYTES_INIT("/learnspam"), RSPAMD_LEARN}, {BYTES_INIT("/learnham"), RSPAMD_LEARN},
	{BYTES_INIT("/fuzzyadd"), RSPAMD_LEARN},  {BYTES_INIT("/fuzzydel"), RSPAMD_LEARN},
};

enum rspamd_command rspamd_command_of(struct bytes path)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (bytes_eq(path, commands[i].path))
			return commands[i].command;
	return RSPAMD_OTHER;
}

/* -- Request ---- */

static struct bytes without_brackets(struct bytes text)
{
	if (text.len >= 2 && text.ptr[0] == '<' && text.ptr[text.len - 1] == '>')
		return bytes_sub(text, 1, text.len - 2);
	return text;
}

static bool is(struct bytes name, const char *other)
{
	return bytes_eq_nocase(name, bytes_from_cstr(other));
}

/* Where a field of one text goes; NULL: no such field. */
static struct bytes *text_field(struct rspamd_request *request, struct bytes name)
{
	const struct {
		const char *name;
		struct bytes *to;
	} fields[] = {
		{"IP", &request->ip},
		{"Helo", &request->helo},
		{"Hostname", &request->hostname},
		{"User", &request->user},
		{"Queue-Id", &request->queue_id},
		{"Deliver-To", &request->deliver_to},
		{"Subject", &request->subject},
		{"MTA-Tag", &request->mta_tag},
		{"MTA-Name", &request->mta_name},
		{"TLS-Cipher", &request->tls_cipher},
		{"TLS-Version", &request->tls_version},
		{"Settings", &request->settings},
		{"Settings-ID", &request->settings_id},
		{"URL-Format", &request->url_format},
		{"Filename", &request->filename},
		{"Message-ID", &request->message_id},
	};
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (is(name, fields[i].name))
			return fields[i].to;
	return NULL;
}

static void parse_flags(struct rspamd_request *request, struct bytes list)
{
	struct bytes flag;
	while (bytes_split(&list, ',', &flag)) {
		flag = bytes_trim(flag);
		request->pass_all |= is(flag, "pass_all");
		request->milter |= is(flag, "milter");
		request->body_block |= is(flag, "body_block");
	}
}

static enum err add_recipient(struct arena *arena, struct rspamd_request *request, size_t *capacity, struct bytes value)
{
	if (request->n_recipients == RSPAMD_RECIPIENTS_MAX)
		return ERR_LIMIT;
	if (request->n_recipients == *capacity) {
		struct bytes *grown = arena_grow(arena, request->recipients, capacity, request->n_recipients,
						 sizeof(*request->recipients));
		if (!grown)
			return ERR_NOMEM;
		request->recipients = grown;
	}
	struct bytes kept = arena_copy(arena, without_brackets(value));
	if (!kept.ptr)
		return ERR_NOMEM;
	request->recipients[request->n_recipients++] = kept;
	return ERR_OK;
}

/*
 * rspamc 3.12 names its one coding in both fields, older clients in "Compression" alone. Twice in Content-Encoding is
 * two codings, one over the other (RFC 9110, 8.4).
 */
static void add_coding(struct rspamd_request *request, bool is_encoding, bool *encoded, struct bytes value)
{
	if (value.len == 0 || is(value, "identity"))
		return;
	if (!is(value, "zstd") || (is_encoding && *encoded))
		request->coding = RSPAMD_UNKNOWN;
	else if (request->coding == RSPAMD_PLAIN)
		request->coding = RSPAMD_ZSTD;
	*encoded |= is_encoding;
}

enum err rspamd_request_parse(struct arena *arena, const struct http_request *http, struct rspamd_request *ret_request)
{
	struct rspamd_request request = {0};
	size_t capacity = 0;
	bool encoded = false;
	for (size_t i = 0; i < http->n_headers; i++) {
		struct bytes name = http->headers[i].name, value = http->headers[i].value;
		struct bytes *to = text_field(&request, name);
		if (is(name, "From")) {
			to = &request.from;
			value = without_brackets(value);
			request.has_from = true;
		}
		if (to) {
			*to = arena_copy(arena, value);
			if (!to->ptr)
				return ERR_NOMEM;
		} else if (is(name, "Rcpt")) {
			TRY(add_recipient(arena, &request, &capacity, value));
		} else if (is(name, "Pass")) {
			request.pass_all |= is(value, "all");
		} else if (is(name, "Flags")) {
			parse_flags(&request, value);
		} else if (is(name, "Milter")) {
			request.milter |= is(value, "yes");
		} else if (is(name, "Compression") || is(name, "Content-Encoding")) {
			add_coding(&request, is(name, "Content-Encoding"), &encoded, value);
		}
	}
	*ret_request = request;
	return ERR_OK;
}

/* -- Answers ---- */

/* The sum of the scores of all symbols that are called as the i-th is; false when an earlier one is too. */
static bool symbol_sum(const struct rspamd_result *result, size_t i, int *ret_score)
{
	struct bytes name = result->symbols[i].name;
	int64_t sum = 0;
	for (size_t k = 0; k < result->n_symbols; k++) {
		if (!bytes_eq(result->symbols[k].name, name))
			continue;
		if (k < i)
			return false;
		sum += result->symbols[k].score;
	}
	*ret_score = (int)MAX((int64_t)-1000000000, MIN(sum, (int64_t)1000000000));
	return true;
}

static void add_options(struct json *json, const struct rspamd_result *result, size_t first)
{
	jsonw_array(json, "options");
	for (size_t k = first; k < result->n_symbols; k++)
		if (bytes_eq(result->symbols[k].name, result->symbols[first].name))
			for (size_t i = 0; i < result->symbols[k].n_options; i++)
				jsonw_string(json, NULL, result->symbols[k].options[i]);
	jsonw_end(json);
}

static void add_symbol_list(struct json *json, const struct rspamd_result *result)
{
	size_t n = MIN(result->n_symbols, (size_t)RSPAMD_SYMBOLS_MAX);
	struct rspamd_result bounded = *result;
	bounded.n_symbols = n;
	for (size_t i = 0; i < n; i++) {
		const struct rspamd_symbol *symbol = &result->symbols[i];
		int score;
		if (!symbol_sum(&bounded, i, &score))
			continue;
		json_object_at(json, symbol->name);
		jsonw_string(json, "name", symbol->name);
		jsonw_milli(json, "score", score);
		jsonw_milli(json, "metric_score", score);
		if (symbol->description.len > 0)
			jsonw_string(json, "description", symbol->description);
		add_options(json, &bounded, i);
		jsonw_end(json);
	}
}

static void add_judgement(struct json *json, const struct rspamd_result *result)
{
	jsonw_bool(json, "is_skipped", false);
	jsonw_milli(json, "score", result->score);
	jsonw_milli(json, "required_score", result->required_score);
	jsonw_cstr(json, "action", result->action);
	if (strcmp(result->action, "rewrite subject") == 0)
		jsonw_string(json, "subject", result->subject);
}

static void add_strings(struct json *json, const char *key, const struct bytes *strings, size_t n)
{
	if (n == 0)
		return;
	jsonw_array(json, key);
	for (size_t i = 0; i < n; i++)
		jsonw_string(json, NULL, strings[i]);
	jsonw_end(json);
}

/* One is a string, as clients that know no array of them expect it. */
static void add_signatures(struct json *json, const struct rspamd_result *result)
{
	if (result->n_signatures == 1)
		jsonw_string(json, "dkim-signature", result->signatures[0]);
	else
		add_strings(json, "dkim-signature", result->signatures, result->n_signatures);
}

/*
 * What a milter proxy, Haraka or OpenSMTPD is to change in the message. Where one field of a name has to go all of them
 * do ("0"): a place among them is counted by the client, whose reading of a header need not be ours, and clients are in
 * use that know no places.
 */
static void add_milter_block(struct json *json, const struct rspamd_result *result)
{
	if (result->n_add_headers == 0 && result->n_remove_headers == 0)
		return;
	jsonw_object(json, "milter");
	jsonw_object(json, "add_headers");
	for (size_t i = 0; i < result->n_add_headers; i++) {
		json_object_at(json, result->add_headers[i].name);
		jsonw_string(json, "value", result->add_headers[i].value);
		jsonw_int(json, "order", 0);
		jsonw_end(json);
	}
	jsonw_end(json);
	jsonw_object(json, "remove_headers");
	for (size_t i = 0; i < result->n_remove_headers; i++)
		jsonw_int(json, result->remove_headers[i], 0);
	jsonw_end(json);
	jsonw_end(json);
}

static void add_rest(struct json *json, const struct rspamd_result *result)
{
	jsonw_object(json, "messages");
	if (result->smtp_message.len > 0)
		jsonw_string(json, "smtp_message", result->smtp_message);
	jsonw_end(json);
	jsonw_string(json, "message-id", result->message_id.len > 0 ? result->message_id : BYTES_LIT("undef"));
	if (result->queue_id.len > 0)
		jsonw_string(json, "queue-id", result->queue_id);
	jsonw_double(json, "time_real", (double)MIN(result->usec, (uint64_t)1 << 50) / 1e6);
	add_strings(json, "urls", result->urls, result->n_urls);
	add_strings(json, "emails", result->emails, result->n_emails);
	add_signatures(json, result);
	add_milter_block(json, result);
}

void rspamd_add_check(struct buf *out, const struct rspamd_result *result)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	add_judgement(&json, result);
	jsonw_object(&json, "symbols");
	add_symbol_list(&json, result);
	jsonw_end(&json);
	add_rest(&json, result);
	jsonw_end(&json);
}

static bool is_spam(const struct rspamd_result *result)
{
	return strcmp(result->action, "no action") != 0 && strcmp(result->action, "greylist") != 0;
}

void rspamd_add_symbols(struct buf *out, const struct rspamd_result *result)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_object(&json, "default");
	jsonw_bool(&json, "is_spam", is_spam(result));
	add_judgement(&json, result);
	add_symbol_list(&json, result);
	jsonw_end(&json);
	add_rest(&json, result);
	jsonw_end(&json);
}

/* Foreign text inside a line. */
static void add_line(struct buf *out, const char *name, struct bytes text)
{
	if (text.len == 0)
		return;
	buf_add_cstr(out, name);
	for (size_t i = 0; i < text.len; i++)
		buf_add_byte(out, ascii_is_cntrl(text.ptr[i]) ? ' ' : text.ptr[i]);
	buf_add_cstr(out, "\r\n");
}

/* Thousandths with two decimals, cut towards zero. */
static void add_hundredths(struct buf *out, int milli)
{
	unsigned size = milli < 0 ? 0u - (unsigned)milli : (unsigned)milli;
	buf_printf(out, "%s%u.%02u", milli < 0 ? "-" : "", size / 1000, size % 1000 / 10);
}

void rspamd_add_rspamc(struct buf *out, const struct rspamd_result *result)
{
	buf_printf(out, "RSPAMD/1.3 0 EX_OK\r\nMetric: default; %s; ", is_spam(result) ? "True" : "False");
	add_hundredths(out, result->score);
	buf_add_cstr(out, " / ");
	add_hundredths(out, result->required_score);
	buf_printf(out, " / 0.0\r\nAction: %s\r\n", result->action);
	size_t n = MIN(result->n_symbols, (size_t)RSPAMD_SYMBOLS_MAX);
	for (size_t i = 0; i < n; i++) {
		buf_add_cstr(out, "Symbol: ");
		buf_add(out, result->symbols[i].name);
		buf_add_byte(out, '(');
		add_hundredths(out, result->symbols[i].score);
		buf_add_cstr(out, ")\r\n");
	}
	add_line(out, "Message: ", result->smtp_message);
	add_line(out, "Message-ID: ", result->message_id);
	buf_add_cstr(out, "\r\n");
}

void rspamd_respond_learn(struct buf *out, const struct http_request *http, struct bytes why)
{
	http_respond_error(out, http, 501, why);
}

void rspamd_respond_ping(struct buf *out, const struct http_request *http)
{
	http_respond(out, http, &(struct http_response){.status = 200, .type = "text/plain"}, BYTES_LIT("pong\r\n"));
}

void rspamd_add_stat(struct buf *out, const struct rspamd_stat *stat)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "version", stat->version);
	jsonw_uint(&json, "uptime", stat->uptime_s);
	jsonw_bool(&json, "read_only", true);
	jsonw_uint(&json, "scanned", stat->scanned);
	jsonw_uint(&json, "learned", 0);
	jsonw_object(&json, "actions");
	jsonw_uint(&json, "reject", stat->rejected);
	jsonw_uint(&json, "quarantine", stat->quarantined);
	jsonw_uint(&json, "soft reject", stat->deferred);
	jsonw_uint(&json, "add header", stat->tagged);
	jsonw_uint(&json, "no action", stat->clean);
	jsonw_end(&json);
	jsonw_uint(&json, "spam_count", stat->rejected + stat->quarantined + stat->tagged);
	jsonw_uint(&json, "ham_count", stat->clean);
	jsonw_uint(&json, "connections", stat->connections);
	jsonw_uint(&json, "control_connections", 0);
	jsonw_uint(&json, "total_learns", 0);
	jsonw_array(&json, "statfiles");
	jsonw_end(&json);
	jsonw_end(&json);
}

int rspamd_score(int log_odds, int tag_at, int act_at)
{
	int64_t score = (int64_t)log_odds - tag_at;
	int64_t span = MAX((int64_t)act_at - tag_at, (int64_t)1);
	/* Above the first mark the line leads to the second; below it, through no evidence (0 at 0) where that is
	 * below. */
	if (score >= 0)
		score = 6000 + score * 9000 / span;
	else if (tag_at > 0)
		score = 6000 + score * 6000 / tag_at;
	else
		score = 6000 + score * 9000 / span;
	return (int)MAX((int64_t)-100000, MIN(score, (int64_t)100000));
}
