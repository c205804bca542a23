/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/crypto.h"

#include "auth/dkim_key.h"
#include "base/buf.h"
#include "base/mem.h"
#include "fixture.h"
#include "keys.h"

static struct bytes decoded(const char *record)
{
	struct dkim_key key;
	struct error error;
	assert_ok(dkim_key_read(arena, bytes_from_cstr(record), &key, &error));
	return key.data;
}

static void hashing_in_pieces_is_hashing(void **state)
{
	(void)state;
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea}; /* FIPS 180-2, B.1 */
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new(), *clone = NULL;
	uint8_t digest[CRYPTO_SHA256_LEN];
	crypto_hash_add(hash, BYTES_LIT("a"));
	clone = crypto_hash_clone(hash);
	crypto_hash_add(hash, BYTES_LIT(""));
	crypto_hash_add(hash, BYTES_LIT("bc"));
	crypto_hash_finish(hash, digest);
	assert_memory_equal(digest, abc, sizeof(abc));
	crypto_hash_add(hash, BYTES_LIT("abc"));
	crypto_hash_finish(hash, digest);
	assert_memory_equal(digest, abc, sizeof(abc));
	crypto_hash_add(clone, BYTES_LIT("bc"));
	crypto_hash_finish(clone, digest);
	assert_memory_equal(digest, abc, sizeof(abc));
}

static void private_keys_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *pem;
		enum err err;
		enum crypto_type type;
		unsigned bits;
	} cases[] = {
		{KEY_ED25519, ERR_OK, CRYPTO_ED25519, 256},
		{KEY_RSA_2048, ERR_OK, CRYPTO_RSA, 2048},
		{KEY_RSA_2048_PKCS1, ERR_OK, CRYPTO_RSA, 2048},
		{"A note before it\n" KEY_RSA_2048, ERR_OK, CRYPTO_RSA, 2048},
		{KEY_RSA_512, ERR_UNSUPPORTED, CRYPTO_RSA, 0},
		{KEY_EC, ERR_UNSUPPORTED, CRYPTO_RSA, 0},
		{KEY_ENCRYPTED, ERR_UNSUPPORTED, CRYPTO_RSA, 0},
		{"", ERR_SYNTAX, CRYPTO_RSA, 0},
		{"-----BEGIN PRIVATE KEY-----\nZm9v\n-----END PRIVATE KEY-----\n", ERR_SYNTAX, CRYPTO_RSA, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(crypto_key_free) struct crypto_key *key = NULL;
		struct error error = {0};
		assert_int_equal(crypto_key_read_pem(bytes_from_cstr(cases[i].pem), &key, &error), cases[i].err);
		assert_int_equal(error.text[0] != '\0', cases[i].err != ERR_OK);
		if (cases[i].err != ERR_OK)
			continue;
		assert_int_equal(crypto_key_type(key), cases[i].type);
		assert_int_equal(crypto_key_bits(key), cases[i].bits);
	}
}

static void public_keys_are_read_in_both_forms(void **state)
{
	(void)state;
	static const char *const records[] = {("p=" PUBLIC_RSA_2048), ("p=" PUBLIC_RSA_2048_BARE),
					      ("k=ed25519; p=" PUBLIC_ED25519)};
	static const char *const pems[] = {KEY_RSA_2048, KEY_RSA_2048, KEY_ED25519};
	uint8_t digest[CRYPTO_SHA256_LEN] = {1, 2, 3}, signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		CLEANUP(crypto_key_free) struct crypto_key *key = NULL, *public = NULL;
		enum crypto_type type = i == 2 ? CRYPTO_ED25519 : CRYPTO_RSA;
		enum crypto_key_state key_state;
		unsigned bits;
		struct bytes data = decoded(records[i]), again;
		assert_ok(crypto_key_read_pem(bytes_from_cstr(pems[i]), &key, NULL));
		assert_ok(crypto_sign(key, digest, signature, &len));
		assert_ok(crypto_key_read(type, data, &key_state, &bits, &public));
		assert_int_equal(key_state, CRYPTO_KEY_GOOD);
		assert_int_equal(bits, i == 2 ? 256 : 2048);
		assert_true(crypto_verify(public, digest, bytes_make(signature, len)));
		assert_int_equal(crypto_sign(public, digest, signature, &len), ERR_UNSUPPORTED);
		assert_ok(crypto_key_public(key, arena, &again));
		if (i != 1)
			assert_bytes(again, data);
		/* Another digest, another signature, another length. */
		assert_ok(crypto_sign(key, digest, signature, &len));
		digest[0] ^= 1;
		assert_false(crypto_verify(public, digest, bytes_make(signature, len)));
		digest[0] ^= 1;
		assert_true(crypto_verify(public, digest, bytes_make(signature, len)));
		signature[len - 1] ^= 1;
		assert_false(crypto_verify(public, digest, bytes_make(signature, len)));
		signature[len - 1] ^= 1;
		assert_false(crypto_verify(public, digest, bytes_make(signature, len - 1)));
		assert_false(crypto_verify(public, digest, bytes_make(signature, len + 1)));
		assert_false(crypto_verify(public, digest, (struct bytes){0}));
	}
}

