/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/canon.h: a message as signatures see it, and its canonical forms (RFC 6376 3.4), which go straight into a hash.
 *
 * Lines end in CRLF or in LF, which is hashed as the CRLF that SMTP would carry; a bare CR is a byte like others. This
 * is stricter than mail/header.h, which knows what mail programs make of broken headers: a signature is over lines.
 * Owns:   fields and results live in the arena; spans are slices of the message, which must outlive them.
 * Bounds: CANON_HEADER_MAX bytes and CANON_FIELDS_MAX fields; a header over that is `too_large`, and no signature in it
 *         is looked at. Every body is read once for each of the two forms, however many signatures ask.
 * Fails:  ERR_NOMEM only.
 */
#include "auth/crypto.h"

struct arena;

#define CANON_HEADER_MAX ((size_t)8 << 20)
#define CANON_FIELDS_MAX 20000

enum canon { CANON_SIMPLE, CANON_RELAXED };

struct canon_field {
	struct bytes raw;   /* the whole field, without its last line end */
	struct bytes name;  /* before the colon, without the blanks that may stand there */
	struct bytes value; /* behind the colon */
	size_t at;          /* of the field in the message */
};

/* All fields of one name, bottom first: the order in which h= takes them (RFC 6376 5.4.2). */
struct canon_name {
	struct bytes name;
	const size_t *fields; /* indices */
	size_t count;
};

struct canon_body_hash;

struct canon_message {
	struct arena *arena;
	struct bytes raw;
	struct bytes body;
	struct canon_field *fields; /* top first */
	size_t n_fields;
	struct canon_name *names; /* sorted, for canon_message_name() */
	size_t n_names;
	bool too_large;
	size_t left_at; /* when too_large: where the reading stopped */
	bool junk; /* a line of the header is no field and continues none; some readers take it for the body's first */
	bool crlf; /* its first line ends in CRLF, as new fields shall */
	struct canon_body_hash *bodies; /* those known already */
};

/* Lines before the empty one that are no field and continue none are left out, and marked; an mbox's "From " line is
 * not, above which relays and signers may have put theirs. */
NODISCARD enum err canon_message_read(struct arena *arena, struct bytes raw, struct canon_message **ret_message);
/* The fields of that name, in any case; NULL when there is none. */
const struct canon_name *canon_message_name(const struct canon_message *message, struct bytes name);
/* How many fields of that name stand in what was not read of a header that is too large. */
size_t canon_message_beyond(const struct canon_message *message, struct bytes name);

/* One field, line end included. */
void canon_field_hash(struct crypto_hash *hash, enum canon canon, struct bytes raw);
/*
 * A field that signs: with the value of its b= taken out (bytes `from` to `to` of `raw`), without line end (RFC 6376
 * 3.7).
 */
void canon_signature_hash(struct crypto_hash *hash, enum canon canon, struct bytes raw, size_t from, size_t to);

/*
 * What h= chooses, in its order: each name takes the lowest field of that name not taken yet, and nothing when there is
 * no more. `skip` is a field that is never taken (the signature itself), or SIZE_MAX.
 */
NODISCARD enum err canon_header_hash(const struct canon_message *message, struct crypto_hash *hash, enum canon canon,
				     const struct bytes *names, size_t n_names, size_t skip);

#define CANON_ALL UINT64_MAX
struct canon_want {
	enum canon canon;
	uint64_t length; /* l=: bytes of the canonical body that are hashed; CANON_ALL */
};
struct canon_body {
	uint8_t digest[CRYPTO_SHA256_LEN];
	uint64_t length; /* of the whole canonical body; under l= when the body is too short for it */
};
/* The body's hash in each wanted form; `ret` has `n` places. Hashes made before are not made again. */
NODISCARD enum err canon_body_hash(struct canon_message *message, const struct canon_want *wants, size_t n,
				   struct canon_body *ret);
