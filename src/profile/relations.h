/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/relations.h: who writes to whom, for each organisation: what is known of an author, a display name, a domain,
 * a network; whom we wrote to; which Message-IDs are ours; and what forwarders do to mail. One question, one answer: it
 * is evidence, never a verdict.
 *
 * Memory:   a budget given at creation, taken at once, never more. 100 MB hold one million relations (author, name and
 *           recipient) and all that belongs to them. No text is kept but the usual address of a name; all else is a
 * keyed hash, under a key that senders cannot know. Time:     an argument, in seconds since 1970; counted in days.
 * Full:     see profile/table.h. What we sent lies in a table of its own, which no stranger can fill.
 *
 * What an attacker could teach, and why it does not help:
 *   - "This address writes here": an author whose domain was not authenticated is known only together with the network
 *     that the mail came from; who forges the address comes from another.
 *   - "This name is that address": names are learned from authenticated authors alone, one vote a day, and the one that
 *     was right on more days stays. Mail that was not delivered, or was spam, teaches nothing. Against the name of one
 * of ours nobody outside has a vote.
 *   - "We know each other well": a counter counts days, not messages.
 *   - "You wrote to me": only mail of our own authenticated users counts as written by us; the answer to a Message-ID
 * of ours tells whether its author belongs to a domain that this message went to, since a stolen mailbox shows the
 *     Message-IDs in it.
 *   - Pushing out what is known: newcomers compete with newcomers.
 *   - A patient one who sends harmless mail from a domain of its own for weeks is known afterwards, as anybody is.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "profile/forwarders.h"

struct arena;
struct buf;
struct relations;

#define RELATIONS_LIST_MAX  16  /* of recipients, domains, references: what is beyond is not looked at */
#define RELATIONS_TEXT_MAX  320 /* a longer text is taken as if it were not there */
#define RELATIONS_HALF_LIFE 180

struct relations_list {
	struct bytes items[RELATIONS_LIST_MAX];
	size_t count;
};

/* Every text may be empty. ASCII case does not count, but in Message-IDs. */
struct relations_query {
	struct bytes org;    /* on whose behalf is asked; nobody sees what others know */
	bool outgoing;       /* an authenticated user of ours sends it: `author` is ours, the recipients are theirs */
	struct bytes author; /* address of From */
	struct bytes domain; /* its registrable domain */
	struct bytes name;   /* display name */
	bool proven;         /* the author's domain is authenticated: aligned DKIM or SPF passed, or our own user */
	struct relations_list dkim; /* domains whose signature passed */
	bool has_client;
	uint8_t client[16]; /* IPv4 as ::ffff:a.b.c.d */
	struct relations_list recipients;
	struct bytes message_id;          /* without <> */
	struct relations_list references; /* In-Reply-To and References, without <>, newest first */
	enum forwarder_state forwarded;
	struct bytes relay, sealer, list; /* the forwarder: domain of the relay, of the ARC sealer, List-Id */
};

/* Adds a text; what is over the maximum is left out. */
void relations_list_add(struct relations_list *list, struct bytes text);

struct relation_seen {
	uint16_t first_days, last_days; /* how long ago */
	uint16_t days;                  /* on how many, decayed; 0: unknown or forgotten, and all is 0 */
};

enum relations_forwarder { RELATIONS_RELAY, RELATIONS_SEALER, RELATIONS_LIST, RELATIONS_FORWARDERS };

struct relations_answer {
	struct relation_seen org;         /* since when anything is learned: a young memory knows nobody */
	struct relation_seen address;     /* the author; where not proven: from this network */
	struct relation_seen proven;      /* the author's address in mail that was proven */
	struct relation_seen pair;        /* the author to the recipient it knows best, of those asked */
	struct relation_seen domain;      /* the author's domain; where not proven: from this network */
	struct relation_seen name;        /* the name in proven mail, whoever bore it */
	struct relation_seen name_here;   /* the name from this author */
	struct relation_seen dkim;        /* the best known of the passing domains with the author's domain */
	struct relation_seen network;     /* the author's domain, proven, from this /24 (IPv6: /48) */
	struct relation_seen wrote;       /* one of us to the author's address */
	struct relation_seen wrote_pair;  /* one of the recipients to the author's address */
	struct relation_seen reply;       /* our message that this one answers */
	struct relation_seen reply_there; /* and that went to the author's domain */
	bool wrote_first;                 /* we wrote to them before they wrote to us */
	uint16_t usual_days;              /* days that speak for the usual address */
	struct bytes usual;               /* address that the name usually comes from; empty: none is known */
	struct forwarder_figures forwarders[RELATIONS_FORWARDERS];
};

