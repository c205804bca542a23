/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/supervisor_generation.h"
#include "daemon/supervisor_lists.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "sys/net.h"

#include "base/banned.h"

#define CHILDREN_MAX     120
#define STOP_PATIENCE_MS 10000 /* for messages under way when everything ends */
#define CANNOT_START     3     /* exit status of a child that could not even begin */

enum child_state { CHILD_NONE, CHILD_STARTING, CHILD_READY, CHILD_DRAINING };

struct entry {
	struct supervisor *supervisor;
	struct generation *generation;
	enum child_state state;
	enum wire_role role;
	uint32_t index, serial;
	pid_t pid;
	struct ipc *control;
};

/* A place whose process died and is started again after a while. */
struct vacancy {
	struct vacancy *next;
	struct supervisor *supervisor;
	struct generation *generation;
	enum wire_role role;
	uint32_t index;
	struct loop_timer *timer;
};

struct supervisor {
	const char *file;
	struct loop *loop;
	struct loop_signal *signals[4];
	struct loop_timer *patience;
	struct generation *current;
	struct generation *listing; /* whose lists are being read: the current one at the start, or the next one */
	bool reload_asked;          /* meanwhile */
	struct entry children[CHILDREN_MAX];
	struct process_backoff backoffs[ROLE_COUNT][CHILDREN_MAX];
	struct vacancy *vacancies;
	uint32_t next_serial;
	char hostname[256];
	bool stopping, ready_said;
	int status;
};

bool supervisor_check(const char *file)
{
	struct generation *generation = generation_read(file);
	bool good = generation != NULL;
	generation_free(generation);
	return good;
}

/* Where nobody serves it any more. */
static void free_unused(struct supervisor *supervisor, struct generation *generation)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (supervisor->children[i].state != CHILD_NONE && supervisor->children[i].generation == generation)
			return;
	for (struct vacancy *vacancy = supervisor->vacancies; vacancy; vacancy = vacancy->next)
		if (vacancy->generation == generation)
			return;
	generation_free(generation);
}

/* -- Children ---- */

static void on_control(void *ctx, struct bytes payload, int fd);
static void on_control_closed(void *ctx);
static const struct ipc_ops control_ops = {on_control, on_control_closed};

static void say(struct entry *to, const struct wire_any *any, int fd)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	wire_encode(&buf, any);
	if (to->control && ipc_send(to->control, buf_bytes(&buf), fd) != ERR_OK)
		log_event(LOG_WARNING, "control.lost", log_cstr("role", wire_role_name(to->role)),
			  log_int("pid", to->pid));
}

/* One of a kind for all generations: it holds files that no two may have open. */
static bool is_keeper(enum wire_role role)
{
	return role == ROLE_VAULT || role == ROLE_LEDGER;
}

/*
 * Who talks with whom: gates with the scanners, the resolver and the signer of their own generation, and with vault and
 * ledger; scanners with that resolver, and with the ledger; the courier with that resolver, and with the
 * vault.
 */
static bool are_peers(const struct entry *a, const struct entry *b)
{
	if (b->state == CHILD_NONE || b->state == CHILD_DRAINING)
		return false;
	if ((a->role == ROLE_GATE && b->role == ROLE_SCANNER) ||
	    ((a->role == ROLE_GATE || a->role == ROLE_SCANNER || a->role == ROLE_COURIER) &&
	     b->role == ROLE_RESOLVER) ||
	    (a->role == ROLE_GATE && b->role == ROLE_SIGNER))
		return a->generation == b->generation;
	return (a->role == ROLE_GATE && is_keeper(b->role)) || (a->role == ROLE_SCANNER && b->role == ROLE_LEDGER) ||
	       (a->role == ROLE_COURIER && b->role == ROLE_VAULT);
}

