/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keyring.h"

#include "auth/dkim_key.h"
#include "base/buf.h"
#include "fixture.h"
#include "keys.h"

static const char two_domains[] = "# a note\n"
				  "example.com s1 rsa 2048 retired 100 300\n"
				  "example.com s2 rsa 2048 active 200 300\n"
				  "example.com ed ed25519 256 active 200 250\n"
				  "example.com s3 rsa 4096 next 400 400\n"
				  "sub.example.com s1 rsa 1024 active 200 200\n";

static struct keyring read_ring(const char *text)
{
	struct keyring ring;
	struct error error;
	assert_ok(keyring_parse(arena, bytes_from_cstr(text), &ring, &error));
	return ring;
}

static void a_list_comes_back_as_it_was_written(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf once = BUF_INIT(4096), twice = BUF_INIT(4096);
	struct keyring ring = read_ring(two_domains), again;
	struct error error;
	assert_int_equal(ring.count, 5);
	keyring_write(&once, &ring);
	assert_ok(keyring_parse(arena, buf_bytes(&once), &again, &error));
	keyring_write(&twice, &again);
	assert_true(bytes_eq(buf_bytes(&once), buf_bytes(&twice)));
	assert_int_equal(again.items[0].state, KEYRING_RETIRED);
	assert_int_equal(again.items[2].type, CRYPTO_ED25519);
	assert_int_equal(again.items[3].bits, 4096);
	assert_int_equal(again.items[0].changed, 300);
	assert_int_equal(read_ring("").count, 0);
}

static void what_describes_no_key_is_refused_with_its_line(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"example.com s1 rsa 2048 active 100\n",           "example.com s1 rsa 2048 active 100 100 x\n",
		"example.com s1 dsa 2048 active 100 100\n",       "example.com s1 rsa 2048 asleep 100 100\n",
		"example.com s1 rsa 99999 active 100 100\n",      "example.com s1 rsa 2048 active -1 100\n",
		"Example.com s1 rsa 2048 active 100 100\n",       "../x s1 rsa 2048 active 100 100\n",
		"example.com ../../s1 rsa 2048 active 100 100\n", "example..com s1 rsa 2048 active 100 100\n",
		"example.org s1 rsa 2048 active 100 100\n", /* there already */
		"example.org s2 rsa 2048 active 100 100\n", /* a second active one */
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct bytes text = arena_printf(arena, "\nexample.org s1 rsa 2048 active 1 1\n%s", wrong[i]);
		struct keyring ring;
		struct error error = {0};
		if (keyring_parse(arena, text, &ring, &error) != ERR_SYNTAX || error.at != 3)
			fail_msg("%s: line %zu, %s", wrong[i], error.at, error.text);
	}
}

static void the_nearest_domain_with_active_keys_signs(void **state)
{
	(void)state;
	static const struct {
		const char *host, *first, *second;
	} cases[] = {
		{"example.com", "s2", "ed"},
		{"EXAMPLE.COM", "s2", "ed"},
		{"mail.example.com", "s2", "ed"},
		{"sub.example.com", "s1", NULL},
		{"a.sub.example.com", "s1", NULL},
		{"com", NULL, NULL},
		{"badexample.com", NULL, NULL},
		{"", NULL, NULL},
		{"..", NULL, NULL},
		{"example.com.evil.test", NULL, NULL},
	};
	struct keyring ring = read_ring(two_domains);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct keyring_key *keys[KEYRING_SIGNERS];
		size_t n = keyring_signers(&ring, bytes_from_cstr(cases[i].host), keys);
		assert_int_equal(n, (cases[i].first != NULL) + (cases[i].second != NULL));
		if (n > 0)
			assert_true(bytes_eq(keys[0]->selector, bytes_from_cstr(cases[i].first)));
		if (n > 1)
			assert_true(bytes_eq(keys[1]->selector, bytes_from_cstr(cases[i].second)));
	}
}

static void a_key_that_becomes_active_retires_the_one_before(void **state)
{
	(void)state;
	struct keyring ring = read_ring(two_domains);
	struct keyring_key *next = keyring_find(&ring, BYTES_LIT("example.com"), BYTES_LIT("S3"));
	const struct keyring_key *before = keyring_find(&ring, BYTES_LIT("example.com"), BYTES_LIT("s2"));
	keyring_activate(&ring, next, 500);
	assert_int_equal(next->state, KEYRING_ACTIVE);
	assert_int_equal(next->changed, 500);
	assert_int_equal(before->state, KEYRING_RETIRED);
	assert_int_equal(before->changed, 500);
	assert_int_equal(keyring_find(&ring, BYTES_LIT("example.com"), BYTES_LIT("ed"))->state, KEYRING_ACTIVE);
	keyring_activate(&ring, next, 600);
	assert_int_equal(next->changed, 500);
}

