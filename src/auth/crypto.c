/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/crypto.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/mem.h"

#include "base/banned.h"

#define ED25519_LEN           32
#define ED25519_SIGNATURE_LEN 64
#define RSA_EXPONENT_MAX      8 /* bytes; with a longer one a peer could have us compute for long */
#define PEM_MAX               ((size_t)64 << 10)

/* Fetching is slow in OpenSSL 3 and its result never changes: it is kept for the life of the process. */
static EVP_MD *sha256;

/* -- SHA-256 ---- */

struct crypto_hash {
	EVP_MD_CTX *context;
};

static void begin(struct crypto_hash *hash)
{
	ASSERT(EVP_DigestInit_ex2(hash->context, sha256, NULL) == 1);
}

struct crypto_hash *crypto_hash_new(void)
{
	if (!sha256)
		return NULL;
	struct crypto_hash *hash = mem_new(struct crypto_hash, 1);
	if (!hash)
		return NULL;
	hash->context = EVP_MD_CTX_new();
	if (!hash->context) {
		ERR_clear_error();
		crypto_hash_free(&hash);
		return NULL;
	}
	begin(hash);
	return hash;
}

void crypto_hash_free(struct crypto_hash **hash)
{
	if (!*hash)
		return;
	EVP_MD_CTX_free((*hash)->context);
	mem_free(*hash);
	*hash = NULL;
}

void crypto_hash_add(struct crypto_hash *hash, struct bytes data)
{
	if (data.len > 0)
		ASSERT(EVP_DigestUpdate(hash->context, data.ptr, data.len) == 1);
}

struct crypto_hash *crypto_hash_clone(const struct crypto_hash *hash)
{
	struct crypto_hash *copy = crypto_hash_new();
	if (copy && EVP_MD_CTX_copy_ex(copy->context, hash->context) != 1) {
		ERR_clear_error();
		crypto_hash_free(&copy);
	}
	return copy;
}

void crypto_hash_finish(struct crypto_hash *hash, uint8_t ret_digest[static CRYPTO_SHA256_LEN])
{
	ASSERT(EVP_DigestFinal_ex(hash->context, ret_digest, NULL) == 1);
	begin(hash);
}

/* -- Keys ---- */

struct crypto_key {
	enum crypto_type type;
	unsigned bits;
	bool private;
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *rsa; /* made ready by the first use; Ed25519 needs one for each use */
};

/* One DER element with that tag (ITU-T X.690), cut out of `in`; lengths of up to three bytes. */
static struct bytes der_take(struct cursor *in, uint8_t tag)
{
	if (cursor_u8(in) != tag)
		cursor_fail(in, ERR_SYNTAX);
	size_t len = cursor_u8(in);
	if (len & 0x80) {
		size_t n = len & 0x7f;
		if (n == 0 || n > 3)
			cursor_fail(in, ERR_SYNTAX);
		for (len = 0; n > 0 && in->err == ERR_OK; n--)
			len = len << 8 | cursor_u8(in);
	}
	return cursor_take(in, len);
}

#define DER_INTEGER    0x02
#define DER_BIT_STRING 0x03
#define DER_OID        0x06
#define DER_SEQUENCE   0x30

/* A positive INTEGER, without leading zeroes; empty for zero, negative or missing ones. */
static struct bytes der_number(struct cursor *in)
{
	struct bytes number = der_take(in, DER_INTEGER);
	if (number.len == 0 || (number.ptr[0] & 0x80))
		return (struct bytes){0};
	while (number.len > 0 && number.ptr[0] == 0)
		number = bytes_from(number, 1);
	return number;
}

