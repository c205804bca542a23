/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http.h"

#include "base/ascii.h"
#include "base/json.h"
#include "base/num.h"

#include "base/banned.h"

#define CHUNK_LINE_MAX ((size_t)1024) /* of a chunk's size with its extensions, which are ignored */
#define TRAILER_MAX    ((size_t)8 << 10)

void http_init(struct http *http, const struct http_limits *limits)
{
	*http = (struct http){.limits = *limits};
	intake_init(&http->intake, limits->kept_max);
}

void http_done(struct http *http)
{
	intake_done(&http->intake);
}

void http_feed(struct http *http, struct bytes data)
{
	intake_feed(&http->intake, data);
}

void http_hold(struct http *http)
{
	intake_keep(&http->intake); /* an error sticks, and http_next() tells */
}

unsigned http_status(const struct http *http)
{
	return http->status ? http->status : 503;
}

static enum err refuse(struct http *http, enum err err, unsigned status)
{
	http->status = status;
	return intake_fail(&http->intake, err);
}

/* -- Head ---- */

static bool token_byte(uint8_t c)
{
	return ascii_is_alnum(c) || (c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c));
}

static bool is_token(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!token_byte(text.ptr[i]))
			return false;
	return text.len > 0;
}

/* Blanks and visible characters; bytes over 0x7f may be anything. */
static bool is_field_text(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_cntrl(text.ptr[i]) && text.ptr[i] != '\t')
			return false;
	return true;
}

static enum http_method method_of(struct bytes text)
{
	static const struct bytes names[] = {
		[HTTP_GET] = BYTES_INIT("GET"),       [HTTP_HEAD_METHOD] = BYTES_INIT("HEAD"),
		[HTTP_POST] = BYTES_INIT("POST"),     [HTTP_PUT] = BYTES_INIT("PUT"),
		[HTTP_DELETE] = BYTES_INIT("DELETE"), [HTTP_OPTIONS] = BYTES_INIT("OPTIONS")};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bytes_eq(text, names[i]))
			return (enum http_method)i;
	return HTTP_OTHER;
}

/* Origin form, or absolute form of which the authority is dropped; "*" is a path of its own. */
static bool parse_target(struct bytes target, struct http_request *request)
{
	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f)
			return false;
	if (bytes_starts_nocase(target, BYTES_LIT("http://"))) {
		target = bytes_from(target, 7);
		size_t slash = bytes_find_byte(target, '/');
		target = slash == BYTES_NONE ? BYTES_LIT("/") : bytes_from(target, slash);
	}
	if (target.len == 0 || (target.ptr[0] != '/' && !bytes_eq(target, BYTES_LIT("*"))))
		return false;
	size_t mark = bytes_find_byte(target, '?');
	request->path = bytes_sub(target, 0, mark);
	request->query = mark == BYTES_NONE ? (struct bytes){0} : bytes_from(target, mark + 1);
	return !bytes_has(target, '#');
}

/* "METHOD target HTTP/1.x", or "COMMAND RSPAMC/1.x". 0, or the status to refuse it with. */
static unsigned parse_request_line(struct bytes line, struct http_request *request)
{
	size_t first = bytes_find_byte(line, ' ');
	size_t last = bytes_rfind_byte(line, ' ');
	if (first == BYTES_NONE || !is_token(bytes_sub(line, 0, first)))
		return 400;
	struct bytes version = bytes_from(line, last + 1);
	request->method_text = bytes_sub(line, 0, first);
	request->method = method_of(request->method_text);
	if (first == last && version.len == 10 && bytes_eq(bytes_sub(version, 0, 9), BYTES_LIT("RSPAMC/1."))) {
		request->rspamc = true;
		request->path = request->method_text;
		return 0;
	}
	if (version.len != 8 || !bytes_eq(bytes_sub(version, 0, 5), BYTES_LIT("HTTP/")))
		return 400;
	if (!bytes_eq(bytes_sub(version, 5, 2), BYTES_LIT("1.")) || !ascii_is_digit(version.ptr[7]))
		return 505;
	request->minor = version.ptr[7] == '0' ? 0 : 1;
	return first < last && parse_target(bytes_sub(line, first + 1, last - first - 1), request) ? 0 : 400;
}