static void the_record_of_a_key_reads_back_as_its_public_half(void **state)
{
	(void)state;
	static const char *const pems[] = {KEY_RSA_2048, KEY_ED25519};
	static const char *const publics[] = {PUBLIC_RSA_2048, PUBLIC_ED25519};
	static const char *const begins[] = {"v=DKIM1; k=rsa; p=", "v=DKIM1; k=ed25519; p="};
	for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
		CLEANUP(crypto_key_free) struct crypto_key *key = NULL;
		CLEANUP(buf_done) struct buf line = BUF_INIT(4096), joined = BUF_INIT(4096);
		struct bytes record, rest, piece;
		struct dkim_key read;
		struct error error;
		assert_ok(crypto_key_read_pem(bytes_from_cstr(pems[i]), &key, &error));
		assert_ok(dkim_key_write(arena, key, &record));
		assert_true(bytes_starts(record, bytes_from_cstr(begins[i])));
		assert_true(bytes_eq(bytes_from(record, strlen(begins[i])), bytes_from_cstr(publics[i])));
		assert_ok(dkim_key_read(arena, record, &read, &error));
		assert_int_equal(read.type, crypto_key_type(key));
		/* The strings of the zone line, joined, are the record; none is over 255 bytes. */
		dkim_key_zone_line(&line, BYTES_LIT("s1._domainkey.example.com"), record);
		rest = buf_bytes(&line);
		assert_true(bytes_starts(rest, BYTES_LIT("s1._domainkey.example.com. 3600 IN TXT ( \"")));
		for (bool inside = false; bytes_split(&rest, '"', &piece); inside = !inside) {
			if (!inside)
				continue;
			assert_true(piece.len > 0 && piece.len <= 255);
			buf_add(&joined, piece);
		}
		assert_true(bytes_eq(buf_bytes(&joined), record));
	}
}

static void new_keys_sign_and_come_back_from_their_pem(void **state)
{
	(void)state;
	static const struct {
		enum crypto_type type;
		unsigned bits;
	} kinds[] = {{CRYPTO_RSA, 1024}, {CRYPTO_RSA, 2048}, {CRYPTO_ED25519, 256}};
	const uint8_t digest[CRYPTO_SHA256_LEN] = {1, 2, 3};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(crypto_key_free)
		struct crypto_key *key = NULL, *again = NULL, *public_half = NULL, *other = NULL;
		uint8_t pem[CRYPTO_PEM_MAX], signature[CRYPTO_SIGNATURE_MAX];
		size_t len, signature_len;
		unsigned bits;
		struct bytes data;
		struct error error;
		enum crypto_key_state what;
		assert_ok(crypto_key_new(kinds[i].type, kinds[i].bits, &key));
		assert_ok(crypto_key_new(kinds[i].type, kinds[i].bits, &other));
		assert_int_equal(crypto_key_bits(key), kinds[i].bits);
		assert_int_equal(crypto_key_write_pem(key, pem, 20, &len), ERR_LIMIT);
		assert_ok(crypto_key_write_pem(key, pem, sizeof(pem), &len));
		assert_true(bytes_starts(bytes_make(pem, len), BYTES_LIT("-----BEGIN PRIVATE KEY-----\n")));
		assert_ok(crypto_key_read_pem(bytes_make(pem, len), &again, &error));
		assert_ok(crypto_sign(again, digest, signature, &signature_len));
		assert_ok(crypto_key_public(key, arena, &data));
		assert_ok(crypto_key_read(kinds[i].type, data, &what, &bits, &public_half));
		assert_true(crypto_verify(public_half, digest, bytes_make(signature, signature_len)));
		assert_int_equal(crypto_key_write_pem(public_half, pem, sizeof(pem), &len), ERR_UNSUPPORTED);
		assert_ok(crypto_key_public(other, arena, &data));
		crypto_key_free(&public_half);
		assert_ok(crypto_key_read(kinds[i].type, data, &what, &bits, &public_half));
		assert_false(crypto_verify(public_half, digest, bytes_make(signature, signature_len)));
	}
	struct crypto_key *none;
	assert_int_equal(crypto_key_new(CRYPTO_RSA, 512, &none), ERR_UNSUPPORTED);
	assert_int_equal(crypto_key_new(CRYPTO_RSA, 8192, &none), ERR_UNSUPPORTED);
}

static const struct CMUnitTest tests[] = {
	TEST_CRYPTO(a_list_comes_back_as_it_was_written),
	TEST_CRYPTO(what_describes_no_key_is_refused_with_its_line),
	TEST_CRYPTO(the_nearest_domain_with_active_keys_signs),
	TEST_CRYPTO(a_key_that_becomes_active_retires_the_one_before),
	TEST_CRYPTO(the_record_of_a_key_reads_back_as_its_public_half),
	TEST_CRYPTO(new_keys_sign_and_come_back_from_their_pem),
};
UNIT_MAIN(tests)
