/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SMTP proxy's face to the client: a before-queue filter for any mail server. Commands go through to the next hop
 * one by one, so that its word on each recipient is the client's; the message is taken here, judged, and handed on by
 * daemon/gate_delivery.c.
 *
 * States of a session: connecting (no greeting yet), idle, mail (MAIL was accepted: a transaction exists), receiving
 * (after DATA), judging. `busy` holds the client's reader while the next hop, a scanner or the vault has the word.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/gate_smtp.h"
#include "mail/received.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "sys/stream.h"

#include "base/banned.h"

#define TEXT_MAX 1024
#define LINE_MAX ((size_t)4096) /* that we send to the next hop */

static void read_on(struct session *session);

/* -- The end ---- */

static void forget_transaction(struct session *session)
{
	transaction_free(&session->transaction);
	session->mail_given = session->receiving = false;
	session->rcpt_lines = NULL;
	session->rcpt_capacity = 0;
	session->refusal = (struct bytes){0};
}

static void abandon(struct session *session)
{
	struct transaction *transaction = session->transaction;
	if (!transaction)
		return;
	if (transaction->envelope.n_recipients == 0 && session->refusal.len > 0)
		transaction_trace(transaction, "refused", session->refusal, session->refusal);
	else
		transaction_trace(transaction, "aborted",
				  BYTES_LIT("The client ended the transaction before the message was complete."),
				  BYTES_LIT("メールの受信が完了する前に、クライアントが処理を中断しました。"));
	forget_transaction(session);
}

static void trace_bare(struct session *session)
{
	struct transaction *transaction;
	if (session->any_message || transaction_new(session->gate, &transaction) != ERR_OK)
		return;
	transaction->envelope = session->who;
	transaction_trace(transaction, "refused", BYTES_LIT("The session ended without a message."),
			  BYTES_LIT("メールが送信されないままセッションが終了しました。"));
	transaction_free(&transaction);
}

static void session_free(struct session *session)
{
	struct gate *gate = session->gate;
	gate_session_delist(&session->link);
	abandon(session);
	if (session->arena)
		trace_bare(session);
	stream_free(&session->client);
	stream_free(&session->next);
	smtp_done(&session->smtp);
	smtp_replies_done(&session->replies);
	arena_free(&session->arena);
	mem_free(session);
	gate_session_end(gate);
}

/* -- Talking ---- */

static void reply_client(struct session *session, unsigned code, const char *enhanced, struct bytes text)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(65536);
	smtp_reply_add(&out, code, enhanced, text, false);
	stream_write(session->client, buf_bytes(&out));
}

static void relay_reply(struct session *session, const struct smtp_reply *reply)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(65536);
	if (!reply) {
		reply_client(session, 451, "4.4.2", BYTES_LIT("The next mail server does not answer"));
		return;
	}
	smtp_reply_add_again(&out, reply, false);
	stream_write(session->client, buf_bytes(&out));
}

/* When everything ends, a client between messages is told so (RFC 5321, 3.8) and need not be waited for. */
static void end_if_idle(void *ctx)
{
	struct session *session = ctx;
	bool connecting = session->busy && !session->ready;
	if (!session->gate->ending || session->mail_given || session->quitting || (session->busy && !connecting))
		return;
	session->quitting = true;
	session->then = NULL; /* the next hop's greeting is of no use any more */
	reply_client(session, 421, "4.3.2", BYTES_LIT("The mail filter is shutting down; please try again later"));
	stream_finish(session->client);
}

/* What was under way is done: the next command may come. */
static void done(struct session *session)
{
	session->busy = false;
	stream_timeout(session->client, session->gate->settings->client_timeout);
	stream_pause(session->client, false);
	end_if_idle(session);
	if (session->quitting)
		stream_finish(session->client);
	else
		read_on(session);
}

void smtp_answer(struct session *session, unsigned code, const char *enhanced, struct bytes text)
{
	reply_client(session, code, enhanced, text);
	if (session->busy)
		done(session);
}

