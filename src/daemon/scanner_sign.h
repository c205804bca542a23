/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/scanner_sign.h: the fields that sign or seal one judged message, made step by step with somebody who has the
 * keys: ask for the signature of signing_want(), bring it with signing_add(), until nothing is wanted.
 *
 * Owns:   everything in the arena of the message, which must outlive it.
 * Bounds: SIGNING_FIELDS_MAX bytes of fields; a message whose fields would be longer is not signed.
 * Fails:  ERR_NOMEM. A message that cannot be signed (no From, a header too large) is one that wants nothing.
 */
#include "auth/keyring.h"
#include "scan/case.h"
#include "wire/wire.h"

struct arena;
struct scan;
struct signing;

#define SIGNING_FIELDS_MAX ((size_t)32 << 10)

struct signing_input {
	enum sign_right right;
	const struct keyring *ring;
	const struct scan *scan; /* done */
	const struct scan_case *scan_case;
	struct bytes author;      /* domain of the author's address; may be empty */
	struct bytes arc_domain;  /* who seals */
	struct bytes authserv_id; /* whose results the seal tells */
	int64_t now;
};

/* *ret_signing is NULL where nothing is to be signed. */
NODISCARD enum err signing_begin(struct arena *arena, const struct signing_input *input, struct signing **ret_signing);
/* The next signature that is wanted (id is the caller's); false: all are there. */
bool signing_want(const struct signing *signing, struct wire_sign *ret_sign);
NODISCARD enum err signing_add(struct signing *signing, struct bytes signature);
/* What was made: whole fields with CRLF, the uppermost first. */
struct bytes signing_fields(const struct signing *signing);
