/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The milter front end. A connection is a session of the mail server with one of its clients; messages come one after
 * another. States of a session:
 *
 *   idle        no transaction
 *   receiving   MAIL came: a transaction exists and takes recipients, header and body
 *   judging     EOM came: the scanner has it; nothing but ABORT or the end of the connection may come
 *   storing     the verdict quarantines it for some: the vault has it
 *
 * EOM moves receiving to judging, the verdict to storing or to idle with the answer, the vault's word to idle. ABORT
 * and the end of the connection move any state to idle and free the transaction, whatever is under way for it.
 */
#include "base/mem.h"
#include "daemon/gate.h"
#include "daemon/gate_fields.h"
#include "mail/received.h"
#include "proto/milter.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "sys/stream.h"

#include "base/banned.h"

#define WANT_ACTIONS                                                                                                   \
	(MILTER_ADD_HEADERS | MILTER_CHANGE_BODY | MILTER_ADD_RECIPIENT | MILTER_DELETE_RECIPIENT |                    \
	 MILTER_CHANGE_HEADERS | MILTER_QUARANTINE)
/* Replies are wanted only where one may refuse: at MAIL, and at the end. */
#define WANT_STEPS                                                                                                     \
	(MILTER_NO_UNKNOWN | MILTER_NO_REPLY_CONNECT | MILTER_NO_REPLY_HELO | MILTER_NO_REPLY_RCPT |                   \
	 MILTER_NO_REPLY_DATA | MILTER_NO_REPLY_HEADER | MILTER_NO_REPLY_EOH | MILTER_NO_REPLY_BODY |                  \
	 MILTER_NO_REPLY_UNKNOWN | MILTER_REJECTED_RECIPIENTS | MILTER_HEADER_LEADING_SPACE)
#define TEXT_MAX 1024 /* of a name that is kept for the session */
/*
 * Fields in our name that are taken out of one message. Mail servers look for each from the top, so that many cost them
 * the square; no honest message, and no loop, has that many.
 */
#define FOREIGN_FIELDS_MAX 500

/* A short text that changes with every message: kept in place, so that a long session takes no more memory than a short
 * one. */
struct word {
	uint8_t text[256];
	size_t len;
};

static void word_set(struct word *word, struct bytes b)
{
	word->len = b.len < sizeof(word->text) ? b.len : sizeof(word->text);
	if (word->len > 0)
		memcpy(word->text, b.ptr, word->len);
}

static struct bytes word_bytes(const struct word *word)
{
	return bytes_make(word->text, word->len);
}

struct session {
	struct gate *gate;
	struct gate_session link;
	struct stream *stream;
	struct milter milter;
	struct arena *arena; /* of the connection: client, HELO */
	uint32_t actions;
	struct scan_envelope client; /* what is true for every message of the session */
	struct word queue_id, user;  /* macros {i} and {auth_authen} */
	bool recipient_refused;      /* by the MTA: the macros before RCPT said so */
	bool any_message;
	bool waiting;        /* judging or storing */
	unsigned own_fields; /* X-Postern fields that the message brought */
	unsigned release_fields;
	unsigned auth_fields; /* Authentication-Results; of them, those in our name: */
	unsigned *forged;
	size_t n_forged, forged_capacity;
	bool subject_seen;
	struct bytes subject; /* raw, as the MTA gave it */
	struct transaction *transaction;
	struct buf out;
};

/* When everything ends, a mail server between two messages need not be waited for: a connection that ends now is no
 * worse for it than one that ends later. */
static void end_if_idle(void *ctx)
{
	struct session *session = ctx;
	if (session->gate->ending && !session->transaction)
		stream_finish(session->stream);
}

static void send_out(struct session *session)
{
	stream_write(session->stream, buf_bytes(&session->out));
	buf_clear(&session->out);
	end_if_idle(session);
}

static void end_transaction(struct session *session)
{
	transaction_free(&session->transaction);
	session->waiting = false;
	session->own_fields = session->release_fields = session->auth_fields = 0;
	session->forged = NULL;
	session->n_forged = session->forged_capacity = 0;
	session->subject_seen = false;
	session->queue_id.len = 0;
}