static unsigned parse_header(struct http *http, struct bytes line, struct http_request *request)
{
	size_t colon = bytes_find_byte(line, ':');
	if (colon == BYTES_NONE || !is_token(bytes_sub(line, 0, colon)) || !is_field_text(bytes_from(line, colon + 1)))
		return 400; /* among them: folded lines and blanks before the colon */
	if (request->n_headers == HTTP_HEADERS_MAX)
		return 431;
	http->headers[request->n_headers++] =
		(struct http_header){bytes_sub(line, 0, colon), bytes_trim(bytes_from(line, colon + 1))};
	return 0;
}

/* Counts the fields of a name; *ret_value is the last. */
static size_t count_header(const struct http_request *request, struct bytes name, struct bytes *ret_value)
{
	size_t n = 0;
	for (size_t i = 0; i < request->n_headers; i++) {
		if (bytes_eq_nocase(request->headers[i].name, name)) {
			*ret_value = request->headers[i].value;
			n++;
		}
	}
	return n;
}

/* Whether a list of tokens, in all fields of that name, has one. */
static bool list_has(const struct http_request *request, struct bytes name, struct bytes token)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		struct bytes list = request->headers[i].value, item;
		if (!bytes_eq_nocase(request->headers[i].name, name))
			continue;
		while (bytes_split(&list, ',', &item))
			if (bytes_eq_nocase(bytes_trim(item), token))
				return true;
	}
	return false;
}

/* What the header says of the body and the connection. */
static unsigned interpret(struct http *http, struct http_request *request)
{
	struct bytes value = {0};
	if (count_header(request, BYTES_LIT("Host"), &value) > 1)
		return 400;
	size_t lengths = count_header(request, BYTES_LIT("Content-Length"), &value);
	if (lengths > 1)
		return 400;
	if (lengths == 1) {
		enum err err = num_parse(value, 10, http->limits.body_max, &request->length);
		if (err != ERR_OK)
			return err == ERR_LIMIT ? 413 : 400;
		request->has_length = true;
	}
	size_t codings = count_header(request, BYTES_LIT("Transfer-Encoding"), &value);
	if (codings > 1 || (codings == 1 && (lengths > 0 || request->minor == 0)))
		return 400;
	if (codings == 1 && !bytes_eq_nocase(value, BYTES_LIT("chunked")))
		return 501;
	request->chunked = codings == 1;
	size_t expectations = count_header(request, BYTES_LIT("Expect"), &value);
	if (expectations > 0 && request->minor > 0) {
		if (expectations > 1 || !bytes_eq_nocase(value, BYTES_LIT("100-continue")))
			return 417;
		request->expects_continue = request->chunked || request->length > 0;
	}
	request->keep_alive = request->minor > 0 ? !list_has(request, BYTES_LIT("Connection"), BYTES_LIT("close"))
						 : list_has(request, BYTES_LIT("Connection"), BYTES_LIT("keep-alive"));
	request->keep_alive &= !request->rspamc;
	return 0;
}

/* Where the head ends, its empty line included; BYTES_NONE: not yet. Empty lines before it are taken (RFC 9112, 2.2).
 */
static size_t find_head(struct intake *intake, size_t max)
{
	static const struct bytes end = BYTES_INIT("\r\n\r\n");
	while (intake->in.len >= 2 && intake->in.ptr[0] == '\r' && intake->in.ptr[1] == '\n')
		(void)intake_take(intake, 2);
	size_t window = MIN(intake->in.len, max);
	size_t seen = MIN(intake->seen, window);
	size_t at = bytes_find(bytes_sub(intake->in, seen, window - seen), end);
	if (at != BYTES_NONE)
		return seen + at + end.len;
	intake->seen = window > end.len ? window - end.len : 0;
	return BYTES_NONE;
}