/* A bare RSAPublicKey of that many bits, all ones, and this exponent. */
static struct bytes made_key(size_t bits, struct bytes e)
{
	CLEANUP(buf_done) struct buf numbers = BUF_INIT(100000), all = BUF_INIT(100000);
	size_t len = (bits + 7) / 8;
	bool high = bits % 8 == 0;
	buf_add_byte(&numbers, 0x02);
	buf_add_byte(&numbers, 0x82);
	buf_add_be16(&numbers, (uint16_t)(len + high));
	if (high)
		buf_add_byte(&numbers, 0);
	for (size_t i = 0; i < len; i++)
		buf_add_byte(&numbers, i == 0 && !high ? (uint8_t)((1u << bits % 8) - 1) : 0xff);
	buf_add_byte(&numbers, 0x02);
	buf_add_byte(&numbers, (uint8_t)e.len);
	buf_add(&numbers, e);
	buf_add_byte(&all, 0x30);
	buf_add_byte(&all, 0x82);
	buf_add_be16(&all, (uint16_t)numbers.len);
	buf_add(&all, buf_bytes(&numbers));
	assert_ok(buf_err(&all));
	return arena_copy(arena, buf_bytes(&all));
}

static void keys_are_measured_before_they_are_used(void **state)
{
	(void)state;
	static const struct {
		size_t bits;
		struct bytes e;
		enum crypto_key_state state;
	} cases[] = {
		{1, BYTES_INIT("\x03"), CRYPTO_KEY_TOO_SHORT},
		{512, BYTES_INIT("\x03"), CRYPTO_KEY_TOO_SHORT},
		{1023, BYTES_INIT("\x01\x00\x01"), CRYPTO_KEY_TOO_SHORT},
		{1024, BYTES_INIT("\x01\x00\x01"), CRYPTO_KEY_GOOD},
		{1025, BYTES_INIT("\x03"), CRYPTO_KEY_GOOD},
		{4096, BYTES_INIT("\x01\x00\x01"), CRYPTO_KEY_GOOD},
		{4097, BYTES_INIT("\x01\x00\x01"), CRYPTO_KEY_TOO_LONG},
		{100000, BYTES_INIT("\x01\x00\x01"), CRYPTO_KEY_TOO_LONG},
		{2048, BYTES_INIT("\x7f\xff\xff\xff\xff\xff\xff\xff"), CRYPTO_KEY_GOOD},
		{2048, BYTES_INIT("\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), CRYPTO_KEY_TOO_LONG},
		{2048, BYTES_INIT("\x01"), CRYPTO_KEY_BROKEN},
		{2048, BYTES_INIT("\x04"), CRYPTO_KEY_BROKEN},
		{2048, BYTES_INIT("\x00"), CRYPTO_KEY_BROKEN},
		{2048, BYTES_INIT("\xff"), CRYPTO_KEY_BROKEN},
		{2048, BYTES_INIT(""), CRYPTO_KEY_BROKEN},
	};
	uint8_t digest[CRYPTO_SHA256_LEN] = {0}, signature[CRYPTO_SIGNATURE_MAX] = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(crypto_key_free) struct crypto_key *key = NULL;
		enum crypto_key_state key_state;
		unsigned bits;
		assert_ok(crypto_key_read(CRYPTO_RSA, made_key(cases[i].bits, cases[i].e), &key_state, &bits, &key));
		assert_int_equal(key_state, cases[i].state);
		assert_int_equal(key != NULL, cases[i].state == CRYPTO_KEY_GOOD);
		if (cases[i].state != CRYPTO_KEY_BROKEN)
			assert_int_equal(bits, cases[i].bits);
		if (key)
			assert_false(crypto_verify(key, digest, bytes_make(signature, cases[i].bits / 8)));
	}
}

static void keys_that_are_cut_or_changed_are_broken_or_others(void **state)
{
	(void)state;
	static const char *const records[] = {("p=" PUBLIC_RSA_2048), ("p=" PUBLIC_RSA_2048_BARE)};
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct bytes data = decoded(records[i]);
		for (size_t cut = 0; cut < data.len; cut++) {
			struct crypto_key *key;
			enum crypto_key_state key_state;
			unsigned bits;
			assert_ok(crypto_key_read(CRYPTO_RSA, bytes_sub(data, 0, cut), &key_state, &bits, &key));
			assert_int_equal(key_state, CRYPTO_KEY_BROKEN);
			assert_null(key);
		}
	}
}