/* The transaction ended without a decision of ours. */
static void abandon(struct session *session)
{
	struct transaction *transaction = session->transaction;
	if (!transaction)
		return;
	bool refused = transaction->envelope.n_recipients == 0 && session->recipient_refused;
	transaction_trace(transaction, refused ? "refused" : "aborted",
			  refused ? BYTES_LIT("The mail server refused the recipient.")
				  : BYTES_LIT("The client or the mail server ended the transaction before the message "
					      "was complete."),
			  refused ? BYTES_LIT("メールサーバーが宛先を拒否しました。")
				  : BYTES_LIT("メールの受信が完了する前に、クライアントまたはメールサーバーが処理を中断"
					      "しました。"));
	end_transaction(session);
}

static void session_free(struct session *session)
{
	struct gate *gate = session->gate;
	gate_session_delist(&session->link);
	abandon(session);
	stream_free(&session->stream);
	milter_done(&session->milter);
	buf_done(&session->out);
	arena_free(&session->arena);
	mem_free(session);
	gate_session_end(gate);
}

/* A session in which no message ever began is traced too: somebody knocked. */
static void trace_bare(struct session *session)
{
	struct transaction *transaction;
	if (session->any_message || !session->client.has_client ||
	    transaction_new(session->gate, &transaction) != ERR_OK)
		return;
	struct scan_envelope *envelope = &transaction->envelope;
	*envelope = session->client;
	envelope->frontend = BYTES_LIT("milter");
	envelope->hostname = session->gate->hostname;
	transaction_trace(transaction, "refused", BYTES_LIT("The session ended without a message."),
			  BYTES_LIT("メールが送信されないままセッションが終了しました。"));
	transaction_free(&transaction);
}

static void on_closed(void *ctx, enum err why)
{
	struct session *session = ctx;
	if (why == ERR_TIMEOUT)
		metrics_add(METRIC_TIMEOUTS, 1);
	trace_bare(session);
	session_free(session);
}

/* -- Answers at the end of a message ---- */

static void insert_field(struct session *session, struct bytes name, struct bytes value)
{
	CLEANUP(buf_done) struct buf plain = BUF_INIT(GATE_FIELDS_MAX);
	if (session->milter.steps & MILTER_HEADER_LEADING_SPACE)
		buf_add_byte(&plain, ' ');
	/* The protocol's line end inside a field is a bare LF. */
	fields_add_lines(&plain, value, false);
	if (session->actions & MILTER_ADD_HEADERS)
		milter_insert_header(&session->out, 0, name, buf_bytes(&plain));
}

/* Each goes on top, so the lowest comes first. */
static void add_own_fields(struct session *session)
{
	CLEANUP(buf_done) struct buf ours = BUF_INIT(GATE_FIELDS_MAX);
	transaction_fields(session->transaction, &ours);
	struct bytes fields = buf_bytes(&ours), name, value;
	while (fields_take_last(&fields, &name, &value))
		insert_field(session, name, value);
}

static bool has_too_many_foreign_fields(const struct session *session)
{
	return (session->actions & MILTER_CHANGE_HEADERS) &&
	       session->own_fields + session->release_fields + session->n_forged > FOREIGN_FIELDS_MAX;
}

/* Fields of ours that came from outside go; the highest first, since each removal renumbers those behind it. */
static void remove_foreign_fields(struct session *session)
{
	if (!(session->actions & MILTER_CHANGE_HEADERS))
		return;
	for (unsigned n = session->own_fields; n > 0; n--)
		milter_change_header(&session->out, n, BYTES_LIT("X-Postern"), (struct bytes){0});
	for (unsigned n = session->release_fields; n > 0; n--)
		milter_change_header(&session->out, n, BYTES_LIT("X-Postern-Release"), (struct bytes){0});
	for (size_t n = session->n_forged; n > 0; n--)
		milter_change_header(&session->out, session->forged[n - 1], BYTES_LIT("Authentication-Results"),
				     (struct bytes){0});
}

static void tag_subject(struct session *session)
{
	CLEANUP(buf_done) struct buf value = BUF_INIT(1 << 20);
	if (!(session->actions & MILTER_CHANGE_HEADERS))
		return;
	if (session->milter.steps & MILTER_HEADER_LEADING_SPACE)
		buf_add_byte(&value, ' ');
	buf_add(&value, session->gate->settings->subject_tag);
	buf_add(&value, bytes_trim(session->subject));
	if (buf_err(&value) != ERR_OK)
		return;
	if (session->subject_seen)
		milter_change_header(&session->out, 1, BYTES_LIT("Subject"), buf_bytes(&value));
	else
		milter_add_header(&session->out, BYTES_LIT("Subject"), buf_bytes(&value));
}

