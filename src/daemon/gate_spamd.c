/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spamd front end: one request a connection. As with HTTP the client acts on the verdict; the trace says what was
 * advised.
 */
#include "base/mem.h"
#include "daemon/gate.h"
#include "daemon/gate_reply.h"
#include "proto/spamd.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "sys/stream.h"

#include "base/banned.h"

struct session {
	struct gate *gate;
	struct gate_session link;
	struct stream *stream;
	struct spamd spamd;
	struct spamd_request request; /* without its spans */
	bool closing;
	struct transaction *transaction;
};

static void session_free(struct session *session)
{
	struct gate *gate = session->gate;
	gate_session_delist(&session->link);
	transaction_free(&session->transaction);
	stream_free(&session->stream);
	spamd_done(&session->spamd);
	mem_free(session);
	gate_session_end(gate);
}

static void finish(struct session *session, struct buf *out)
{
	stream_write(session->stream, buf_bytes(out));
	session->closing = true;
	stream_finish(session->stream);
}

static void refuse(struct session *session, enum spamd_code code, struct bytes why)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(4096);
	spamd_add_error(&out, code, why);
	finish(session, &out);
}

static void add_report(struct session *session, struct buf *out)
{
	struct transaction *transaction = session->transaction;
	struct rspamd_symbol *symbols;
	size_t n = reply_symbols(transaction, &symbols);
	buf_printf(out, "Postern: %s, probability %.4f (%s)\n\n", verdict_class_name(transaction->class),
		   verdict_probability((int)transaction->verdict.log_odds), transaction->id);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%+6.2f %-26.*s %.*s\n", (double)symbols[i].score / 1000, BYTES_FMT(symbols[i].name),
			   BYTES_FMT(symbols[i].description));
}

static void add_symbols(struct session *session, struct buf *out)
{
	struct rspamd_symbol *symbols;
	size_t n = reply_symbols(session->transaction, &symbols);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%.*s", i ? "," : "", BYTES_FMT(symbols[i].name));
}

static void make_body(struct session *session, bool spam, struct buf *body)
{
	switch (session->request.command) {
	case SPAMD_SYMBOLS:
		add_symbols(session, body);
		break;
	case SPAMD_REPORT_IFSPAM:
		if (spam)
			add_report(session, body);
		break;
	case SPAMD_REPORT:
		add_report(session, body);
		break;
	case SPAMD_PROCESS:
	case SPAMD_HEADERS:
		reply_message(session->transaction, session->request.command == SPAMD_HEADERS, body);
		break;
	case SPAMD_CHECK:
	case SPAMD_PING:
	case SPAMD_SKIP:
	case SPAMD_TELL:
		break;
	}
}

static void on_judged(void *ctx, struct transaction *transaction)
{
	struct session *session = ctx;
	CLEANUP(buf_done) struct buf body = BUF_INIT((size_t)session->gate->settings->message_size + (1 << 20));
	CLEANUP(buf_done) struct buf out = BUF_INIT(4096);
	if (!transaction->has_verdict) {
		transaction_trace(transaction, "deferred", BYTES_LIT("The message could not be examined in time."),
				  BYTES_LIT("時間内にメールを検査できませんでした。"));
		refuse(session, SPAMD_TEMPFAIL, BYTES_LIT("no scanner is ready"));
		return;
	}
	if (transaction->verdict.unsigned_mail && transaction_count(transaction, ACTION_TEMPFAIL) > 0) {
		transaction_trace(transaction, "deferred", (struct bytes){0}, (struct bytes){0});
		refuse(session, SPAMD_TEMPFAIL, BYTES_LIT("the message could not be signed"));
		return;
	}
	bool spam = transaction_count(transaction, ACTION_DELIVER) < transaction->envelope.n_recipients;
	struct spamd_result result = {
		.spam = spam,
		.score = spamd_score((int)transaction->verdict.log_odds, session->gate->policy.tag_at),
		.threshold = 5000,
	};
	/* Malware is no matter of probability: what the client compares must say the same as the word does. */
	if (spam && result.score < result.threshold)
		result.score = result.threshold;
	make_body(session, spam, &body);
	if (buf_err(&body) != ERR_OK) {
		/* Half a message would be taken for a whole one. */
		transaction_trace(transaction, "deferred", BYTES_LIT("There was not enough memory for the answer."),
				  BYTES_LIT("メモリ不足のため応答を作成できませんでした。"));
		refuse(session, SPAMD_TEMPFAIL, BYTES_LIT("not enough memory"));
		return;
	}
	spamd_add_head(&out, &session->request, &result, body.len);
	transaction_trace(transaction, "advised", (struct bytes){0}, (struct bytes){0});
	stream_write(session->stream, buf_bytes(&out));
	finish(session, &body);
}

