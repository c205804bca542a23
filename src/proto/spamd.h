/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/spamd.h: the server's side of SpamAssassin's spamd protocol, versions 1.0 to 1.5, as spamc 4.0 speaks it. Sans
 * I/O: bytes in, events out. One request a connection.
 *
 *     spamd_feed(&spamd, data);  while ((err = spamd_next(&spamd, &event)) == ERR_OK) ...;  ERR_AGAIN: more bytes
 * needed
 *
 * States: HEAD -> SPAMD_HEAD event -> BODY (SPAMD_BODY events) -> SPAMD_END event -> OVER, where bytes are ignored.
 * Without Content-length the body goes on until spamd_eof(). PING and SKIP have no body. A head that is wrong or over
 * the limit, a body that ends early and one over the limit are errors, which stick: spamd_add_error() and close.
 * Bounds: struct spamd_limits. Spans live until the next feed.
 */
#include "proto/intake.h"

struct spamd_limits {
	size_t head_max;
	uint64_t body_max;
};
#define SPAMD_LIMITS_DEFAULT                                                                                           \
	{                                                                                                              \
		.head_max = (size_t)8 << 10, .body_max = (uint64_t)100 << 20                                           \
	}

enum spamd_command {
	SPAMD_CHECK,
	SPAMD_SYMBOLS,
	SPAMD_REPORT,
	SPAMD_REPORT_IFSPAM,
	SPAMD_PROCESS,
	SPAMD_HEADERS,
	SPAMD_PING,
	SPAMD_SKIP,
	SPAMD_TELL
};

struct spamd_request {
	enum spamd_command command;
	unsigned minor; /* of version 1 */
	struct bytes user;
	struct bytes message_class, set, remove; /* TELL */
	bool compressed;                         /* the body is deflated: not read by us, to be refused */
	bool has_length;
	uint64_t length;
};

enum spamd_event_kind { SPAMD_HEAD, SPAMD_BODY, SPAMD_END };

struct spamd_event {
	enum spamd_event_kind kind;
	struct spamd_request request; /* HEAD */
	struct bytes data;            /* BODY, not empty */
};

struct spamd {
	struct spamd_limits limits;
	struct intake intake;
	enum { SPAMD_IN_HEAD, SPAMD_IN_BODY, SPAMD_AT_END, SPAMD_OVER } state;
	bool has_length, eof;
	uint64_t left; /* of the body: announced, or up to the limit */
};

void spamd_init(struct spamd *spamd, const struct spamd_limits *limits);
void spamd_done(struct spamd *spamd);
/* `data` must stay until spamd_next() said ERR_AGAIN. */
void spamd_feed(struct spamd *spamd, struct bytes data);
/* The peer sends no more; ask spamd_next() again. */
void spamd_eof(struct spamd *spamd);
/* ERR_OK and an event; ERR_AGAIN; ERR_SYNTAX, ERR_SHORT, ERR_LIMIT, ERR_NOMEM, which stick. */
NODISCARD enum err spamd_next(struct spamd *spamd, struct spamd_event *ret_event);

static inline size_t spamd_pending(const struct spamd *spamd)
{
	return intake_pending(&spamd->intake);
}

/* Exit codes of sysexits.h that the protocol uses. */
enum spamd_code {
	SPAMD_OK = 0,
	SPAMD_USAGE = 64,
	SPAMD_DATAERR = 65,
	SPAMD_UNAVAILABLE = 69,
	SPAMD_IOERR = 74,
	SPAMD_TEMPFAIL = 75,
	SPAMD_PROTOCOL = 76,
	SPAMD_TIMEOUT = 79
};

struct spamd_result {
	bool spam;
	int score, threshold; /* thousandths */
};

/*
 * The head of a good answer. CHECK has no body: `body_len` is 0 and is announced to those that know it (1.3 on); for
 * the others the body follows: SYMBOLS: names, separated by commas; REPORT, REPORT_IFSPAM: text; PROCESS: the message;
 * HEADERS: its header with the empty line.
 */
void spamd_add_head(struct buf *out, const struct spamd_request *request, const struct spamd_result *result,
		    uint64_t body_len);
void spamd_add_pong(struct buf *out);
/*
 * TELL, where nothing is learned: a refusal. (After EX_OK without DidSet spamc would say that the message was learned
 * before, and exit with 0; after this it exits with 74.)
 */
void spamd_add_told_nothing(struct buf *out);
/* A refusal; `text` may be foreign. */
void spamd_add_error(struct buf *out, enum spamd_code code, struct bytes text);

/* Log-odds (thousandths of a nat) on SpamAssassin's scale, in thousandths, monotone: `spam_at` is 5; at most +-100. */
int spamd_score(int log_odds, int spam_at);
