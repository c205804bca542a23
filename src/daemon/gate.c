/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "sys/stream.h"

#include "base/banned.h"

#define ACCEPTS_A_TURN          32
#define NO_DESCRIPTORS_PAUSE_MS 100

struct listener {
	struct listener *next;
	struct gate *gate;
	struct loop_io *io;
	struct loop_timer *pause;
	int fd;
	enum metric counter;
	void (*accept)(struct gate *gate, int fd, const struct net_address *peer);
};

bool gate_session_begin(struct gate *gate)
{
	if (gate->sessions >= (size_t)gate->settings->max_connections) {
		metrics_add(METRIC_CONNECTIONS_REFUSED, 1);
		log_event(LOG_WARNING, "connection.refused", log_int("open", (int64_t)gate->sessions));
		return false;
	}
	gate->sessions++;
	metrics_set(METRIC_SESSIONS_OPEN, (int64_t)gate->sessions);
	return true;
}

void gate_end_if_drained(struct gate *gate)
{
	if (gate->draining && gate->sessions == 0 && ((!gate->traces_first && !gate->reports_first) || !gate->vault)) {
		gate_learn_now(gate);
		child_drained(gate->child);
	}
}

void gate_session_end(struct gate *gate)
{
	gate->sessions--;
	metrics_set(METRIC_SESSIONS_OPEN, (int64_t)gate->sessions);
	gate_end_if_drained(gate);
}

void *gate_session_new(struct gate *gate, int fd, size_t size)
{
	void *session = mem_alloc(size);
	if (!session) {
		(void)close(fd);
		gate_session_end(gate);
	}
	return session;
}

struct stream *gate_stream_new(struct gate *gate, int fd, const struct net_address *peer, const struct stream_ops *ops,
			       void *session)
{
	struct stream *stream;
	if (stream_new(gate->loop, fd, !net_is_unix(peer), ops, session, &stream) != ERR_OK) {
		(void)close(fd);
		return NULL;
	}
	stream_timeout(stream, gate->settings->client_timeout);
	return stream;
}

void gate_session_enlist(struct gate *gate, struct gate_session *link, void (*end_if_idle)(void *ctx), void *ctx)
{
	*link = (struct gate_session){
		.next = gate->enlisted, .self = &gate->enlisted, .end_if_idle = end_if_idle, .ctx = ctx};
	if (link->next)
		link->next->self = &link->next;
	gate->enlisted = link;
}

void gate_session_delist(struct gate_session *link)
{
	if (!link->self)
		return;
	*link->self = link->next;
	if (link->next)
		link->next->self = link->self;
	link->self = NULL;
}

bool gate_can_take_mail(const struct gate *gate)
{
	return gate->vault_ok;
}

static void on_acceptable(void *ctx, unsigned events)
{
	struct listener *listener = ctx;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct net_address peer;
		int fd;
		enum err err = net_accept(listener->fd, &fd, &peer);
		if (err == ERR_LIMIT) {
			/* It stays acceptable: without a pause this would be a busy loop. */
			log_event(LOG_ERROR, "descriptors.short");
			loop_io_want(listener->io, 0);
			loop_timer_set(listener->pause, NO_DESCRIPTORS_PAUSE_MS);
		}
		if (err != ERR_OK)
			return;
		metrics_add(listener->counter, 1);
		if (gate_session_begin(listener->gate))
			listener->accept(listener->gate, fd, &peer);
		else
			(void)close(fd);
	}
}

static void on_pause_over(void *ctx)
{
	struct listener *listener = ctx;
	loop_io_want(listener->io, LOOP_READ);
}

