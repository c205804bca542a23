/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/authres.h: the Authentication-Results field (RFC 8601, with UTF-8 as RFC 8616 has it): reads what others wrote,
 * writes ours, and tells which fields only pretend to be ours.
 *
 * Bounds: the limits below; time is linear in the length of the value.
 * Fails:  ERR_NOMEM only. A malformed value is data: what can be read is there, and `malformed` is set.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct buf;

#define AUTHRES_RESULTS_MAX    200
#define AUTHRES_PROPERTIES_MAX 16              /* of one result */
#define AUTHRES_VALUE_MAX      400             /* bytes that are written of one value, reason or comment */
#define AUTHRES_WORD_MAX       64              /* ... and of one keyword */
#define AUTHRES_FIELD_MAX      ((size_t)20000) /* bytes of a whole value; one result at its limits fits */

struct authres_property {
	struct bytes type, name; /* lower case: "smtp", "mailfrom"; `type` is empty where somebody left it out */
	struct bytes value;
};

struct authres_result {
	struct bytes method, result; /* lower case: "spf", "pass" */
	unsigned version;            /* of the method; 0: not written, which means 1 */
	struct bytes comment;        /* behind the result; empty when none */
	struct bytes reason;
	struct authres_property *properties;
	size_t n_properties;
	bool malformed;
};

struct authres {
	struct bytes id;  /* authserv-id */
	unsigned version; /* of the field; 0: not written, which means 1 */
	struct authres_result *results;
	size_t n_results; /* 0: "none" */
	bool malformed;   /* anywhere, the results included */
};

/*
 * Reads a field value, folded or not. Values have their quotes removed, but in a mailbox whose local part needs them.
 * What is not understood is skipped up to the next blank or semicolon; a value without authserv-id (it begins with a
 * result) has an empty one.
 */
NODISCARD enum err authres_parse(struct arena *arena, struct bytes value, struct authres *ret_authres);

/* The value of the first property of that type and name; {NULL, 0} when there is none. */
struct bytes authres_property(const struct authres_result *result, struct bytes type, struct bytes name);

/*
 * Adds the value as one line, without a fold: "id; spf=pass smtp.mailfrom=example.com; dkim=...". Quotes what needs it;
 * controls become "?", malformed UTF-8 U+FFFD; a result or property whose words are no keywords is left out. Returns
 * how many results were looked at: fewer than there are when they are more than AUTHRES_RESULTS_MAX or the value would
 * become longer than AUTHRES_FIELD_MAX; then the last ones are missing. Errors stick in `buf`.
 */
size_t authres_write(struct buf *buf, const struct authres *authres);

/*
 * Must an incoming field with this value be removed, since it speaks in the name of our authserv-id (RFC 8601 5)? Also
 * when its head is malformed and some reader, more lenient or more careless than ours, might find our name in it. The
 * name in a result, or in a plain comment behind the name, of somebody else's field is none of this. True when out of
 * memory.
 */
bool authres_is_ours(struct arena *arena, struct bytes value, struct bytes id);