void smtp_ask_next(struct session *session, struct bytes line,
		   void (*then)(struct session *session, const struct smtp_reply *reply))
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(LINE_MAX);
	if (!session->next) {
		/* Nothing can be done any more; and a client that has sent much ahead must not be answered command by
		 * command. */
		session->quitting = true;
		then(session, NULL);
		return;
	}
	session->then = then;
	buf_add(&out, line);
	buf_add_cstr(&out, "\r\n");
	if (buf_err(&out) != ERR_OK) {
		session->quitting = true;
		session->then = NULL;
		then(session, NULL);
		return;
	}
	stream_timeout(session->next, session->gate->settings->next_hop_timeout); /* RFC 5321, 4.5.3.2 */
	stream_write(session->next, buf_bytes(&out));
}

static void after_reset(struct session *session, const struct smtp_reply *reply)
{
	(void)reply; /* a next hop that is gone is noticed with the next command */
	session->next_open = false;
	done(session);
}

void smtp_conclude(struct session *session, unsigned code, const char *enhanced, struct bytes text)
{
	reply_client(session, code, enhanced, text);
	forget_transaction(session);
	if (session->next_open)
		smtp_ask_next(session, BYTES_LIT("RSET"), after_reset);
	else
		done(session);
}

/* -- The next hop ---- */

static void on_next_data(void *ctx, struct bytes data)
{
	struct session *session = ctx;
	struct smtp_reply reply;
	enum err err;
	smtp_replies_feed(&session->replies, data);
	while ((err = smtp_replies_next(&session->replies, &reply)) == ERR_OK) {
		void (*then)(struct session * session, const struct smtp_reply *reply) = session->then;
		session->then = NULL;
		if (then)
			then(session, &reply);
		if (!session->next)
			return;
	}
	/* While a slow client sends its message the next hop has nothing to say. */
	if (!session->then)
		stream_timeout(session->next, 0);
	if (err != ERR_AGAIN) {
		log_event(LOG_ERROR, "smtp.next_hop_protocol", log_cstr("why", err_name(err)));
		stream_finish(session->next);
	}
}

static void on_next_closed(void *ctx, enum err why)
{
	struct session *session = ctx;
	void (*then)(struct session * session, const struct smtp_reply *reply) = session->then;
	stream_free(&session->next);
	session->then = NULL;
	session->next_open = false;
	session->quitting |= then != NULL;
	if (then) {
		log_event(LOG_WARNING, "smtp.next_hop_gone", log_cstr("why", err_name(why)));
		then(session, NULL);
	}
}

static void on_next_drained(void *ctx)
{
	smtp_send_on(ctx);
}

static const struct stream_ops next_ops = {.data = on_next_data, .closed = on_next_closed, .drained = on_next_drained};

static void on_ready(struct session *session, const struct smtp_reply *reply)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(512);
	if (!reply || reply->code / 100 != 2) {
		session->quitting = true;
		smtp_answer(session, 421, "4.3.2",
			    BYTES_LIT("Please try again later: the next mail server is not ready"));
		return;
	}
	(void)snprintf(session->next_features, sizeof(session->next_features), "%.*s", BYTES_FMT(reply->text));
	smtp_features_parse(bytes_from_cstr(session->next_features), &session->features);
	session->ready = true;
	buf_printf(&text, "%.*s ESMTP", BYTES_FMT(session->gate->hostname));
	smtp_answer(session, 220, NULL, buf_bytes(&text));
}

static void on_greeting(struct session *session, const struct smtp_reply *reply)
{
	CLEANUP(buf_done) struct buf line = BUF_INIT(512);
	if (!reply || reply->code / 100 != 2) {
		on_ready(session, NULL);
		return;
	}
	buf_printf(&line, "EHLO %.*s", BYTES_FMT(session->gate->hostname));
	smtp_ask_next(session, buf_bytes(&line), on_ready);
}

/* -- Commands ---- */

static struct bytes keep(struct session *session, struct bytes b)
{
	return arena_copy(session->arena, bytes_sub(b, 0, TEXT_MAX));
}

