/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/milter.h: the filter's side of the milter protocol, versions 2 to 6, as Sendmail 8.14 and Postfix speak it.
 * Sans I/O: bytes in, events out; replies are added to a buf.
 *
 *     milter_feed(&milter, data); while ((err = milter_next(&milter, &event)) == ERR_OK) ...;  ERR_AGAIN: more bytes
 * needed
 *
 * States: the order of commands is checked (connect, HELO, MAIL, RCPT..., header, body, end); a packet that is too
 * long, of unknown kind, of wrong shape or out of order is ERR_SYNTAX and sticks: the connection is to be closed.
 * Bounds: MILTER_PACKET_MAX bytes a packet; nothing else is kept.
 */
#include "proto/intake.h"

#define MILTER_VERSION    6
#define MILTER_PACKET_MAX ((size_t)1 << 20)
#define MILTER_CHUNK_MAX  ((size_t)65535) /* body bytes a packet that we send */

/* What a filter may do at the end of a message (SMFIF_*). */
#define MILTER_ADD_HEADERS        0x01u
#define MILTER_CHANGE_BODY        0x02u
#define MILTER_ADD_RECIPIENT      0x04u
#define MILTER_DELETE_RECIPIENT   0x08u
#define MILTER_CHANGE_HEADERS     0x10u
#define MILTER_QUARANTINE         0x20u
#define MILTER_CHANGE_FROM        0x40u
#define MILTER_ADD_RECIPIENT_WITH 0x80u

/* Steps (SMFIP_*). */
#define MILTER_NO_CONNECT           0x000001u
#define MILTER_NO_HELO              0x000002u
#define MILTER_NO_UNKNOWN           0x000100u
#define MILTER_NO_DATA              0x000200u
#define MILTER_SKIP                 0x000400u
#define MILTER_REJECTED_RECIPIENTS  0x000800u
#define MILTER_NO_REPLY_HEADER      0x000080u
#define MILTER_NO_REPLY_CONNECT     0x001000u
#define MILTER_NO_REPLY_HELO        0x002000u
#define MILTER_NO_REPLY_MAIL        0x004000u
#define MILTER_NO_REPLY_RCPT        0x008000u
#define MILTER_NO_REPLY_DATA        0x010000u
#define MILTER_NO_REPLY_UNKNOWN     0x020000u
#define MILTER_NO_REPLY_EOH         0x040000u
#define MILTER_NO_REPLY_BODY        0x080000u
#define MILTER_HEADER_LEADING_SPACE 0x100000u

enum milter_command {
	MILTER_OPTIONS, /* O */
	MILTER_MACROS,  /* D */
	MILTER_CONNECT, /* C */
	MILTER_HELO,    /* H */
	MILTER_MAIL,    /* M */
	MILTER_RCPT,    /* R */
	MILTER_DATA,    /* T */
	MILTER_HEADER,  /* L */
	MILTER_EOH,     /* N */
	MILTER_BODY,    /* B */
	MILTER_EOM,     /* E */
	MILTER_ABORT,   /* A */
	MILTER_QUIT,    /* Q */
	MILTER_QUIT_NC, /* K: the connection goes on with another session */
	MILTER_UNKNOWN, /* U */
};

struct milter_event {
	enum milter_command command;
	uint32_t version, actions, steps; /* OPTIONS */
	struct bytes one; /* CONNECT: host name; HELO: name; MAIL, RCPT: path; HEADER: name; BODY, EOM: bytes; UNKNOWN:
			     line */
	struct bytes two; /* CONNECT: address text; HEADER: value; MAIL, RCPT: ESMTP arguments, separated by NUL */
	uint16_t port;    /* CONNECT */
	char family;      /* CONNECT: '4', '6', 'L' (unix) or 'U' (unknown) */
	char stage;       /* MACROS: command they belong to, as its letter */
};

struct milter {
	struct intake intake;
	unsigned state;
	uint32_t steps; /* agreed on */
};

void milter_init(struct milter *milter);
void milter_done(struct milter *milter);
/* `data` must stay until milter_next() said ERR_AGAIN. */
void milter_feed(struct milter *milter, struct bytes data);
/* ERR_OK and an event whose spans live until the next feed; ERR_AGAIN; ERR_SYNTAX or ERR_LIMIT or ERR_NOMEM, which
 * stick. */
NODISCARD enum err milter_next(struct milter *milter, struct milter_event *ret_event);

/* The value of a macro ("i", "{auth_authen}") in the `one` span of a MACROS event; false when it is not there. */
bool milter_macro(struct bytes macros, struct bytes name, struct bytes *ret_value);

/*
 * Answers OPTIONS: of what we want, what the MTA offers. *ret_actions is what may then be used. The reply is added to
 * `out`.
 */
void milter_negotiate(struct milter *milter, struct buf *out, const struct milter_event *offer, uint32_t want_actions,
		      uint32_t want_steps, uint32_t *ret_actions);
/* Whether the MTA waits for an answer to that command, as negotiated. */
bool milter_wants_reply(const struct milter *milter, enum milter_command command);

void milter_continue(struct buf *out);
void milter_accept(struct buf *out);
void milter_discard(struct buf *out);
void milter_tempfail(struct buf *out);
void milter_progress(struct buf *out);
void milter_reject(struct buf *out);
/* Answers BODY: no more of it is wanted; where MILTER_SKIP was agreed on. */
void milter_skip(struct buf *out);
/*
 * Refuses with our words. `code` is "4xx" or "5xx", `enhanced` such as "5.7.1", of the same class. Foreign text is made
 * harmless as smtp_reply_add() does it, % doubled, and cut at 2,000 bytes; LF begins another line.
 */
void milter_reply(struct buf *out, const char *code, const char *enhanced, struct bytes text);
/* Changes: only between EOM and its answer. `value` has its leading blank where MILTER_HEADER_LEADING_SPACE was agreed
 * on. */
void milter_add_header(struct buf *out, struct bytes name, struct bytes value);
void milter_insert_header(struct buf *out, uint32_t index, struct bytes name, struct bytes value);
/* The index-th (from 1) field of that name; an empty value deletes it. */
void milter_change_header(struct buf *out, uint32_t index, struct bytes name, struct bytes value);
/* `parameters` as with MAIL; may be empty. Where MILTER_CHANGE_FROM was agreed on. */
void milter_change_from(struct buf *out, struct bytes path, struct bytes parameters);
void milter_add_recipient(struct buf *out, struct bytes path);
/* With ESMTP parameters, where MILTER_ADD_RECIPIENT_WITH was agreed on. */
void milter_add_recipient_with(struct buf *out, struct bytes path, struct bytes parameters);
void milter_delete_recipient(struct buf *out, struct bytes path);
/* In as many packets as needed. */
void milter_replace_body(struct buf *out, struct bytes body);
void milter_quarantine(struct buf *out, struct bytes reason);
