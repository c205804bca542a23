/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/courier_smtp.h: one message of ours to one recipient, by SMTP, on the loop.
 *
 * Owns:   what it sends is copied; the delivery ends by itself, then done() is called once, from the loop.
 * Bounds: COURIER_TIMEOUT_MS of silence; after the message ten minutes (RFC 5321, 4.5.3.2.6): who leaves earlier sends
 * it twice. COURIER_DEADLINE_MS for all of it, against who says a byte now and then. A server that names a SIZE
 * (RFC 1870) gets no larger message.
 */
#include "base/bytes.h"
#include "base/err.h"

struct loop;
struct net_address;
struct courier_delivery;

#define COURIER_TIMEOUT_MS  INT64_C(60000)
#define COURIER_DEADLINE_MS INT64_C(1800000)

enum courier_outcome {
	COURIER_TAKEN,
	COURIER_REFUSED, /* for good */
	COURIER_PUT_OFF, /* not now, or nobody is there */
};

struct courier_letter {
	struct bytes helo, from, to; /* plain addresses: they are written into commands as they are */
	struct bytes message;        /* 7 bit */
	int64_t timeout_ms;          /* 0: COURIER_TIMEOUT_MS, or after the message the ten minutes */
};

/* `words` of done(): what the next hop said, or why nothing was said. ERR_NOMEM: done() is not called. */
NODISCARD enum err courier_deliver(struct loop *loop, const struct net_address *next_hop,
				   const struct courier_letter *letter,
				   void (*done)(void *ctx, enum courier_outcome outcome, struct bytes words), void *ctx,
				   struct courier_delivery **ret_delivery);
