/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's end of the ledger: it is told what became of messages, and says nothing. What happens while it is away is
 * not learned: nobody's mail waits for it.
 */
#include <string.h>
#include <unistd.h>

#include "daemon/gate.h"
#include "profile/relations.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/lessons.h"

#include "base/banned.h"

/* A moment, so that the ledger wakes up once for many. */
#define TOGETHER_MS    20
#define TOGETHER_BYTES ((size_t)64 << 10)

static void on_closed(void *ctx)
{
	struct gate *gate = ctx;
	ipc_free(&gate->ledger);
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	(void)payload;
	if (fd >= 0)
		(void)close(fd);
	log_event(LOG_ERROR, "ledger.broken");
	on_closed(ctx);
}

static const struct ipc_ops ledger_ops = {on_message, on_closed};

void gate_ledger_peer(struct gate *gate, int socket)
{
	ipc_free(&gate->ledger);
	if (ipc_new(gate->loop, socket, &ledger_ops, gate, &gate->ledger) != ERR_OK)
		(void)close(socket);
}

/*
 * Delivered and no spam: learned. Spam, whatever became of it: counts against who passed it on. All else teaches
 * nothing: what was only asked about, held for a rule, could not be examined, or was released by hand.
 */
static bool find_outcome(const struct transaction *transaction, const char *status, enum relations_outcome *ret_outcome)
{
	enum verdict_class class = transaction->class;
	bool delivered = strcmp(status, "delivered") == 0 || strcmp(status, "tagged") == 0;
	bool decided = delivered || strcmp(status, "rejected") == 0 || strcmp(status, "quarantined") == 0 ||
		       strcmp(status, "discarded") == 0;
	if (delivered && (class == CLASS_CLEAN || class == CLASS_BULK))
		*ret_outcome = RELATIONS_WANTED;
	else if (decided && (class == CLASS_SPAM || class == CLASS_PHISH || class == CLASS_MALWARE))
		*ret_outcome = RELATIONS_UNWANTED;
	else
		return false;
	return true;
}

void gate_learn(struct gate *gate, const struct transaction *transaction, const char *status)
{
	const struct wire_verdict *verdict = &transaction->verdict;
	enum relations_outcome outcome;
	if (!transaction->has_verdict || verdict->relations.len == 0 || verdict->released.len > 0 ||
	    !find_outcome(transaction, status, &outcome))
		return;
	if (gate->lessons.len + LESSON_HEAD + verdict->relations.len > TOGETHER_BYTES)
		gate_learn_now(gate);
	lessons_add(&gate->lessons, &(struct lesson){.time = transaction->time_ms / 1000,
						     .outcome = (uint8_t)outcome,
						     .relations = verdict->relations});
	gate->n_lessons++;
	if (!loop_timer_running(gate->lessons_due))
		loop_timer_set(gate->lessons_due, TOGETHER_MS);
}

void gate_learn_now(void *ctx)
{
	struct gate *gate = ctx;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	if (gate->n_lessons == 0)
		return;
	wire_encode(&buf, &(struct wire_any){.type = WIRE_LEARN, .learn = {.lessons = buf_bytes(&gate->lessons)}});
	if (buf_err(&gate->lessons) != ERR_OK || buf_err(&buf) != ERR_OK || !gate->ledger ||
	    ipc_send(gate->ledger, buf_bytes(&buf), -1) != ERR_OK)
		metrics_add(METRIC_LEDGER_MISSED, (int64_t)gate->n_lessons);
	buf_clear(&gate->lessons);
	gate->n_lessons = 0;
}
