/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/zone.h: what a reputation list is: one in the DNS (RFC 5782), with what its answers mean, or one of our own
 * (scan/local_list.h); and what of a message each is asked about.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct buf;
struct dns_answer;

enum list_kind {
	LIST_IP,           /* names hosts that send unwanted mail (DNSBL) */
	LIST_IP_ALLOW,     /* names hosts that send wanted mail (DNSWL) */
	LIST_DOMAIN,       /* the same of domains (RHSBL, URIBL) */
	LIST_DOMAIN_ALLOW, /* ... */
	LIST_KINDS
};

/* What of a message is looked up; a set of them. */
enum list_about {
	LIST_CLIENT = 1 << 0,   /* the host that brought the message, unless it is one of ours */
	LIST_RECEIVED = 1 << 1, /* if it is: the first relay of the Received path that is not */
	LIST_HELO = 1 << 2,     /* what that host called itself */
	LIST_SENDER = 1 << 3,   /* the sender of the envelope */
	LIST_FROM = 1 << 4,     /* the authors */
	LIST_REPLIES = 1 << 5,  /* where replies go */
	LIST_URLS = 1 << 6,     /* hosts of links */
	LIST_ABOUT_ALL = (1 << 7) - 1,
};

const char *list_kind_name(enum list_kind kind); /* "ip-allow" */
bool list_kind_find(struct bytes name, enum list_kind *ret_kind);
bool list_kind_allows(enum list_kind kind);
/* "client" and so on; false: there is no such word. */
bool list_about_find(struct bytes name, unsigned *ret_about);
/* What a list of that kind cannot be asked about, of `about`; 0: nothing. */
unsigned list_about_wrong(enum list_kind kind, unsigned about);
/* "client,urls". */
void list_about_format(struct buf *buf, unsigned about);
/* 1 to 40 letters, digits and "-_.". */
bool list_name_valid(struct bytes name);

/* An address in an answer that has `value` in the bits of `mask` says `meaning`. */
struct zone_code {
	uint32_t value, mask;
	struct bytes meaning;
};

/*
 * "127.0.0.2 = spam source", "127.0.0.4/30 = exploited host", "127.0.0.3/255.255.0.255 = high trust",
 * "bit 8 = phishing" (that bit of the last number of 127.0.0.x). Outside 127.0.0.0/8, and in 127.255.255.0/24, where
 * lists say that they do not answer, no code can be. A slice of `text`. ERR_SYNTAX.
 */
NODISCARD enum err zone_code_read(struct bytes text, struct zone_code *ret_code, struct error *reterr);

struct list_zone {
	struct bytes name; /* for people */
	struct bytes zone; /* "zen.example.org" */
	enum list_kind kind;
	unsigned about;
	struct zone_code *codes;
	size_t n_codes;
};

/*
 * What the answer to a question of the zone says: the meanings of all codes that name one of its addresses, joined with
 * ", ". False: none does, so the answer does not count.
 */
bool list_zone_hit(struct arena *arena, const struct list_zone *zone, const struct dns_answer *answer,
		   struct bytes *ret_meaning);
/* The address of a positive answer that says why it is none (127.255.255.x, outside 127.0.0.0/8); false: none does. */
bool list_zone_refusal(const struct dns_answer *answer, uint32_t *ret_address);

/* One of our own; what is in it is not part of it. */
struct list_local {
	struct bytes name;
	bool allow;
	unsigned about;
};

/* The forms in which both stand in a recorded case. */
void list_zone_write(struct buf *buf, const struct list_zone *zone);
NODISCARD enum err list_zone_read(struct arena *arena, struct bytes text, struct list_zone *ret_zone);
void list_local_write(struct buf *buf, const struct list_local *local);
NODISCARD enum err list_local_read(struct bytes text, struct list_local *ret_local);
