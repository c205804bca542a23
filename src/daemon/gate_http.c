/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP front end: rspamd's protocol and /metrics. Requests of a connection come one after another; while one is
 * judged the reader is held.
 *
 * Here the client acts on the verdict, not we: nothing is kept in the quarantine, and the trace says what was advised.
 */
#include "base/compress.h"
#include "base/mem.h"
#include "daemon/gate.h"
#include "daemon/gate_reply.h"
#include "mail/address.h"
#include "mail/received.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "sys/stream.h"

#include "base/banned.h"

#define ANSWER_MAX ((size_t)4 << 20)

struct session {
	struct gate *gate;
	struct gate_session link;
	struct stream *stream;
	struct http http;
	bool busy, closing;
	enum rspamd_command command;
	bool metrics;                /* a command that rspamd does not have */
	bool milter;                 /* the answer is for a milter proxy, whose folds have a LF alone */
	struct http_request request; /* of the one being answered; without its spans */
	struct transaction *transaction;
	struct decompress *decompress; /* of a message that comes compressed */
};

static void read_on(struct session *session);

static void session_free(struct session *session)
{
	struct gate *gate = session->gate;
	gate_session_delist(&session->link);
	decompress_free(&session->decompress);
	transaction_free(&session->transaction);
	stream_free(&session->stream);
	http_done(&session->http);
	mem_free(session);
	gate_session_end(gate);
}

static void on_closed(void *ctx, enum err why)
{
	if (why == ERR_TIMEOUT)
		metrics_add(METRIC_TIMEOUTS, 1);
	session_free(ctx);
}

/* A connection that is kept alive and has no request under way need not be waited for. */
static void end_if_idle(void *ctx)
{
	struct session *session = ctx;
	if (!session->gate->ending || session->busy || session->closing || session->http.state != HTTP_IN_HEAD ||
	    http_pending(&session->http) > 0)
		return;
	session->closing = true;
	stream_finish(session->stream);
}

/* -- Answers ---- */

static void send_answer(struct session *session, struct buf *out)
{
	if (buf_err(out) != ERR_OK) {
		buf_clear(out);
		http_respond_error(out, &session->request, 500, BYTES_LIT("the answer is too large"));
		session->closing = true;
	}
	stream_write(session->stream, buf_bytes(out));
	/* One read may hold thousands of requests, each with a long answer. */
	if (!session->request.keep_alive || session->gate->draining ||
	    stream_unwritten(session->stream) > 4 * STREAM_UNREAD_MAX)
		session->closing = true;
	if (session->closing)
		stream_finish(session->stream);
}

static void answer(struct session *session, unsigned status, const char *type, struct bytes body)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(ANSWER_MAX);
	session->closing |= session->gate->draining;
	const struct http_response response = {
		.status = status, .type = type, .length = body.len, .close = session->closing};
	http_respond(&out, &session->request, &response, body);
	send_answer(session, &out);
}

static void answer_error(struct session *session, unsigned status, struct bytes text)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(65536);
	session->closing = true;
	http_respond_error(&out, &session->request, status, text);
	send_answer(session, &out);
}

static void fill_result(struct session *session, struct rspamd_result *result, struct reply_changes *changes,
			struct buf *subject)
{
	struct transaction *transaction = session->transaction;
	struct rspamd_symbol *symbols;
	const struct policy *policy = &session->gate->policy;
	size_t n = reply_symbols(transaction, &symbols);
	reply_changes(transaction, session->milter, changes);
	buf_add(subject, session->gate->settings->subject_tag);
	buf_add(subject, transaction->verdict.subject);
	*result = (struct rspamd_result){
		.action = reply_action(transaction),
		.score = rspamd_score((int)transaction->verdict.log_odds, policy->tag_at, policy->quarantine_at),
		.required_score = 15000,
		.symbols = symbols,
		.n_symbols = n,
		.message_id = transaction->verdict.message_id,
		.queue_id = transaction->queue_id,
		.smtp_message = transaction->verdict.reason_en,
		.subject = buf_bytes(subject),
		.remove_headers = changes->removed,
		.n_remove_headers = changes->n_removed,
		.add_headers = changes->added,
		.n_add_headers = changes->n_added,
		.signatures = changes->first_signature,
		.n_signatures = changes->n_signatures,
		.usec = transaction->verdict.total_usec,
	};
}

static void go_on(struct session *session)
{
	session->busy = false;
	stream_pause(session->stream, false);
	if (!session->closing)
		read_on(session);
}

