/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/signature.h: what DKIM-Signature, ARC-Message-Signature and ARC-Seal have in common: a tag list with a key's
 * address, read from a field, and checked against the key. Used by dkim.c and arc.c.
 *
 * Fails: ERR_NOMEM only.
 */
#include "auth/canon.h"
#include "auth/dkim.h"
#include "auth/dns.h"

enum signature_kind { SIGNATURE_DKIM, SIGNATURE_ARC_MESSAGE, SIGNATURE_ARC_SEAL };

enum signature_state {
	SIGNATURE_SOUND,
	SIGNATURE_BROKEN,  /* not in form, or of a kind that is not known */
	SIGNATURE_REFUSED, /* in form, but a rule forbids it */
};

struct signature {
	enum signature_kind kind;
	enum signature_state state;
	struct bytes reason; /* unless it is sound; a sentence that holds nothing of the message */
	struct bytes domain, selector, identity, algorithm; /* lower case but for the identity; as far as read */
	struct bytes identity_domain;
	struct bytes question; /* the name of the key */
	enum crypto_type type;
	enum canon header, body;
	uint64_t length; /* l=, or CANON_ALL */
	int64_t signed_at, expires_at;
	struct bytes *names; /* h=, lower case */
	size_t n_names;
	struct bytes body_hash, value; /* bh=, b=, decoded */
	size_t from, to;               /* in the raw field: what is taken out to hash it */
	unsigned instance;             /* i= of ARC, 0 when it could not be read */
	struct bytes cv;
};

NODISCARD enum err signature_read(struct arena *arena, const struct canon_field *field, enum signature_kind kind,
				  int64_t now, struct signature *ret);
/* The instance of ARC fields: 1 to 50, or 0. */
unsigned signature_instance(struct bytes text);

/* The hash that b= signs, of a field with h=; `index` is its place in the message. */
NODISCARD enum err signature_digest(const struct canon_message *message, const struct signature *signature,
				    size_t index, uint8_t ret_digest[static CRYPTO_SHA256_LEN]);

struct signature_verdict {
	enum dkim_result result;
	struct bytes reason;
	unsigned key_bits;
	bool testing, strict;
};
/* Against what DNS says of the key; several key records are tried in turn (RFC 6376 6.1.2). `keys` may be NULL. */
NODISCARD enum err signature_check(struct arena *arena, const struct signature *signature,
				   const uint8_t digest[static CRYPTO_SHA256_LEN], const struct dns_answer *answer,
				   struct crypto_keys *keys, struct signature_verdict *ret);