static enum err next_head(struct http *http, struct http_event *event)
{
	struct intake *intake = &http->intake;
	struct http_request *request = &event->request;
	size_t len = find_head(intake, http->limits.head_max);
	if (len == BYTES_NONE) {
		/* What is not HTTP, TLS say, or typed by hand with bare LFs, is told at once. */
		size_t lf = bytes_find_byte(intake->in, '\n');
		if ((intake->in.len > 0 && intake->in.ptr[0] != '\r' && !token_byte(intake->in.ptr[0])) || lf == 0 ||
		    (lf != BYTES_NONE && intake->in.ptr[lf - 1] != '\r'))
			return refuse(http, ERR_SYNTAX, 400);
		if (intake->in.len >= http->limits.head_max)
			return refuse(http, ERR_LIMIT, 431);
		return intake_keep(intake);
	}
	struct bytes head = bytes_sub(intake_take(intake, len), 0, len - 2);
	unsigned status = 0;
	request->headers = http->headers;
	for (bool first = true; head.len > 0 && status == 0; first = false) {
		size_t lf = bytes_find_byte(head, '\n');
		struct bytes line = bytes_sub(head, 0, lf);
		head = bytes_from(head, line.len + 1);
		if (line.len == 0 || line.ptr[line.len - 1] != '\r')
			status = 400;
		line = bytes_sub(line, 0, line.len - MIN(line.len, (size_t)1));
		if (status == 0)
			status = first ? parse_request_line(line, request) : parse_header(http, line, request);
	}
	if (status == 0)
		status = interpret(http, request);
	if (status != 0)
		return refuse(http,
			      status == 400                    ? ERR_SYNTAX
			      : status == 413 || status == 431 ? ERR_LIMIT
							       : ERR_UNSUPPORTED,
			      status);
	event->kind = HTTP_HEAD;
	http->left = request->length;
	http->total = 0;
	http->state = request->chunked ? HTTP_IN_SIZE : request->length > 0 ? HTTP_IN_BODY : HTTP_AT_END;
	return ERR_OK;
}

/* -- Body ---- */

/* A line of the chunked coding without its CRLF. */
static enum err take_line(struct http *http, size_t max, struct bytes *ret_line)
{
	enum err err = intake_line(&http->intake, max, ret_line);
	if (err == ERR_AGAIN)
		return err;
	if (err != ERR_OK)
		return refuse(http, err, 400);
	struct bytes line = *ret_line;
	*ret_line = bytes_sub(line, 0, line.len - MIN(line.len, (size_t)2));
	if (line.len < 2 || line.ptr[line.len - 2] != '\r' || !is_field_text(*ret_line))
		return refuse(http, ERR_SYNTAX, 400);
	return ERR_OK;
}

static enum err next_chunk(struct http *http)
{
	struct bytes line;
	TRY(take_line(http, CHUNK_LINE_MAX, &line));
	struct bytes size = bytes_sub(line, 0, bytes_find_byte(line, ';'));
	enum err err = num_parse(bytes_trim(size), 16, http->limits.body_max - http->total, &http->left);
	if (err != ERR_OK)
		return refuse(http, err, err == ERR_LIMIT ? 413 : 400);
	http->total += http->left;
	http->trailer = 0;
	http->state = http->left > 0 ? HTTP_IN_CHUNK : HTTP_IN_TRAILER;
	return ERR_OK;
}

static enum err next_trailer(struct http *http)
{
	struct bytes line;
	TRY(take_line(http, TRAILER_MAX - http->trailer, &line));
	http->trailer += line.len + 2;
	if (line.len == 0)
		http->state = HTTP_AT_END;
	else if (http->trailer >= TRAILER_MAX)
		return refuse(http, ERR_LIMIT, 431);
	return ERR_OK;
}

/* One step of the state machine: ERR_OK with *ret_done where there is an event. */
static enum err step(struct http *http, struct http_event *event, bool *ret_done)
{
	struct intake *intake = &http->intake;
	struct bytes line;
	*ret_done = true;
	switch (http->state) {
	case HTTP_IN_HEAD:
		return next_head(http, event);
	case HTTP_IN_BODY:
	case HTTP_IN_CHUNK:
		if (intake->in.len == 0)
			return intake_keep(intake);
		event->kind = HTTP_BODY;
		event->data = intake_take(intake, (size_t)MIN(http->left, (uint64_t)intake->in.len));
		http->left -= event->data.len;
		if (http->left == 0)
			http->state = http->state == HTTP_IN_BODY ? HTTP_AT_END : HTTP_IN_CHUNK_END;
		return ERR_OK;
	case HTTP_IN_CHUNK_END:
		TRY(take_line(http, 2, &line));
		http->state = HTTP_IN_SIZE;
		break;
	case HTTP_IN_SIZE:
		TRY(next_chunk(http));
		break;
	case HTTP_IN_TRAILER:
		TRY(next_trailer(http));
		break;
	case HTTP_AT_END:
		event->kind = HTTP_END;
		http->state = HTTP_IN_HEAD;
		return ERR_OK;
	}
	*ret_done = false;
	return ERR_OK;
}

