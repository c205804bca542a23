/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate tells the resolver: whom it will be asked for, while the message is still coming. Nothing comes back.
 */
#include <unistd.h>

#include "daemon/gate.h"
#include "sys/ipc.h"
#include "wire/facts.h"

#include "base/banned.h"

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct gate *gate = ctx;
	(void)payload;
	if (fd >= 0)
		(void)close(fd);
	ipc_free(&gate->resolver);
}

static void on_closed(void *ctx)
{
	struct gate *gate = ctx;
	ipc_free(&gate->resolver);
}

static const struct ipc_ops resolver_ops = {on_message, on_closed};

void gate_resolver_peer(struct gate *gate, int socket)
{
	ipc_free(&gate->resolver);
	if (ipc_new(gate->loop, socket, &resolver_ops, gate, &gate->resolver) != ERR_OK)
		(void)close(socket);
}

/* Who it is was proven to us, so that SPF and DMARC are not asked (scan/auth.c), nor lists about its host. */
static bool is_of_ours(const struct gate *gate, const struct scan_envelope *envelope)
{
	return envelope->user.len > 0 ||
	       networks_hold(gate->signing_networks, gate->n_signing_networks, envelope->client_ip);
}

/*
 * Called at MAIL, and not before. At connect and HELO nobody knows yet whose mail it will be, or whether there will be
 * any: AUTH may follow, and then the owners of lists would be told the addresses from which our own users write, about
 * which they are never asked; an inner mail server says only then for whom it speaks (XFORWARD, XCLIENT); and most who
 * knock guess passwords or go again, each of whom would cost a question to every list, of which many give a number a
 * day. What is gained by it, the way from HELO to MAIL, is less than what lies between MAIL and the end of the message:
 * RCPT, DATA and the message itself.
 */
void gate_prefetch(struct gate *gate, const struct scan_envelope *envelope)
{
	CLEANUP(buf_done) struct buf sender = BUF_INIT(4096);
	CLEANUP(buf_done) struct buf buf = BUF_INIT(8192);
	if (!gate->resolver || !envelope->has_client || is_of_ours(gate, envelope))
		return;
	struct facts_sender who = {.helo = envelope->helo, .from = envelope->from};
	memcpy(who.ip, envelope->client_ip, sizeof(who.ip));
	facts_pack_sender(&sender, &who);
	wire_encode(&buf, &(struct wire_any){.type = WIRE_PREFETCH, .prefetch = {.sender = buf_bytes(&sender)}});
	/* One that is slow, or on its end, does without. */
	if (buf_err(&sender) == ERR_OK && buf_err(&buf) == ERR_OK &&
	    ipc_send(gate->resolver, buf_bytes(&buf), -1) != ERR_OK)
		return;
}
