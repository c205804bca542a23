/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/dmarc.h: what the domain in From says of mail that nobody proves to be its own (RFC 9989; by a switch RFC 7489
 * with the public suffix rules, for comparison).
 *
 * Pure: SPF and DKIM were judged elsewhere; DNS is a `dns_host`.
 * Bounds: a tree walk asks DMARC_STEPS_MAX questions at most, whatever the length of the name. Walked are
 *         DMARC_AUTHORS_MAX author domains, and of the identifiers below the organizational domain of one of them
 *         DMARC_WALKS_MAX. One more question asks whether an author domain exists, only where a record has `np`.
 * Fails:  never; out of memory is a temporary error of the message.
 */
#include "auth/dns.h"
#include "mail/address.h"

#define DMARC_STEPS_MAX   8  /* RFC 9989 4.10 */
#define DMARC_AUTHORS_MAX 4  /* domains in From that are judged; with more the judgment is incomplete (11.5) */
#define DMARC_WALKS_MAX   12 /* identifiers; those past it align with nothing */
#define DMARC_URIS_MAX    20 /* of one rua or ruf */

enum dmarc_mode {
	DMARC_RFC9989, /* the tree walk */
	DMARC_RFC7489, /* the public suffix rules; knows neither np, psd nor t; of pct only 0 acts, since no dice here
			*/
};

enum dmarc_code { DMARC_NONE, DMARC_PASS, DMARC_FAIL, DMARC_TEMPERROR, DMARC_PERMERROR };
const char *dmarc_code_name(enum dmarc_code code); /* RFC 8601's word: "pass" */

enum dmarc_policy { DMARC_POLICY_ABSENT, DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
const char *dmarc_policy_name(enum dmarc_policy policy); /* "reject"; NULL when absent */

enum dmarc_psd { DMARC_PSD_U, DMARC_PSD_Y, DMARC_PSD_N };

enum dmarc_fo { DMARC_FO_0 = 1, DMARC_FO_1 = 2, DMARC_FO_D = 4, DMARC_FO_S = 8 };

/* -- Records ---- */

struct dmarc_uris {
	struct bytes *items; /* valid ones, without the obsolete size behind "!" */
	size_t count;
};

/* A policy record (RFC 9989 4.7). What is absent or wrong in it has its default. */
struct dmarc_record {
	enum dmarc_policy p, sp, np; /* ABSENT where not valid */
	/*
	 * 4.10.1: p is missing or wrong, or sp or np is wrong. Then with a report address the record stands for
	 * "p=none" (here `p` is NONE, the others ABSENT), and without one (`unusable`) DMARC is not applied.
	 */
	bool mended, unusable;
	enum dmarc_psd psd;
	bool strict_dkim, strict_spf, testing;
	unsigned fo; /* enum dmarc_fo; what stands there counts only beside ruf */
	struct dmarc_uris rua, ruf;
	unsigned pct; /* 0 to 100 (RFC 7489); as ri and rf kept, no longer acted on */
	uint32_t ri;
	struct bytes rf;
	unsigned unknown,
		wrong; /* tags that nobody registered; tags whose value or form is wrong, or that came before */
};

/*
 * Reads the text of one TXT record, whose slices it keeps. ERR_SYNTAX: it is no DMARC record ("v=DMARC1" is not its
 * first tag). Tags in any case, a tag that comes again is ignored. ERR_NOMEM.
 */
NODISCARD enum err dmarc_record_read(struct arena *arena, struct bytes text, enum dmarc_mode mode,
				     struct dmarc_record *ret_record);

/* -- The judgment ---- */

/* A domain that SPF or DKIM spoke about. */
struct dmarc_identifier {
	struct bytes domain; /* in any case, A-labels or U-labels */
	bool passed;
	bool temporary; /* not passed, but it might have if DNS had answered */
};

struct dmarc_query {
	enum dmarc_mode mode;
	const struct address_list *from; /* of all From fields there are */
	/*
	 * SPF of MAIL FROM; for the null sender that is the domain of HELO (RFC 7208 2.4), which beside a sender counts
	 * nothing (RFC 9989 4.4.2). NULL without SPF.
	 */
	const struct dmarc_identifier *spf;
	const struct dmarc_identifier *dkim; /* one a signature */
	size_t n_dkim;
};

/*
 * Spans live in the arena or are static, and are plain ASCII. Several author domains: that of the worst result (fail
 * before temperror, permerror, none, pass), of failures that with the strictest disposition (11.5).
 */
struct dmarc_result {
	enum dmarc_code code;
	struct bytes domain;                /* the author domain in A-labels; {NULL, 0} when there is none */
	struct bytes policy_domain;         /* where the record is; {NULL, 0} when there is none or nobody could tell */
	struct bytes organizational_domain; /* {NULL, 0} when nobody could tell */
	enum dmarc_policy policy;           /* as published: what `tag` says; ABSENT where no record applies */
	enum dmarc_policy disposition;      /* what the domain asks for this message: NONE unless the code is fail */
	const char *tag;                    /* "p", "sp" or "np"; NULL without policy */
	struct {
		bool spf, dkim; /* passed and aligned */
	} aligned;
	const struct dmarc_record *record; /* NULL when none applies */
	struct bytes reason;               /* a few words */
	size_t n_authors;                  /* domains in From, DMARC_AUTHORS_MAX + 1 when there are more */
	size_t n_questions;                /* different ones that this judgment needed */
};

/*
 * Judges. Results other than none, pass and fail: a temporary error where an answer that decides is missing, or where
 * an identifier that would align is only temporarily without a pass and none else passes; a permanent one where there
 * are too many author domains. An unusable record gives none. `*ret_result` is valid with AUTH_DONE only.
 */
enum auth_step dmarc_check(struct arena *arena, const struct dns_host *host, const struct dmarc_query *query,
			   struct dmarc_result *ret_result);

/*
 * A domain as it stands in mail, in lower case, U-labels as A-labels (RFC 9989 5.3.1), no dot at the end. ERR_SYNTAX:
 * it is no domain name (an address literal, an empty label, bytes that no host name has). ERR_NOMEM.
 */
NODISCARD enum err dmarc_domain(struct arena *arena, struct bytes raw, struct bytes *ret_domain);

/* The name that a walk from `domain` asks in its `step`th step (0: the domain itself), a slice; false: no more. */
bool dmarc_step(struct bytes domain, size_t step, struct bytes *ret_name);