/* The next hop's word on this command is awaited. */
static void wait(struct session *session)
{
	session->busy = true;
	stream_timeout(session->client, 0); /* it is not the client's turn */
	smtp_hold(&session->smtp);
	stream_pause(session->client, true);
}

static void on_ehlo(struct session *session, const struct smtp_event *event)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(4096);
	const unsigned passed = SMTP_CAN_8BITMIME | SMTP_CAN_SMTPUTF8 | SMTP_CAN_DSN;
	uint64_t size = (uint64_t)session->gate->settings->message_size;
	abandon(session);
	session->who.helo = keep(session, event->argument);
	session->greeted = true;
	if (event->verb == SMTP_HELO) {
		reply_client(session, 250, NULL, session->gate->hostname);
		return;
	}
	if (session->features.size > 0 && session->features.size < size)
		size = session->features.size;
	struct smtp_features ours = {
		.can = SMTP_CAN_PIPELINING | SMTP_CAN_SIZE | SMTP_CAN_ENHANCED | (session->features.can & passed) |
		       (session->trusted ? SMTP_CAN_XFORWARD | SMTP_CAN_XCLIENT : 0),
		.size = size,
		.xforward = BYTES_LIT("NAME ADDR PORT PROTO HELO IDENT SOURCE"),
		.xclient = BYTES_LIT("NAME ADDR PORT PROTO HELO LOGIN"),
	};
	smtp_features_add(&out, session->gate->hostname, &ours);
	stream_write(session->client, buf_bytes(&out));
}

/* What XFORWARD and XCLIENT say of the client that stands behind the client. False: some of it is none of theirs. */
static bool take_attributes(struct session *session, const struct smtp_event *event)
{
	struct bytes rest = event->argument, key, value;
	struct scan_envelope *who = &session->who;
	while (smtp_pair_next(&rest, &key, &value)) {
		CLEANUP(buf_done) struct buf text = BUF_INIT(TEXT_MAX);
		bool unknown = value.ptr && value.len > 0 && value.ptr[0] == '[';
		if (!value.ptr || smtp_xtext_decode(&text, value) != ERR_OK)
			return false;
		if (bytes_eq_nocase(key, BYTES_LIT("ADDR"))) {
			who->has_client = !unknown && received_parse_ip(buf_bytes(&text), who->client_ip);
			if (!who->has_client && !unknown)
				return false;
		} else if (bytes_eq_nocase(key, BYTES_LIT("NAME"))) {
			who->client_name = unknown ? (struct bytes){0} : keep(session, buf_bytes(&text));
		} else if (bytes_eq_nocase(key, BYTES_LIT("HELO"))) {
			who->helo = unknown ? (struct bytes){0} : keep(session, buf_bytes(&text));
		} else if (bytes_eq_nocase(key, BYTES_LIT("LOGIN"))) {
			who->user = unknown ? (struct bytes){0} : keep(session, buf_bytes(&text));
		}
	}
	return true;
}

static void on_relayed(struct session *session, const struct smtp_reply *reply)
{
	session->next_open = false; /* of RSET and XFORWARD, which come outside transactions */
	relay_reply(session, reply);
	done(session);
}

/* What the client gave up by EHLO is open at the next hop still, which takes no XFORWARD in it. */
static void forward_after_reset(struct session *session, const struct smtp_reply *reply)
{
	if (reply)
		smtp_ask_next(session, session->forward_line, on_relayed);
	else
		on_relayed(session, NULL);
}

static void on_attributes(struct session *session, const struct smtp_event *event)
{
	bool forward = event->verb == SMTP_XFORWARD;
	if (!session->trusted) {
		reply_client(session, 550, "5.7.1", BYTES_LIT("You may not speak for others here"));
		return;
	}
	if (session->mail_given) {
		reply_client(session, 503, "5.5.1", BYTES_LIT("A transaction is under way"));
		return;
	}
	if (!take_attributes(session, event)) {
		reply_client(session, 501, "5.5.4", BYTES_LIT("Bad attribute"));
		return;
	}
	/* The next hop may want to know as well. */
	if (forward && (session->features.can & SMTP_CAN_XFORWARD)) {
		wait(session);
		if (session->next_open) {
			session->forward_line = arena_copy(session->arena, event->line);
			smtp_ask_next(session, BYTES_LIT("RSET"), forward_after_reset);
		} else {
			smtp_ask_next(session, event->line, on_relayed);
		}
	} else if (forward) {
		reply_client(session, 250, "2.0.0", BYTES_LIT("Ok"));
	} else {
		reply_client(session, 220, NULL, session->gate->hostname);
	}
}

