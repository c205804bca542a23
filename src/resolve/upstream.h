/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve/upstream.h: questions to the DNS, through libunbound's event interface on our loop: it recurses (or asks
 * forwarders), validates, caches and tries again by itself. Where servers were named to us, and nothing is validated
 * and no zone has servers of its own, a question first goes the short way (resolve/quick.h), which costs half.
 *
 * Files:  the trust anchors, at upstream_new(); none after.
 * Bounds: UPSTREAM_QUESTIONS_MAX questions under way the long way, UPSTREAM_BRIEF_MAX the short one, and of those of
 *         one zone a share (resolve/share.h). A question that nobody answers has its place for some 15 seconds the long
 *         way, which therefore keeps UPSTREAM_KEPT places for zones that answered before; for 0.4 seconds the short
 *         one, so that where there is one any zone that lives is heard, however many are dead.
 */
#include "base/bytes.h"
#include "base/err.h"

struct loop;
struct upstream;

#define UPSTREAM_QUESTIONS_MAX 4096
#define UPSTREAM_KEPT          (UPSTREAM_QUESTIONS_MAX / 4)
#define UPSTREAM_BRIEF_MAX     16384 /* a place costs some 500 bytes, and a sixteenth of a socket */

struct upstream_zone {
	struct bytes name, server; /* "ADDRESS@PORT" or "ADDRESS" */
};

struct upstream_options {
	const struct bytes *forward; /* servers that are asked instead of recursing, as above */
	size_t n_forward;
	const struct upstream_zone *zones; /* servers of single zones; wins over `forward` */
	size_t n_zones;
	struct bytes trust_anchors; /* file; empty: nothing is validated */
	bool fresh;                 /* upstream_ask_fresh() will be called */
};

/* ERR_SYNTAX or ERR_IO with a text that names the option. */
NODISCARD enum err upstream_new(struct loop *loop, const struct upstream_options *options,
				struct upstream **ret_upstream, struct error *reterr);
void upstream_free(struct upstream **upstream);

enum upstream_trust { UPSTREAM_INSECURE, UPSTREAM_BOGUS, UPSTREAM_SECURE };
/* `code`: a DNS RCODE. `packet`: the answer, empty when there is none; valid during the call. */
typedef void upstream_done(void *ctx, int code, struct bytes packet, enum upstream_trust trust);

/*
 * Asks; done(ctx, ...) is called once, perhaps before this returns. There is no cancelling: `ctx` lives until then.
 * `name`: labels between dots, any byte; the caller has checked its lengths. ERR_LIMIT: there is no room for it.
 * ERR_IO: it could not even be asked. Then done() is not called.
 */
NODISCARD enum err upstream_ask(struct upstream *upstream, unsigned type, struct bytes name, upstream_done *done,
				void *ctx);
/*
 * The same, past our caches: it is asked although an answer may be known. Only an answer that tells no time (no record,
 * and no SOA) libunbound keeps for 5 seconds.
 */
NODISCARD enum err upstream_ask_fresh(struct upstream *upstream, unsigned type, struct bytes name, upstream_done *done,
				      void *ctx);
