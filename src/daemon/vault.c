/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault: the one writer of the trace and of the quarantine. What comes in one turn of the loop, and a little after,
 * is committed together; nobody is told that something lasts before it does.
 *
 * States: well (commits), sick (the last commit failed: everything is refused, and every half second a commit is
 * tried). When a sick vault can commit again it ends, and the next one is sent everything that was never acknowledged.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/peer.h"
#include "mail/url.h"
#include "scan/tally.h"
#include "store/report_budget.h"
#include "store/reports.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/envelope.h"
#include "wire/facts.h"

#include "base/banned.h"

#define COMMIT_TRACES_MS  100 /* how long records wait for company: the gate keeps them until they last */
#define COMMIT_STORES_MS  2
#define OPERATIONS_MAX    500 /* in one transaction */
#define REPORT_PARTS_MAX  4   /* likewise: who has a message to hold waits for the commit of what came before */
#define PROBE_MS          500
#define UPKEEP_MS         60000
#define UPKEEP_MORE_MS    50
#define OWED_DAYS         4   /* the courier gives up after three */
#define PART_COST         512 /* bytes of a day that a part takes beside its own: its row and what finds it */
#define REPORT_DAYS_AHEAD 2   /* a clock may be wrong, but what lies further ahead would stay for years */

struct gate_link {
	struct peer_link peer;
	uint64_t traced; /* last sequence in the open transaction */
	bool traces_wait;
};

/* A message of the open transaction, or one that failed: answered after the commit. */
struct pending {
	struct pending *next;
	struct peer_link *from; /* NULL: it is gone */
	uint64_t id;
	bool failed;
	char why[160];
};

struct vault {
	struct child *child;
	struct loop *loop;
	const struct settings *settings;
	char folder[4096];
	struct store *store;
	struct arena *arena; /* of one message */
	struct peers gates;
	struct pending *pending;
	size_t operations, report_parts; /* in the transaction */
	bool open, durable;              /* a transaction */
	bool sick;
	char why[160];
	struct report_budget report_budget;
	int64_t report_full; /* the day on which it was last said; 0: never */
	struct loop_timer *commit, *probe, *upkeep;
};

static struct gate_link *gate_of(struct peer_link *peer)
{
	return (struct gate_link *)peer; /* its first member */
}

static void say_health(const struct peer_link *to)
{
	const struct vault *vault = to->peers->owner;
	peer_say(to, &(struct wire_any){.type = WIRE_HEALTH,
					.health = {.ok = !vault->sick, .reason = bytes_from_cstr(vault->why)}});
}

static void answer_pending(struct vault *vault, bool committed)
{
	while (vault->pending) {
		struct pending *pending = vault->pending;
		bool ok = committed && !pending->failed;
		vault->pending = pending->next;
		if (pending->from)
			peer_say(pending->from,
				 &(struct wire_any){.type = WIRE_STORED,
						    .stored = {.id = pending->id,
							       .ok = ok,
							       .reason = bytes_from_cstr(
								       pending->failed ? pending->why : vault->why)}});
		if (ok)
			metrics_add(METRIC_VAULT_STORED, 1);
		mem_free(pending);
	}
}

static void fall_sick(struct vault *vault, const struct error *error)
{
	log_event(LOG_ERROR, "vault.sick", log_cstr("why", error->text));
	metrics_add(METRIC_VAULT_FAILURES, 1);
	metrics_set(METRIC_VAULT_HEALTHY, 0);
	vault->sick = true;
	(void)snprintf(vault->why, sizeof(vault->why), "%s", error->text);
	store_rollback(vault->store);
	vault->open = false;
	vault->operations = vault->report_parts = 0;
	loop_timer_stop(vault->commit);
	answer_pending(vault, false);
	for (struct peer_link *link = vault->gates.first; link; link = link->next) {
		gate_of(link)->traces_wait = false;
		say_health(link);
	}
	loop_timer_set(vault->probe, PROBE_MS);
}

static void on_probe(void *ctx)
{
	struct vault *vault = ctx;
	struct error error;
	if (store_probe(vault->store, &error) == ERR_OK) {
		log_event(LOG_NOTICE, "vault.well_again");
		_exit(0); /* the next one begins with everything that was not acknowledged */
	}
	if (strcmp(vault->why, error.text) != 0) {
		(void)snprintf(vault->why, sizeof(vault->why), "%s", error.text);
		log_event(LOG_ERROR, "vault.sick", log_cstr("why", error.text));
	}
	loop_timer_set(vault->probe, PROBE_MS);
}