static void introduce(struct entry *a, struct entry *b)
{
	int ends[2];
	if (ipc_pair(ends) != ERR_OK) {
		log_event(LOG_ERROR, "pair.failed", log_cstr("why", strerror(errno)));
		return;
	}
	say(a, &(struct wire_any){.type = WIRE_PEER, .peer = {b->role, b->index, b->serial}}, ends[0]);
	say(b, &(struct wire_any){.type = WIRE_PEER, .peer = {a->role, a->index, a->serial}}, ends[1]);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

NORETURN static void run_child(void *ctx)
{
	const struct heritage *heritage = ctx;
	switch (heritage->role) {
	case ROLE_GATE:
		gate_main(heritage);
	case ROLE_SCANNER:
		scanner_main(heritage);
	case ROLE_VAULT:
		vault_main(heritage);
	case ROLE_RESOLVER:
		resolver_main(heritage);
	case ROLE_LEDGER:
		ledger_main(heritage);
	case ROLE_COURIER:
		courier_main(heritage);
	case ROLE_SIGNER:
		signer_main(heritage);
	case ROLE_LISTER:
		lister_main(heritage);
	case ROLE_SUPERVISOR:
	case ROLE_COUNT:
		break;
	}
	_exit(1);
}

/*
 * A gate gives messages to a scanner as soon as it knows it, and blames the message when the scanner ends. So it learns
 * of one that is ready, not of one that still begins.
 */
static bool meet_later(const struct entry *a, const struct entry *b)
{
	const struct entry *scanner = a->role == ROLE_SCANNER ? a : b, *gate = scanner == a ? b : a;
	return scanner->role == ROLE_SCANNER && gate->role == ROLE_GATE && scanner->state == CHILD_STARTING;
}

static void meet_gates(struct entry *scanner)
{
	struct supervisor *supervisor = scanner->supervisor;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct entry *gate = &supervisor->children[i];
		if (gate->state != CHILD_NONE && gate->role == ROLE_GATE && gate->generation == scanner->generation)
			introduce(gate, scanner);
	}
}

static bool spawn(struct supervisor *supervisor, struct generation *generation, enum wire_role role, uint32_t index)
{
	struct entry *entry = NULL;
	unsigned row = 0;
	int ends[2];
	for (; row < CHILDREN_MAX && !entry; row++)
		if (supervisor->children[row].state == CHILD_NONE)
			entry = &supervisor->children[row];
	if (!entry || ipc_pair(ends) != ERR_OK)
		return false;
	struct heritage heritage = {.role = role,
				    .index = index,
				    .serial = ++supervisor->next_serial,
				    .metrics_row = row,
				    .settings = &generation->settings,
				    .hostname = supervisor->hostname,
				    .user = generation->user,
				    .keyring = generation->keyring,
				    .control = ends[1],
				    .lists = role == ROLE_SCANNER || role == ROLE_LISTER ? generation->local_lists : -1,
				    .lists_before = role == ROLE_LISTER && generation != supervisor->current
							    ? supervisor->current->local_lists
							    : -1};
	int keep[FRONTENDS + 3] = {ends[1]};
	size_t n_keep = 1;
	if (heritage.lists >= 0)
		keep[n_keep++] = heritage.lists;
	if (heritage.lists_before >= 0)
		keep[n_keep++] = heritage.lists_before;
	for (size_t i = 0; i < FRONTENDS; i++) {
		heritage.listeners[i] = role == ROLE_GATE ? generation->listeners[i] : -1;
		if (heritage.listeners[i] >= 0)
			keep[n_keep++] = heritage.listeners[i];
	}
	*entry = (struct entry){.supervisor = supervisor,
				.generation = generation,
				.state = CHILD_STARTING,
				.role = role,
				.index = index,
				.serial = heritage.serial};
	char name[16];
	(void)snprintf(name, sizeof(name), "%s-%u", wire_role_name(role), (unsigned)index);
	enum err err = process_spawn(name, keep, n_keep, run_child, &heritage, &entry->pid);
	(void)close(ends[1]);
	if (err != ERR_OK || ipc_new(supervisor->loop, ends[0], &control_ops, entry, &entry->control) != ERR_OK) {
		(void)close(ends[0]);
		entry->state = CHILD_NONE;
		return false;
	}
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct entry *other = &supervisor->children[i];
		if (other == entry || meet_later(entry, other))
			continue;
		if (are_peers(entry, other) ||
		    (are_peers(other, entry) && other->state != CHILD_NONE && other->state != CHILD_DRAINING))
			introduce(entry, other);
		else if (other->state == CHILD_DRAINING && other->role == ROLE_GATE &&
			 (((role == ROLE_SCANNER || role == ROLE_RESOLVER || role == ROLE_SIGNER) &&
			   other->generation == generation) ||
			  is_keeper(role)))
			introduce(other, entry); /* a gate that drains still has messages */
	}
	return true;
}