/* Modulus and exponent of SubjectPublicKeyInfo or RSAPublicKey. */
static bool rsa_parts(struct bytes data, struct bytes *ret_n, struct bytes *ret_e)
{
	static const uint8_t oid_rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
	struct cursor outer = cursor_make(data);
	struct cursor key = cursor_make(der_take(&outer, DER_SEQUENCE));
	if (outer.err != ERR_OK || !cursor_end(&outer) || key.all.len == 0)
		return false;
	if (key.all.ptr[0] == DER_SEQUENCE) {
		struct cursor algorithm = cursor_make(der_take(&key, DER_SEQUENCE));
		struct bytes oid = der_take(&algorithm, DER_OID);
		struct bytes bits = der_take(&key, DER_BIT_STRING);
		if (algorithm.err != ERR_OK || key.err != ERR_OK || !cursor_end(&key) || bits.len == 0 ||
		    bits.ptr[0] != 0 || !bytes_eq(oid, bytes_make(oid_rsa, sizeof(oid_rsa))))
			return false;
		struct cursor inner = cursor_make(bytes_from(bits, 1));
		key = cursor_make(der_take(&inner, DER_SEQUENCE));
		if (inner.err != ERR_OK || !cursor_end(&inner))
			return false;
	}
	*ret_n = der_number(&key);
	*ret_e = der_number(&key);
	return key.err == ERR_OK && cursor_end(&key) && ret_n->len > 0 && ret_e->len > 0;
}

static unsigned bit_length(struct bytes number)
{
	size_t bits = number.len * 8;
	for (uint8_t top = number.ptr[0]; !(top & 0x80); top = (uint8_t)(top << 1))
		bits--;
	return bits > 0xffffff ? 0xffffff : (unsigned)bits;
}

static EVP_PKEY *rsa_make(struct bytes n, struct bytes e)
{
	EVP_PKEY *pkey = NULL;
	BIGNUM *bn_n = BN_bin2bn(n.ptr, (int)n.len, NULL), *bn_e = BN_bin2bn(e.ptr, (int)e.len, NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	if (bn_n && bn_e && builder && context && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params && EVP_PKEY_fromdata_init(context) == 1 &&
	    EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	BN_free(bn_e);
	BN_free(bn_n);
	return pkey;
}

static enum crypto_key_state rsa_weigh(struct bytes n, struct bytes e, unsigned bits)
{
	if (bits > CRYPTO_RSA_MAX || e.len > RSA_EXPONENT_MAX)
		return CRYPTO_KEY_TOO_LONG;
	/* With an exponent of 1 everything verifies; even numbers make no RSA key. */
	if (!(n.ptr[n.len - 1] & 1) || !(e.ptr[e.len - 1] & 1) || (e.len == 1 && e.ptr[0] == 1))
		return CRYPTO_KEY_BROKEN;
	return bits < CRYPTO_RSA_MIN ? CRYPTO_KEY_TOO_SHORT : CRYPTO_KEY_GOOD;
}

enum err crypto_key_read(enum crypto_type type, struct bytes data, enum crypto_key_state *ret_state, unsigned *ret_bits,
			 struct crypto_key **ret_key)
{
	EVP_PKEY *pkey = NULL;
	*ret_state = CRYPTO_KEY_BROKEN;
	*ret_bits = 0;
	*ret_key = NULL;
	if (type == CRYPTO_RSA) {
		struct bytes n, e;
		if (!rsa_parts(data, &n, &e))
			return ERR_OK;
		*ret_bits = bit_length(n);
		*ret_state = rsa_weigh(n, e, *ret_bits);
		if (*ret_state != CRYPTO_KEY_GOOD)
			return ERR_OK;
		pkey = rsa_make(n, e);
	} else {
		if (data.len != ED25519_LEN)
			return ERR_OK;
		*ret_bits = 8 * ED25519_LEN;
		pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, data.ptr, data.len);
	}
	ERR_clear_error();
	*ret_state = pkey ? CRYPTO_KEY_GOOD : CRYPTO_KEY_BROKEN;
	if (!pkey)
		return ERR_OK;
	struct crypto_key *key = mem_new(struct crypto_key, 1);
	if (!key) {
		EVP_PKEY_free(pkey);
		return ERR_NOMEM;
	}
	*key = (struct crypto_key){.type = type, .bits = *ret_bits, .pkey = pkey};
	*ret_key = key;
	return ERR_OK;
}

/* Asked for where the PEM is encrypted: there is nobody to ask. */
static int no_password(char *text, int size, int writing, void *asked)
{
	(void)text;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

enum err crypto_key_read_pem(struct bytes pem, struct crypto_key **ret_key, struct error *reterr)
{
	bool encrypted = false;
	*ret_key = NULL;
	if (pem.len == 0 || pem.len > PEM_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "not a private key in PEM");
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted) : NULL;
	BIO_free(bio);
	ERR_clear_error();
	if (!bio)
		return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	if (encrypted)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "the private key is encrypted");
	if (!pkey)
		return error_set(reterr, ERR_SYNTAX, 0, "not a private key in PEM");
	bool rsa = EVP_PKEY_is_a(pkey, "RSA");
	int bits = EVP_PKEY_get_bits(pkey);
	if (!rsa && !EVP_PKEY_is_a(pkey, "ED25519")) {
		EVP_PKEY_free(pkey);
		return error_set(reterr, ERR_UNSUPPORTED, 0, "the key is neither RSA nor Ed25519");
	}
	if (rsa && (bits < CRYPTO_RSA_MIN || bits > CRYPTO_RSA_MAX)) {
		EVP_PKEY_free(pkey);
		return error_set(reterr, ERR_UNSUPPORTED, 0, "an RSA key of %d bits; %d to %d can be used", bits,
				 CRYPTO_RSA_MIN, CRYPTO_RSA_MAX);
	}
	struct crypto_key *key = mem_new(struct crypto_key, 1);
	if (!key) {
		EVP_PKEY_free(pkey);
		return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	}
	*key = (struct crypto_key){.type = rsa ? CRYPTO_RSA : CRYPTO_ED25519,
				   .bits = rsa ? (unsigned)bits : 8 * ED25519_LEN,
				   .private = true,
				   .pkey = pkey};
	*ret_key = key;
	return ERR_OK;
}