static void commit(void *ctx)
{
	struct vault *vault = ctx;
	struct error error;
	if (!vault->open)
		return;
	loop_timer_stop(vault->commit);
	if (store_commit(vault->store, &error) != ERR_OK) {
		fall_sick(vault, &error);
		return;
	}
	metrics_add(METRIC_VAULT_COMMITS, 1);
	vault->open = false;
	vault->operations = vault->report_parts = 0;
	answer_pending(vault, true);
	for (struct peer_link *link = vault->gates.first; link; link = link->next) {
		struct gate_link *gate = gate_of(link);
		if (gate->traces_wait)
			peer_say(link, &(struct wire_any){.type = WIRE_TRACED, .traced = {.sequence = gate->traced}});
		gate->traces_wait = false;
	}
}

/* An open transaction, as durable as asked. False: the vault is sick. */
static bool ready(struct vault *vault, bool durable)
{
	struct error error;
	if (vault->sick)
		return false;
	if (vault->open && ((durable && !vault->durable) || vault->operations >= OPERATIONS_MAX))
		commit(vault);
	if (vault->sick)
		return false;
	if (!vault->open) {
		if (store_begin(vault->store, durable, &error) != ERR_OK) {
			fall_sick(vault, &error);
			return false;
		}
		vault->open = true;
		vault->durable = durable;
		loop_timer_set(vault->commit, durable ? COMMIT_STORES_MS : COMMIT_TRACES_MS);
	}
	vault->operations++;
	return true;
}

static struct store_recipient *unpack(struct vault *vault, struct bytes packed, size_t *ret_n)
{
	struct store_recipient *items = NULL;
	size_t count = 0, capacity = 0;
	struct bytes address, fate;
	while (recipients_next(&packed, &address, &fate)) {
		struct store_recipient *grown = arena_grow(vault->arena, items, &capacity, count, sizeof(*items));
		if (!grown)
			break;
		items = grown;
		items[count++] = (struct store_recipient){address, fate};
	}
	*ret_n = count;
	return items;
}

/*
 * Counts the message for the report to its author domain. Once: a trace that comes again, since its acknowledgement was
 * lost, was counted with its first coming. False: the vault fell sick.
 */
static bool tally(struct vault *vault, const struct wire_trace *in)
{
	struct tally tally;
	struct error error = {.text = "it is damaged"};
	if (!vault->settings->report_dmarc || in->tally.len == 0 || !store_trace_was_new(vault->store))
		return true;
	enum dmarc_policy done = in->done <= DMARC_POLICY_REJECT ? (enum dmarc_policy)in->done : DMARC_POLICY_NONE;
	enum err err = tally_read(vault->arena, in->tally, done, &tally);
	if (err == ERR_OK)
		err = store_owed_add(vault->store, store_day(in->time_ms / 1000), &tally.policy, tally.rua,
				     &tally.record, &error);
	if (err == ERR_OK) {
		metrics_add(METRIC_REPORT_TALLIES, 1);
		return true;
	}
	/* One message that cannot be reported keeps back nothing else. */
	if (err == ERR_SYNTAX || err == ERR_LIMIT || err == ERR_NOMEM) {
		log_event(LOG_INFO, "report.not_counted", log_cstr("why", error.text));
		return true;
	}
	fall_sick(vault, &error);
	return false;
}

static void on_trace(struct peer_link *from, const struct wire_trace *in)
{
	struct vault *vault = from->peers->owner;
	struct error error;
	size_t n;
	if (!ready(vault, false))
		return; /* it stays with the gate */
	const struct store_recipient *recipients = unpack(vault, in->recipients, &n);
	struct store_trace trace = {
		.time_ms = in->time_ms,
		.id = in->trace_id,
		.frontend = in->frontend,
		.client_ip = in->client_ip,
		.client_name = in->client_name,
		.helo = in->helo,
		.user = in->user,
		.mail_from = in->mail_from,
		.recipients = recipients,
		.n_recipients = n,
		.from_address = in->from_address,
		.from_name = in->from_name,
		.subject = in->subject,
		.message_id = in->message_id,
		.queue_id = in->queue_id,
		.size = in->size,
		.class = in->class,
		.action = in->action,
		.status = in->status,
		.reason_en = in->reason_en,
		.reason_ja = in->reason_ja,
		.evidence = in->evidence,
		.log_odds = in->log_odds,
		.usec = in->usec,
		.released = in->released,
	};
	if (store_trace_add(vault->store, &trace, &error) != ERR_OK) {
		fall_sick(vault, &error);
		return;
	}
	if (!tally(vault, in))
		return;
	metrics_add(METRIC_VAULT_TRACES, 1);
	gate_of(from)->traced = in->sequence;
	gate_of(from)->traces_wait = true;
}