static void respawn_later(struct supervisor *supervisor, struct generation *generation, enum wire_role role,
			  uint32_t index);
static size_t count_children(const struct supervisor *supervisor, const struct generation *generation,
			     enum wire_role role);

/* Of these there is one at a time: the next begins, by the newest configuration, when the last has ended. */
static bool is_single(enum wire_role role)
{
	return is_keeper(role) || role == ROLE_COURIER;
}

static bool wants_courier(const struct supervisor *supervisor)
{
	return supervisor->current->couriers > 0 && count_children(supervisor, NULL, ROLE_COURIER) == 0;
}

static void on_vacancy(void *ctx)
{
	struct vacancy *vacancy = ctx;
	struct supervisor *supervisor = vacancy->supervisor;
	for (struct vacancy **at = &supervisor->vacancies; *at; at = &(*at)->next) {
		if (*at == vacancy) {
			*at = vacancy->next;
			break;
		}
	}
	struct generation *generation = is_single(vacancy->role) ? supervisor->current : vacancy->generation;
	struct generation *was = vacancy->generation;
	/* A reload may have put an end to the work of some, or begun it anew. */
	bool wanted = !supervisor->stopping && (vacancy->role != ROLE_LEDGER || generation->ledgers > 0) &&
		      (vacancy->role != ROLE_COURIER || wants_courier(supervisor));
	if (wanted && !spawn(supervisor, generation, vacancy->role, vacancy->index))
		respawn_later(supervisor, generation, vacancy->role, vacancy->index);
	loop_timer_free(&vacancy->timer);
	mem_free(vacancy);
	if (was->retiring)
		free_unused(supervisor, was);
}

static void respawn_later(struct supervisor *supervisor, struct generation *generation, enum wire_role role,
			  uint32_t index)
{
	struct vacancy *vacancy = mem_new(struct vacancy, 1);
	if (!vacancy || loop_timer_new(supervisor->loop, on_vacancy, vacancy, &vacancy->timer) != ERR_OK) {
		mem_free(vacancy);
		log_event(LOG_ERROR, "process.not_restarted", log_cstr("role", wire_role_name(role)));
		return;
	}
	int64_t wait = process_backoff_next(&supervisor->backoffs[role][index % CHILDREN_MAX], clock_monotonic_ms());
	*vacancy = (struct vacancy){.next = supervisor->vacancies,
				    .supervisor = supervisor,
				    .generation = generation,
				    .role = role,
				    .index = index,
				    .timer = vacancy->timer};
	supervisor->vacancies = vacancy;
	loop_timer_set(vacancy->timer, wait);
}

/*
 * Begins to read the lists of a generation, whose scanners need them: on_lists_read() goes on. False: there is nothing
 * to read, or it cannot be read.
 */
static bool read_lists(struct supervisor *supervisor, struct generation *generation)
{
	if (generation->settings.list_locals.count == 0)
		return false;
	if (memfd_new(&generation->local_lists) == ERR_OK && spawn(supervisor, generation, ROLE_LISTER, 0)) {
		supervisor->listing = generation;
		return true;
	}
	log_event(LOG_ERROR, "lists.failed", log_cstr("why", strerror(errno)));
	generation_close_lists(generation);
	return false;
}

static bool spawn_generation(struct supervisor *supervisor, struct generation *generation)
{
	if (generation->resolvers > 0 && !spawn(supervisor, generation, ROLE_RESOLVER, 0))
		return false;
	if (generation->signers > 0 && !spawn(supervisor, generation, ROLE_SIGNER, 0))
		return false;
	for (uint32_t i = 0; i < generation->scanners; i++)
		if (!spawn(supervisor, generation, ROLE_SCANNER, i))
			return false;
	for (uint32_t i = 0; i < generation->gates; i++)
		if (!spawn(supervisor, generation, ROLE_GATE, i))
			return false;
	return true;
}