enum err crypto_key_new(enum crypto_type type, unsigned bits, struct crypto_key **ret_key)
{
	*ret_key = NULL;
	if (type == CRYPTO_RSA && (bits < CRYPTO_RSA_MIN || bits > CRYPTO_RSA_MAX))
		return ERR_UNSUPPORTED;
	struct crypto_key *key = mem_new(struct crypto_key, 1);
	if (!key)
		return ERR_NOMEM;
	*key = (struct crypto_key){.type = type, .bits = type == CRYPTO_RSA ? bits : 8 * ED25519_LEN, .private = true};
	key->pkey = type == CRYPTO_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits)
				       : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	ERR_clear_error();
	if (!key->pkey) {
		crypto_key_free(&key);
		return ERR_INTERNAL;
	}
	*ret_key = key;
	return ERR_OK;
}

enum err crypto_key_write_pem(const struct crypto_key *key, uint8_t *text, size_t size, size_t *ret_len)
{
	char *pem = NULL;
	*ret_len = 0;
	if (!key->private)
		return ERR_UNSUPPORTED;
	BIO *bio = BIO_new(BIO_s_secmem());
	bool written = bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1;
	long len = written ? BIO_get_mem_data(bio, &pem) : 0;
	bool fits = len > 0 && (size_t)len <= size;
	if (fits) {
		memcpy(text, pem, (size_t)len);
		*ret_len = (size_t)len;
	}
	BIO_free(bio); /* wipes what it held */
	ERR_clear_error();
	return fits ? ERR_OK : written ? ERR_LIMIT : ERR_NOMEM;
}

void crypto_wipe(void *secret, size_t len)
{
	OPENSSL_cleanse(secret, len);
}

