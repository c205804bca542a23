/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages at scanners. A job waits (no scanner is there, or none takes more), runs (sent to one), and ends once: with
 * a verdict, with "unscannable" after its second scanner died or stalled over it, or with nothing when no scanner came
 * in time.
 *
 * A scanner has many messages and thinks of one at a time, in the order in which they were sent. So only the oldest of
 * those it has is to blame for its end; and it is stuck when it says nothing for the whole time that one message may
 * take, not when the last of a long queue has waited for so long.
 */
#include <unistd.h>

#include "base/mem.h"
#include "daemon/gate.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/facts.h"

#include "base/banned.h"

#define ATTEMPTS            2
#define WAIT_FOR_SCANNER_MS 20000
#define VAULT_ANSWER_MS     5000 /* then the scanner goes on without the fact */
#define SIGNER_ANSWER_MS    5000 /* time enough to restart; then the message is unsigned */
#define SIGNINGS_MAX        4    /* of one message: who takes a scanner over has not much signed */

struct scan_job {
	struct scan_job *next, **link; /* in gate->jobs */
	struct gate *gate;
	uint64_t id;
	struct bytes whole; /* the caller's; empty: */
	int memfd;          /* the caller's; -1 as well: there is nothing to judge, end with nothing */
	size_t envelope_len, size;
	struct scanner_link *scanner; /* NULL: waiting */
	bool waits;                   /* counted in gate->waiting */
	uint64_t sent;                /* in the order of what was sent to scanners */
	unsigned failures;            /* scanners that ended over it */
	bool waits_for_facts;         /* the scanner says so */
	struct buf question;          /* what the vault was asked for it (an ASK), while there is no answer */
	enum sign_right right;        /* as what the message may be signed */
	struct buf signing;           /* what the signer was asked for it (a SIGN), while there is no answer */
	unsigned signings;
	struct loop_timer *timer;
	void (*done)(void *ctx, const struct wire_verdict *verdict);
	void *ctx;
};

static bool has_message(const struct scan_job *job)
{
	return job->whole.len > 0 || job->memfd >= 0;
}

static void set_waiting(struct scan_job *job, bool waits)
{
	if (waits && !job->waits)
		job->gate->waiting++;
	else if (!waits && job->waits)
		job->gate->waiting--;
	job->waits = waits;
}

static void unlink_job(struct scan_job *job)
{
	set_waiting(job, false);
	buf_done(&job->question);
	buf_done(&job->signing);
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	if (job->scanner) {
		job->scanner->in_flight--;
		metrics_add(METRIC_SCANS_RUNNING, -1);
	}
	loop_timer_free(&job->timer);
}

static void finish(struct scan_job *job, const struct wire_verdict *verdict)
{
	void (*done)(void *ctx, const struct wire_verdict *verdict) = job->done;
	void *ctx = job->ctx;
	unlink_job(job);
	mem_free(job);
	done(ctx, verdict);
}

static void finish_unscannable(struct scan_job *job)
{
	struct wire_verdict verdict = {
		.class = CLASS_UNSCANNABLE,
		.own_class = CLASS_UNSCANNABLE,
		.ids = BYTES_LIT("SCANNER_DIED"),
		.reason_en = BYTES_LIT("The message could not be examined: the scanner failed twice over it."),
		.reason_ja = BYTES_LIT("検査プロセスが二度異常終了したため、メールを検査できませんでした。"),
		.evidence = BYTES_LIT("[]"),
	};
	metrics_add(METRIC_SCANS_GIVEN_UP, 1);
	log_event(LOG_ERROR, "scan.given_up", log_int("size", (int64_t)job->size));
	finish(job, &verdict);
}

static struct scanner_link *least_busy(struct gate *gate)
{
	struct scanner_link *best = NULL;
	for (size_t i = 0; i < GATE_SCANNERS_MAX; i++) {
		struct scanner_link *link = &gate->scanners[i];
		if (link->ipc && (!best || link->in_flight < best->in_flight))
			best = link;
	}
	return best;
}

static void wait_for_scanner(struct scan_job *job)
{
	if (!job->waits)
		loop_timer_set(job->timer, WAIT_FOR_SCANNER_MS);
	set_waiting(job, true);
}

