/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's end of the vault: trace records that are kept until they last, messages for the quarantine whose answer
 * somebody waits for, questions, and the parts of reports, which nobody waits for. When the vault restarts, what it has
 * not answered is sent again.
 *
 * Who writes a report decides how many parts it has, so these never stand before other things in a long row: the vault
 * has REPORTS_IN_FLIGHT of them from each gate, and the others wait here, apart from the traces.
 */
#include <unistd.h>

#include "base/mem.h"
#include "daemon/gate.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"

#include "base/banned.h"

#define TRACES_BYTES_MAX ((size_t)32 << 20) /* kept while the vault is away; then the oldest are lost, and counted */
#define STORE_TIMEOUT_MS 30000
/* Each is some 5 ms of work for the vault, most of it when it commits: what comes behind waits for that. */
#define REPORTS_IN_FLIGHT  1
#define REPORTS_BYTES_MAX  ((size_t)32 << 20) /* over it, what comes is lost, and counted */
#define REPORTS_AT_END_MAX 200                /* parts that last within the supervisor's patience */
/* A vault that restarts, after a reload or an accident, is there again sooner; until then what is for it waits. */
#define VAULT_AWAY_MS 2000

struct trace_entry {
	struct trace_entry *next;
	uint64_t sequence;
	size_t len;
	uint8_t payload[];
};

/* A part of a report: encoded when it is sent, since its sequence is known then. */
struct report_entry {
	struct report_entry *next;
	uint64_t sequence; /* 0: the vault does not have it */
	int64_t time;
	size_t len;
	uint8_t part[];
};

struct store_job {
	struct store_job *next, **link;
	struct gate *gate;
	uint64_t id;
	int memfd;
	struct buf message; /* encoded STORE */
	struct loop_timer *timer;
	void (*done)(void *ctx, bool ok);
	void *ctx;
};

static void send_to_vault(struct gate *gate, struct bytes payload, int fd)
{
	/* Where it fails its end is being noticed; all that waits is sent again to the next one. */
	if (gate->vault && ipc_send(gate->vault, payload, fd) != ERR_OK && !loop_timer_running(gate->vault_away))
		loop_timer_set(gate->vault_away, VAULT_AWAY_MS);
}

/* -- Trace ---- */

static void drop_oldest_trace(struct gate *gate)
{
	struct trace_entry *gone = gate->traces_first;
	gate->traces_first = gone->next;
	if (!gate->traces_first)
		gate->traces_last = &gate->traces_first;
	gate->traces_bytes -= gone->len;
	mem_free(gone);
}

static void keep_until_traced(struct gate *gate, uint64_t sequence, const struct buf *buf)
{
	struct trace_entry *entry = buf_err(buf) == ERR_OK ? mem_alloc(sizeof(*entry) + buf->len) : NULL;
	if (!entry) {
		metrics_add(METRIC_TRACES_DROPPED, 1);
		return;
	}
	*entry = (struct trace_entry){.sequence = sequence, .len = buf->len};
	memcpy(entry->payload, buf->ptr, buf->len);
	*gate->traces_last = entry;
	gate->traces_last = &entry->next;
	gate->traces_bytes += entry->len;
	while (gate->traces_bytes > TRACES_BYTES_MAX) {
		drop_oldest_trace(gate);
		metrics_add(METRIC_TRACES_DROPPED, 1);
	}
	send_to_vault(gate, buf_bytes(buf), -1);
}

void gate_trace(struct gate *gate, struct wire_trace *trace)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	trace->sequence = ++gate->trace_sequence;
	wire_encode(&buf, &(struct wire_any){.type = WIRE_TRACE, .trace = *trace});
	if (buf_err(&buf) == ERR_LIMIT) {
		/* Too long with its evidence: the ids in the reason must do. */
		trace->evidence = (struct bytes){0};
		buf_clear(&buf);
		wire_encode(&buf, &(struct wire_any){.type = WIRE_TRACE, .trace = *trace});
	}
	keep_until_traced(gate, trace->sequence, &buf);
}

/* -- Reports ---- */