static void on_head(struct session *session, const struct spamd_request *request)
{
	struct transaction *transaction;
	session->request = *request;
	if (request->command == SPAMD_PING || request->command == SPAMD_SKIP || request->command == SPAMD_TELL)
		return; /* answered at their end */
	if (request->compressed) {
		refuse(session, SPAMD_UNAVAILABLE, BYTES_LIT("compressed messages are not read; use spamc without -z"));
		return;
	}
	if (transaction_new(session->gate, &transaction) != ERR_OK) {
		refuse(session, SPAMD_TEMPFAIL, BYTES_LIT("not enough memory"));
		return;
	}
	session->transaction = transaction;
	transaction->envelope.frontend = BYTES_LIT("spamd");
	transaction->verdict_only = request->command != SPAMD_PROCESS && request->command != SPAMD_HEADERS;
	/* The user is who gets it. */
	transaction_add_recipient(transaction, request->user);
}

static void on_end(struct session *session)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(4096);
	if (session->closing)
		return;
	if (session->transaction) {
		stream_pause(session->stream, true);
		transaction_judge(session->transaction, on_judged, session);
	} else if (session->request.command == SPAMD_PING) {
		spamd_add_pong(&out);
		finish(session, &out);
	} else if (session->request.command == SPAMD_TELL) {
		spamd_add_told_nothing(&out);
		finish(session, &out);
	} else {
		finish(session, &out); /* SKIP: nothing is said */
	}
}

static void read_on(struct session *session)
{
	struct spamd_event event;
	enum err err = ERR_AGAIN;
	while (!session->closing && (err = spamd_next(&session->spamd, &event)) == ERR_OK) {
		if (event.kind == SPAMD_HEAD)
			on_head(session, &event.request);
		else if (event.kind == SPAMD_BODY && session->transaction)
			transaction_write(session->transaction, event.data);
		else if (event.kind == SPAMD_END)
			on_end(session);
	}
	if (session->closing || err == ERR_AGAIN)
		return;
	metrics_add(METRIC_PROTOCOL_ERRORS, 1);
	refuse(session, SPAMD_PROTOCOL, BYTES_LIT("the request cannot be read"));
}

static bool is_silent(const struct session *session)
{
	return session->spamd.state == SPAMD_IN_HEAD && spamd_pending(&session->spamd) == 0;
}

/* A connection without a request need not be waited for. */
static void end_if_idle(void *ctx)
{
	struct session *session = ctx;
	if (session->gate->ending && !session->closing && is_silent(session)) {
		session->closing = true;
		stream_finish(session->stream);
	}
}

static void on_data(void *ctx, struct bytes data)
{
	struct session *session = ctx;
	spamd_feed(&session->spamd, data);
	read_on(session);
}

/* Clients that announced no length, such as Exim, shut their side down after the message: that is its end. */
static void on_ended(void *ctx)
{
	struct session *session = ctx;
	if (is_silent(session)) {
		session_free(session);
		return;
	}
	spamd_eof(&session->spamd);
	read_on(session);
}

static void on_closed(void *ctx, enum err why)
{
	struct session *session = ctx;
	if (why == ERR_TIMEOUT)
		metrics_add(METRIC_TIMEOUTS, 1);
	session_free(session);
}

static const struct stream_ops ops = {.data = on_data, .closed = on_closed, .ended = on_ended};

void gate_spamd_accept(struct gate *gate, int fd, const struct net_address *peer)
{
	struct spamd_limits limits = SPAMD_LIMITS_DEFAULT;
	struct session *session = gate_session_new(gate, fd, sizeof(*session));
	if (!session)
		return;
	limits.body_max = (uint64_t)gate->settings->message_size;
	*session = (struct session){.gate = gate};
	spamd_init(&session->spamd, &limits);
	session->stream = gate_stream_new(gate, fd, peer, &ops, session);
	if (session->stream)
		gate_session_enlist(gate, &session->link, end_if_idle, session);
	else
		session_free(session);
}