void crypto_key_free(struct crypto_key **key)
{
	if (!*key)
		return;
	EVP_PKEY_CTX_free((*key)->rsa);
	EVP_PKEY_free((*key)->pkey);
	mem_free(*key);
	*key = NULL;
}

enum crypto_type crypto_key_type(const struct crypto_key *key)
{
	return key->type;
}

unsigned crypto_key_bits(const struct crypto_key *key)
{
	return key->bits;
}

enum err crypto_key_public(const struct crypto_key *key, struct arena *arena, struct bytes *ret_data)
{
	uint8_t raw[ED25519_LEN], *der = NULL;
	size_t len = sizeof(raw);
	*ret_data = (struct bytes){0};
	if (key->type == CRYPTO_ED25519) {
		if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) == 1)
			*ret_data = arena_copy(arena, bytes_make(raw, len));
	} else {
		int n = i2d_PUBKEY(key->pkey, &der);
		if (n > 0)
			*ret_data = arena_copy(arena, bytes_make(der, (size_t)n));
		OPENSSL_free(der);
	}
	ERR_clear_error();
	return ret_data->ptr ? ERR_OK : ERR_NOMEM;
}

/* -- Signatures ---- */

static EVP_PKEY_CTX *rsa_context(struct crypto_key *key)
{
	if (key->rsa)
		return key->rsa;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	if (context && (key->private ? EVP_PKEY_sign_init(context) : EVP_PKEY_verify_init(context)) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(context, sha256) == 1) {
		key->rsa = context;
		return context;
	}
	EVP_PKEY_CTX_free(context);
	return NULL;
}

bool crypto_verify(struct crypto_key *key, const uint8_t digest[static CRYPTO_SHA256_LEN], struct bytes signature)
{
	bool good = false;
	if (signature.len == 0)
		return false;
	if (key->type == CRYPTO_RSA) {
		EVP_PKEY_CTX *context = rsa_context(key);
		good = context && !key->private &&
		       EVP_PKEY_verify(context, signature.ptr, signature.len, digest, CRYPTO_SHA256_LEN) == 1;
	} else if (signature.len == ED25519_SIGNATURE_LEN) {
		EVP_MD_CTX *context = EVP_MD_CTX_new();
		good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		       EVP_DigestVerify(context, signature.ptr, signature.len, digest, CRYPTO_SHA256_LEN) == 1;
		EVP_MD_CTX_free(context);
	}
	if (!good)
		ERR_clear_error();
	return good;
}

enum err crypto_sign(struct crypto_key *key, const uint8_t digest[static CRYPTO_SHA256_LEN], uint8_t *ret_signature,
		     size_t *ret_len)
{
	bool done = false;
	*ret_len = CRYPTO_SIGNATURE_MAX;
	if (!key->private)
		return ERR_UNSUPPORTED;
	if (key->type == CRYPTO_RSA) {
		EVP_PKEY_CTX *context = rsa_context(key);
		done = context && EVP_PKEY_sign(context, ret_signature, ret_len, digest, CRYPTO_SHA256_LEN) == 1;
	} else {
		EVP_MD_CTX *context = EVP_MD_CTX_new();
		done = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		       EVP_DigestSign(context, ret_signature, ret_len, digest, CRYPTO_SHA256_LEN) == 1;
		EVP_MD_CTX_free(context);
	}
	ERR_clear_error();
	return done ? ERR_OK : ERR_INTERNAL;
}

/* -- Public keys kept ---- */

struct kept {
	enum crypto_type type;
	uint8_t *data; /* what the key was read from */
	size_t len;
	struct crypto_key *key;
};

struct crypto_keys {
	size_t n;
	struct kept *kept;
	struct crypto_key *last; /* of the last call, where it could not be kept */
};

static void drop(struct kept *kept)
{
	crypto_key_free(&kept->key);
	mem_free(kept->data);
	*kept = (struct kept){0};
}