static void send_reports(struct gate *gate)
{
	while (gate->vault && gate->report_next && gate->reports_in_flight < REPORTS_IN_FLIGHT) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
		struct report_entry *entry = gate->report_next;
		entry->sequence = ++gate->trace_sequence;
		wire_encode(&buf, &(struct wire_any){.type = WIRE_REPORT,
						     .report = {.sequence = entry->sequence,
								.time = entry->time,
								.part = bytes_make(entry->part, entry->len)}});
		gate->report_next = entry->next;
		gate->reports_in_flight++;
		if (buf_err(&buf) == ERR_OK)
			send_to_vault(gate, buf_bytes(&buf), -1);
	}
}

static void lose_reports(struct gate *gate, size_t n)
{
	metrics_add(METRIC_REPORT_PARTS_LOST, (int64_t)n);
	if (!gate->reports_lost)
		log_event(LOG_WARNING, "report.lost", log_int("waiting_bytes", (int64_t)gate->reports_bytes));
	gate->reports_lost = true;
}

void gate_keep_report(struct gate *gate, const struct wire_report *report)
{
	bool room = report->part.len < IPC_MAX - 256 && gate->reports_bytes < REPORTS_BYTES_MAX;
	struct report_entry *entry = room ? mem_alloc(sizeof(*entry) + report->part.len) : NULL;
	if (!entry) {
		lose_reports(gate, 1);
		return;
	}
	*entry = (struct report_entry){.time = report->time, .len = report->part.len};
	memcpy(entry->part, report->part.ptr, report->part.len);
	*gate->reports_last = entry;
	gate->reports_last = &entry->next;
	gate->reports_bytes += entry->len;
	if (!gate->report_next)
		gate->report_next = entry;
	send_reports(gate);
}

static void drop_oldest_report(struct gate *gate)
{
	struct report_entry *gone = gate->reports_first;
	gate->reports_first = gone->next;
	if (!gate->reports_first) {
		gate->reports_last = &gate->reports_first;
		gate->reports_lost = false;
	}
	gate->reports_bytes -= gone->len;
	gate->reports_in_flight--;
	mem_free(gone);
}

void gate_cut_reports(struct gate *gate)
{
	struct report_entry **link = &gate->reports_first;
	size_t kept = 0, cut = 0;
	while (*link && (kept < REPORTS_AT_END_MAX || (*link)->sequence != 0)) {
		link = &(*link)->next;
		kept++;
	}
	gate->reports_last = link;
	while (*link) {
		struct report_entry *gone = *link;
		*link = gone->next;
		if (gate->report_next == gone)
			gate->report_next = NULL;
		gate->reports_bytes -= gone->len;
		mem_free(gone);
		cut++;
	}
	if (cut > 0)
		lose_reports(gate, cut);
}

/* A vault that knows nothing of what the last one was sent. */
static void send_reports_again(struct gate *gate)
{
	gate->reports_in_flight = 0;
	gate->report_next = gate->reports_first;
	send_reports(gate);
}

static void on_traced(struct gate *gate, uint64_t sequence)
{
	while (gate->traces_first && gate->traces_first->sequence <= sequence)
		drop_oldest_trace(gate);
	while (gate->reports_in_flight > 0 && gate->reports_first->sequence <= sequence)
		drop_oldest_report(gate);
	send_reports(gate);
	gate_end_if_drained(gate);
}

/* -- Quarantine ---- */

static void free_store(struct store_job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	loop_timer_free(&job->timer);
	buf_done(&job->message);
	mem_free(job);
}

static void finish_store(struct store_job *job, bool ok)
{
	void (*done)(void *ctx, bool ok) = job->done;
	void *ctx = job->ctx;
	free_store(job);
	done(ctx, ok);
}

static void on_store_timer(void *ctx)
{
	struct store_job *job = ctx;
	log_event(LOG_ERROR, "vault.silent");
	finish_store(job, false);
}