enum err http_next(struct http *http, struct http_event *ret_event)
{
	enum err err = http->intake.err;
	bool done = false;
	*ret_event = (struct http_event){0};
	while (err == ERR_OK && !done)
		err = step(http, ret_event, &done);
	return err == ERR_OK || err == ERR_AGAIN ? err : intake_fail(&http->intake, err);
}

/* -- Texts ---- */

bool http_header_get(const struct http_request *request, struct bytes name, struct bytes *ret_value)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (bytes_eq_nocase(request->headers[i].name, name)) {
			*ret_value = request->headers[i].value;
			return true;
		}
	}
	return false;
}

enum err http_percent_decode(struct buf *out, struct bytes text, bool plus)
{
	size_t before = out->len;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '%') {
			int high = i + 2 < text.len ? ascii_hex(text.ptr[i + 1]) : -1;
			int low = i + 2 < text.len ? ascii_hex(text.ptr[i + 2]) : -1;
			if (high < 0 || low < 0) {
				out->len = MIN(before, out->len);
				return ERR_SYNTAX;
			}
			c = (uint8_t)(high * 16 + low);
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		buf_add_byte(out, c);
	}
	return buf_err(out);
}

bool http_query_next(struct bytes *query, struct bytes *ret_key, struct bytes *ret_value)
{
	struct bytes pair;
	while (bytes_split(query, '&', &pair)) {
		size_t equals = bytes_find_byte(pair, '=');
		*ret_key = bytes_sub(pair, 0, equals);
		*ret_value = equals == BYTES_NONE ? (struct bytes){0} : bytes_from(pair, equals + 1);
		if (pair.len > 0)
			return true;
	}
	return false;
}

const char *http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{204, "No Content"},
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

void http_continue(struct buf *out)
{
	buf_add_cstr(out, "HTTP/1.1 100 Continue\r\n\r\n");
}

void http_response_head(struct buf *out, const struct http_request *request, const struct http_response *response)
{
	bool close = response->close || !request || !request->keep_alive;
	/* As is customary, 1.1 is said to clients of 1.0 too. */
	struct bytes reason = response->reason.len > 0 ? bytes_sub(response->reason, 0, 200)
						       : bytes_from_cstr(http_reason(response->status));
	buf_printf(out, "HTTP/1.1 %u ", response->status);
	for (size_t i = 0; i < reason.len; i++)
		buf_add_byte(out, ascii_is_print(reason.ptr[i]) ? reason.ptr[i] : '?');
	buf_printf(out, "\r\nConnection: %s\r\n", close ? "close" : "keep-alive");
	if (response->type)
		buf_printf(out, "Content-Type: %s\r\n", response->type);
	if (response->status != 204)
		buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)response->length);
	for (size_t i = 0; i < response->n_headers; i++) {
		struct bytes value = response->headers[i].value;
		buf_add(out, response->headers[i].name);
		buf_add_cstr(out, ": ");
		for (size_t k = 0; k < value.len; k++)
			buf_add_byte(out, ascii_is_cntrl(value.ptr[k]) ? ' ' : value.ptr[k]);
		buf_add_cstr(out, "\r\n");
	}
	buf_add_cstr(out, "\r\n");
}

void http_respond(struct buf *out, const struct http_request *request, const struct http_response *response,
		  struct bytes body)
{
	struct http_response full = *response;
	full.length = body.len;
	http_response_head(out, request, &full);
	if (http_has_body(request) && full.status != 204)
		buf_add(out, body);
}

void http_respond_error(struct buf *out, const struct http_request *request, unsigned status, struct bytes text)
{
	CLEANUP(buf_done) struct buf body = BUF_INIT(8192);
	struct json json;
	jsonw_init(&json, &body);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "error", bytes_sub(text, 0, 1000));
	jsonw_end(&json);
	http_respond(
		out, request,
		&(struct http_response){.status = status, .reason = text, .type = "application/json", .close = true},
		buf_bytes(&body));
}
