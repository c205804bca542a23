/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/crypto.h: what signatures are made of: SHA-256, RSA (PKCS#1 1.5 with SHA-256) and Ed25519, by OpenSSL, which
 * appears in crypto.c alone.
 *
 * Owns:   hashes and keys are heap objects with a _free of the usual form.
 * Bounds: RSA of CRYPTO_RSA_MIN to CRYPTO_RSA_MAX bits. A public key is measured before any arithmetic is done with it,
 *         so that a key of any size costs no more than reading its bytes.
 * Fails:  ERR_NOMEM; what a key or a signature is worth is an answer, not a failure. Nothing is left in OpenSSL's error
 *         queue.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

#define CRYPTO_SHA256_LEN    32
#define CRYPTO_SIGNATURE_MAX 512 /* bytes: RSA of 4096 bits */
#define CRYPTO_RSA_MIN       1024
#define CRYPTO_RSA_MAX       4096

/*
 * Fetches all algorithms and runs each once, so that afterwards no file is opened: to be called before the sandbox is
 * entered. ERR_UNSUPPORTED when the library lacks one. The algorithms fetched are kept for the life of the process.
 * Safe to be called again. Signing by RSA needs getrandom(2) also later.
 */
NODISCARD enum err crypto_init(void);

/* -- SHA-256, piece by piece ---- */

struct crypto_hash;

/* NULL when there is no memory, or crypto_init() failed. */
struct crypto_hash *crypto_hash_new(void);
void crypto_hash_free(struct crypto_hash **hash);
void crypto_hash_add(struct crypto_hash *hash, struct bytes data);
/* A second one that has the same behind it; NULL when there is no memory. */
struct crypto_hash *crypto_hash_clone(const struct crypto_hash *hash);
/* The digest of all; the hash begins anew. */
void crypto_hash_finish(struct crypto_hash *hash, uint8_t ret_digest[static CRYPTO_SHA256_LEN]);

/* -- Keys ---- */

enum crypto_type { CRYPTO_RSA, CRYPTO_ED25519 };

struct crypto_key;

/* What is wrong with a public key. */
enum crypto_key_state {
	CRYPTO_KEY_GOOD,
	CRYPTO_KEY_BROKEN,    /* not the bytes of such a key */
	CRYPTO_KEY_TOO_SHORT, /* RSA under CRYPTO_RSA_MIN bits */
	CRYPTO_KEY_TOO_LONG,  /* RSA over CRYPTO_RSA_MAX bits, or an exponent over 64 */
};

/*
 * A public key as DNS has it: RSA as SubjectPublicKeyInfo (RFC 6376 3.6.1) or as bare RSAPublicKey (RFC 8017 A.1.1,
 * which others publish), Ed25519 as 32 bytes (RFC 8463 4.1). *ret_bits is the size where it could be told, even of a
 * key that is refused; *ret_key is NULL unless the state is GOOD.
 */
NODISCARD enum err crypto_key_read(enum crypto_type type, struct bytes data, enum crypto_key_state *ret_state,
				   unsigned *ret_bits, struct crypto_key **ret_key);
/* A private key: PEM, PKCS#8 or PKCS#1, not encrypted. ERR_SYNTAX, ERR_UNSUPPORTED (neither RSA of the sizes above nor
 * Ed25519, or encrypted) with a text. */
NODISCARD enum err crypto_key_read_pem(struct bytes pem, struct crypto_key **ret_key, struct error *reterr);
/* A new private key: RSA of `bits` (CRYPTO_RSA_MIN to CRYPTO_RSA_MAX), or Ed25519, whose size is always the same.
 * ERR_UNSUPPORTED for another size, ERR_INTERNAL when the library makes none. */
NODISCARD enum err crypto_key_new(enum crypto_type type, unsigned bits, struct crypto_key **ret_key);
/* A private key as PEM (PKCS#8, not encrypted) into `text` of `size` bytes, which the caller wipes. ERR_LIMIT when it
 * has no room, ERR_UNSUPPORTED for a public key. */
#define CRYPTO_PEM_MAX 8192
NODISCARD enum err crypto_key_write_pem(const struct crypto_key *key, uint8_t *text, size_t size, size_t *ret_len);
void crypto_key_free(struct crypto_key **key);
/* Overwrites a secret, whatever the compiler thinks of it. */
void crypto_wipe(void *secret, size_t len);

enum crypto_type crypto_key_type(const struct crypto_key *key);
unsigned crypto_key_bits(const struct crypto_key *key);
/* The public half in the form of p=: SubjectPublicKeyInfo, or 32 bytes. */
NODISCARD enum err crypto_key_public(const struct crypto_key *key, struct arena *arena, struct bytes *ret_data);

/* -- Signatures over a SHA-256 digest ---- */

/* Ed25519 signs the digest as a message (RFC 8463 3). False also for a signature of a wrong length. */
bool crypto_verify(struct crypto_key *key, const uint8_t digest[static CRYPTO_SHA256_LEN], struct bytes signature);
/* `ret_signature` has CRYPTO_SIGNATURE_MAX bytes. ERR_UNSUPPORTED for a public key, ERR_INTERNAL. */
NODISCARD enum err crypto_sign(struct crypto_key *key, const uint8_t digest[static CRYPTO_SHA256_LEN],
			       uint8_t *ret_signature, size_t *ret_len);

/* -- Public keys kept ---- */

/* Public keys that were read once, for as long as their place is not wanted by another. */
struct crypto_keys;

/* `n` places; NULL when there is no memory. */
struct crypto_keys *crypto_keys_new(size_t n);
void crypto_keys_free(struct crypto_keys **keys);
/* As crypto_key_read(); the key belongs to `keys` and is valid until the next call. */
NODISCARD enum err crypto_keys_get(struct crypto_keys *keys, enum crypto_type type, struct bytes data,
				   enum crypto_key_state *ret_state, unsigned *ret_bits, struct crypto_key **ret_key);
