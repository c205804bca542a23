/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/child.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/keyring.h"
#include "base/mem.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"

#include "base/banned.h"

struct child {
	const struct heritage *heritage;
	const struct child_ops *ops;
	struct loop *loop;
	struct ipc *control;
	void *state;
};

const char *const frontend_names[FRONTENDS] = {"milter", "smtp", "http", "spamd"};

static void on_control(void *ctx, struct bytes payload, int fd)
{
	struct child *child = ctx;
	struct wire_any any;
	if (wire_receive(ROLE_SUPERVISOR, child->heritage->role, payload, &any) != ERR_OK) {
		log_event(LOG_ERROR, "control.broken");
		_exit(1);
	}
	if (any.type == WIRE_PEER && fd >= 0 && any.peer.role < ROLE_COUNT) {
		child->ops->peer(child->state, (enum wire_role)any.peer.role, any.peer.index, any.peer.serial, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (any.type != WIRE_DRAIN)
		return;
	if (any.drain.ending && child->ops->ending)
		child->ops->ending(child->state);
	if (child->ops->drain)
		child->ops->drain(child->state);
}

/* The supervisor is gone: so are we, at once, so that the ports are free. */
static void on_control_closed(void *ctx)
{
	(void)ctx;
	_exit(0);
}

static const struct ipc_ops control_ops = {on_control, on_control_closed};

const struct heritage *child_heritage(const struct child *child)
{
	return child->heritage;
}

void child_keyring(const struct child *child, struct arena *arena, struct keyring *ret_ring)
{
	struct error error;
	if (keyring_parse(arena, child->heritage->keyring, ret_ring, &error) == ERR_OK)
		return;
	log_event(LOG_ERROR, "keys.broken", log_cstr("why", error.text));
	*ret_ring = (struct keyring){0};
}

enum err child_map_lists(int fd, struct bytes *ret_image)
{
	struct stat st;
	*ret_image = (struct bytes){0};
	if (fd < 0)
		return ERR_OK;
	return fstat(fd, &st) == 0 ? memfd_map_lazily(fd, (size_t)st.st_size, ret_image) : ERR_IO;
}

struct loop *child_loop(struct child *child)
{
	return child->loop;
}

void child_say(struct child *child, const struct wire_any *any)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	wire_encode(&buf, any);
	if (buf_err(&buf) != ERR_OK || ipc_send(child->control, buf_bytes(&buf), -1) != ERR_OK)
		_exit(1);
}

void child_drained(struct child *child)
{
	child_say(child, &(struct wire_any){.type = WIRE_DRAINED});
	_exit(0);
}

NORETURN static void give_up(const char *what, const struct error *error)
{
	log_event(LOG_ERROR, "process.cannot_start", log_cstr("what", what), log_cstr("why", error->text));
	_exit(3); /* the supervisor tells this from an accident */
}

/* Order: open and connect, limits, ids, sandbox; then the loop. */
void child_run(const struct heritage *heritage, const struct child_ops *ops)
{
	struct child *child = mem_new(struct child, 1);
	struct error error = {.text = "no memory"};
	const char *folder = NULL;
	char name[32];
	(void)snprintf(name, sizeof(name), "%s-%u", wire_role_name(heritage->role), (unsigned)heritage->index);
	log_set_process(name);
	metrics_use_row(heritage->metrics_row);
	if (!child || loop_new(&child->loop) != ERR_OK)
		give_up("memory", &error);
	child->heritage = heritage;
	child->ops = ops;
	if (ipc_new(child->loop, heritage->control, &control_ops, child, &child->control) != ERR_OK)
		give_up("control channel", &error);
	/* What is opened below belongs to the user that the process becomes. */
	if (ops->profile == SANDBOX_VAULT && process_drop(&heritage->user, &error) != ERR_OK)
		give_up("privileges", &error);
	if (ops->prepare && ops->prepare(child, &child->state, &folder, &error) != ERR_OK)
		give_up("preparation", &error);
	if (process_limit(&ops->limits) != ERR_OK)
		give_up("limits", &(struct error){.text = "the resource limits cannot be set"});
	if (ops->profile != SANDBOX_VAULT && process_drop(&heritage->user, &error) != ERR_OK)
		give_up("privileges", &error);
	if (sandbox_enter(ops->profile, folder, &error) != ERR_OK) {
		if (!heritage->settings->allow_unsandboxed)
			give_up("sandbox", &error);
		log_event(LOG_WARNING, "process.unsandboxed", log_cstr("why", error.text));
	}
	if (ops->start && ops->start(child, child->state) != ERR_OK)
		give_up("start", &error);
	child_say(child, &(struct wire_any){.type = WIRE_READY});
	loop_run(child->loop);
	_exit(0);
}
