/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/param.h: "token; name=value; ..." of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2183, RFC 2231),
 * with every value that some client would take where they differ.
 *
 * Owns:   results are slices of the value, or in the arena.
 * Bounds: PARAM_MAX parameters, PARAM_VALUES readings of one; what is beyond is not seen and marked `limited`.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

#define PARAM_MAX    512
#define PARAM_VALUES 16

struct param {
	struct bytes name;      /* lower case, without what follows a star */
	int section;            /* of a continuation ("name*1"), or -1 */
	bool extended;          /* "name*" or "name*1*": percent-encoded */
	struct bytes value;     /* as RFC 2045 says, or what comes nearest */
	struct bytes others[3]; /* what another client takes; {NULL, 0} when there is none */
};

struct param_list {
	struct bytes token; /* what stands before the first semicolon, comments and blanks around it cut */
	struct param *items;
	size_t count;
	bool loose; /* something was not written as it should be */
	bool limited;
};

/* `value` is unfolded and outlives the list. Sole failure: ERR_NOMEM. */
NODISCARD enum err param_parse(struct arena *arena, struct bytes value, struct param_list *ret_list);

enum param_kind {
	PARAM_PLAIN,    /* name=value */
	PARAM_EXTENDED, /* RFC 2231, percent escapes decoded; charset says in what */
};

struct param_value {
	enum param_kind kind;
	struct bytes text;
	struct bytes charset; /* of an extended one, may be empty */
};

struct param_values {
	struct param_value items[PARAM_VALUES];
	size_t count;
	bool differ; /* more than one parameter gave them */
};

/* Every distinct value of `name` (lower case): extended ones, continuations, then plain ones. */
NODISCARD enum err param_values(struct arena *arena, const struct param_list *list, struct bytes name,
				struct param_values *ret_values);

/* Percent escapes out; what is no escape stays as it is. `out` has room for all of `in`; returns how much is in it. */
size_t param_unescape(struct bytes in, uint8_t *out);