static void on_mail_word(struct session *session, const struct smtp_reply *reply)
{
	if (!reply || reply->code / 100 != 2) {
		if (session->transaction && reply)
			session->refusal = transaction_keep(session->transaction, bytes_sub(reply->text, 0, 300));
		abandon(session);
	} else {
		session->next_open = true;
	}
	relay_reply(session, reply);
	done(session);
}

/* What the client gave up by EHLO is open at the next hop still. */
static void mail_after_reset(struct session *session, const struct smtp_reply *reply)
{
	session->next_open = false;
	if (reply)
		smtp_ask_next(session, session->mail_line, on_mail_word);
	else
		on_mail_word(session, NULL);
}

/* The line for the next hop: SIZE is offered by us whatever it offers, and is refused by one that does not know it. */
static struct bytes mail_line(struct session *session, const struct smtp_event *event)
{
	struct bytes rest = event->parameters.text, key, value;
	CLEANUP(buf_done) struct buf line = BUF_INIT(LINE_MAX);
	if (!event->parameters.has_size || (session->features.can & SMTP_CAN_SIZE))
		return transaction_keep(session->transaction, event->line);
	buf_printf(&line, "MAIL FROM:<%.*s>", BYTES_FMT(event->path));
	while (smtp_pair_next(&rest, &key, &value)) {
		if (bytes_eq_nocase(key, BYTES_LIT("SIZE")))
			continue;
		buf_printf(&line, " %.*s", BYTES_FMT(key));
		if (value.ptr)
			buf_printf(&line, "=%.*s", BYTES_FMT(value));
	}
	return transaction_keep(session->transaction, buf_bytes(&line));
}

static void on_mail(struct session *session, const struct smtp_event *event)
{
	struct transaction *transaction;
	if (!session->greeted || session->mail_given) {
		reply_client(session, 503, "5.5.1",
			     session->greeted ? BYTES_LIT("One sender at a time") : BYTES_LIT("EHLO first"));
		return;
	}
	if (event->parameters.has_size && event->parameters.size > (uint64_t)session->gate->settings->message_size) {
		reply_client(session, 552, "5.3.4", BYTES_LIT("The message is too large"));
		return;
	}
	if (event->parameters.body == SMTP_BODY_BINARYMIME) { /* it goes with BDAT only (RFC 3030, 3) */
		reply_client(session, 501, "5.5.4", BYTES_LIT("BINARYMIME is not offered here"));
		return;
	}
	if (transaction_new(session->gate, &transaction) != ERR_OK) {
		reply_client(session, 451, "4.3.0", BYTES_LIT("Please try again later"));
		return;
	}
	session->transaction = transaction;
	session->any_message = true;
	transaction->envelope = session->who;
	transaction->envelope.has_from = true;
	transaction->envelope.from = transaction_keep(transaction, event->path);
	gate_prefetch(session->gate, &transaction->envelope);
	session->mail_line = mail_line(session, event);
	if (!gate_can_take_mail(session->gate) || transaction->failed) {
		transaction_trace(transaction, "deferred",
				  BYTES_LIT("The vault cannot write, so no mail is accepted for now."),
				  BYTES_LIT("記録領域に書き込めないため、一時的にメールを受け付けていません。"));
		forget_transaction(session);
		reply_client(session, 451, "4.3.0", BYTES_LIT("Please try again later: the mail filter is not ready"));
		return;
	}
	session->mail_given = true;
	wait(session);
	if (session->next_open)
		smtp_ask_next(session, BYTES_LIT("RSET"), mail_after_reset);
	else
		smtp_ask_next(session, session->mail_line, on_mail_word);
}