static void on_judged(void *ctx, struct transaction *transaction)
{
	struct session *session = ctx;
	CLEANUP(buf_done) struct buf body = BUF_INIT(ANSWER_MAX / 2);
	CLEANUP(buf_done) struct buf subject = BUF_INIT(16384);
	struct rspamd_result result;
	struct reply_changes changes;
	if (!transaction->has_verdict) {
		transaction_trace(transaction, "deferred", BYTES_LIT("The message could not be examined in time."),
				  BYTES_LIT("時間内にメールを検査できませんでした。"));
		answer_error(session, 503, BYTES_LIT("no scanner is ready"));
	} else {
		fill_result(session, &result, &changes, &subject);
		transaction_trace(transaction, "advised", (struct bytes){0}, (struct bytes){0});
		if (transaction->failed) {
			answer_error(session, 503, BYTES_LIT("not enough memory"));
		} else if (session->request.rspamc) {
			rspamd_add_rspamc(&body, &result);
			stream_write(session->stream, buf_bytes(&body));
			session->closing = true;
			stream_finish(session->stream);
		} else {
			if (session->command == RSPAMD_SYMBOLS)
				rspamd_add_symbols(&body, &result);
			else
				rspamd_add_check(&body, &result);
			answer(session, 200, "application/json", buf_bytes(&body));
		}
	}
	transaction_free(&session->transaction);
	go_on(session);
}

/* -- Requests ---- */

static struct bytes plain_path(struct bytes path)
{
	struct bytes address;
	return address_from_path(path, &address) ? address : path;
}

/* A message that cannot be had: nothing of it is judged. */
static void refuse_message(struct session *session, enum err why)
{
	transaction_free(&session->transaction);
	decompress_free(&session->decompress);
	if (why != ERR_NOMEM)
		metrics_add(METRIC_PROTOCOL_ERRORS, 1);
	if (why == ERR_LIMIT)
		answer_error(session, 413, BYTES_LIT("the message is too large when decompressed"));
	else if (why == ERR_UNSUPPORTED)
		answer_error(session, 415, BYTES_LIT("of compressions only zstd without a dictionary is read"));
	else if (why == ERR_NOMEM)
		answer_error(session, 503, BYTES_LIT("not enough memory"));
	else
		answer_error(session, 400, BYTES_LIT("the compressed message cannot be read"));
}

static bool begin_message(struct session *session, const struct http_request *http)
{
	struct transaction *transaction;
	struct rspamd_request request;
	if (transaction_new(session->gate, &transaction) != ERR_OK)
		return false;
	session->transaction = transaction;
	struct scan_envelope *envelope = &transaction->envelope;
	if (rspamd_request_parse(transaction->arena, http, &request) != ERR_OK)
		return false;
	if (request.coding == RSPAMD_UNKNOWN) {
		refuse_message(session, ERR_UNSUPPORTED);
		return true;
	}
	if (request.coding == RSPAMD_ZSTD &&
	    decompress_new((uint64_t)session->gate->settings->message_size, &session->decompress) != ERR_OK)
		return false;
	envelope->frontend = BYTES_LIT("http");
	envelope->has_client = received_parse_ip(request.ip, envelope->client_ip);
	envelope->client_name = request.hostname;
	envelope->helo = request.helo;
	envelope->has_from = request.has_from;
	envelope->from = plain_path(request.from);
	envelope->user = request.user;
	transaction->queue_id = request.queue_id;
	transaction->verdict_only = http->rspamc;
	session->milter = request.milter;
	for (size_t i = 0; i < request.n_recipients; i++)
		transaction_add_recipient(transaction, plain_path(request.recipients[i]));
	if (request.n_recipients == 0)
		transaction_add_recipient(transaction, request.deliver_to);
	return !transaction->failed;
}

static void answer_stat(struct session *session)
{
	CLEANUP(buf_done) struct buf body = BUF_INIT(65536);
	static int64_t since;
	if (since == 0)
		since = clock_monotonic_ms();
	struct rspamd_stat stat = {
		.version = BYTES_LIT("postern"),
		.uptime_s = (uint64_t)(clock_monotonic_ms() - since) / 1000,
		.clean = (uint64_t)metrics_sum(METRIC_RECIPIENTS_DELIVER),
		.tagged = (uint64_t)metrics_sum(METRIC_RECIPIENTS_TAG),
		.quarantined = (uint64_t)metrics_sum(METRIC_RECIPIENTS_QUARANTINE),
		.rejected = (uint64_t)metrics_sum(METRIC_RECIPIENTS_REJECT),
		.deferred = (uint64_t)metrics_sum(METRIC_RECIPIENTS_TEMPFAIL),
	};
	for (int class = 0; class < CLASS_COUNT; class ++)
		stat.scanned += (uint64_t)metrics_sum((enum metric)(METRIC_MESSAGES_CLEAN + class));
	for (int frontend = 0; frontend < FRONTENDS; frontend++)
		stat.connections += (uint64_t)metrics_sum((enum metric)(METRIC_CONNECTIONS_MILTER + frontend));
	rspamd_add_stat(&body, &stat);
	answer(session, 200, "application/json", buf_bytes(&body));
}

