/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/fact.h: what the judging code knows of the world: typed questions with their answers. It never asks the world
 * itself: a check asks the case, and whoever runs the scan brings the answers.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct scan;

enum fact_kind {
	FACT_TIME,    /* no key; the answer is seconds since 1970 in decimal. Given with the case, never asked */
	FACT_RELEASE, /* key: release token, a blank, sha256 of the body (scan/release.c). Answer: the evidence ids that
			 were overruled, separated by blanks; negative when there is no such release */
	FACT_LIST, /* key: an address, a domain or a mail address. Answer: "LIST ENTRY" lines of those of our own lists
		      that have it (scan/local_list.h); negative when none has */
	FACT_DNS,  /* key: "TXT example.com" (auth/dns.h). Answer: packed; of FACT_FAILED: packed too, or empty */
	FACT_RELATION, /* key and answer: packed (profile/relations.h) */
	FACT_KINDS
};

enum fact_state {
	FACT_ASKED, /* no answer yet */
	FACT_KNOWN,
	FACT_NEGATIVE, /* known not to exist */
	FACT_FAILED,   /* nobody could tell (time-out, a service that is down) */
};

struct fact {
	enum fact_kind kind;
	enum fact_state state;
	struct bytes key, answer;
	const void *decoded; /* what a reader made of the answer, in the arena; NULL at first */
};

/* In the order in which they were asked. */
struct fact_list {
	struct fact *items;
	size_t count, capacity;
};
#define FACTS_MAX 200 /* of one message; what is asked beyond is FACT_FAILED */

const char *fact_kind_name(enum fact_kind kind); /* "time" */
bool fact_kind_find(struct bytes name, enum fact_kind *ret_kind);

struct fact *fact_find(const struct fact_list *list, enum fact_kind kind, struct bytes key);
/* Adds, or replaces the state and the answer. Copies key and answer. */
NODISCARD enum err fact_set(struct arena *arena, struct fact_list *list, enum fact_kind kind, struct bytes key,
			    enum fact_state state, struct bytes answer);

/*
 * For checks: the fact, or NULL: then the check returns CHECK_WAIT and is called again when the answer is there.
 * The answer may be FACT_NEGATIVE or FACT_FAILED.
 */
const struct fact *scan_fact(struct scan *scan, enum fact_kind kind, struct bytes key);
/*
 * What decode() makes of the fact, whatever its state is: made once and kept beside it. NULL: wait. A fact that could
 * not even be asked (FACTS_MAX) is decoded as failed each time.
 */
typedef const void *fact_decoder(struct arena *arena, const struct fact *fact);
const void *scan_fact_decoded(struct scan *scan, enum fact_kind kind, struct bytes key, fact_decoder *decode);