static void on_rcpt_word(struct session *session, const struct smtp_reply *reply)
{
	struct transaction *transaction = session->transaction;
	if (!reply || reply->code / 100 != 2) {
		/* The recipient was added when it was asked for. */
		transaction_drop_recipient(transaction, transaction->envelope.n_recipients - 1);
		if (reply)
			session->refusal = transaction_keep(transaction, bytes_sub(reply->text, 0, 300));
	}
	relay_reply(session, reply);
	done(session);
}

static void on_rcpt(struct session *session, const struct smtp_event *event)
{
	struct transaction *transaction = session->transaction;
	if (!session->mail_given) {
		reply_client(session, 503, "5.5.1", BYTES_LIT("MAIL first"));
		return;
	}
	size_t n = transaction->envelope.n_recipients;
	struct bytes *grown = n < (size_t)session->gate->settings->smtp_max_recipients
				      ? arena_grow(transaction->arena, session->rcpt_lines, &session->rcpt_capacity, n,
						   sizeof(*grown))
				      : NULL;
	if (!grown) {
		reply_client(session, 452, "4.5.3", BYTES_LIT("Too many recipients"));
		return;
	}
	session->rcpt_lines = grown;
	grown[n] = transaction_keep(transaction, event->line);
	transaction_add_recipient(transaction, event->path);
	if (transaction->failed || transaction->envelope.n_recipients != n + 1) {
		reply_client(session, 451, "4.3.0", BYTES_LIT("Please try again later"));
		return;
	}
	wait(session);
	smtp_ask_next(session, event->line, on_rcpt_word);
}

static void on_data(struct session *session)
{
	if (!session->mail_given || session->transaction->envelope.n_recipients == 0) {
		smtp_refuse_data(&session->smtp);
		reply_client(session, session->mail_given ? 554 : 503, "5.5.1", BYTES_LIT("No valid recipients"));
		return;
	}
	session->receiving = true;
	reply_client(session, 354, NULL, BYTES_LIT("End data with <CR><LF>.<CR><LF>"));
	smtp_begin_data(&session->smtp);
}

static void on_message_end(struct session *session)
{
	struct transaction *transaction = session->transaction;
	if (!session->receiving)
		return; /* a chunk that was refused */
	session->receiving = false;
	wait(session);
	session->group_open = false;
	if (transaction->too_large) {
		transaction_trace(transaction, "refused", BYTES_LIT("The message is larger than is accepted."),
				  BYTES_LIT("メールが受け付けられる大きさを超えています。"));
		smtp_conclude(session, 552, "5.3.4", BYTES_LIT("The message is too large"));
		return;
	}
	transaction_judge(transaction, smtp_act, session);
}

static void on_rset(struct session *session)
{
	abandon(session);
	wait(session);
	smtp_ask_next(session, BYTES_LIT("RSET"), on_relayed);
}

static void on_command(struct session *session, const struct smtp_event *event)
{
	if (event->fault) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(1024);
		buf_printf(&out, "%s\r\n", event->fault);
		stream_write(session->client, buf_bytes(&out));
		return;
	}
	switch (event->verb) {
	case SMTP_HELO:
	case SMTP_EHLO:
		on_ehlo(session, event);
		break;
	case SMTP_MAIL:
		on_mail(session, event);
		break;
	case SMTP_RCPT:
		on_rcpt(session, event);
		break;
	case SMTP_DATA:
		on_data(session);
		break;
	case SMTP_RSET:
		on_rset(session);
		break;
	case SMTP_NOOP:
		reply_client(session, 250, "2.0.0", BYTES_LIT("Ok"));
		break;
	case SMTP_VRFY:
		reply_client(session, 252, "2.0.0", BYTES_LIT("Send some mail, and it will be tried"));
		break;
	case SMTP_HELP:
		reply_client(session, 214, "2.0.0", BYTES_LIT("See RFC 5321"));
		break;
	case SMTP_XFORWARD:
	case SMTP_XCLIENT:
		on_attributes(session, event);
		break;
	case SMTP_QUIT:
		session->quitting = true;
		reply_client(session, 221, "2.0.0", BYTES_LIT("Bye"));
		stream_finish(session->client);
		break;
	case SMTP_UNKNOWN:
	case SMTP_LHLO:
	case SMTP_BDAT:
	case SMTP_EXPN:
	case SMTP_STARTTLS:
	case SMTP_AUTH:
		reply_client(session, 502, "5.5.1", BYTES_LIT("This command is not implemented"));
		break;
	}
}