static void answer_tempfail(struct session *session, struct bytes why_en, struct bytes why_ja)
{
	transaction_trace(session->transaction, "deferred", why_en, why_ja);
	milter_reply(&session->out, "451", "4.7.1", transaction_later(session->transaction));
	end_transaction(session);
	send_out(session);
}

static bool delivered(enum verdict_action fate)
{
	return fate == ACTION_DELIVER || fate == ACTION_TAG;
}

/*
 * Where the message goes for those for whom it is quarantined: not to the vault when the configuration has another
 * place for it and the mail server allows that.
 */
static enum settings_place quarantine_place(const struct session *session)
{
	const struct transaction *transaction = session->transaction;
	uint32_t moves = MILTER_ADD_RECIPIENT | MILTER_DELETE_RECIPIENT;
	enum settings_place place;
	if (!settings_place(session->gate->settings, &place))
		return SET_PLACE_VAULT;
	if (place == SET_PLACE_MAILBOX)
		return (session->actions & moves) == moves ? place : SET_PLACE_VAULT;
	/* The queue holds a message whole. */
	bool whole = transaction_count(transaction, ACTION_QUARANTINE) == transaction->envelope.n_recipients;
	return place == SET_PLACE_QUEUE && whole && (session->actions & MILTER_QUARANTINE) ? place : SET_PLACE_VAULT;
}

/* All are to have it quarantined, and the mail server keeps it. */
static void answer_queue(struct session *session)
{
	struct transaction *transaction = session->transaction;
	remove_foreign_fields(session);
	add_own_fields(session);
	milter_quarantine(&session->out, transaction->verdict.reason_en);
	milter_accept(&session->out);
	transaction_trace(transaction, "quarantined", (struct bytes){0}, (struct bytes){0});
}

/* Somebody gets it, be it the mailbox of the quarantine: the others are taken out. */
static void answer_delivered(struct session *session)
{
	struct transaction *transaction = session->transaction;
	size_t n = transaction->envelope.n_recipients;
	size_t tagged = transaction_count(transaction, ACTION_TAG);
	CLEANUP(buf_done) struct buf path = BUF_INIT(8192);
	for (size_t i = 0; i < n; i++) {
		if (delivered(transaction->fates[i]))
			continue;
		buf_clear(&path);
		buf_add_byte(&path, '<');
		buf_add(&path, transaction->envelope.recipients[i]);
		buf_add_byte(&path, '>');
		milter_delete_recipient(&session->out, buf_bytes(&path));
	}
	if (transaction_count(transaction, ACTION_QUARANTINE) > 0 && quarantine_place(session) == SET_PLACE_MAILBOX) {
		buf_clear(&path);
		buf_add_byte(&path, '<');
		buf_add(&path, session->gate->settings->quarantine_place);
		buf_add_byte(&path, '>');
		milter_add_recipient(&session->out, buf_bytes(&path));
	}
	remove_foreign_fields(session);
	add_own_fields(session);
	if (transaction_tags_subject(transaction))
		tag_subject(session);
	milter_accept(&session->out);
	bool for_some = tagged + transaction_count(transaction, ACTION_DELIVER) > 0;
	transaction_trace(transaction,
			  !for_some    ? "quarantined"
			  : tagged > 0 ? "tagged"
				       : "delivered",
			  (struct bytes){0}, (struct bytes){0});
}

static void answer(struct session *session)
{
	struct transaction *transaction = session->transaction;
	size_t n = transaction->envelope.n_recipients;
	size_t go_on = transaction_count(transaction, ACTION_DELIVER) + transaction_count(transaction, ACTION_TAG);
	CLEANUP(buf_done) struct buf text = BUF_INIT(4096);
	enum settings_place place = quarantine_place(session);
	size_t held = transaction_count(transaction, ACTION_QUARANTINE);
	if (held > 0 && place == SET_PLACE_QUEUE) {
		answer_queue(session);
	} else if (go_on > 0 || (held > 0 && place == SET_PLACE_MAILBOX)) {
		answer_delivered(session);
	} else if (transaction_count(transaction, ACTION_REJECT) == n && n > 0) {
		transaction_reject_text(transaction, &text);
		milter_reply(&session->out, "550", "5.7.1", buf_bytes(&text));
		transaction_trace(transaction, "rejected", (struct bytes){0}, (struct bytes){0});
	} else {
		milter_discard(&session->out);
		bool kept = transaction_count(transaction, ACTION_QUARANTINE) > 0;
		transaction_trace(transaction, kept ? "quarantined" : "discarded", (struct bytes){0},
				  (struct bytes){0});
	}
	end_transaction(session);
	send_out(session);
}

