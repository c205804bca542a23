/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/smtp_reply.h: SMTP replies (RFC 5321, 4.2; RFC 2034): parsed as a client, built as a server; and the features
 * that a server names in its answer to EHLO.
 *
 * Bounds: struct smtp_replies holds at most SMTP_REPLY_MAX bytes of one reply. What we build has lines of at most 512
 * bytes with CRLF, at most SMTP_REPLY_LINES of them.
 */
#include "proto/intake.h"

#define SMTP_REPLY_MAX      ((size_t)16 << 10)
#define SMTP_REPLY_LINE_MAX ((size_t)2048) /* of a server; RFC 5321 allows 512 */
#define SMTP_REPLY_LINES    20

struct smtp_reply {
	unsigned code;         /* 200 to 599 */
	struct bytes enhanced; /* "5.7.1" of the first line; empty: none, or of another class than the code */
	struct bytes text;     /* the lines, joined by LF, each without code and enhanced code */
	unsigned lines;
};

struct smtp_replies {
	struct intake intake;
	struct buf text;
	unsigned code, lines;
	char enhanced[12];
	size_t enhanced_len;
	bool complete; /* the reply was given out: the next line begins another */
};

void smtp_replies_init(struct smtp_replies *replies);
void smtp_replies_done(struct smtp_replies *replies);
void smtp_replies_feed(struct smtp_replies *replies, struct bytes data);
/* ERR_OK and a whole reply, valid until the next call; ERR_AGAIN; ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM, which stick. */
NODISCARD enum err smtp_replies_next(struct smtp_replies *replies, struct smtp_reply *ret_reply);

/*
 * Adds a reply of one or more lines. `text` may be foreign: it is broken at LF and where lines get too long, controls
 * become "?", and so do bytes over 0x7f unless `utf8` (RFC 6531, 3.7.4) and they are well-formed. `enhanced` may be
 * NULL.
 */
void smtp_reply_add(struct buf *out, unsigned code, const char *enhanced, struct bytes text, bool utf8);
/* Adds a reply as another server gave it, made safe in the same way. */
void smtp_reply_add_again(struct buf *out, const struct smtp_reply *reply, bool utf8);

/* -- EHLO ---- */

#define SMTP_CAN_PIPELINING 0x0001u
#define SMTP_CAN_8BITMIME   0x0002u
#define SMTP_CAN_SMTPUTF8   0x0004u
#define SMTP_CAN_DSN        0x0008u
#define SMTP_CAN_SIZE       0x0010u
#define SMTP_CAN_ENHANCED   0x0020u
#define SMTP_CAN_CHUNKING   0x0040u
#define SMTP_CAN_BINARYMIME 0x0080u
#define SMTP_CAN_STARTTLS   0x0100u
#define SMTP_CAN_AUTH       0x0200u
#define SMTP_CAN_XFORWARD   0x0400u
#define SMTP_CAN_XCLIENT    0x0800u
#define SMTP_CAN_VRFY       0x1000u

struct smtp_features {
	unsigned can;
	uint64_t size;     /* of SIZE; 0: no number, no limit */
	struct bytes auth; /* mechanisms, separated by spaces; as the next two, slices of what was parsed */
	struct bytes xforward, xclient; /* attribute names, separated by spaces */
};

/* `text` as in struct smtp_reply; its first line is a greeting. What is not known is left out. */
void smtp_features_parse(struct bytes text, struct smtp_features *ret);
/* Whether `word` is one of those in `list`, separated by spaces, in any case. */
bool smtp_list_has(struct bytes list, struct bytes word);
/* Adds the answer to EHLO: `name` (made safe), then the features. */
void smtp_features_add(struct buf *out, struct bytes name, const struct smtp_features *features);