static enum err add_listener(struct gate *gate, enum frontend frontend, int fd)
{
	static void (*const accepts[FRONTENDS])(struct gate * gate, int fd, const struct net_address *peer) = {
		gate_milter_accept, gate_smtp_accept, gate_http_accept, gate_spamd_accept};
	struct listener *listener = mem_new(struct listener, 1);
	if (!listener)
		return ERR_NOMEM;
	*listener = (struct listener){.next = gate->listeners,
				      .gate = gate,
				      .fd = fd,
				      .counter = (enum metric)(METRIC_CONNECTIONS_MILTER + (int)frontend),
				      .accept = accepts[frontend]};
	gate->listeners = listener;
	TRY(loop_io_new(gate->loop, fd, on_acceptable, listener, &listener->io));
	TRY(loop_timer_new(gate->loop, on_pause_over, listener, &listener->pause));
	loop_io_want(listener->io, LOOP_READ);
	return ERR_OK;
}

/* -- Frame ---- */

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	const struct heritage *heritage = child_heritage(child);
	struct gate *gate = mem_new(struct gate, 1);
	if (!gate)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	*gate = (struct gate){.child = child,
			      .loop = child_loop(child),
			      .settings = heritage->settings,
			      .hostname = bytes_from_cstr(heritage->hostname)};
	gate->authserv_id = gate->settings->authserv_id.len > 0 ? gate->settings->authserv_id : gate->hostname;
	gate->traces_last = &gate->traces_first;
	gate->reports_last = &gate->reports_first;
	policy_init(&gate->policy, gate->settings);
	struct arena *arena = arena_create(SIZE_MAX); /* for the life of the process */
	if (!arena || networks_parse(arena, &gate->settings->signing_networks, &gate->signing_networks,
				     &gate->n_signing_networks) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	if (gate->settings->smtp_next_hop.len > 0)
		TRY(net_parse(gate->settings->smtp_next_hop, &gate->next_hop, reterr));
	buf_init(&gate->lessons, IPC_MAX + 1024);
	TRY(loop_timer_new(gate->loop, gate_learn_now, gate, &gate->lessons_due));
	TRY(loop_timer_new(gate->loop, gate_vault_missed, gate, &gate->vault_away));
	gate_vault_expect(gate);
	*ret_state = gate;
	*ret_folder = NULL;
	return ERR_OK;
}

static enum err start(struct child *child, void *state)
{
	struct gate *gate = state;
	for (enum frontend frontend = 0; frontend < FRONTENDS; frontend++)
		if (child_heritage(child)->listeners[frontend] >= 0)
			TRY(add_listener(gate, frontend, child_heritage(child)->listeners[frontend]));
	return ERR_OK;
}

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct gate *gate = state;
	if (role == ROLE_SCANNER)
		gate_scan_peer(gate, index, serial, socket);
	else if (role == ROLE_VAULT)
		gate_vault_peer(gate, socket);
	else if (role == ROLE_RESOLVER)
		gate_resolver_peer(gate, socket);
	else if (role == ROLE_SIGNER)
		gate_sign_peer(gate, socket);
	else if (role == ROLE_LEDGER)
		gate_ledger_peer(gate, socket);
	else
		(void)close(socket);
}

static void ending(void *state)
{
	struct gate *gate = state;
	gate->ending = true;
	gate_cut_reports(gate);
	for (struct gate_session *link = gate->enlisted, *next; link; link = next) {
		next = link->next;
		link->end_if_idle(link->ctx);
	}
}

/* Nobody new; those who are here finish in their own time. The supervisor sets the limit of patience. */
static void drain(void *state)
{
	struct gate *gate = state;
	gate->draining = true;
	for (struct listener *listener = gate->listeners, *next; listener; listener = next) {
		next = listener->next;
		loop_io_free(&listener->io);
		loop_timer_free(&listener->pause);
		(void)close(listener->fd);
		mem_free(listener);
	}
	gate->listeners = NULL;
	log_event(LOG_INFO, "gate.draining", log_int("sessions", (int64_t)gate->sessions));
	gate_end_if_drained(gate);
}

NORETURN void gate_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = peer,
		.ending = ending,
		.drain = drain,
		.profile = SANDBOX_GATE,
		.limits = {.descriptors = 65536},
	};
	child_run(heritage, &ops);
}