/* Whether the part is about days that are kept, and there is room for it today. */
static bool takes_report(struct vault *vault, const struct report_part *part, size_t size)
{
	int64_t now = clock_wall_ms() / 1000, day = store_day(now), its = store_day(part->begin);
	/* One that reaches far into the future would be the latest for as long. */
	if (store_day(part->end) > day + REPORT_DAYS_AHEAD ||
	    its < store_day(now - vault->settings->report_retention / 1000)) {
		if (part->number == 0)
			log_event(LOG_NOTICE, "report.of_another_time", log_str("sender", part->sender),
				  log_str("org", part->org), log_str("domain", part->domain), log_int("day", its));
		metrics_add(METRIC_REPORT_PARTS_LOST, 1);
		return false;
	}
	if (report_budget_use(&vault->report_budget, day, url_registrable(part->sender), size + PART_COST))
		return true;
	if (vault->report_full != day)
		log_event(LOG_WARNING, "report.too_many", log_str("sender", part->sender), log_str("org", part->org),
			  log_int("bytes_a_day", (int64_t)REPORT_BUDGET_DAY));
	vault->report_full = day;
	metrics_add(METRIC_REPORT_PARTS_LOST, 1);
	return false;
}

static void on_report(struct peer_link *from, const struct wire_report *in)
{
	struct vault *vault = from->peers->owner;
	struct report_part part;
	struct error error;
	bool fresh = false;
	if (vault->report_parts >= REPORT_PARTS_MAX)
		commit(vault);
	if (!ready(vault, false))
		return; /* it stays with the gate */
	vault->report_parts++;
	if (report_part_unpack(vault->arena, in->part, &part) != ERR_OK)
		log_event(LOG_ERROR, "report.broken"); /* a scanner's doing: the gate is not to blame */
	else if (takes_report(vault, &part, in->part.len) &&
		 store_report_add(vault->store, &part, in->time, &fresh, &error) != ERR_OK) {
		fall_sick(vault, &error);
		return;
	}
	gate_of(from)->traced = in->sequence;
	gate_of(from)->traces_wait = true;
}

/* -- The courier: it sends what we owe ---- */

#define PIECE_MAX ((size_t)128 << 10)

static void on_owe(struct peer_link *from, const struct wire_owe *in)
{
	struct vault *vault = from->peers->owner;
	struct store_owed owed = {0};
	struct error error;
	/* Outside of any transaction: what is counted for a day that is over is committed long since. */
	commit(vault);
	if (vault->sick)
		return; /* the next one is asked again */
	if (store_owed_next(vault->store, vault->arena, in->day, in->after, &owed, &error) != ERR_OK)
		log_event(LOG_ERROR, "report.not_made", log_int("day", in->day), log_cstr("why", error.text));
	const struct report_policy *policy = &owed.policy;
	peer_say(from, &(struct wire_any){.type = WIRE_OWED,
					  .owed = {.day = in->day,
						   .domain = policy->domain,
						   .rua = owed.rua,
						   .discovery_method = policy->discovery_method,
						   .p = policy->p,
						   .sp = policy->sp,
						   .np = policy->np,
						   .fo = policy->fo,
						   .adkim = policy->adkim,
						   .aspf = policy->aspf,
						   .testing = policy->testing}});
}