struct crypto_keys *crypto_keys_new(size_t n)
{
	struct crypto_keys *keys = mem_new(struct crypto_keys, 1);
	if (!keys)
		return NULL;
	keys->n = n ? n : 1;
	keys->kept = mem_new(struct kept, keys->n);
	if (!keys->kept)
		crypto_keys_free(&keys);
	return keys;
}

void crypto_keys_free(struct crypto_keys **keys)
{
	if (!*keys)
		return;
	for (size_t i = 0; (*keys)->kept && i < (*keys)->n; i++)
		drop(&(*keys)->kept[i]);
	crypto_key_free(&(*keys)->last);
	mem_free((*keys)->kept);
	mem_free(*keys);
	*keys = NULL;
}

enum err crypto_keys_get(struct crypto_keys *keys, enum crypto_type type, struct bytes data,
			 enum crypto_key_state *ret_state, unsigned *ret_bits, struct crypto_key **ret_key)
{
	/* Who aims at one place gains no more than that keys are read anew, so the hash needs no secret. */
	struct kept *kept = &keys->kept[hash_sip((struct hash_key){0}, data) % keys->n];
	if (kept->key && kept->type == type && bytes_eq(bytes_make(kept->data, kept->len), data)) {
		*ret_state = CRYPTO_KEY_GOOD;
		*ret_bits = kept->key->bits;
		*ret_key = kept->key;
		return ERR_OK;
	}
	crypto_key_free(&keys->last);
	TRY(crypto_key_read(type, data, ret_state, ret_bits, ret_key));
	if (!*ret_key)
		return ERR_OK;
	uint8_t *copy = mem_alloc(data.len);
	if (!copy) {
		keys->last = *ret_key;
		return ERR_OK;
	}
	memcpy(copy, data.ptr, data.len);
	drop(kept);
	*kept = (struct kept){.type = type, .data = copy, .len = data.len, .key = *ret_key};
	return ERR_OK;
}

/* -- Before the sandbox ---- */

/* An RSA key for the trial run: its numbers need not be prime to be computed with. */
static bool try_rsa(const uint8_t digest[static CRYPTO_SHA256_LEN])
{
	uint8_t n[CRYPTO_RSA_MIN / 8], signature[CRYPTO_RSA_MIN / 8] = {1};
	static const uint8_t e[] = {1, 0, 1};
	memset(n, 0xff, sizeof(n));
	struct crypto_key key = {.type = CRYPTO_RSA, .bits = CRYPTO_RSA_MIN};
	key.pkey = rsa_make(bytes_make(n, sizeof(n)), bytes_make(e, sizeof(e)));
	bool ready = key.pkey && rsa_context(&key);
	if (ready)
		(void)crypto_verify(&key, digest, bytes_make(signature, sizeof(signature)));
	EVP_PKEY_CTX_free(key.rsa);
	EVP_PKEY_free(key.pkey);
	return ready;
}

static bool try_ed25519(const uint8_t digest[static CRYPTO_SHA256_LEN])
{
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
	struct crypto_key key = {.type = CRYPTO_ED25519, .private = true};
	key.pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, digest, ED25519_LEN);
	bool good = key.pkey && crypto_sign(&key, digest, signature, &len) == ERR_OK &&
		    crypto_verify(&key, digest, bytes_make(signature, len));
	EVP_PKEY_free(key.pkey);
	return good;
}

enum err crypto_init(void)
{
	uint8_t digest[CRYPTO_SHA256_LEN], random[1];
	if (sha256)
		return ERR_OK;
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	struct crypto_hash *hash = crypto_hash_new();
	if (hash)
		crypto_hash_finish(hash, digest);
	bool good = hash && RAND_bytes(random, 1) == 1 && try_rsa(digest) && try_ed25519(digest);
	crypto_hash_free(&hash);
	ERR_clear_error();
	if (good)
		return ERR_OK;
	EVP_MD_free(sha256);
	sha256 = NULL;
	return ERR_UNSUPPORTED;
}
