/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/arc.h: the chain of those who handed a message on (RFC 8617): checked, and continued by a set of our own.
 *
 * Owns:   everything lives in the arena of the message.
 * Bounds: ARC_SETS_MAX sets (RFC 8617 4.2.1 and 5.1.1.1.1): more is a chain that failed.
 * Fails:  ERR_NOMEM only; what is wrong with a chain is its result.
 */
#include "auth/canon.h"
#include "auth/dns.h"

#define ARC_SETS_MAX 50

enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL };
const char *arc_result_name(enum arc_result result);

/* One set. Where the structure is broken its parts may be missing. */
struct arc_set {
	size_t results, signature, seal; /* indices of the three fields, SIZE_MAX where missing */
	struct bytes domain, selector;   /* of the seal: who vouches; lower case */
	struct bytes authserv_id;        /* of ARC-Authentication-Results */
	struct bytes text;               /* what stands behind "i=N;" there, as written */
};

struct arc_options {
	int64_t now;
	struct crypto_keys *keys; /* may be NULL */
};

struct arc {
	enum arc_result result;
	struct bytes reason;
	bool temporary;       /* failed because a key cannot be had now */
	unsigned chain;       /* the highest instance, 0: none */
	unsigned oldest_pass; /* RFC 8617 5.2: the oldest instance from which on the message was not changed; 0: all */
	struct arc_set *sets; /* `chain` of them, instance 1 first */
	bool sealed_fail;     /* the newest seal says cv=fail: nobody may add to it */
	struct arc_check *checks; /* of arc.c */
	struct canon_message *message;
	struct arc_options options;
};

/* Reads the chain and hashes what it covers; asks nothing yet. */
NODISCARD enum err arc_begin(struct canon_message *message, const struct arc_options *options, struct arc **ret_arc);
/* Whether keys are needed to tell: where there is no chain, or a broken one, the result stands already. */
bool arc_asks(const struct arc *arc);
/* Asks for the keys, all at once, and checks; the results are valid after AUTH_DONE. */
NODISCARD enum err arc_step(struct arc *arc, const struct dns_host *host, enum auth_step *ret_step);

/* -- Sealing (arc_seal.c) ---- */

struct arc_seal_options {
	struct bytes domain, selector;
	struct bytes authserv_id; /* whose Authentication-Results are taken over */
	/* The value of that field where the message does not have it yet; those in the message do not count then. */
	struct bytes results;
	enum canon header, body;   /* of the message signature */
	const struct bytes *names; /* h= of the message signature; NULL: what arc_seal.c thinks good */
	size_t n_names;
	int64_t now;
};

/*
 * Two signings, one after another: sign seal->digest, give it to arc_seal_signed(), as long as !seal->done. A chain
 * that may not be continued (the newest seal says cv=fail, or it is full) is `done` at once with empty `fields`.
 */
struct arc_seal {
	bool done;
	struct bytes fields; /* the new fields, to be put in front of the message; no line is over 998 bytes */
	uint8_t digest[CRYPTO_SHA256_LEN];
	struct arc_seal_work *work; /* of arc_seal.c */
};
/* `arc` is a chain that was checked (AUTH_DONE). ERR_SYNTAX with a text for bad options; ERR_AGAIN when it is
 * `temporary`. */
NODISCARD enum err arc_seal_begin(const struct arc *arc, enum crypto_type type, const struct arc_seal_options *options,
				  struct arc_seal *ret_seal, struct error *reterr);
NODISCARD enum err arc_seal_signed(struct arc_seal *seal, struct bytes signature);
/* All at once, for who has the key; *ret_fields is empty where the chain may not be continued. */
NODISCARD enum err arc_seal(const struct arc *arc, struct crypto_key *key, const struct arc_seal_options *options,
			    struct bytes *ret_fields, struct error *reterr);