static size_t count_children(const struct supervisor *supervisor, const struct generation *generation,
			     enum wire_role role)
{
	size_t n = 0;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		const struct entry *entry = &supervisor->children[i];
		n += entry->state != CHILD_NONE && entry->role == role &&
		     (!generation || entry->generation == generation);
	}
	return n;
}

static size_t count_free(const struct supervisor *supervisor)
{
	size_t n = 0;
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		n += supervisor->children[i].state == CHILD_NONE;
	return n;
}

static void drain(struct entry *entry)
{
	if (entry->state != CHILD_STARTING && entry->state != CHILD_READY)
		return;
	entry->state = CHILD_DRAINING;
	say(entry, &(struct wire_any){.type = WIRE_DRAIN}, -1);
}

static void drain_role(struct supervisor *supervisor, const struct generation *generation, enum wire_role role)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (supervisor->children[i].state != CHILD_NONE && supervisor->children[i].role == role &&
		    (!generation || supervisor->children[i].generation == generation))
			drain(&supervisor->children[i]);
}

static void kill_role(struct supervisor *supervisor, const struct generation *generation, enum wire_role role)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct entry *entry = &supervisor->children[i];
		if (entry->state != CHILD_NONE && entry->role == role &&
		    (!generation || entry->generation == generation)) {
			entry->state = CHILD_DRAINING;
			(void)kill(entry->pid, SIGKILL);
		}
	}
}

/* All of the current generation, and vault and ledger, are ready. */
static bool all_ready(const struct supervisor *supervisor)
{
	size_t ready = 0;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		const struct entry *entry = &supervisor->children[i];
		if (entry->state == CHILD_READY &&
		    (is_keeper(entry->role) || entry->generation == supervisor->current) &&
		    entry->role != ROLE_COURIER) /* mail does not wait for it */
			ready++;
	}
	const struct generation *current = supervisor->current;
	return ready >= (size_t)current->gates + current->scanners + current->resolvers + current->signers +
				current->ledgers + 1;
}

static void on_all_ready(struct supervisor *supervisor)
{
	if (!supervisor->ready_said) {
		supervisor->ready_said = true;
		log_event(LOG_NOTICE, "postern.ready", log_int("gates", supervisor->current->gates),
			  log_int("scanners", supervisor->current->scanners));
		net_notify("READY=1");
	}
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct entry *entry = &supervisor->children[i];
		if (entry->role == ROLE_GATE && entry->generation != supervisor->current)
			drain(entry);
	}
}

static void on_control(void *ctx, struct bytes payload, int fd)
{
	struct entry *entry = ctx;
	struct supervisor *supervisor = entry->supervisor;
	struct wire_any any;
	if (fd >= 0)
		(void)close(fd);
	if (wire_receive(entry->role, ROLE_SUPERVISOR, payload, &any) != ERR_OK) {
		log_event(LOG_ERROR, "child.broken", log_cstr("role", wire_role_name(entry->role)),
			  log_int("pid", entry->pid));
		(void)kill(entry->pid, SIGKILL);
		return;
	}
	if (any.type == WIRE_READY) {
		if (entry->state == CHILD_STARTING) {
			entry->state = CHILD_READY;
			if (entry->role == ROLE_SCANNER)
				meet_gates(entry);
		}
		if (all_ready(supervisor))
			on_all_ready(supervisor);
	} else if (any.type == WIRE_ZONE) {
		lists_status_set(entry->generation->lists, &any.zone);
		if (entry->generation == supervisor->current)
			lists_status_write(entry->generation->lists);
	} else if (any.type == WIRE_STUCK) {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			struct entry *stuck = &supervisor->children[i];
			if (stuck->state != CHILD_NONE && stuck->role == ROLE_SCANNER &&
			    stuck->index == any.stuck.index && stuck->serial == any.stuck.serial)
				(void)kill(stuck->pid, SIGKILL);
		}
	}
}