enum relations_outcome {
	RELATIONS_WANTED,   /* delivered, and not spam: learned from */
	RELATIONS_UNWANTED, /* spam, phishing, malware: counts against the forwarder alone */
};

struct relations_figures {
	size_t bytes;          /* taken from the heap */
	size_t records, slots; /* both tables */
	uint64_t evicted, refused;
};

/* -- The store ---- */

/* `budget` in bytes, at least 64 kB. ERR_NOMEM. */
NODISCARD enum err relations_create(size_t budget, struct hash_key key, struct relations **ret_relations);
void relations_free(struct relations **relations);

/* `ret_answer->usual` is a slice of the store: good until something is learned. */
void relations_ask(const struct relations *relations, const struct relations_query *query, int64_t now,
		   struct relations_answer *ret_answer);
/* Once a message, when its fate is known. Learning the same again on the same day changes the forwarders alone. */
void relations_learn(struct relations *relations, const struct relations_query *query, enum relations_outcome outcome,
		     int64_t now);

/* Lessons that changed something, since the store was made and over all snapshots: a journal continues from there. */
uint64_t relations_sequence(const struct relations *relations);
/* Counts by looking at every slot. */
struct relations_figures relations_figures(const struct relations *relations);

/* -- Packed: one line of printable ASCII ---- */

#define RELATIONS_QUERY_MAX  65535 /* the length of a fact's key has two bytes */
#define RELATIONS_ANSWER_MAX 4096

/* Texts over RELATIONS_TEXT_MAX and lists over RELATIONS_LIST_MAX are not packed. */
void relations_query_pack(struct buf *buf, const struct relations_query *query);
/* Strict: exactly what packing gives. ERR_SYNTAX, ERR_NOMEM. Texts are in the arena or slices of `packed`. */
NODISCARD enum err relations_query_unpack(struct arena *arena, struct bytes packed, struct relations_query *ret_query);
void relations_answer_pack(struct buf *buf, const struct relations_answer *answer);
NODISCARD enum err relations_answer_unpack(struct arena *arena, struct bytes packed,
					   struct relations_answer *ret_answer);

/* -- Snapshots ---- */

#define SNAPSHOT_PIECE_MAX 65600

/*
 * A snapshot is written in pieces, between which one may go on asking and learning: what is learned meanwhile may be in
 * it or not, and `sequence` tells where it begins for sure. The last piece says that it is whole.
 */
struct relations_writer {
	const struct relations *relations;
	uint64_t sequence; /* of the begin: events up to here are in it */
	uint16_t day;
	unsigned section;
	size_t at;
	uint32_t piece;
	size_t records; /* in it so far */
};
void relations_snapshot_begin(const struct relations *relations, int64_t now, struct relations_writer *ret_writer);
/* Adds the next piece (at most SNAPSHOT_PIECE_MAX bytes) to `buf`; false when there is none left. */
bool relations_snapshot_next(struct relations_writer *writer, struct buf *buf);
/*
 * Makes a store from a whole snapshot; its budget may be another than that of the one that was written. A file that is
 * cut, changed or of another version is refused whole: ERR_SYNTAX, ERR_SHORT, ERR_UNSUPPORTED; ERR_NOMEM.
 */
NODISCARD enum err relations_snapshot_read(struct bytes file, size_t budget, struct relations **ret_relations,
					   struct error *reterr);
/* The key alone, from a file whose head is whole, whatever follows: what journals hold can be read by it. */
NODISCARD bool relations_snapshot_key(struct bytes file, struct hash_key *ret_key);