static void on_head(struct session *session, const struct http_request *http)
{
	session->request = *http;
	session->request.path = (struct bytes){0}; /* its bytes are not there any more when the body has come */
	session->command = rspamd_command_of(http->path);
	session->metrics = bytes_eq(http->path, BYTES_LIT("/metrics"));
	if (session->command != RSPAMD_CHECK && session->command != RSPAMD_SYMBOLS)
		return; /* answered when its body, if it has one, is over */
	if (http->method != HTTP_POST && http->method != HTTP_PUT && !http->rspamc) {
		answer_error(session, 405, BYTES_LIT("send the message with POST"));
		return;
	}
	if (!begin_message(session, http)) {
		refuse_message(session, ERR_NOMEM);
		return;
	}
	if (http->expects_continue && session->transaction) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(128);
		http_continue(&out);
		stream_write(session->stream, buf_bytes(&out));
	}
}

static void on_body(struct session *session, struct bytes data)
{
	struct bytes piece;
	if (!session->transaction)
		return;
	if (!session->decompress) {
		transaction_write(session->transaction, data);
		return;
	}
	decompress_feed(session->decompress, data);
	enum err err;
	while ((err = decompress_next(session->decompress, &piece)) == ERR_OK)
		transaction_write(session->transaction, piece);
	if (err != ERR_AGAIN)
		refuse_message(session, err);
}

static void on_end(struct session *session)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(ANSWER_MAX);
	enum err err = session->decompress ? decompress_end(session->decompress) : ERR_OK;
	if (err != ERR_OK) {
		refuse_message(session, err);
		return;
	}
	decompress_free(&session->decompress);
	if (session->transaction) {
		session->busy = true;
		http_hold(&session->http);
		stream_pause(session->stream, true);
		transaction_judge(session->transaction, on_judged, session);
		return;
	}
	switch (session->command) {
	case RSPAMD_PING:
		rspamd_respond_ping(&out, &session->request);
		send_answer(session, &out);
		break;
	case RSPAMD_STAT:
		answer_stat(session);
		break;
	case RSPAMD_LEARN:
		rspamd_respond_learn(&out, &session->request,
				     BYTES_LIT("Postern does not learn from single messages yet"));
		send_answer(session, &out);
		break;
	case RSPAMD_CHECK:
	case RSPAMD_SYMBOLS:
		break; /* refused at its head */
	case RSPAMD_OTHER:
		if (session->metrics) {
			metrics_render(&out);
			CLEANUP(buf_done) struct buf body = out;
			out = (struct buf)BUF_INIT(ANSWER_MAX);
			answer(session, 200, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&body));
		} else {
			answer(session, 404, "application/json", BYTES_LIT("{\"error\":\"there is nothing here\"}"));
		}
		break;
	}
}

static void read_on(struct session *session)
{
	struct http_event event;
	enum err err = ERR_AGAIN;
	while (!session->busy && !session->closing && (err = http_next(&session->http, &event)) == ERR_OK) {
		if (event.kind == HTTP_HEAD)
			on_head(session, &event.request);
		else if (event.kind == HTTP_BODY)
			on_body(session, event.data);
		else if (event.kind == HTTP_END)
			on_end(session);
	}
	if (session->busy || session->closing || err == ERR_AGAIN)
		return;
	metrics_add(METRIC_PROTOCOL_ERRORS, 1);
	session->request = (struct http_request){0};
	answer_error(session, http_status(&session->http), BYTES_LIT("the request cannot be read"));
}

static void on_data(void *ctx, struct bytes data)
{
	struct session *session = ctx;
	http_feed(&session->http, data);
	if (session->busy || session->closing)
		http_hold(&session->http);
	else
		read_on(session);
}

static const struct stream_ops ops = {.data = on_data, .closed = on_closed};

void gate_http_accept(struct gate *gate, int fd, const struct net_address *peer)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct session *session = gate_session_new(gate, fd, sizeof(*session));
	if (!session)
		return;
	limits.body_max = (uint64_t)gate->settings->message_size;
	*session = (struct session){.gate = gate};
	http_init(&session->http, &limits);
	session->stream = gate_stream_new(gate, fd, peer, &ops, session);
	if (session->stream)
		gate_session_enlist(gate, &session->link, end_if_idle, session);
	else
		session_free(session);
}
