/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/http.h: the server's side of HTTP/1.0 and 1.1 (RFC 9112), as much as a small service needs, read strictly. Sans
 * I/O: bytes in, events out; bodies are handed on as they come, not collected.
 *
 *     http_feed(&http, data);  while ((err = http_next(&http, &event)) == ERR_OK) ...;  ERR_AGAIN: more bytes needed
 *
 * States: HEAD (a head is collected) -> HTTP_HEAD event -> BODY or, chunked, SIZE <-> CHUNK and TRAILER -> HTTP_END
 * event
 * -> HEAD. Requests may be pipelined; http_hold() while one is being answered. Refused, for all proxies in front must
 * read the same as we do: a bare CR or LF, white space before a colon, folded fields, Content-Length together with
 * Transfer-Encoding, two of either, two Host fields, control characters. Host itself is not asked for, as many clients
 * of the scan protocols leave it out.
 *
 * Errors stick; http_status() then says what to answer before closing.
 * Bounds: struct http_limits. Spans live until the next feed.
 */
#include "proto/intake.h"

#define HTTP_HEADERS_MAX 100

struct http_limits {
	size_t head_max;   /* request line and header together */
	uint64_t body_max; /* decoded */
	size_t kept_max;   /* fed while the caller does not ask; at least head_max */
};
#define HTTP_LIMITS_DEFAULT                                                                                            \
	{                                                                                                              \
		.head_max = (size_t)64 << 10, .body_max = (uint64_t)100 << 20, .kept_max = (size_t)512 << 10           \
	}

enum http_method { HTTP_GET, HTTP_HEAD_METHOD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };

struct http_header {
	struct bytes name, value; /* the value without blanks around it */
};

struct http_request {
	enum http_method method;
	struct bytes method_text;
	struct bytes path, query; /* as sent; http_percent_decode() */
	bool rspamc;              /* rspamd's older protocol, "CHECK RSPAMC/1.3": `path` is the command */
	unsigned minor;           /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;          /* the connection may go on after the answer */
	bool expects_continue;    /* answer http_continue() before the body comes, or refuse */
	bool has_length, chunked;
	uint64_t length; /* of the body, where has_length */
	const struct http_header *headers;
	size_t n_headers;
};

enum http_event_kind {
	HTTP_HEAD, /* `request` */
	HTTP_BODY, /* `data`, not empty */
	HTTP_END   /* of the request */
};

struct http_event {
	enum http_event_kind kind;
	struct http_request request;
	struct bytes data;
};

struct http {
	struct http_limits limits;
	struct intake intake;
	unsigned status;
	enum {
		HTTP_IN_HEAD,
		HTTP_IN_BODY,
		HTTP_IN_SIZE,
		HTTP_IN_CHUNK,
		HTTP_IN_CHUNK_END,
		HTTP_IN_TRAILER,
		HTTP_AT_END
	} state;
	uint64_t left;  /* of the body or of the chunk */
	uint64_t total; /* of a chunked body so far */
	size_t trailer; /* bytes of it so far */
	struct http_header headers[HTTP_HEADERS_MAX];
};

void http_init(struct http *http, const struct http_limits *limits);
void http_done(struct http *http);
/* `data` must stay until http_next() said ERR_AGAIN, or until http_hold(). */
void http_feed(struct http *http, struct bytes data);
/* ERR_OK and an event; ERR_AGAIN; ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED, ERR_NOMEM, which stick. */
NODISCARD enum err http_next(struct http *http, struct http_event *ret_event);
/* Stops asking before ERR_AGAIN: what is left is kept. Events so far stay valid. */
void http_hold(struct http *http);
/* After an error: 400, 413, 417, 431, 501, 503 or 505. */
unsigned http_status(const struct http *http);

/* Bytes that came and are not read yet: a request in progress. */
static inline size_t http_pending(const struct http *http)
{
	return intake_pending(&http->intake);
}

/* The value of the first field of that name, in any case; false when there is none. */
bool http_header_get(const struct http_request *request, struct bytes name, struct bytes *ret_value);
/* Adds `text` with each %XX decoded, and in queries (`plus`) each + as a space. ERR_SYNTAX: malformed; nothing is
 * added. */
NODISCARD enum err http_percent_decode(struct buf *out, struct bytes text, bool plus);
/* Takes the next key=value off the front of a query; both still encoded; false at the end. */
bool http_query_next(struct bytes *query, struct bytes *ret_key, struct bytes *ret_value);

struct http_response {
	unsigned status;
	struct bytes reason;               /* in place of the usual words; made safe */
	const char *type;                  /* of the body; NULL: none */
	const struct http_header *headers; /* more of them; controls in values become blanks */
	size_t n_headers;
	uint64_t length; /* of the body */
	bool close;      /* even where the request would keep the connection */
};

/* False for HEAD. */
static inline bool http_has_body(const struct http_request *request)
{
	return !request || request->method != HTTP_HEAD_METHOD;
}

/* Adds the head of a response; the body (none for HEAD: http_has_body) is written by the caller. `request` may be NULL.
 */
void http_response_head(struct buf *out, const struct http_request *request, const struct http_response *response);
/* Adds a whole response. */
void http_respond(struct buf *out, const struct http_request *request, const struct http_response *response,
		  struct bytes body);
/*
 * A response with {"error": text} as its body, for http_status() and for the caller's refusals; closes. The text is the
 * reason phrase as well, which is all that rspamc shows.
 */
void http_respond_error(struct buf *out, const struct http_request *request, unsigned status, struct bytes text);
void http_continue(struct buf *out);
/* "Not Found"; never NULL. */
const char *http_reason(unsigned status);