static void on_control_closed(void *ctx)
{
	struct entry *entry = ctx;
	ipc_free(&entry->control); /* SIGCHLD tells the rest */
}

/* Gates that drain since a reload are told too: their clients need not come back to them. */
static void end_gates(struct supervisor *supervisor)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct entry *entry = &supervisor->children[i];
		if (entry->state == CHILD_NONE || entry->role != ROLE_GATE)
			continue;
		entry->state = CHILD_DRAINING;
		say(entry, &(struct wire_any){.type = WIRE_DRAIN, .drain = {.ending = 1}}, -1);
	}
}

static void stop_step(struct supervisor *supervisor)
{
	if (count_children(supervisor, NULL, ROLE_GATE) > 0)
		return;
	kill_role(supervisor, NULL, ROLE_LISTER);
	kill_role(supervisor, NULL, ROLE_SCANNER);
	kill_role(supervisor, NULL, ROLE_RESOLVER);
	kill_role(supervisor, NULL, ROLE_SIGNER);
	if (count_children(supervisor, NULL, ROLE_COURIER) > 0)
		return; /* it has a word with the vault before it ends */
	drain_role(supervisor, NULL, ROLE_VAULT);
	drain_role(supervisor, NULL, ROLE_LEDGER);
	if (count_free(supervisor) == CHILDREN_MAX)
		loop_stop(supervisor->loop);
}

static void begin_courier(struct supervisor *supervisor)
{
	if (wants_courier(supervisor) && !spawn(supervisor, supervisor->current, ROLE_COURIER, 0))
		respawn_later(supervisor, supervisor->current, ROLE_COURIER, 0);
}

static void take_over(struct supervisor *supervisor, struct generation *fresh);
static void on_reload(void *ctx);
static void on_stop(void *ctx);