static void read_on(struct session *session)
{
	struct smtp_event event;
	enum err err = ERR_AGAIN;
	while (!session->busy && !session->quitting && (err = smtp_next(&session->smtp, &event)) == ERR_OK) {
		if (event.kind == SMTP_COMMAND)
			on_command(session, &event);
		else if (event.kind == SMTP_PIECE && session->receiving)
			transaction_write(session->transaction, event.data);
		else if (event.kind == SMTP_END)
			on_message_end(session);
	}
	if (session->busy || session->quitting || err == ERR_AGAIN) {
		end_if_idle(session);
		return;
	}
	metrics_add(METRIC_PROTOCOL_ERRORS, 1);
	session->quitting = true;
	reply_client(session, 521, "5.5.2", BYTES_LIT("This is no SMTP that can be told apart from an attack"));
	stream_finish(session->client);
}

static void on_client_data(void *ctx, struct bytes data)
{
	struct session *session = ctx;
	smtp_feed(&session->smtp, data);
	if (session->busy)
		smtp_hold(&session->smtp);
	else
		read_on(session);
}

static void on_client_closed(void *ctx, enum err why)
{
	if (why == ERR_TIMEOUT)
		metrics_add(METRIC_TIMEOUTS, 1);
	session_free(ctx);
}

static const struct stream_ops client_ops = {.data = on_client_data, .closed = on_client_closed};

static bool connect_next(struct session *session)
{
	struct gate *gate = session->gate;
	int fd;
	session->then = on_greeting;
	session->busy = true;
	if (net_connect(&gate->next_hop, &fd) != ERR_OK)
		return false;
	if (stream_new_connecting(gate->loop, fd, !net_is_unix(&gate->next_hop), &next_ops, session, &session->next) !=
	    ERR_OK) {
		(void)close(fd);
		return false;
	}
	stream_timeout(session->next, gate->settings->next_hop_timeout);
	return true;
}

static bool is_trusted(const struct gate *gate, const struct net_address *peer, const uint8_t ip[16])
{
	const struct conf_strings *texts = &gate->settings->smtp_xforward_from;
	if (net_is_unix(peer))
		return true;
	for (size_t i = 0; i < texts->count; i++) {
		struct scan_network network;
		if (scan_network_parse(texts->items[i], &network) == ERR_OK && scan_network_holds(&network, ip))
			return true;
	}
	return false;
}

void gate_smtp_accept(struct gate *gate, int fd, const struct net_address *peer)
{
	static const struct smtp_limits limits = SMTP_LIMITS_DEFAULT;
	struct session *session = gate_session_new(gate, fd, sizeof(*session));
	if (!session)
		return;
	*session = (struct session){.gate = gate, .arena = arena_create((size_t)1 << 20)};
	smtp_init(&session->smtp, &limits);
	smtp_replies_init(&session->replies);
	session->who.frontend = BYTES_LIT("smtp");
	session->who.hostname = gate->hostname;
	session->who.has_client = net_ip(peer, session->who.client_ip);
	session->trusted = is_trusted(gate, peer, session->who.client_ip);
	session->client = gate_stream_new(gate, fd, peer, &client_ops, session);
	if (!session->client || !session->arena) {
		session_free(session);
		return;
	}
	gate_session_enlist(gate, &session->link, end_if_idle, session);
	if (!connect_next(session))
		on_ready(session, NULL);
}