static void on_stored(void *ctx, struct transaction *transaction, bool ok)
{
	struct session *session = ctx;
	(void)transaction;
	if (ok)
		answer(session);
	else
		answer_tempfail(session,
				BYTES_LIT("The quarantine could not keep the message, so it was not accepted."),
				BYTES_LIT("隔離領域に保存できなかったため、メールを受け付けませんでした。"));
}

/* Its end is not here: what cannot be kept whole is not taken from the mail server. */
static void answer_too_large(struct session *session)
{
	transaction_trace(session->transaction, "refused", BYTES_LIT("The message is larger than is accepted."),
			  BYTES_LIT("メールが受け付けられる大きさを超えています。"));
	milter_reply(&session->out, "552", "5.3.4", BYTES_LIT("The message is too large"));
	end_transaction(session);
	send_out(session);
}

static void answer_too_many_fields(struct session *session)
{
	transaction_trace(session->transaction, "refused", BYTES_LIT("The header has too many fields in our name."),
			  BYTES_LIT("当方の名を騙るヘッダーフィールドが多すぎます。"));
	milter_reply(&session->out, "554", "5.6.0", BYTES_LIT("The header has too many fields in our name"));
	end_transaction(session);
	send_out(session);
}

static void on_judged(void *ctx, struct transaction *transaction)
{
	struct session *session = ctx;
	if (!transaction->has_verdict) {
		answer_tempfail(session, BYTES_LIT("The message could not be examined in time."),
				BYTES_LIT("時間内にメールを検査できませんでした。"));
		return;
	}
	if (has_too_many_foreign_fields(session)) {
		answer_too_many_fields(session);
		return;
	}
	size_t n = transaction->envelope.n_recipients;
	if (transaction_count(transaction, ACTION_TEMPFAIL) > 0) {
		answer_tempfail(session, transaction->verdict.reason_en, transaction->verdict.reason_ja);
		return;
	}
	/* The protocol refuses for all or for none: a refusal for some becomes quarantine for them. */
	if (transaction_count(transaction, ACTION_REJECT) < n)
		for (size_t i = 0; i < n; i++)
			if (transaction->fates[i] == ACTION_REJECT)
				transaction->fates[i] = ACTION_QUARANTINE;
	/* Without the right to take recipients out, all get what the most careful of them would. */
	if (!(session->actions & MILTER_DELETE_RECIPIENT) && transaction_count(transaction, ACTION_QUARANTINE) > 0)
		for (size_t i = 0; i < n; i++)
			transaction->fates[i] = ACTION_QUARANTINE;
	bool to_vault =
		transaction_count(transaction, ACTION_QUARANTINE) > 0 && quarantine_place(session) == SET_PLACE_VAULT;
	if (to_vault && transaction->too_large)
		answer_too_large(session);
	else if (to_vault)
		transaction_store(transaction, ACTION_QUARANTINE, on_stored, session);
	else
		answer(session);
}

/* -- Events ---- */

static struct bytes keep(struct session *session, struct bytes b)
{
	return arena_copy(session->arena, bytes_sub(b, 0, TEXT_MAX));
}

static void on_connect(struct session *session, const struct milter_event *event)
{
	struct scan_envelope *client = &session->client;
	/* A transaction that was open speaks of the client before. */
	abandon(session);
	arena_reset(session->arena);
	*client = (struct scan_envelope){0};
	session->user.len = 0;
	session->any_message = false;
	if (event->family == '4' || event->family == '6')
		client->has_client = received_parse_ip(event->two, client->client_ip);
	/* The MTA writes "[address]" or "unknown" where it found no name. */
	bool named =
		event->one.len > 0 && event->one.ptr[0] != '[' && !bytes_eq_nocase(event->one, BYTES_LIT("unknown"));
	client->client_name = named ? keep(session, event->one) : (struct bytes){0};
}

