/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve/share.h: the room for questions under way, divided so that no zone takes what others need. A sender chooses
 * what zones we ask, and a zone whose servers never answer keeps a place for seconds.
 *
 * Rule:   a zone may have as many questions under way as one in SHARE_PART of the places that are free, and one. So
 *         while there is much room there is much for each; the fuller it is, the less more of the same, and a zone that
 *         has none yet gets the last place. N zones that answer nobody leave SHARE_PART / (SHARE_PART + N) of the room.
 * Known:  of the room a part can be kept for zones that answered before: however many are dead, who is written to every
 *         day, and the lists, are heard. A zone is known while it failed less often than it answered, of which
 *         SHARE_CREDIT count: a name below it that fails, which others can choose, does not make it unknown.
 * Zone:   the registrable domain, since names below it cost nothing, and names beside it are somebody else's: a suffix
 *         of fixed length would let one dead domain below co.uk speak for all of them. In reverse trees the network
 *         that one is given: a /24 or a /48.
 * Bounds: SHARE_SLOTS counters, chosen by a keyed hash: nobody can aim at the counter of another zone, and at most
 *         `room` of them are not zero. As many zones are known, less those that fall together: the last one stays.
 */
#include "base/bytes.h"
#include "base/hash.h"

#define SHARE_PART   4
#define SHARE_SLOTS  (1u << 16)
#define SHARE_CREDIT 15

struct shares {
	struct hash_key secret;
	size_t room, kept, taken; /* `kept` of `room` for known zones */
	uint16_t slots[SHARE_SLOTS];
	uint32_t known[SHARE_SLOTS]; /* a zone's tag, and its credit in the lowest bits; 0: nobody's */
};

/* Of whom a place is. */
struct share {
	uint32_t slot, tag;
};

/* The part of `name` that stands for its zone; a slice of it. */
struct bytes share_zone(struct bytes name);
/* False: there is no place now for a question about that name. Else it has one until share_return(). */
bool share_take(struct shares *shares, struct bytes name, struct share *ret_share);
void share_return(struct shares *shares, struct share share);
/* Whether the zone answered. The place may have been returned. */
void share_learn(struct shares *shares, struct share share, bool answered);
