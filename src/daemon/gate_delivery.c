/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A judged message on its way out of the SMTP proxy. Recipients with one fate are a group and one transaction with the
 * next hop; where all of them have the same, it is the transaction that is open already.
 *
 *   act -> store (those that are held) -> group by group: open -> data -> the next hop's word -> next group -> conclude
 *
 * Until one group is delivered the client may be told "no" for all. After that a group that the next hop does not take
 * is kept in the vault, so that nothing is lost and nothing is delivered twice.
 */
#include <stdio.h>

#include "daemon/gate_smtp.h"
#include "sys/log.h"
#include "sys/stream.h"

#include "base/banned.h"

#define SLICE ((size_t)64 << 10) /* of the message, in memory at a time */

static void next_group(struct session *session);

/* -- The message as it goes on ---- */

/* Our fields on top, foreign ones of ours out, the subject tagged where it is to be and is not signed. */
static void begin_output(struct session *session, bool tag)
{
	CLEANUP(buf_done) struct buf field = BUF_INIT(GATE_FIELDS_MAX);
	struct output *output = &session->output;
	tag = tag && session->transaction->verdict.signatures.len == 0;
	transaction_fields(session->transaction, &field);
	*output = (struct output){
		.sending = true,
		.rewrite = {.field = transaction_keep(session->transaction, buf_bytes(&field)),
			    .tag = tag ? session->gate->settings->subject_tag : (struct bytes){0},
			    .line_end = BYTES_LIT("\r\n"),
			    .speaks_for_us = transaction_speaks_for_us,
			    .ctx = session->transaction},
	};
	/* Bare CR and LF become line ends: nobody behind can take them for the end of the message. */
	smtp_data_encoder_init(&output->encoder, true);
}

/* The next slice of the message; the one after it is asked for when the next hop has taken this one. */
static bool send_slice(struct session *session)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(4 * SLICE);
	struct output *output = &session->output;
	struct bytes message, piece = {0};
	if (session->transaction->failed || transaction_map(session->transaction, &message) != ERR_OK)
		return false;
	while (out.len < SLICE && (piece = rewrite_next(&output->rewrite, message, SLICE)).len > 0)
		smtp_data_encode(&output->encoder, &out, piece);
	transaction_unmap(session->transaction, message);
	output->sending = piece.len > 0;
	if (!output->sending)
		smtp_data_finish(&output->encoder, &out);
	if (buf_err(&out) != ERR_OK)
		return false;
	stream_write(session->next, buf_bytes(&out));
	if (output->sending)
		stream_more(session->next);
	return true;
}

void smtp_send_on(struct session *session)
{
	if (session->output.sending && !send_slice(session))
		stream_finish(session->next); /* an unfinished message is none; its end brings group_failed() */
}

/* -- Groups ---- */

/* Quarantined mail goes on too, to a mailbox of its own. */
static bool to_mailbox(const struct session *session)
{
	enum settings_place place;
	return settings_place(session->gate->settings, &place) && place == SET_PLACE_MAILBOX;
}

static void finish(struct session *session)
{
	struct transaction *transaction = session->transaction;
	CLEANUP(buf_done) struct buf text = BUF_INIT(512);
	bool held = transaction_count(transaction, ACTION_QUARANTINE) > 0;
	bool tagged = transaction_count(transaction, ACTION_TAG) > 0;
	const char *status = session->any_delivered ? (tagged ? "tagged" : "delivered")
			     : held                 ? "quarantined"
						    : "discarded";
	transaction_trace(transaction, status, (struct bytes){0}, (struct bytes){0});
	buf_printf(&text, "Ok, %s", transaction->id);
	smtp_conclude(session, 250, "2.0.0", buf_bytes(&text));
}

