/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve/resolver.h: answers to DNS questions as the judging code wants them (auth/dns.h, packed), from one cache that
 * all messages share. The same question asked by many is asked once; each waits no longer than the deadline.
 *
 * Late:   an answer that comes after the deadline is kept for the next message; who waited was told so.
 * Away:   after RESOLVER_AWAY_AFTER questions in a row without an answer in time a question of our own goes out. When
 *         that is not answered either, nobody is there: then questions are answered so at once, until an answer
 *         comes. So a dead DNS delays a few messages, not all; and zones that answer nobody, which senders can
 *         choose, stop nothing.
 * Bounds: RESOLVER_CACHE_BYTES of answers, the oldest go first; questions under way as resolve/upstream.h has room for;
 *         what is asked beyond is refused, which is a failure that is not kept.
 * Clock:  the loop's.
 */
#include "resolve/upstream.h"

#define RESOLVER_CACHE_BYTES     ((size_t)48 << 20)
#define RESOLVER_TTL_MAX_MS      INT64_C(86400000)
#define RESOLVER_NONE_TTL_MAX_MS INT64_C(3600000) /* that there is no such name or record; RFC 2308 5: 1 to 3 hours */
#define RESOLVER_FAILURE_TTL_MS  INT64_C(5000)    /* RFC 2308 7.1 allows 5 minutes; a mail server tries again sooner */

#define RESOLVER_AWAY_AFTER 10
#define RESOLVER_PROBE_MS   1000

struct resolver;

struct resolver_figures {
	uint64_t questions, hits, misses, failures, late, bogus;
	size_t entries, bytes, under_way;
	bool away;
};

NODISCARD enum err resolver_new(struct loop *loop, const struct upstream_options *options, int64_t deadline_ms,
				struct resolver **ret_resolver, struct error *reterr);
void resolver_free(struct resolver **resolver);

/* Somebody who waits for an answer. The caller's memory, which stays where it is until done() or resolver_forget(). */
struct resolver_wait {
	/* `key` and `packed` are valid during the call; it may ask and forget anything. */
	void (*done)(void *ctx, struct bytes key, struct bytes packed);
	void *ctx;
	bool fresh;                       /* no answer from our caches will do; see `fresh` of the options */
	struct resolver_wait *next, **at; /* the resolver's; `at` is NULL while it does not wait */
};

/*
 * `key` as dns_question_write() makes it. When the answer is at hand: true and the answer, which is valid until the
 * loop turns. Else false, and wait->done() is called once, later, unless resolver_forget(wait) comes before. `wait` may
 * be NULL: then it is only asked.
 */
bool resolver_ask(struct resolver *resolver, struct bytes key, struct bytes *ret_packed, struct resolver_wait *wait);
/* It is not told any more. Nothing happens when it did not wait. */
void resolver_forget(struct resolver_wait *wait);
/* Called for each answer that comes from the DNS, before those who wait for it; not for those from the cache. */
void resolver_listen(struct resolver *resolver, void (*heard)(void *ctx, struct bytes key, struct bytes packed),
		     void *ctx);
const struct resolver_figures *resolver_figures(const struct resolver *resolver);
