/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve/quick.h: the short way to a resolver that was named to us: one packet there, one back. What comes back plain
 * and whole is the answer. All else (nothing in time, an error, a truncated answer, a chain of names that ends nowhere)
 * is told as "no", and the caller asks in the long way, which knows what to do about it.
 *
 * Spoof:  who wants to lie to us must guess the port, which the kernel draws, and the number of the question. A port
 *         lives for QUICK_PER_SOCKET questions or QUICK_SOCKET_MS, and hears its server only.
 * Server: one at a time; the next one after QUICK_PATIENCE questions in a row without a packet from it.
 * Bounds: a question waits QUICK_WAIT_MS at most; there is one timer, and a socket for QUICK_PER_SOCKET questions.
 * Fails:  ERR_SYNTAX, ERR_NOMEM, ERR_IO.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "resolve/quick_packet.h"

struct loop;
struct quick;
struct quick_socket;

#define QUICK_PER_SOCKET 16
#define QUICK_SOCKET_MS  2000
#define QUICK_WAIT_MS    400
#define QUICK_PATIENCE   8

/* A question; memory of the caller, until done() is called. */
struct quick_question {
	struct quick_packet packet; /* its number is ours to choose */
	/* An empty packet: no; ask in the long way. Else valid during the call. May ask anew. */
	void (*done)(struct quick_question *question, struct bytes packet);
	/* The rest is ours. */
	struct quick_question *next, **link; /* in the order in which they were sent */
	struct quick_socket *socket;
	int64_t until;
};

/* `servers`: "ADDRESS" or "ADDRESS@PORT"; at least one. */
NODISCARD enum err quick_new(struct loop *loop, const struct bytes *servers, size_t n, struct quick **ret_quick);
/* Who waits is not told. */
void quick_free(struct quick **quick);
/* ERR_IO: it could not be sent, and done() is not called. */
NODISCARD enum err quick_ask(struct quick *quick, struct quick_question *question);
