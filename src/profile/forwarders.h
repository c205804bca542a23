/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/forwarders.h: what became of the proof of authors in mail that a forwarder or mailing list passed on to us:
 * did the author's own DKIM signature survive, did the forwarder vouch by ARC, or was DMARC broken? From that a strict
 * DMARC policy can be told from a list that breaks signatures. A forwarder is known by its relay's domain, by the
 * domain that sealed, or by its List-Id.
 *
 * Bounds:   a fixed number of records of 32 bytes, by keyed hash, weakest of eight out.
 * Counts:   messages, halved when a half-life is over, at most FORWARDER_DAY_MAX of a kind and day: what one afternoon
 * can teach is bounded. `authors` estimates how many author domains came by it with a proof that survived, up to 64: a
 * real list has many. What it sealed is its own word, and names no author.
 */
#include "base/bytes.h"
#include "base/err.h"

#define FORWARDERS_WINDOW 8u
#define FORWARDER_DAY_MAX 15u
#define FORWARDER_AUTHORS 64u

enum forwarder_state {
	FORWARDER_NONE,   /* not passed on, or nothing to say */
	FORWARDER_INTACT, /* DKIM of the author's domain passed */
	FORWARDER_SEALED, /* it did not, but an ARC chain passed */
	FORWARDER_BROKEN, /* DMARC failed, and nobody vouches */
	FORWARDER_STATES
};

struct forwarder_record {
	uint16_t key[3];
	uint16_t first, last; /* `first` 0: free */
	uint16_t aged;        /* day up to which the counts are halved */
	uint16_t counts[4];   /* intact, sealed, broken, unwanted */
	uint16_t today;       /* four bits each: counted on `last` already */
	uint16_t days;        /* weight in TABLE_DAY, as of `last` */
	uint64_t authors;     /* one bit an author domain, by its hash */
};

struct forwarders {
	struct forwarder_record *records;
	size_t n_records;
};

struct forwarder_figures {
	uint16_t first_days, last_days; /* how long ago */
	uint16_t days;                  /* on which it passed on mail, decayed; 0: unknown */
	uint16_t intact, sealed, broken, unwanted;
	uint16_t authors;
};

/*
 * Whether it is known to pass on mail of many authors as these sent it: on at least 5 days, of at least 3 author
 * domains, 10 messages or more whose proof survived, and at most a tenth of all unwanted. What it vouched for itself,
 * by ARC, does not count: anybody can seal anything. Of such a forwarder a broken proof is more likely its own work
 * than a forgery. It is evidence and no proof: who is patient, and has three domains, can earn it.
 */
bool forwarder_is_trusty(const struct forwarder_figures *figures);

NODISCARD enum err forwarders_init(struct forwarders *forwarders, size_t bytes);
void forwarders_done(struct forwarders *forwarders);
void forwarders_prefetch(const struct forwarders *forwarders, uint64_t key);
const struct forwarder_record *forwarders_find(const struct forwarders *forwarders, uint64_t key);
void forwarders_ask(const struct forwarders *forwarders, uint64_t key, uint16_t today, unsigned half_life,
		    struct forwarder_figures *ret_figures);
/*
 * `author` is the hash of the author's domain; it counts modulo FORWARDER_AUTHORS. Unwanted mail counts as that alone.
 * False: nothing changed.
 */
bool forwarders_learn(struct forwarders *forwarders, uint64_t key, uint64_t author, enum forwarder_state state,
		      bool unwanted, uint16_t today, unsigned half_life);
void forwarders_restore(struct forwarders *forwarders, const struct forwarder_record *record, uint16_t today,
			unsigned half_life);
