/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/spf_record.h: an SPF record (RFC 7208 4.6, 5, 6, 12) as its terms; of use to a linter as to the check.
 *
 * Owns:     nothing is copied: terms are slices of the record. Reading it again is as cheap as keeping it.
 * Bounds:   linear in the record; SPF_MACROS_MAX macros a term.
 * Fails:    ERR_SYNTAX, with the byte offset in the record and a sentence that begins in lower case.
 */
#include "base/bytes.h"
#include "base/err.h"

enum spf_code { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR };

enum spf_kind {
	SPF_END, /* no term is left */
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_OTHER, /* a modifier that nobody here knows; it says nothing (RFC 7208 6) */
};

#define SPF_MACROS_MAX 128 /* a name has no more labels than that */

struct spf_term {
	enum spf_kind kind;
	enum spf_code qualifier; /* what a match means */
	size_t at;               /* offset in the record */
	struct bytes text;       /* the whole term as written */
	struct bytes domain;     /* the domain-spec, or the value of a modifier; empty when there is none */
	uint8_t ip[16];          /* of ip4 (as ::ffff:a.b.c.d) and ip6 */
	uint8_t bits4, bits6;    /* how much of an address counts: 32 and 128 unless written */
};

struct spf_record {
	struct bytes text;
	struct spf_term redirect, exp; /* SPF_END when absent */
	bool all;                      /* there is an "all": redirect= says nothing (RFC 7208 5.1) */
	unsigned terms;
	unsigned lookups; /* terms that ask DNS when they are come to, those of other records not counted */
};

/* Whether a TXT record is one of SPF at all: "v=spf1" in any case, then a space or the end (RFC 7208 4.5). */
bool spf_record_is(struct bytes text);

/*
 * Reads the whole of a record that spf_record_is(); an error anywhere in it makes it void as a whole (RFC 7208 4.6).
 */
NODISCARD enum err spf_record_parse(struct bytes text, struct spf_record *ret_record, struct error *reterr);

/* The term at or behind `*at`, which moves on; begin with 0. At the end a term of kind SPF_END. */
NODISCARD enum err spf_term_next(struct bytes record, size_t *at, struct spf_term *ret_term, struct error *reterr);

/* Whether evaluating it counts towards the ten terms of RFC 7208 4.6.4. */
bool spf_kind_asks(enum spf_kind kind);