/* Sends the job to a scanner, or leaves it waiting for one. */
static void dispatch(struct scan_job *job)
{
	struct scanner_link *scanner = least_busy(job->gate);
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	if (!scanner) {
		wait_for_scanner(job);
		return;
	}
	wire_encode(&buf, &(struct wire_any){.type = WIRE_SCAN,
					     .scan = {.id = job->id,
						      .envelope_len = job->envelope_len,
						      .size = job->size,
						      .whole = job->whole,
						      .sign = (uint8_t)job->right}});
	if (buf_err(&buf) != ERR_OK ||
	    ipc_send(scanner->ipc, buf_bytes(&buf), job->whole.len > 0 ? -1 : job->memfd) != ERR_OK) {
		wait_for_scanner(job); /* its end is being noticed and another will come, or it has too much to do */
		return;
	}
	set_waiting(job, false);
	job->scanner = scanner;
	job->sent = ++job->gate->next_id;
	if (scanner->in_flight++ == 0)
		scanner->answered_ms = loop_now_ms(job->gate->loop);
	metrics_add(METRIC_SCANS_RUNNING, 1);
	loop_timer_set(job->timer, job->gate->settings->scan_timeout);
}

static void dispatch_waiting(struct gate *gate)
{
	for (struct scan_job *job = gate->jobs; job && gate->waiting > 0; job = job->next)
		if (job->waits)
			dispatch(job);
}

/* The scanner that had the job is gone. */
static void try_again(struct scan_job *job, bool to_blame)
{
	job->scanner->in_flight--;
	job->scanner = NULL;
	job->waits_for_facts = false;
	buf_done(&job->question);
	buf_done(&job->signing);
	job->signings = 0;
	metrics_add(METRIC_SCANS_RUNNING, -1);
	job->failures += to_blame;
	if (job->failures >= ATTEMPTS) {
		finish_unscannable(job);
		return;
	}
	metrics_add(METRIC_SCANS_RETRIED, 1);
	dispatch(job);
}

/* To the scanner that asked. */
static void send_answer(struct scan_job *job, const struct wire_answer *answer)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	wire_encode(&buf, &(struct wire_any){.type = WIRE_ANSWER, .answer = *answer});
	buf_done(&job->question); /* an answer that failed is a slice of it */
	job->sent = ++job->gate->next_id;
	loop_timer_set(job->timer, job->gate->settings->scan_timeout);
	/* A scanner that cannot be told is on its end, which brings the job back. */
	if (buf_err(&buf) == ERR_OK && ipc_send(job->scanner->ipc, buf_bytes(&buf), -1) != ERR_OK)
		log_event(LOG_WARNING, "scanner.unreachable", log_int("scanner", job->scanner->index));
}

static void answer_failed(struct scan_job *job, const struct wire_ask *ask)
{
	struct cursor cur = cursor_make(ask->questions);
	CLEANUP(buf_done) struct buf facts = BUF_INIT(IPC_MAX);
	enum fact_kind kind;
	struct bytes key;
	while (facts_next_question(&cur, &kind, &key))
		facts_add(&facts, kind, FACT_FAILED, key, (struct bytes){0});
	send_answer(job, &(struct wire_answer){.id = job->id, .facts = buf_bytes(&facts)});
}

static void on_vault_silent(struct scan_job *job)
{
	struct wire_any any;
	if (wire_decode(buf_bytes(&job->question), &any) == ERR_OK && any.type == WIRE_ASK)
		answer_failed(job, &any.ask);
}

/* -- Signatures ---- */

/* To the scanner that wants it. */
static void send_signature(struct scan_job *job, bool ok, struct bytes signature)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	wire_encode(&buf, &(struct wire_any){.type = WIRE_SIGNATURE,
					     .signature = {.id = job->id, .ok = ok, .signature = signature}});
	buf_done(&job->signing);
	job->sent = ++job->gate->next_id;
	loop_timer_set(job->timer, job->gate->settings->scan_timeout);
	if (buf_err(&buf) != ERR_OK || ipc_send(job->scanner->ipc, buf_bytes(&buf), -1) != ERR_OK)
		log_event(LOG_WARNING, "scanner.unreachable", log_int("scanner", job->scanner->index));
}