/* The lister has ended. What it left behind by an accident is not used. */
static void on_lists_read(struct supervisor *supervisor, struct generation *generation, int status)
{
	supervisor->listing = NULL;
	if (supervisor->stopping) {
		stop_step(supervisor);
		return;
	}
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && memfd_seal(generation->local_lists) == ERR_OK;
	if (!good) {
		int before = generation != supervisor->current ? supervisor->current->local_lists : -1;
		metrics_add(METRIC_PROCESS_DEATHS, 1);
		log_event(LOG_ERROR, "lists.failed", log_cstr("using", before >= 0 ? "the former ones" : "none"),
			  log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
			  log_int("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
		generation_close_lists(generation);
		generation->local_lists = before >= 0 ? dup(before) : -1;
	}
	if (generation != supervisor->current) {
		take_over(supervisor, generation);
	} else if (!spawn_generation(supervisor, generation)) {
		log_event(LOG_ERROR, "start.failed", log_cstr("why", strerror(errno)));
		supervisor->status = 1;
		on_stop(supervisor);
		return;
	}
	if (supervisor->reload_asked) {
		supervisor->reload_asked = false;
		on_reload(supervisor);
	}
}

static void on_death(struct supervisor *supervisor, struct entry *entry, int status)
{
	struct generation *generation = entry->generation;
	bool expected = entry->state == CHILD_DRAINING || supervisor->stopping;
	bool hopeless = WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_START && !supervisor->ready_said;
	ipc_free(&entry->control);
	metrics_clear_gauges((unsigned)(entry - supervisor->children) + 1);
	entry->state = CHILD_NONE;
	if (entry->role == ROLE_LISTER) {
		on_lists_read(supervisor, generation, status);
		return;
	}
	if (!expected) {
		metrics_add(METRIC_PROCESS_DEATHS, 1);
		log_event(LOG_ERROR, "process.died", log_cstr("role", wire_role_name(entry->role)),
			  log_int("index", entry->index), log_int("pid", entry->pid),
			  log_int("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
			  log_int("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
		if (hopeless) {
			supervisor->status = 1;
			supervisor->stopping = true;
			kill_role(supervisor, NULL, ROLE_GATE);
			kill_role(supervisor, NULL, ROLE_COURIER);
		} else {
			respawn_later(supervisor, generation, entry->role, entry->index);
		}
	} else if (!supervisor->stopping &&
		   (entry->role == ROLE_VAULT || (entry->role == ROLE_LEDGER && supervisor->current->ledgers > 0))) {
		/* As planned, by a reload: that is no death, and mail waits for the next vault. */
		enum wire_role role = entry->role;
		if (!spawn(supervisor, supervisor->current, role, 0))
			respawn_later(supervisor, supervisor->current, role, 0);
	} else if (entry->role == ROLE_COURIER && !supervisor->stopping) {
		begin_courier(supervisor);
	}
	if (supervisor->stopping) {
		stop_step(supervisor);
	} else if (generation != supervisor->current && count_children(supervisor, generation, ROLE_GATE) == 0) {
		generation->retiring = true;
		kill_role(supervisor, generation, ROLE_SCANNER);
		kill_role(supervisor, generation, ROLE_RESOLVER);
		kill_role(supervisor, generation, ROLE_SIGNER);
		free_unused(supervisor, generation);
	}
}

static void on_sigchld(void *ctx)
{
	struct supervisor *supervisor = ctx;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < CHILDREN_MAX; i++) {
			if (supervisor->children[i].state != CHILD_NONE && supervisor->children[i].pid == pid) {
				on_death(supervisor, &supervisor->children[i], status);
				break;
			}
		}
	}
}

/* -- Signals ---- */

static void on_patience_over(void *ctx)
{
	struct supervisor *supervisor = ctx;
	log_event(LOG_WARNING, "stop.forced");
	kill_role(supervisor, NULL, ROLE_GATE);
	kill_role(supervisor, NULL, ROLE_COURIER);
}

static void on_stop(void *ctx)
{
	struct supervisor *supervisor = ctx;
	if (supervisor->stopping)
		return;
	log_event(LOG_NOTICE, "postern.stopping");
	net_notify("STOPPING=1");
	supervisor->stopping = true;
	generation_close_listeners(
		supervisor->current); /* or the kernel would still take connections that nobody serves */
	end_gates(supervisor);
	drain_role(supervisor, NULL, ROLE_COURIER);
	loop_timer_set(supervisor->patience, STOP_PATIENCE_MS);
	stop_step(supervisor);
}

static enum log_level level_of(const struct settings *settings)
{
	return (enum log_level)settings->log_level;
}

static void on_reload(void *ctx)
{
	struct supervisor *supervisor = ctx;
	struct generation *old = supervisor->current;
	if (supervisor->stopping)
		return;
	if (supervisor->listing) {
		supervisor->reload_asked = true;
		return;
	}
	struct generation *fresh = generation_read(supervisor->file);
	if (fresh)
		fresh->user = old->user;
	const char *why = "the configuration has errors; the old one stays in force";
	/* Each reload leaves processes behind as long as their sessions last. */
	bool room = fresh && count_free(supervisor) >= fresh->gates + fresh->scanners + fresh->resolvers +
							       fresh->signers + fresh->couriers + 3;
	if (fresh && !room)
		why = "too many processes of earlier configurations still have sessions";
	if (!room || !generation_make_folders(fresh) || !generation_open_listeners(fresh, old)) {
		log_event(LOG_ERROR, "reload.refused", log_cstr("why", why));
		generation_free(fresh);
		return;
	}
	if (!read_lists(supervisor, fresh))
		take_over(supervisor, fresh);
}

/* From the current generation to the next one, which has all that it needs. */
static void take_over(struct supervisor *supervisor, struct generation *fresh)
{
	struct generation *old = supervisor->current;
	log_event(LOG_NOTICE, "reload", log_cstr("file", supervisor->file));
	metrics_add(METRIC_RELOADS, 1);
	log_setup(level_of(&fresh->settings), (enum log_format)fresh->settings.log_format, "supervisor",
		  getenv("JOURNAL_STREAM") != NULL);
	supervisor->current = fresh;
	lists_status_write(fresh->lists);
	generation_close_listeners(old); /* the old gates hold them until they drain */
	if (!spawn_generation(supervisor, fresh))
		log_event(LOG_ERROR, "reload.incomplete");
	drain_role(supervisor, NULL, ROLE_COURIER);
	begin_courier(supervisor);
	/* The new vault opens when the old one has committed and gone; gates keep what they have for it until then. */
	drain_role(supervisor, NULL, ROLE_VAULT);
	drain_role(supervisor, NULL, ROLE_LEDGER);
	if (fresh->ledgers > 0 && count_children(supervisor, NULL, ROLE_LEDGER) == 0 &&
	    !spawn(supervisor, fresh, ROLE_LEDGER, 0))
		respawn_later(supervisor, fresh, ROLE_LEDGER, 0);
}

/* For `postern reload` and others: our process id, in run_dir. */
static void write_pid(const struct supervisor *supervisor, bool present)
{
	char path[4200], text[32];
	(void)snprintf(path, sizeof(path), "%.*s/posternd.pid", BYTES_FMT(supervisor->current->settings.run_dir));
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (!present)
		(void)unlink(path);
	else if (file_write_atomic(path, bytes_make(text, (size_t)len), 0644) != ERR_OK)
		log_event(LOG_WARNING, "pid.failed", log_cstr("why", strerror(errno)));
}

static bool setup_signals(struct supervisor *supervisor)
{
	static const struct {
		int number;
		void (*fire)(void *ctx);
	} table[] = {{SIGCHLD, on_sigchld}, {SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_reload}};
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (loop_signal_new(supervisor->loop, table[i].number, table[i].fire, supervisor,
				    &supervisor->signals[i]) != ERR_OK)
			return false;
	return loop_timer_new(supervisor->loop, on_patience_over, supervisor, &supervisor->patience) == ERR_OK;
}

static void find_hostname(struct supervisor *supervisor)
{
	struct bytes configured = supervisor->current->settings.hostname;
	if (configured.len > 0)
		(void)snprintf(supervisor->hostname, sizeof(supervisor->hostname), "%.*s", BYTES_FMT(configured));
	else if (gethostname(supervisor->hostname, sizeof(supervisor->hostname) - 1) != 0)
		(void)snprintf(supervisor->hostname, sizeof(supervisor->hostname), "localhost");
}

int supervisor_run(const char *file)
{
	struct supervisor *supervisor = mem_new(struct supervisor, 1);
	bool fallback = false;
	if (!supervisor || !(supervisor->current = generation_read(file))) {
		mem_free(supervisor);
		return 2;
	}
	struct generation *generation = supervisor->current;
	supervisor->file = file;
	log_setup(level_of(&generation->settings), (enum log_format)generation->settings.log_format, "supervisor",
		  getenv("JOURNAL_STREAM") != NULL);
	const char *user = arena_cstr(generation->arena, generation->settings.user);
	if (!user || process_find_user(user, &generation->user, &fallback) != ERR_OK) {
		log_event(LOG_ERROR, "user.missing", log_str("user", generation->settings.user));
		return 1;
	}
	if (fallback)
		log_event(LOG_WARNING, "user.fallback", log_str("missing", generation->settings.user),
			  log_cstr("using", "nobody"));
	find_hostname(supervisor);
	if (!generation_make_folders(generation) || metrics_init() != ERR_OK || loop_new(&supervisor->loop) != ERR_OK ||
	    !setup_signals(supervisor) || !generation_open_listeners(generation, NULL))
		return 1;
	if (!spawn(supervisor, generation, ROLE_VAULT, 0) ||
	    (generation->ledgers > 0 && !spawn(supervisor, generation, ROLE_LEDGER, 0)) ||
	    (!read_lists(supervisor, generation) && !spawn_generation(supervisor, generation))) {
		log_event(LOG_ERROR, "start.failed", log_cstr("why", strerror(errno)));
		return 1;
	}
	begin_courier(supervisor);
	write_pid(supervisor, true);
	lists_status_write(generation->lists);
	loop_run(supervisor->loop);
	write_pid(supervisor, false);
	lists_status_remove(supervisor->current->lists);
	log_event(LOG_NOTICE, "postern.stopped");
	return supervisor->status;
}
