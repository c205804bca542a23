/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/spf_macro.h: the macros of SPF (RFC 7208 7).
 *
 * Bounds:   values are cut at SPF_VALUE_MAX bytes, so that the work is bounded by that times the macros of a text. Of a
 *           name only the end is kept, for the labels at its left are dropped first (RFC 7208 7.3).
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

#define SPF_VALUE_MAX       512
#define SPF_EXPLANATION_MAX 2048

enum spf_text {
	SPF_TEXT_DOMAIN,   /* a domain-spec: no c, r, t; ends in a macro or in a top label */
	SPF_TEXT_MODIFIER, /* a macro-string */
	SPF_TEXT_EXPLAIN,  /* an explain-string: spaces too */
};

/* What the letters stand for. Domains as A-labels. */
struct spf_values {
	const uint8_t *ip;          /* i, c, v */
	struct bytes sender;        /* s */
	struct bytes local;         /* l */
	struct bytes sender_domain; /* o */
	struct bytes domain;        /* d */
	struct bytes validated;     /* p */
	struct bytes helo;          /* h */
	struct bytes receiver;      /* r */
	int64_t now;                /* t */
};

/* ERR_SYNTAX with the offset in `text`. */
NODISCARD enum err spf_macro_check(struct bytes text, enum spf_text kind, struct error *reterr);

/* Whether `letter` (lower case) is expanded in a text that was checked. */
bool spf_macro_uses(struct bytes text, uint8_t letter);

/*
 * The name that a checked domain-spec stands for, no dot at its end, at most DNS_NAME_MAX bytes unless one label alone
 * is longer; it need not be valid. Empty when s or l would bring in a local part that is not ASCII: such a term matches
 * nothing (RFC 8616 4). A spec without macros gives a slice of itself. ERR_NOMEM.
 */
NODISCARD enum err spf_macro_name(struct arena *arena, struct bytes spec, const struct spf_values *values,
				  struct bytes *ret_name);

/*
 * The explanation for people. "" when it has an error, is over SPF_EXPLANATION_MAX bytes, or comes to hold anything but
 * printable ASCII (RFC 7208 6.2). ERR_NOMEM.
 */
NODISCARD enum err spf_macro_explain(struct arena *arena, struct bytes text, const struct spf_values *values,
				     struct bytes *ret_text);