static void on_sign(struct scan_job *job, const struct wire_sign *sign)
{
	buf_done(&job->signing);
	if (!gate_may_sign(job->gate, job->right, sign) || job->signings++ >= SIGNINGS_MAX) {
		log_event(LOG_ERROR, "sign.refused", log_str("domain", sign->domain));
		send_signature(job, false, (struct bytes){0});
		return;
	}
	buf_init(&job->signing, IPC_MAX);
	wire_encode(&job->signing, &(struct wire_any){.type = WIRE_SIGN, .sign = *sign});
	if (buf_err(&job->signing) != ERR_OK) {
		send_signature(job, false, (struct bytes){0});
		return;
	}
	loop_timer_set(job->timer, SIGNER_ANSWER_MS);
	gate_sign_ask(job->gate, buf_bytes(&job->signing));
}

/*
 * A scanner that said nothing for long is stuck: it is killed, and every job that it had is tried again when its end is
 * noticed.
 */
static void on_timer(void *ctx)
{
	struct scan_job *job = ctx;
	if (!has_message(job) || !job->scanner) {
		finish(job, NULL);
		return;
	}
	if (job->question.len > 0) {
		on_vault_silent(job);
		return;
	}
	if (job->signing.len > 0) {
		log_event(LOG_ERROR, "signer.silent");
		send_signature(job, false, (struct bytes){0});
		return;
	}
	/* Who waits for facts is waited for as long as a scanner waits for them. */
	int64_t patience = job->gate->settings->scan_timeout + (job->waits_for_facts ? FACTS_WAIT_MS : 0);
	int64_t silent = loop_now_ms(job->gate->loop) - job->scanner->answered_ms;
	if (silent < patience) {
		loop_timer_set(job->timer, patience - silent);
		return;
	}
	log_event(LOG_ERROR, "scan.timeout", log_int("scanner", job->scanner->index),
		  log_int("size", (int64_t)job->size));
	child_say(job->gate->child,
		  &(struct wire_any){.type = WIRE_STUCK,
				     .stuck = {.index = job->scanner->index, .serial = job->scanner->serial}});
	loop_timer_set(job->timer, patience);
}

enum err gate_scan(struct gate *gate, struct bytes whole, int memfd, size_t envelope_len, size_t size,
		   enum sign_right right, void (*done)(void *ctx, const struct wire_verdict *verdict), void *ctx,
		   struct scan_job **ret_job)
{
	struct scan_job *job = mem_new(struct scan_job, 1);
	if (!job)
		return ERR_NOMEM;
	*job = (struct scan_job){.next = gate->jobs,
				 .link = &gate->jobs,
				 .gate = gate,
				 .id = ++gate->next_id,
				 .whole = whole,
				 .memfd = memfd,
				 .envelope_len = envelope_len,
				 .size = size,
				 .right = right,
				 .done = done,
				 .ctx = ctx};
	if (loop_timer_new(gate->loop, on_timer, job, &job->timer) != ERR_OK) {
		mem_free(job);
		return ERR_NOMEM;
	}
	if (job->next)
		job->next->link = &job->next;
	gate->jobs = job;
	*ret_job = job;
	if (!has_message(job))
		loop_timer_set(job->timer, 0);
	else
		dispatch(job);
	return ERR_OK;
}

void gate_scan_cancel(struct scan_job **job)
{
	if (!*job)
		return;
	unlink_job(*job);
	mem_free(*job);
	*job = NULL;
}

/* -- The other end ---- */

static struct scan_job *find_job(struct gate *gate, uint64_t id)
{
	for (struct scan_job *job = gate->jobs; job; job = job->next)
		if (job->id == id)
			return job;
	return NULL;
}

/* The message that the scanner was thinking of: the oldest it was sent that does not wait for facts. */
static struct scan_job *to_blame(struct scanner_link *link)
{
	struct scan_job *oldest = NULL;
	for (struct scan_job *job = link->gate->jobs; job; job = job->next)
		if (job->scanner == link && job->question.len == 0 && job->signing.len == 0 && !job->waits_for_facts &&
		    (!oldest || job->sent < oldest->sent))
			oldest = job;
	return oldest;
}

