/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's end of the vault: trace records that are kept until they last, messages for the quarantine whose answer
 * somebody waits for, questions. When the vault restarts, what it has not answered is sent again.
 */
#include <unistd.h>

#include "base/mem.h"
#include "daemon/gate.h"
#include "sys/clock.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"

#include "base/banned.h"

#define TRACES_BYTES_MAX ((size_t)32 << 20) /* kept while the vault is away; then the oldest are lost, and counted */
#define STORE_TIMEOUT_MS 30000
#define AWAY_MAX_MS      3000 /* a restart takes less; meanwhile what is for the vault waits for the next one */

struct trace_entry {
	struct trace_entry *next;
	uint64_t sequence;
	size_t len;
	uint8_t payload[];
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

/* -- Whether it is well ---------------------------------------------------------------------------------------------
 */

static void set_refusing(struct gate *gate, bool refusing, struct bytes why)
{
	if (gate->refusing != refusing)
		log_event(refusing ? LOG_ERROR : LOG_NOTICE, refusing ? "mail.refused" : "mail.accepted_again",
			  log_str("why", why));
	gate->refusing = refusing;
}

bool gate_can_take_mail(struct gate *gate)
{
	if (gate->vault_ok || (gate->away_since_ms > 0 && clock_monotonic_ms() - gate->away_since_ms < AWAY_MAX_MS))
		return true;
	set_refusing(gate, true, BYTES_LIT("the vault is away"));
	return false;
}

static void on_health(struct gate *gate, const struct wire_health *health)
{
	gate->vault_ok = health->ok != 0;
	gate->away_since_ms = 0;
	set_refusing(gate, !gate->vault_ok, gate->vault_ok ? BYTES_LIT("the vault can write") : health->reason);
}

static void vault_gone(struct gate *gate)
{
	if (gate->vault_ok)
		gate->away_since_ms = clock_monotonic_ms();
	gate->vault_ok = false;
}

static void send_to_vault(struct gate *gate, struct bytes payload, int fd)
{
	if (gate->vault && ipc_send(gate->vault, payload, fd) != ERR_OK)
		vault_gone(gate); /* which is being noticed; all that waits is sent again to the next one */
}

/* -- Trace ----------------------------------------------------------------------------------------------------------
 */

static void drop_oldest_trace(struct gate *gate)
{
	struct trace_entry *gone = gate->traces_first;
	gate->traces_first = gone->next;
	if (!gate->traces_first)
		gate->traces_last = &gate->traces_first;
	gate->traces_bytes -= gone->len;
	mem_free(gone);
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
	struct trace_entry *entry = buf_err(&buf) == ERR_OK ? mem_alloc(sizeof(*entry) + buf.len) : NULL;
	if (!entry) {
		metrics_add(METRIC_TRACES_DROPPED, 1);
		return;
	}
	*entry = (struct trace_entry){.sequence = trace->sequence, .len = buf.len};
	memcpy(entry->payload, buf.ptr, buf.len);
	*gate->traces_last = entry;
	gate->traces_last = &entry->next;
	gate->traces_bytes += entry->len;
	while (gate->traces_bytes > TRACES_BYTES_MAX) {
		drop_oldest_trace(gate);
		metrics_add(METRIC_TRACES_DROPPED, 1);
	}
	send_to_vault(gate, buf_bytes(&buf), -1);
}

static void on_traced(struct gate *gate, uint64_t sequence)
{
	while (gate->traces_first && gate->traces_first->sequence <= sequence)
		drop_oldest_trace(gate);
	gate_end_if_drained(gate);
}

/* -- Quarantine -----------------------------------------------------------------------------------------------------
 */

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

/* -- The other end ---------------------------------------------------------------------------------------------------
 */

bool gate_vault_ask(struct gate *gate, uint64_t id, uint32_t kind, struct bytes key)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	if (!gate->vault || !gate->vault_ok)
		return false;
	wire_encode(&buf, &(struct wire_any){.type = WIRE_ASK, .ask = {.id = id, .kind = kind, .key = key}});
	return buf_err(&buf) == ERR_OK && ipc_send(gate->vault, buf_bytes(&buf), -1) == ERR_OK;
}

static void on_closed(void *ctx)
{
	struct gate *gate = ctx;
	vault_gone(gate);
	ipc_free(&gate->vault);
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
		on_health(gate, &any.health);
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
	for (struct store_job *job = gate->stores; job; job = job->next)
		send_to_vault(gate, buf_bytes(&job->message), job->memfd);
}
