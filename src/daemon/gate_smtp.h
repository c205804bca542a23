/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate_smtp.h: what the two halves of the SMTP proxy share: gate_smtp.c talks to the client, gate_delivery.c
 * hands a judged message to the next hop.
 *
 * One command of the client is under way at a time: what needs the next hop's word holds the client's reader until the
 * word comes (`then`). The client is told 250 only after the next hop, or the vault, has the message.
 */
#include "daemon/gate.h"
#include "daemon/gate_rewrite.h"
#include "proto/smtp.h"
#include "proto/smtp_reply.h"

struct stream;
struct session;

/* The message on its way to the next hop: goes out slice by slice. */
struct output {
	bool sending;
	struct rewrite rewrite;
	struct smtp_data_encoder encoder;
};

struct session {
	struct gate *gate;
	struct gate_session link;
	struct stream *client, *next;
	struct smtp smtp;
	struct smtp_replies replies;
	/* What is done with the next hop's next reply. */
	void (*then)(struct session *session, const struct smtp_reply *reply);
	char next_features[1024];
	struct smtp_features features; /* of the next hop */
	struct arena *arena;           /* of the connection */
	struct scan_envelope who;      /* the client, for each message */
	bool trusted;                  /* may say for whom it speaks */
	bool greeted, ready, quitting, busy;
	bool mail_given, any_message, receiving;
	bool next_open; /* the next hop has a transaction open */

	struct transaction *transaction;
	struct bytes mail_line;    /* "MAIL FROM:<...> ..." as it was given on */
	struct bytes forward_line; /* "XFORWARD ...", while the next hop is reset for it */
	struct bytes *rcpt_lines;
	size_t rcpt_capacity;
	struct bytes refusal; /* the last "no" to a recipient */

	/* Delivery: the fates still to be handed on, group by group. */
	bool group_open; /* the next hop's transaction holds exactly the current group */
	enum verdict_action group;
	bool groups[ACTION_COUNT];
	size_t next_recipient;
	bool any_delivered;
	struct output output;
};

/* Sends a line to the next hop; `then` is called with its reply. */
void smtp_ask_next(struct session *session, struct bytes line,
		   void (*then)(struct session *session, const struct smtp_reply *reply));
/* A reply to the client, which also ends what was under way. */
void smtp_answer(struct session *session, unsigned code, const char *enhanced, struct bytes text);
/* The transaction is over for the client: forgets it, here and (when `reset`) at the next hop, then `answer` as above.
 */
void smtp_conclude(struct session *session, unsigned code, const char *enhanced, struct bytes text);
/* The next hop has read all that it was sent of the message: sends more of it. */
void smtp_send_on(struct session *session);
/* The verdict is there: acts on it. */
void smtp_act(void *ctx, struct transaction *transaction);
