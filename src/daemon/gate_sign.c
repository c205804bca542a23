/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate's end of the signer: what a scanner wants signed is passed on, when its message may be signed so, and the
 * signature goes back. When the signer restarts, what it has not answered is asked again (gate_scan.c keeps it).
 */
#include <unistd.h>

#include "daemon/gate.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "wire/load.h"

#include "base/banned.h"

static bool is_outgoing(const struct gate *gate, const struct scan_envelope *envelope)
{
	if (envelope->user.len > 0 && gate->settings->signing_authenticated)
		return true;
	return envelope->has_client &&
	       networks_hold(gate->signing_networks, gate->n_signing_networks, envelope->client_ip);
}

static bool is_forwarded(const struct settings *settings, const struct scan_envelope *envelope)
{
	for (size_t i = 0; i < envelope->n_recipients; i++)
		for (size_t j = 0; j < settings->signing_arc_for.count; j++)
			if (policy_matches(settings->signing_arc_for.items[j], envelope->recipients[i]))
				return true;
	return false;
}

enum sign_right gate_sign_right(const struct gate *gate, const struct scan_envelope *envelope)
{
	if (is_outgoing(gate, envelope))
		return SIGN_AS_AUTHOR;
	if (gate->settings->signing_arc_domain.len > 0 && is_forwarded(gate->settings, envelope))
		return SIGN_AS_FORWARDER;
	return SIGN_NOTHING;
}

bool gate_may_sign(const struct gate *gate, enum sign_right right, const struct wire_sign *sign)
{
	if (sign->seal)
		return right == SIGN_AS_FORWARDER && bytes_eq_nocase(sign->domain, gate->settings->signing_arc_domain);
	return right == SIGN_AS_AUTHOR;
}

/* -- The other end ---- */

void gate_sign_ask(struct gate *gate, struct bytes question)
{
	/* Where it fails its end is being noticed, and the next one is asked. */
	if (gate->signer && ipc_send(gate->signer, question, -1) != ERR_OK)
		log_event(LOG_WARNING, "signer.unreachable");
}

static void on_closed(void *ctx)
{
	struct gate *gate = ctx;
	ipc_free(&gate->signer);
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct gate *gate = ctx;
	struct wire_any any;
	if (fd >= 0)
		(void)close(fd);
	if (wire_receive(ROLE_SIGNER, ROLE_GATE, payload, &any) != ERR_OK) {
		log_event(LOG_ERROR, "signer.broken");
		on_closed(gate);
		return;
	}
	gate_scan_signature(gate, &any.signature);
}

static const struct ipc_ops signer_ops = {on_message, on_closed};

void gate_sign_peer(struct gate *gate, int socket)
{
	ipc_free(&gate->signer);
	if (ipc_new(gate->loop, socket, &signer_ops, gate, &gate->signer) != ERR_OK) {
		(void)close(socket);
		return;
	}
	gate_scan_sign_again(gate);
}
