/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/resolver_zones.h: watches over the reputation lists: each is asked at start, and every
 * lists.canary_interval from then on, about what it must list and what it must not. One that answers wrongly, or twice
 * not at all, is off until it answers rightly again: questions to it are answered here, as failed. So is one that has
 * not been looked at yet, and one that says to any question that it does not answer us (127.255.255.x).
 *
 * Flaps:  one whose canaries are well but which refuses what messages ask is tried again later and later, up to an
 *         hour, and said once to be off until it was well for as long.
 * Says:   what changed: to the log, the metrics, and the supervisor, which keeps it for `postern status`.
 * Owns:   its timers; the resolver must outlive it. No canary is answered from our caches: a zone's change of mind
 *         counts from the next one on, whatever TTL its last answer had.
 */
#include "base/bytes.h"
#include "base/err.h"

struct child;
struct facts_sender;
struct resolver;
struct zones;

NODISCARD enum err zones_new(struct child *child, struct resolver *resolver, struct zones **ret_zones,
			     struct error *reterr);
/* The first canaries fly. */
void zones_start(struct zones *zones);
/* Whether the question goes to a list that is off: then its answer, valid until the loop turns. */
bool zones_refuse(struct zones *zones, struct bytes key, struct bytes *ret_packed);
/*
 * Asks the lists what they will be asked about the client of a message, its HELO and the domain of its sender (empty:
 * none), so that their answers are here when it has come.
 */
void zones_prefetch(struct zones *zones, const struct facts_sender *sender, struct bytes domain);
