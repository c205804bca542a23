/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/peer.h"

#include <unistd.h>

#include "base/mem.h"
#include "daemon/child.h"
#include "sys/ipc.h"
#include "sys/log.h"

#include "base/banned.h"

static void close_link(struct peer_link *link)
{
	struct peer_link **at = &link->peers->first;
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	if (link->peers->closed)
		link->peers->closed(link);
	ipc_free(&link->ipc);
	mem_free(link);
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct peer_link *link = ctx;
	struct wire_any any;
	bool fine = wire_receive(link->role, link->peers->self, payload, &any) == ERR_OK &&
		    link->peers->message(link, &any, &fd);
	if (fd >= 0)
		(void)close(fd);
	if (!fine) {
		log_event(LOG_ERROR, "peer.broken", log_cstr("role", wire_role_name(link->role)));
		close_link(link);
	}
}

static void on_closed(void *ctx)
{
	close_link(ctx);
}

struct peer_link *peer_add(struct peers *peers, enum wire_role role, int socket)
{
	static const struct ipc_ops ops = {on_message, on_closed};
	struct peer_link *link = mem_calloc(1, peers->size);
	if (link)
		*link = (struct peer_link){.next = peers->first, .peers = peers, .role = role};
	if (!link || ipc_new(child_loop(peers->child), socket, &ops, link, &link->ipc) != ERR_OK) {
		(void)close(socket);
		mem_free(link);
		return NULL;
	}
	peers->first = link;
	return link;
}

void peer_say(const struct peer_link *to, const struct wire_any *any)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	wire_encode(&buf, any);
	if (buf_err(&buf) != ERR_OK || ipc_send(to->ipc, buf_bytes(&buf), -1) != ERR_OK)
		log_event(LOG_WARNING, "peer.unreachable", log_cstr("role", wire_role_name(to->role)));
}