static void on_macros(struct session *session, const struct milter_event *event)
{
	struct bytes value;
	if (milter_macro(event->one, BYTES_LIT("i"), &value))
		word_set(&session->queue_id, value);
	if (event->stage == 'M')
		word_set(&session->user,
			 milter_macro(event->one, BYTES_LIT("{auth_authen}"), &value) ? value : (struct bytes){0});
	if (event->stage == 'R')
		session->recipient_refused = milter_macro(event->one, BYTES_LIT("{rcpt_mailer}"), &value) &&
					     bytes_eq(value, BYTES_LIT("error"));
}

static bool begin_transaction(struct session *session, const struct milter_event *event)
{
	struct transaction *transaction;
	struct bytes from;
	abandon(session);
	if (transaction_new(session->gate, &transaction) != ERR_OK)
		return false;
	session->transaction = transaction;
	session->any_message = true;
	struct scan_envelope *envelope = &transaction->envelope;
	*envelope = session->client;
	envelope->frontend = BYTES_LIT("milter");
	envelope->hostname = session->gate->hostname;
	envelope->has_from = true;
	envelope->from = address_from_path(event->one, &from) ? transaction_keep(transaction, from)
							      : transaction_keep(transaction, event->one);
	envelope->user = transaction_keep(transaction, word_bytes(&session->user));
	gate_prefetch(session->gate, envelope);
	return true;
}

static void on_mail(struct session *session, const struct milter_event *event)
{
	if (!begin_transaction(session, event) || !gate_can_take_mail(session->gate)) {
		if (session->transaction) {
			transaction_trace(
				session->transaction, "deferred",
				BYTES_LIT("The vault cannot write, so no mail is accepted for now."),
				BYTES_LIT("記録領域に書き込めないため、一時的にメールを受け付けていません。"));
			end_transaction(session);
		}
		milter_reply(&session->out, "451", "4.3.0",
			     BYTES_LIT("Please try again later: the mail filter is not ready"));
		return;
	}
	milter_continue(&session->out);
}

static void on_rcpt(struct session *session, const struct milter_event *event)
{
	struct bytes address;
	if (session->transaction && !session->recipient_refused)
		transaction_add_recipient(session->transaction,
					  address_from_path(event->one, &address) ? address : event->one);
}

/* The header as the message had it: the protocol's LF inside a field becomes CRLF again. */
static void write_lines(struct transaction *transaction, struct bytes text)
{
	struct bytes rest = text;
	size_t line;
	while ((line = bytes_find_byte(rest, '\n')) != BYTES_NONE) {
		bool had_cr = line > 0 && rest.ptr[line - 1] == '\r';
		transaction_write(transaction, bytes_sub(rest, 0, had_cr ? line - 1 : line));
		transaction_write(transaction, BYTES_LIT("\r\n"));
		rest = bytes_from(rest, line + 1);
	}
	transaction_write(transaction, rest);
}

static void on_auth_field(struct session *session, struct bytes value)
{
	session->auth_fields++;
	if (!transaction_speaks_for_us(session->transaction, value))
		return;
	unsigned *grown = arena_grow(session->transaction->arena, session->forged, &session->forged_capacity,
				     session->n_forged, sizeof(*grown));
	if (!grown) {
		session->transaction->failed = true;
		return;
	}
	session->forged = grown;
	grown[session->n_forged++] = session->auth_fields;
}

static void on_header(struct session *session, const struct milter_event *event)
{
	struct transaction *transaction = session->transaction;
	if (!transaction)
		return;
	if (bytes_eq_nocase(event->one, BYTES_LIT("X-Postern")))
		session->own_fields++;
	else if (bytes_eq_nocase(event->one, BYTES_LIT("X-Postern-Release")))
		session->release_fields++;
	else if (bytes_eq_nocase(event->one, BYTES_LIT("Authentication-Results")))
		on_auth_field(session, event->two);
	else if (!session->subject_seen && bytes_eq_nocase(event->one, BYTES_LIT("Subject"))) {
		session->subject_seen = true;
		session->subject = transaction_keep(transaction, event->two);
	}
	transaction_write(transaction, event->one);
	transaction_write(transaction,
			  session->milter.steps & MILTER_HEADER_LEADING_SPACE ? BYTES_LIT(":") : BYTES_LIT(": "));
	write_lines(transaction, event->two);
	transaction_write(transaction, BYTES_LIT("\r\n"));
}