enum err gate_store(struct gate *gate, int memfd, struct wire_store *store, void (*done)(void *ctx, bool ok), void *ctx,
		    struct store_job **ret_job)
{
	struct store_job *job = mem_new(struct store_job, 1);
	if (!job)
		return ERR_NOMEM;
	*job = (struct store_job){.next = gate->stores,
				  .link = &gate->stores,
				  .gate = gate,
				  .id = ++gate->next_id,
				  .memfd = memfd,
				  .done = done,
				  .ctx = ctx};
	buf_init(&job->message, IPC_MAX);
	store->id = job->id;
	wire_encode(&job->message, &(struct wire_any){.type = WIRE_STORE, .store = *store});
	if (buf_err(&job->message) != ERR_OK ||
	    loop_timer_new(gate->loop, on_store_timer, job, &job->timer) != ERR_OK) {
		buf_done(&job->message);
		mem_free(job);
		return ERR_NOMEM;
	}
	if (job->next)
		job->next->link = &job->next;
	gate->stores = job;
	loop_timer_set(job->timer, STORE_TIMEOUT_MS);
	*ret_job = job;
	send_to_vault(gate, buf_bytes(&job->message), memfd);
	return ERR_OK;
}

void gate_store_cancel(struct store_job **job)
{
	if (*job)
		free_store(*job);
	*job = NULL;
}

static void on_stored(struct gate *gate, const struct wire_stored *stored)
{
	struct store_job *job = gate->stores;
	while (job && job->id != stored->id)
		job = job->next;
	if (!job)
		return;
	if (!stored->ok)
		log_event(LOG_ERROR, "quarantine.refused", log_str("why", stored->reason));
	finish_store(job, stored->ok);
}

/* -- The other end ---- */

void gate_vault_ask(struct gate *gate, struct bytes question)
{
	send_to_vault(gate, question, -1);
}

static void set_health(struct gate *gate, bool ok, struct bytes why)
{
	loop_timer_stop(gate->vault_away);
	if (gate->vault_ok == ok)
		return;
	gate->vault_ok = ok;
	log_event(ok ? LOG_NOTICE : LOG_ERROR, ok ? "mail.accepted_again" : "mail.refused", log_str("why", why));
}

void gate_vault_expect(struct gate *gate)
{
	gate->vault_ok = true;
	loop_timer_set(gate->vault_away, VAULT_AWAY_MS);
}

void gate_vault_missed(void *ctx)
{
	set_health(ctx, false, BYTES_LIT("the vault is away"));
}

static void on_closed(void *ctx)
{
	struct gate *gate = ctx;
	ipc_free(&gate->vault);
	if (gate->vault_ok && !loop_timer_running(gate->vault_away))
		loop_timer_set(gate->vault_away, VAULT_AWAY_MS);
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct gate *gate = ctx;
	struct wire_any any;
	if (fd >= 0)
		(void)close(fd);
	if (wire_receive(ROLE_VAULT, ROLE_GATE, payload, &any) != ERR_OK) {
		log_event(LOG_ERROR, "vault.broken");
		on_closed(gate);
		return;
	}
	if (any.type == WIRE_TRACED)
		on_traced(gate, any.traced.sequence);
	else if (any.type == WIRE_STORED)
		on_stored(gate, &any.stored);
	else if (any.type == WIRE_ANSWER)
		gate_scan_answer(gate, &any.answer);
	else if (any.type == WIRE_HEALTH)
		set_health(gate, any.health.ok != 0, any.health.reason);
}

static const struct ipc_ops vault_ops = {on_message, on_closed};

void gate_vault_peer(struct gate *gate, int socket)
{
	ipc_free(&gate->vault);
	if (ipc_new(gate->loop, socket, &vault_ops, gate, &gate->vault) != ERR_OK) {
		(void)close(socket);
		return;
	}
	/* It says itself whether it is well. What the last one did not answer: */
	for (struct trace_entry *entry = gate->traces_first; entry; entry = entry->next)
		send_to_vault(gate, bytes_make(entry->payload, entry->len), -1);
	send_reports_again(gate);
	for (struct store_job *job = gate->stores; job; job = job->next)
		send_to_vault(gate, buf_bytes(&job->message), job->memfd);
	gate_scan_ask_again(gate);
}