/* One piece a question: between two of them everybody else has a turn. */
static void on_owe_rows(struct peer_link *from, const struct wire_owe_rows *in)
{
	struct vault *vault = from->peers->owner;
	CLEANUP(buf_done) struct buf rows = BUF_INIT(PIECE_MAX);
	struct error error;
	bool more = false;
	size_t damaged = 0;
	commit(vault);
	if (vault->sick)
		return; /* likewise */
	enum err err = store_owed_rows(vault->store, in->day, in->domain, in->behind, &rows, &more, &damaged, &error);
	if (err != ERR_OK)
		log_event(LOG_ERROR, "report.not_made", log_int("day", in->day), log_str("domain", in->domain),
			  log_cstr("why", error.text));
	peer_say(from, &(struct wire_any){.type = WIRE_OWED_ROWS,
					  .owed_rows = {.rows = err == ERR_OK ? buf_bytes(&rows) : (struct bytes){0},
							.damaged = damaged,
							.more = more,
							.failed = err != ERR_OK}});
}

static void on_sent(struct peer_link *from, const struct wire_sent *in)
{
	struct vault *vault = from->peers->owner;
	struct error error;
	if (!ready(vault, true))
		return; /* it is sent again when the vault is well */
	if (store_owed_sent(vault->store, in->day, in->domain, &error) != ERR_OK) {
		fall_sick(vault, &error);
		return;
	}
	commit(vault);
}

static enum err put(struct vault *vault, const struct wire_store *in, int memfd, struct error *reterr)
{
	struct bytes mapped;
	size_t n;
	if (in->at > SIZE_MAX / 2 || in->size > SIZE_MAX / 2 ||
	    memfd_map(memfd, (size_t)(in->at + in->size), &mapped) != ERR_OK)
		return error_set(reterr, ERR_DENIED, 0, "the message did not come as it was announced");
	const struct store_recipient *recipients = unpack(vault, in->recipients, &n);
	struct store_item item = {
		.time_ms = in->time_ms,
		.id = in->trace_id,
		.mail_from = in->mail_from,
		.from_address = in->from_address,
		.subject = in->subject,
		.message_id = in->message_id,
		.client_ip = in->client_ip,
		.class = in->class,
		.ids = in->ids,
		.reason_en = in->reason_en,
		.reason_ja = in->reason_ja,
		.recipients = recipients,
		.n_recipients = n,
	};
	enum err err = store_quarantine_put(vault->store, &item, bytes_from(mapped, (size_t)in->at), reterr);
	memfd_unmap(mapped);
	return err;
}

static void on_store(struct peer_link *from, const struct wire_store *in, int memfd)
{
	struct vault *vault = from->peers->owner;
	struct pending *pending = mem_new(struct pending, 1);
	struct error error;
	if (!pending)
		_exit(1); /* the gate asks the next one */
	/* First, since it may commit what came before, and answer that. */
	bool well = ready(vault, true);
	*pending = (struct pending){.next = vault->pending, .from = from, .id = in->id};
	vault->pending = pending;
	if (!well)
		answer_pending(vault, false);
	else if (put(vault, in, memfd, &error) != ERR_OK)
		fall_sick(vault, &error);
}

static void on_ask(struct peer_link *from, const struct wire_ask *in)
{
	const struct vault *vault = from->peers->owner;
	struct cursor cur = cursor_make(in->questions);
	CLEANUP(buf_done) struct buf facts = BUF_INIT(IPC_MAX);
	enum fact_kind kind;
	struct bytes key;
	while (facts_next_question(&cur, &kind, &key)) {
		struct bytes rest = key, id, token, hash;
		char ids[4096] = "";
		struct error error;
		enum err err = ERR_UNSUPPORTED;
		if (kind == FACT_RELEASE && bytes_split(&rest, ' ', &id) && bytes_split(&rest, ' ', &token) &&
		    bytes_split(&rest, ' ', &hash))
			err = store_release_find(vault->store, id, token, hash, clock_wall_ms(), ids, sizeof(ids),
						 &error);
		facts_add(&facts, kind,
			  err == ERR_OK       ? FACT_KNOWN
			  : err == ERR_DENIED ? FACT_NEGATIVE
					      : FACT_FAILED,
			  key, err == ERR_OK ? bytes_from_cstr(ids) : (struct bytes){0});
	}
	peer_say(from, &(struct wire_any){.type = WIRE_ANSWER, .answer = {.id = in->id, .facts = buf_bytes(&facts)}});
}

/* -- Frame ---- */

