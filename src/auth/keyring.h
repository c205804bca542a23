/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/keyring.h: which signing keys there are and which of them sign: what the public may know of keys. The secrets
 * lie elsewhere (wire/keys.h). As text one line a key, six words and two times:
 *
 *     DOMAIN SELECTOR rsa|ed25519 BITS next|active|retired CREATED CHANGED
 *
 * Owns:   spans are slices of the text; the list lives in the arena.
 * Bounds: KEYRING_MAX keys, KEYRING_TEXT_MAX bytes.
 * Fails:  ERR_SYNTAX with the line in `at`, ERR_NOMEM.
 */
#include "auth/crypto.h"

struct arena;
struct buf;

#define KEYRING_MAX      4096
#define KEYRING_TEXT_MAX ((size_t)2 << 20)

enum keyring_state {
	KEYRING_NEXT,    /* signs nothing yet: its record may not be published */
	KEYRING_ACTIVE,  /* signs; a domain has one of each type at most */
	KEYRING_RETIRED, /* signs no more; its record stays published for the mail under way */
};
const char *keyring_state_name(enum keyring_state state);
const char *keyring_type_name(enum crypto_type type); /* "rsa", as k= has it */
bool keyring_type_find(struct bytes name, enum crypto_type *ret_type);

struct keyring_key {
	struct bytes domain, selector; /* lower case */
	enum crypto_type type;
	unsigned bits;
	enum keyring_state state;
	int64_t created, changed; /* seconds since 1970; `changed`: when it came into its state */
};

struct keyring {
	struct keyring_key *items;
	size_t count, capacity;
};

/* Empty lines and those that begin with "#" are no keys. A name or selector twice, or two active ones, are wrong. */
NODISCARD enum err keyring_parse(struct arena *arena, struct bytes text, struct keyring *ret_ring,
				 struct error *reterr);
void keyring_write(struct buf *buf, const struct keyring *ring);
/* ERR_LIMIT, ERR_NOMEM. The spans are the caller's. */
NODISCARD enum err keyring_add(struct arena *arena, struct keyring *ring, const struct keyring_key *key);
/* NULL when there is none. Names in any case. */
struct keyring_key *keyring_find(const struct keyring *ring, struct bytes domain, struct bytes selector);
struct keyring_key *keyring_in_state(const struct keyring *ring, struct bytes domain, enum crypto_type type,
				     enum keyring_state state);
/*
 * The active keys that sign for `host`: those of that domain, or where it has none of the nearest domain above it.
 * RSA comes first. Returns how many.
 */
#define KEYRING_SIGNERS 2
size_t keyring_signers(const struct keyring *ring, struct bytes host,
		       const struct keyring_key *ret_keys[static KEYRING_SIGNERS]);
/* The key signs from now on; the one of its domain and type that did is retired. */
void keyring_activate(struct keyring *ring, struct keyring_key *key, int64_t now);
