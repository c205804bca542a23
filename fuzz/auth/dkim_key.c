/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_key.h"

#include "base/arena.h"

#include "fuzz.h"

/* A key record; its key, where there is one, and the bytes themselves as keys of both types. */
static void use(enum crypto_type type, struct bytes data)
{
	CLEANUP(crypto_key_free) struct crypto_key *key = NULL;
	enum crypto_key_state state;
	unsigned bits;
	static const uint8_t digest[CRYPTO_SHA256_LEN];
	ASSERT(crypto_key_read(type, data, &state, &bits, &key) == ERR_OK);
	ASSERT((state == CRYPTO_KEY_GOOD) == (key != NULL));
	if (!key)
		return;
	ASSERT(type == CRYPTO_ED25519 ? bits == 256 : bits >= CRYPTO_RSA_MIN && bits <= CRYPTO_RSA_MAX);
	(void)crypto_verify(key, digest, bytes_sub(data, 0, bits / 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct bytes record = bytes_make(data, size);
	struct dkim_key key;
	struct error error = {0};
	ASSERT(crypto_init() == ERR_OK);
	enum err err = dkim_key_read(arena, record, &key, &error);
	ASSERT(err == ERR_OK || (err != ERR_NOMEM && error.at <= size && error.text[0]));
	if (err == ERR_OK)
		use(key.type, key.data);
	use(CRYPTO_RSA, record);
	use(CRYPTO_ED25519, record);
	return 0;
}