static void on_kept(void *ctx, struct transaction *transaction, bool ok)
{
	struct session *session = ctx;
	for (size_t i = 0; ok && i < transaction->envelope.n_recipients; i++)
		if (transaction->fates[i] == session->group)
			transaction->fates[i] = ACTION_QUARANTINE;
	if (ok) {
		next_group(session);
		return;
	}
	log_event(LOG_ERROR, "smtp.partly_delivered", log_cstr("id", transaction->id));
	transaction_trace(transaction, "deferred", BYTES_LIT("The next hop took the message for some recipients only."),
			  BYTES_LIT("配送先サーバーが一部の宛先についてのみメールを受け付けました。"));
	smtp_conclude(session, 451, "4.3.0",
		      BYTES_LIT("The message could be delivered to some of the recipients only"));
}

/* The next hop does not take the current group. */
static void group_failed(struct session *session, const struct smtp_reply *reply)
{
	struct transaction *transaction = session->transaction;
	/* A mailbox of ours that is full or not there is no matter of the sender's. */
	if (session->any_delivered || session->group == ACTION_QUARANTINE) {
		transaction_store(transaction, session->group, on_kept, session);
		return;
	}
	bool refused = reply && reply->code >= 400;
	unsigned code = refused ? reply->code : 451;
	char enhanced[12];
	(void)snprintf(enhanced, sizeof(enhanced), "%.*s", BYTES_FMT(refused ? reply->enhanced : BYTES_LIT("4.4.2")));
	struct bytes text =
		refused ? bytes_sub(reply->text, 0, 300) : BYTES_LIT("The next mail server does not answer");
	transaction_trace(transaction, code >= 500 ? "rejected" : "deferred", text, text);
	smtp_conclude(session, code, enhanced[0] ? enhanced : NULL, text);
}

static void on_message_taken(struct session *session, const struct smtp_reply *reply)
{
	session->group_open = session->next_open = false;
	if (session->output.sending) {
		/* It has not seen the whole message: it took none, and would take what comes next for the rest. */
		session->output.sending = false;
		session->quitting = true;
		stream_free(&session->next);
		group_failed(session, reply && reply->code >= 400 ? reply : NULL);
		return;
	}
	if (!reply || reply->code / 100 != 2) {
		group_failed(session, reply);
		return;
	}
	if (session->group != ACTION_QUARANTINE) /* the last of the groups */
		session->any_delivered = true;
	next_group(session);
}

static void on_data_allowed(struct session *session, const struct smtp_reply *reply)
{
	if (!reply || reply->code != 354) {
		group_failed(session, reply);
		return;
	}
	session->then = on_message_taken;
	begin_output(session, session->group == ACTION_TAG);
	smtp_send_on(session);
}

static void on_recipient_taken(struct session *session, const struct smtp_reply *reply);

/* RCPT for the next recipient of the group, or DATA after the last. */
static void go_on_with_group(struct session *session)
{
	struct transaction *transaction = session->transaction;
	if (session->group == ACTION_QUARANTINE && session->next_recipient == 0) {
		CLEANUP(buf_done) struct buf line = BUF_INIT(512);
		buf_printf(&line, "RCPT TO:<%.*s>", BYTES_FMT(session->gate->settings->quarantine_place));
		session->next_recipient = transaction->envelope.n_recipients;
		smtp_ask_next(session, transaction_keep(transaction, buf_bytes(&line)), on_recipient_taken);
		return;
	}
	while (session->next_recipient < transaction->envelope.n_recipients) {
		size_t i = session->next_recipient++;
		if (transaction->fates[i] == session->group) {
			smtp_ask_next(session, session->rcpt_lines[i], on_recipient_taken);
			return;
		}
	}
	smtp_ask_next(session, BYTES_LIT("DATA"), on_data_allowed);
}

static void on_recipient_taken(struct session *session, const struct smtp_reply *reply)
{
	if (!reply || reply->code / 100 != 2)
		group_failed(session, reply);
	else
		go_on_with_group(session);
}

