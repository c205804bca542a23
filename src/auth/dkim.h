/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/dkim.h: DKIM signatures: checked (RFC 6376, RFC 8301, RFC 8463) and made.
 *
 * Owns:   everything lives in the arena of the message.
 * Bounds: DKIM_SIGNATURES_MAX entries, of which options.verify_max ask for a key; DKIM_RECORDS_MAX key records are
 * tried for one signature. Fails:  ERR_NOMEM only; what is wrong with a signature is its result.
 */
#include "auth/canon.h"
#include "auth/dns.h"

#define DKIM_SIGNATURES_MAX 100
#define DKIM_VERIFY_MAX     16 /* the default */
#define DKIM_RECORDS_MAX    4
#define DKIM_SKEW           300 /* seconds by which t= may lie in the future */

/* The words of RFC 8601 2.7.1, but "none", which is no signature. */
enum dkim_result {
	DKIM_PASS,
	DKIM_FAIL,      /* sound in form, and wrong: message or signature was changed */
	DKIM_POLICY,    /* refused by a rule: expired, SHA-1, a short key, too many signatures */
	DKIM_NEUTRAL,   /* not in the form of a signature, or of a kind that is not known */
	DKIM_TEMPERROR, /* the key cannot be had now */
	DKIM_PERMERROR, /* there is no key that could be used */
};
const char *dkim_result_name(enum dkim_result result);

enum dkim_flag {
	DKIM_TESTING = 1 << 0,          /* the key is on trial (t=y): as if unsigned, whatever the result */
	DKIM_STRICT = 1 << 1,           /* the key allows no subdomain in i= (t=s) */
	DKIM_LENGTH = 1 << 2,           /* l= is there */
	DKIM_PARTIAL = 1 << 3,          /* and body bytes lie behind it: body_uncovered */
	DKIM_SUBJECT_UNSIGNED = 1 << 4, /* a Subject, To, Cc, Date, Content-Type is there that is not signed */
	DKIM_TO_UNSIGNED = 1 << 5,
	DKIM_CC_UNSIGNED = 1 << 6,
	DKIM_DATE_UNSIGNED = 1 << 7,
	DKIM_TYPE_UNSIGNED = 1 << 8,
	DKIM_FROM_UNSIGNED = 1 << 9,      /* there are more From fields than are signed */
	DKIM_FROM_OVERSIGNED = 1 << 10,   /* no From may be added */
	DKIM_SUBJECT_OVERSIGNED = 1 << 11 /* nor a Subject */
};

struct dkim_signature {
	enum dkim_result result;
	struct bytes reason; /* a sentence without full stop, for people; says where, for what is wrong in form */
	/* As far as they could be read; empty otherwise. */
	struct bytes domain;              /* d=, lower case */
	struct bytes selector;            /* s= */
	struct bytes identity;            /* i=, decoded, or "@" and d= */
	struct bytes algorithm;           /* a=, lower case */
	const struct bytes *signed_names; /* h=, lower case, in order */
	size_t n_signed;
	unsigned flags;
	unsigned key_bits;       /* 0: no key was read */
	uint64_t body_uncovered; /* bytes of the canonical body behind l= */
	int64_t signed_at;       /* t=, -1 without */
	int64_t expires_at;      /* x=, -1 without */
	size_t at;               /* of the field in the message */
};

struct dkim_options {
	int64_t now; /* seconds since 1970 */
	size_t verify_max;
	struct crypto_keys *keys; /* may be NULL: nothing is kept */
};

struct dkim {
	struct dkim_signature *signatures; /* top first; the last may stand for those beyond the cap */
	size_t count;
	struct dkim_check *checks; /* of dkim.c */
	size_t n_checks;
	struct canon_message *message;
	struct dkim_options options;
};

/* Reads all signatures and hashes what they cover; asks nothing yet. */
NODISCARD enum err dkim_begin(struct canon_message *message, const struct dkim_options *options,
			      struct dkim **ret_dkim);
/* Asks for the keys, all at once, and checks; the results are valid after AUTH_DONE. */
NODISCARD enum err dkim_step(struct dkim *dkim, const struct dns_host *host, enum auth_step *ret_step);

/* -- Signing (dkim_sign.c) ---- */

struct dkim_sign_options {
	struct bytes domain, selector;
	struct bytes identity; /* i=; empty: none is written */
	enum canon header, body;
	/* h= is `names`, with From in front where it is not among them, then `oversign`. NULL: what dkim_sign.c thinks
	 * good for the message at hand. */
	const struct bytes *names, *oversign;
	size_t n_names, n_oversign;
	int64_t now;
	int64_t expire; /* seconds from now; 0: never */
};

/* A signature that lacks its signing: whoever has the key signs `digest`. */
struct dkim_draft {
	uint8_t digest[CRYPTO_SHA256_LEN];
	struct bytes text; /* of dkim_sign.c: the field up to its b= */
	bool crlf;
	struct arena *arena;
};
/* ERR_SYNTAX with a text: a name, an identity or a message that cannot be signed (no From). */
NODISCARD enum err dkim_sign_prepare(struct canon_message *message, enum crypto_type type,
				     const struct dkim_sign_options *options, struct dkim_draft *ret_draft,
				     struct error *reterr);
/* *ret_field: the whole new field with its line end, to be put in front of the message. No line is over 998 bytes. */
NODISCARD enum err dkim_sign_finish(const struct dkim_draft *draft, struct bytes signature, struct bytes *ret_field);
/* Both at once, for who has the key. */
NODISCARD enum err dkim_sign(struct canon_message *message, struct crypto_key *key,
			     const struct dkim_sign_options *options, struct bytes *ret_field, struct error *reterr);