static void close_link(struct scanner_link *link)
{
	struct gate *gate = link->gate;
	struct scan_job *guilty = to_blame(link);
	ipc_free(&link->ipc);
	/* try_again() may end jobs, and their owners may end others: begin anew after each. */
	for (struct scan_job *job = gate->jobs; job;) {
		if (job->scanner == link) {
			try_again(job, job == guilty);
			job = gate->jobs;
		} else {
			job = job->next;
		}
	}
}

static void on_ask(struct scan_job *job, const struct wire_ask *ask)
{
	buf_done(&job->question);
	buf_init(&job->question, IPC_MAX);
	wire_encode(&job->question, &(struct wire_any){.type = WIRE_ASK, .ask = *ask});
	if (buf_err(&job->question) != ERR_OK) {
		answer_failed(job, ask);
		return;
	}
	loop_timer_set(job->timer, VAULT_ANSWER_MS);
	gate_vault_ask(job->gate, buf_bytes(&job->question));
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct scanner_link *link = ctx;
	struct gate *gate = link->gate;
	struct wire_any any;
	if (fd >= 0)
		(void)close(fd);
	if (wire_receive(ROLE_SCANNER, ROLE_GATE, payload, &any) != ERR_OK) {
		log_event(LOG_ERROR, "scanner.broken", log_int("scanner", link->index));
		close_link(link);
		return;
	}
	link->answered_ms = loop_now_ms(gate->loop);
	if (any.type == WIRE_ASK) {
		struct scan_job *job = find_job(gate, any.ask.id);
		if (job && job->scanner == link)
			on_ask(job, &any.ask);
		return;
	}
	if (any.type == WIRE_SIGN) {
		struct scan_job *job = find_job(gate, any.sign.id);
		if (job && job->scanner == link)
			on_sign(job, &any.sign);
		return;
	}
	if (any.type == WIRE_WAITS) {
		struct scan_job *job = find_job(gate, any.waits.id);
		if (job && job->scanner == link) {
			job->waits_for_facts = any.waits.waits != 0;
			/* One that goes on is what the scanner thinks of now, whatever was sent to it meanwhile. */
			job->sent = 0;
			loop_timer_set(job->timer, gate->settings->scan_timeout);
		}
		return;
	}
	if (any.type == WIRE_REPORT) {
		gate_keep_report(gate, &any.report);
		return;
	}
	struct scan_job *job = find_job(gate, any.verdict.id);
	if (job && job->scanner == link)
		finish(job, &any.verdict);
	dispatch_waiting(gate);
}

static void on_closed(void *ctx)
{
	close_link(ctx);
}

static const struct ipc_ops scanner_ops = {on_message, on_closed};

void gate_scan_peer(struct gate *gate, uint32_t index, uint32_t serial, int socket)
{
	struct scanner_link *link = NULL;
	for (size_t i = 0; i < GATE_SCANNERS_MAX && !link; i++)
		if (!gate->scanners[i].ipc && gate->scanners[i].in_flight == 0)
			link = &gate->scanners[i];
	if (!link) {
		(void)close(socket);
		return;
	}
	*link = (struct scanner_link){.gate = gate, .index = index, .serial = serial};
	if (ipc_new(gate->loop, socket, &scanner_ops, link, &link->ipc) != ERR_OK) {
		(void)close(socket);
		return;
	}
	dispatch_waiting(gate);
}

void gate_scan_answer(struct gate *gate, const struct wire_answer *answer)
{
	struct scan_job *job = find_job(gate, answer->id);
	if (job && job->scanner && job->question.len > 0)
		send_answer(job, answer);
}

void gate_scan_ask_again(struct gate *gate)
{
	for (struct scan_job *job = gate->jobs; job; job = job->next)
		if (job->question.len > 0)
			gate_vault_ask(gate, buf_bytes(&job->question));
}

void gate_scan_signature(struct gate *gate, const struct wire_signature *signature)
{
	struct scan_job *job = find_job(gate, signature->id);
	if (job && job->scanner && job->signing.len > 0)
		send_signature(job, signature->ok != 0, signature->signature);
}

void gate_scan_sign_again(struct gate *gate)
{
	for (struct scan_job *job = gate->jobs; job; job = job->next)
		if (job->signing.len > 0)
			gate_sign_ask(gate, buf_bytes(&job->signing));
}