static void on_mail_taken(struct session *session, const struct smtp_reply *reply)
{
	if (!reply || reply->code / 100 != 2) {
		group_failed(session, reply);
		return;
	}
	session->next_open = true;
	session->next_recipient = 0;
	go_on_with_group(session);
}

static void on_reset(struct session *session, const struct smtp_reply *reply)
{
	session->next_open = false;
	if (!reply)
		group_failed(session, reply);
	else
		smtp_ask_next(session, session->mail_line, on_mail_taken);
}

static void next_group(struct session *session)
{
	static const enum verdict_action order[] = {ACTION_DELIVER, ACTION_TAG, ACTION_QUARANTINE};
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (!session->groups[order[i]])
			continue;
		session->groups[order[i]] = false;
		session->group = order[i];
		if (session->group_open)
			smtp_ask_next(session, BYTES_LIT("DATA"), on_data_allowed);
		else
			smtp_ask_next(session, BYTES_LIT("RSET"), on_reset);
		return;
	}
	finish(session);
}

static void deliver(struct session *session)
{
	struct transaction *transaction = session->transaction;
	size_t n = transaction->envelope.n_recipients;
	/* Without a tag for the subject both groups get the same message. */
	if (session->gate->settings->subject_tag.len == 0 && transaction_count(transaction, ACTION_TAG) > 0 &&
	    transaction_count(transaction, ACTION_DELIVER) > 0)
		for (size_t i = 0; i < n; i++)
			if (transaction->fates[i] == ACTION_DELIVER)
				transaction->fates[i] = ACTION_TAG;
	for (enum verdict_action fate = 0; fate < ACTION_COUNT; fate++)
		session->groups[fate] =
			transaction_count(transaction, fate) > 0 && (fate != ACTION_QUARANTINE || to_mailbox(session));
	session->any_delivered = false;
	session->group_open =
		transaction_count(transaction, ACTION_DELIVER) == n || transaction_count(transaction, ACTION_TAG) == n;
	next_group(session);
}

static void on_held(void *ctx, struct transaction *transaction, bool ok)
{
	struct session *session = ctx;
	if (ok) {
		deliver(session);
		return;
	}
	transaction_trace(transaction, "deferred",
			  BYTES_LIT("The quarantine could not keep the message, so it was not accepted."),
			  BYTES_LIT("隔離領域に保存できなかったため、メールを受け付けませんでした。"));
	smtp_conclude(session, 451, "4.3.0", BYTES_LIT("Please try again later: the message cannot be kept now"));
}

void smtp_act(void *ctx, struct transaction *transaction)
{
	struct session *session = ctx;
	size_t n = transaction->envelope.n_recipients;
	if (!transaction->has_verdict || transaction_count(transaction, ACTION_TEMPFAIL) > 0) {
		struct bytes none = {0};
		transaction_trace(
			transaction, "deferred",
			transaction->has_verdict ? none : BYTES_LIT("The message could not be examined in time."),
			transaction->has_verdict ? none : BYTES_LIT("時間内にメールを検査できませんでした。"));
		smtp_conclude(session, 451, "4.7.1", transaction_later(transaction));
		return;
	}
	if (transaction_count(transaction, ACTION_REJECT) == n) {
		CLEANUP(buf_done) struct buf text = BUF_INIT(4096);
		transaction_reject_text(transaction, &text);
		transaction_trace(transaction, "rejected", (struct bytes){0}, (struct bytes){0});
		smtp_conclude(session, 550, "5.7.1", buf_bytes(&text));
		return;
	}
	/* One answer after DATA is for all: a refusal for some becomes quarantine for them. */
	for (size_t i = 0; i < n; i++)
		if (transaction->fates[i] == ACTION_REJECT)
			transaction->fates[i] = ACTION_QUARANTINE;
	if (transaction_count(transaction, ACTION_QUARANTINE) > 0 && !to_mailbox(session))
		transaction_store(transaction, ACTION_QUARANTINE, on_held, session);
	else
		deliver(session);
}
