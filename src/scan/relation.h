/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/relation.h: what the organisation knows of the author of a message (FACT_RELATION, profile/relations.h), for
 * checks, and the question itself, from which the same is learned once the message is delivered.
 *
 * Whose knowledge: that of the recipients' registrable domain; of several the first recipient's, and only recipients
 * there are asked for. Mail of our own authenticated users is asked for under the domain of its author.
 */
#include "profile/relations.h"

struct scan;

/* NULL: wait, what proves the author is being asked for. No author, or several of them: `author` is empty. */
const struct relations_query *scan_relations_query(struct scan *scan);
/* NULL: wait. Where nobody could tell, all is empty: nothing is known, not even for how long (`org`). */
const struct relations_answer *scan_relations(struct scan *scan);

/*
 * Of a message that fails DMARC: the list or sealer that passed it on and is known for passing on honest mail
 * (forwarder_is_trusty()), so that the failure is more likely its work than a forgery. A list by its name and relay; a
 * sealer only where it wrote down that the message was proven when it came. Mail in the name of the recipients' own
 * domains, or another of ours, nobody explains who only earned it. `ret_name` empty: none. False: wait.
 */
bool scan_known_forwarder(struct scan *scan, struct bytes *ret_name, struct forwarder_figures *ret_figures);

/* The question of this message, packed, if it was made; {NULL, 0}. */
struct bytes scan_relations_key(struct scan *scan);

/* Where the scan keeps what was made of it; for relation.c alone. */
struct scan_relation;
struct scan_relation **scan_relation_kept(struct scan *scan);