static bool on_message(struct peer_link *link, const struct wire_any *any, int *fd)
{
	struct vault *vault = link->peers->owner;
	arena_reset(vault->arena);
	if (any->type == WIRE_TRACE)
		on_trace(link, &any->trace);
	else if (any->type == WIRE_STORE && *fd >= 0)
		on_store(link, &any->store, *fd);
	else if (any->type == WIRE_ASK)
		on_ask(link, &any->ask);
	else if (any->type == WIRE_REPORT)
		on_report(link, &any->report);
	else if (any->type == WIRE_OWE)
		on_owe(link, &any->owe);
	else if (any->type == WIRE_OWE_ROWS)
		on_owe_rows(link, &any->owe_rows);
	else if (any->type == WIRE_SENT)
		on_sent(link, &any->sent);
	else
		return false;
	return true;
}

static void on_closed(struct peer_link *link)
{
	const struct vault *vault = link->peers->owner;
	for (struct pending *pending = vault->pending; pending; pending = pending->next)
		if (pending->from == link)
			pending->from = NULL;
}

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct vault *vault = state;
	(void)index;
	(void)serial;
	const struct peer_link *link = peer_add(&vault->gates, role, socket);
	if (link)
		say_health(link);
}

static void drain(void *state)
{
	struct vault *vault = state;
	commit(vault);
	store_close(&vault->store);
	child_drained(vault->child);
}

/* True: there is more to forget. What is owed is of use as long as the courier tries to send it. */
static bool forget_reports(struct vault *vault, int64_t now)
{
	struct error error;
	bool more = false;
	enum err err = store_begin(vault->store, false, &error);
	if (err == ERR_OK)
		err = store_report_forget(vault->store, store_day((now - vault->settings->report_retention) / 1000),
					  store_day(now / 1000) - OWED_DAYS, &more, &error);
	if (err == ERR_OK)
		err = store_commit(vault->store, &error);
	if (err != ERR_OK)
		fall_sick(vault, &error);
	return more;
}

static void on_upkeep(void *ctx)
{
	struct vault *vault = ctx;
	const struct settings *settings = vault->settings;
	struct error error;
	bool more = false;
	int64_t now = clock_wall_ms();
	commit(vault);
	if (!vault->sick &&
	    store_forget(vault->store, now - settings->trace_retention, now - settings->quarantine_retention,
			 (uint64_t)settings->quarantine_size, &more, &error) != ERR_OK)
		fall_sick(vault, &error);
	if (!vault->sick && !more)
		more = forget_reports(vault, now);
	loop_timer_set(vault->upkeep, more ? UPKEEP_MORE_MS : UPKEEP_MS);
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	struct vault *vault = mem_new(struct vault, 1);
	if (!vault || !(vault->arena = arena_create((size_t)64 << 20)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	(void)umask(077); /* whatever the folder allows: who wrote to whom is nobody's business */
	vault->child = child;
	vault->gates = (struct peers){.owner = vault,
				      .child = child,
				      .self = ROLE_VAULT,
				      .size = sizeof(struct gate_link),
				      .message = on_message,
				      .closed = on_closed};
	vault->loop = child_loop(child);
	vault->settings = child_heritage(child)->settings;
	(void)snprintf(vault->folder, sizeof(vault->folder), "%.*s", BYTES_FMT(vault->settings->state_dir));
	TRY(store_open(vault->folder, false, &vault->store, reterr));
	if (loop_timer_new(vault->loop, commit, vault, &vault->commit) != ERR_OK ||
	    loop_timer_new(vault->loop, on_probe, vault, &vault->probe) != ERR_OK ||
	    loop_timer_new(vault->loop, on_upkeep, vault, &vault->upkeep) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	*ret_state = vault;
	*ret_folder = vault->folder;
	return ERR_OK;
}

static enum err start(struct child *child, void *state)
{
	struct vault *vault = state;
	struct error error;
	(void)child;
	if (store_probe(vault->store, &error) != ERR_OK)
		fall_sick(vault, &error);
	else
		metrics_set(METRIC_VAULT_HEALTHY, 1);
	loop_timer_set(vault->upkeep, UPKEEP_MS / 60);
	return ERR_OK;
}

NORETURN void vault_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = peer,
		.drain = drain,
		.profile = SANDBOX_VAULT,
		.limits = {.descriptors = 4096},
	};
	child_run(heritage, &ops);
}