static void kept_keys_are_the_same(void **state)
{
	(void)state;
	CLEANUP(crypto_keys_free) struct crypto_keys *keys = crypto_keys_new(1);
	struct bytes rsa = decoded("p=" PUBLIC_RSA_2048), ed25519 = decoded("k=ed25519; p=" PUBLIC_ED25519);
	struct crypto_key *key, *again;
	enum crypto_key_state key_state;
	unsigned bits;
	assert_ok(crypto_keys_get(keys, CRYPTO_RSA, rsa, &key_state, &bits, &key));
	assert_ok(crypto_keys_get(keys, CRYPTO_RSA, rsa, &key_state, &bits, &again));
	assert_ptr_equal(key, again);
	assert_int_equal(bits, 2048);
	assert_ok(crypto_keys_get(keys, CRYPTO_ED25519, ed25519, &key_state, &bits, &key));
	assert_int_equal(crypto_key_type(key), CRYPTO_ED25519);
	assert_ok(crypto_keys_get(keys, CRYPTO_RSA, ed25519, &key_state, &bits, &key));
	assert_int_equal(key_state, CRYPTO_KEY_BROKEN);
	assert_null(key);
	assert_ok(crypto_keys_get(keys, CRYPTO_RSA, rsa, &key_state, &bits, &key));
	assert_int_equal(crypto_key_bits(key), 2048);
}

/* Each of our allocations fails once; those of the library are its own. */
static void no_memory_is_an_error(void **state)
{
	(void)state;
	struct bytes rsa = decoded("p=" PUBLIC_RSA_2048);
	for (uint64_t nth = 1; nth < 8; nth++) {
		enum crypto_key_state key_state;
		unsigned bits;
		struct crypto_key *key = NULL;
		mem_fail_after(nth, 0);
		struct crypto_keys *keys = crypto_keys_new(2);
		enum err err = keys ? crypto_keys_get(keys, CRYPTO_RSA, rsa, &key_state, &bits, &key) : ERR_NOMEM;
		struct crypto_hash *hash = crypto_hash_new();
		mem_fail_after(0, 0);
		assert_true(err == ERR_NOMEM || (err == ERR_OK && key));
		crypto_hash_free(&hash);
		crypto_keys_free(&keys);
	}
}

static const struct CMUnitTest tests[] = {
	TEST_CRYPTO(hashing_in_pieces_is_hashing),
	TEST_CRYPTO(private_keys_are_read),
	TEST_CRYPTO(public_keys_are_read_in_both_forms),
	TEST_CRYPTO(keys_are_measured_before_they_are_used),
	TEST_CRYPTO(keys_that_are_cut_or_changed_are_broken_or_others),
	TEST_CRYPTO(kept_keys_are_the_same),
	TEST_CRYPTO(no_memory_is_an_error),
};
UNIT_MAIN(tests)
