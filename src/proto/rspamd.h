/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/rspamd.h: rspamd's HTTP protocol, on top of proto/http.h: which command a path is, what the request says about
 * the message, and the answers as rspamc (3.4 to 3.12) and mail servers with an rspamd client read them.
 *
 * Owns:   the request is copied into the caller's arena. Answers go into a buf, which bounds them.
 * Fails:  ERR_NOMEM; what a client sends wrongly (an address that is none) is kept as text, not refused.
 */
#include "proto/http.h"

struct arena;

enum rspamd_command {
	RSPAMD_CHECK,   /* /checkv2 */
	RSPAMD_SYMBOLS, /* /symbols, /check, /report: the first protocol's answer */
	RSPAMD_PING,    /* answered "pong" */
	RSPAMD_STAT,
	RSPAMD_LEARN, /* /learnspam, /learnham, /fuzzyadd, /fuzzydel: refused with a reason */
	RSPAMD_OTHER  /* none of the protocol's; /metrics and the like are the caller's */
};

enum rspamd_command rspamd_command_of(struct bytes path);

#define RSPAMD_RECIPIENTS_MAX 10000
#define RSPAMD_SYMBOLS_MAX    256 /* in an answer */

enum rspamd_coding {
	RSPAMD_PLAIN,
	RSPAMD_ZSTD,
	RSPAMD_UNKNOWN /* another coding, or more than one: to be answered 415 */
};

struct rspamd_request {
	struct bytes from; /* without <> */
	bool has_from;
	struct bytes *recipients; /* without <> */
	size_t n_recipients;
	struct bytes ip, helo, hostname, user, queue_id, deliver_to, subject, mta_tag, mta_name, tls_cipher,
		tls_version;
	struct bytes settings, settings_id, url_format, filename, message_id;
	bool pass_all; /* "Pass: all" or the flag */
	bool milter;   /* flag: the answer is for a milter proxy */
	bool body_block;
	enum rspamd_coding
		coding; /* of the message: what "Compression" and Content-Encoding say, which both may come */
};

NODISCARD enum err rspamd_request_parse(struct arena *arena, const struct http_request *http,
					struct rspamd_request *ret_request);

struct rspamd_symbol {
	struct bytes name, description;
	int score; /* thousandths */
	const struct bytes *options;
	size_t n_options;
};

struct rspamd_field {
	struct bytes name; /* of a header field; two with the same name are not for one answer */
	struct bytes value;
};

struct rspamd_result {
	const char *action;        /* "no action", "add header", "reject"... (FORMATS, section 9) */
	int score, required_score; /* thousandths, on rspamd's scale */
	const struct rspamd_symbol *symbols;
	size_t n_symbols; /* symbols of the same name become one: scores are added, options joined */
	struct bytes message_id, queue_id;
	struct bytes smtp_message; /* what the client shall be told when it is refused; empty: none */
	struct bytes subject;      /* with "rewrite subject" */
	const struct bytes *urls, *emails;
	size_t n_urls, n_emails;
	/* Before any is added, all fields of these names go. */
	const char *const *remove_headers;
	size_t n_remove_headers;
	/* Each goes on top of those before it: the lowest is the first. */
	const struct rspamd_field *add_headers;
	size_t n_add_headers;
	const struct bytes *signatures; /* values of DKIM-Signature fields to be added, the uppermost first */
	size_t n_signatures;
	uint64_t usec;
};

/* The JSON of /checkv2. */
void rspamd_add_check(struct buf *out, const struct rspamd_result *result);
/* The JSON of /symbols: score, action and symbols are below "default". */
void rspamd_add_symbols(struct buf *out, const struct rspamd_result *result);
/* The answer, without a HTTP head, to a request of the older protocol (http_request.rspamc), as Exim reads it. */
void rspamd_add_rspamc(struct buf *out, const struct rspamd_result *result);
/* A whole answer to a learning command: it was not learned, and why; rspamc shows the reason. */
void rspamd_respond_learn(struct buf *out, const struct http_request *http, struct bytes why);
/* A whole answer to /ping. */
void rspamd_respond_ping(struct buf *out, const struct http_request *http);

struct rspamd_stat {
	struct bytes version;
	uint64_t uptime_s, scanned, clean, tagged, quarantined, rejected, deferred, connections;
};
void rspamd_add_stat(struct buf *out, const struct rspamd_stat *stat);

/*
 * Log-odds (thousandths of a nat) on rspamd's customary scale, in thousandths, monotone: 0 is 0, `tag_at` is 6 (add
 * header), `act_at` is 15 (reject), on straight lines between and beyond; at most +-100.
 */
int rspamd_score(int log_odds, int tag_at, int act_at);