static void on_end(struct session *session, const struct milter_event *event)
{
	struct transaction *transaction = session->transaction;
	if (!transaction) {
		milter_tempfail(&session->out);
		return;
	}
	transaction_write(transaction, event->one);
	transaction->queue_id = transaction_keep(transaction, word_bytes(&session->queue_id));
	session->waiting = true;
	/* A mail server that names no recipients: the policy for none in particular. */
	if (transaction->envelope.n_recipients == 0)
		transaction_add_recipient(transaction, (struct bytes){0});
	transaction_judge(transaction, on_judged, session);
}

/* What is decided and cannot be done would look as if it were. Nothing asks for another body. */
static void on_options(struct session *session, const struct milter_event *event)
{
	struct gate *gate = session->gate;
	milter_negotiate(&session->milter, &session->out, event, WANT_ACTIONS, WANT_STEPS, &session->actions);
	uint32_t missing = WANT_ACTIONS & ~(uint32_t)MILTER_CHANGE_BODY & ~session->actions;
	if (missing == 0 || gate->milter_limited)
		return;
	gate->milter_limited = true;
	log_event(LOG_WARNING, "milter.limited", log_int("missing", missing),
		  log_cstr("why",
			   "a mail server does not let its filter change fields, change recipients or hold mail: "
			   "what is tagged goes on without the mark, unless it grants that"));
}

/* False: the session is over, and may be gone. */
static bool on_event(struct session *session, const struct milter_event *event)
{
	switch (event->command) {
	case MILTER_OPTIONS:
		on_options(session, event);
		return true;
	case MILTER_MACROS:
		on_macros(session, event);
		return true;
	case MILTER_CONNECT:
		on_connect(session, event);
		break;
	case MILTER_HELO:
		session->client.helo = keep(session, event->one);
		break;
	case MILTER_MAIL:
		on_mail(session, event);
		return true;
	case MILTER_RCPT:
		on_rcpt(session, event);
		break;
	case MILTER_HEADER:
		on_header(session, event);
		break;
	case MILTER_EOH:
		if (session->transaction)
			transaction_write(session->transaction, BYTES_LIT("\r\n"));
		break;
	case MILTER_BODY:
		if (session->transaction)
			transaction_write(session->transaction, event->one);
		break;
	case MILTER_EOM:
		on_end(session, event);
		return true;
	case MILTER_ABORT:
		abandon(session);
		return true;
	case MILTER_QUIT_NC:
		abandon(session);
		trace_bare(session);
		arena_reset(session->arena);
		session->client = (struct scan_envelope){0};
		return true;
	case MILTER_QUIT:
		trace_bare(session);
		session_free(session);
		return false;
	case MILTER_DATA:
	case MILTER_UNKNOWN:
		break;
	}
	if (milter_wants_reply(&session->milter, event->command))
		milter_continue(&session->out);
	return true;
}

static void on_data(void *ctx, struct bytes data)
{
	struct session *session = ctx;
	struct milter_event event;
	enum err err;
	milter_feed(&session->milter, data);
	while ((err = milter_next(&session->milter, &event)) == ERR_OK) {
		if (session->waiting && event.command != MILTER_ABORT && event.command != MILTER_QUIT) {
			err = ERR_SYNTAX; /* nothing else may come before our answer */
			break;
		}
		if (!on_event(session, &event))
			return;
	}
	if (err != ERR_AGAIN) {
		metrics_add(METRIC_PROTOCOL_ERRORS, 1);
		log_event(LOG_WARNING, "milter.protocol", log_cstr("why", err_name(err)));
		session_free(session);
		return;
	}
	send_out(session);
}

static const struct stream_ops ops = {.data = on_data, .closed = on_closed};

void gate_milter_accept(struct gate *gate, int fd, const struct net_address *peer)
{
	struct session *session = gate_session_new(gate, fd, sizeof(*session));
	if (!session)
		return;
	*session = (struct session){.gate = gate, .arena = arena_create((size_t)1 << 20)};
	milter_init(&session->milter);
	buf_init(&session->out, (size_t)8 << 20);
	session->stream = gate_stream_new(gate, fd, peer, &ops, session);
	if (session->stream && session->arena)
		gate_session_enlist(gate, &session->link, end_if_idle, session);
	else
		session_free(session);
}
