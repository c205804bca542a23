/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/smtp.h: the server's side of SMTP and LMTP (RFC 5321, 2033, 1870, 3030, 3461, 4954, 6152, 6531; Postfix's
 * XFORWARD and XCLIENT). Sans I/O: bytes in, events out.
 *
 *     smtp_feed(&smtp, data);  while ((err = smtp_next(&smtp, &event)) == ERR_OK) ...;  ERR_AGAIN: more bytes needed
 *
 * States, and what moves them:
 *   COMMAND   lines are commands. A DATA command moves to ASKED, a good BDAT to CHUNK, smtp_expect_text() to TEXT.
 *   ASKED     nothing is read until smtp_begin_data() (to MESSAGE) or smtp_refuse_data() (to COMMAND).
 *   MESSAGE   SMTP_PIECE events, then SMTP_END, which moves to COMMAND.
 *   CHUNK     the same for the announced octets of BDAT, wanted or not.
 *   TEXT      the next line is one SMTP_TEXT event (AUTH goes on), then COMMAND.
 *
 * Only CRLF ends a line. A command that holds a bare CR or LF, a line that does not begin with a letter (TLS, binary)
 * and HTTP on this port are ERR_SYNTAX, which sticks: answer 521 and close, since what follows cannot be told apart. A
 * command that is merely wrong comes as an event with `fault`: what to answer. A line over the limit does too, without
 * its text. The order of commands is the caller's business, as it depends on the answers.
 *
 * Bounds: struct smtp_limits. Spans live until the next feed.
 */
#include "proto/intake.h"
#include "proto/smtp_data.h"

struct smtp_limits {
	size_t line_max; /* of a command, with its CRLF */
	size_t text_max; /* of a line asked for by smtp_expect_text() */
	size_t kept_max; /* fed while the caller does not ask: pipelining */
};
/* RFC 5321 asks for 512 and more with each extension; RFC 4954 for 12,288. */
#define SMTP_LIMITS_DEFAULT                                                                                            \
	{                                                                                                              \
		.line_max = 2048, .text_max = 12288, .kept_max = (size_t)512 << 10                                     \
	}

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_XFORWARD,
	SMTP_XCLIENT
};

enum smtp_event_kind {
	SMTP_COMMAND,
	SMTP_TEXT,  /* `line` */
	SMTP_PIECE, /* `data`, of the message, not empty */
	SMTP_END    /* of the message, or of the chunk */
};

enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME, SMTP_BODY_BINARYMIME };

#define SMTP_NOTIFY_NEVER   1u
#define SMTP_NOTIFY_SUCCESS 2u
#define SMTP_NOTIFY_FAILURE 4u
#define SMTP_NOTIFY_DELAY   8u

/* What was given with MAIL or RCPT. Values are as sent (xtext not decoded); {NULL, 0}: not given. */
struct smtp_parameters {
	struct bytes text; /* all of them, for passing on */
	bool has_size, utf8;
	uint64_t size;
	enum smtp_body body;
	struct bytes ret, envid, auth; /* `ret` is FULL or HDRS, in any case */
	unsigned notify;               /* SMTP_NOTIFY_*; 0: not given */
	struct bytes orcpt;
};

struct smtp_event {
	enum smtp_event_kind kind;
	enum smtp_verb verb;
	const char *fault; /* the whole reply to a wrong command ("501 5.5.4 ..."), without CRLF; NULL: well-formed */
	struct bytes line; /* without CRLF */
	struct bytes argument; /* what follows the verb, trimmed */
	struct bytes path;     /* MAIL, RCPT: the mailbox, without <> and source route; empty: the null path */
	bool path_utf8;        /* it has bytes over 0x7f: only with SMTPUTF8 */
	struct smtp_parameters parameters; /* MAIL, RCPT */
	uint64_t size;                     /* BDAT: octets that follow */
	bool last;                         /* BDAT: of the message */
	struct bytes data;                 /* PIECE */
};

struct smtp {
	struct smtp_limits limits;
	struct intake intake;
	enum { SMTP_IN_COMMAND, SMTP_IN_ASKED, SMTP_IN_MESSAGE, SMTP_IN_CHUNK, SMTP_IN_TEXT } state;
	bool skipping;         /* the rest of a line over the limit */
	uint64_t chunk;        /* octets of it that are to come */
	struct smtp_data data; /* of the current or last message: its counters */
};

void smtp_init(struct smtp *smtp, const struct smtp_limits *limits);
void smtp_done(struct smtp *smtp);
/* `data` must stay until smtp_next() said ERR_AGAIN, or until smtp_hold(). */
void smtp_feed(struct smtp *smtp, struct bytes data);
/* ERR_OK and an event; ERR_AGAIN; ERR_SYNTAX, ERR_LIMIT (kept_max), ERR_NOMEM, which stick. */
NODISCARD enum err smtp_next(struct smtp *smtp, struct smtp_event *ret_event);
/* Stops asking before ERR_AGAIN (an answer must come first): what is left is kept. Events so far stay valid. */
void smtp_hold(struct smtp *smtp);

/* After DATA, in state ASKED. */
void smtp_begin_data(struct smtp *smtp);
void smtp_refuse_data(struct smtp *smtp);
/* The next line is not a command. */
void smtp_expect_text(struct smtp *smtp);

/* Bytes that came and are not read yet: a command in progress, or in state ASKED a client that did not wait. */
static inline size_t smtp_pending(const struct smtp *smtp)
{
	return intake_pending(&smtp->intake);
}

/* The verb's word in upper case. */
const char *smtp_verb_name(enum smtp_verb verb);

/*
 * Takes the next KEY or KEY=VALUE off the front of `*rest` (parameters, XFORWARD and XCLIENT attributes); false at the
 * end. *ret_value is {NULL, 0} where there is no "=".
 */
bool smtp_pair_next(struct bytes *rest, struct bytes *ret_key, struct bytes *ret_value);

/* Adds what an xtext (RFC 3461, section 4) stands for. ERR_SYNTAX: it is not one, and nothing was added. */
NODISCARD enum err smtp_xtext_decode(struct buf *out, struct bytes xtext);
void smtp_xtext_encode(struct buf *out, struct bytes text);
