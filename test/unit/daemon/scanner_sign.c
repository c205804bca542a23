/* SPDX-License-Identifier: Apache-2.0 */
/* The fields that sign one message, made with whoever has the keys, and checked as a receiver does. */
#include "unit_arena.h"

#include <stdio.h>

#include "../auth/dns_table.h"
#include "../auth/keys.h"
#include "auth/dkim.h"
#include "auth/dkim_key.h"
#include "daemon/scanner_sign.h"

#define NOW     1768478400
#define MESSAGE "From: Alice <alice@example.com>\r\nTo: bob@example.net\r\nSubject: x\r\n\r\nHello.\r\n"
#define KEYS                                                                                                           \
	"example.com r1 rsa 2048 active 1 1\nexample.com e1 ed25519 256 active 1 1\n"                                  \
	"example.com n1 rsa 2048 next 1 1\nonly.example o1 rsa 2048 retired 1 1\n"

static struct crypto_key *key_of(const struct wire_sign *sign)
{
	bool rsa = bytes_eq(sign->selector, BYTES_LIT("r1"));
	struct crypto_key *key;
	struct error error;
	assert_ok(crypto_key_read_pem(rsa ? BYTES_LIT(KEY_RSA_2048) : BYTES_LIT(KEY_ED25519), &key, &error));
	return key;
}

static struct signing *begin(const char *message, const char *frontend, enum sign_right right, const char *author)
{
	struct keyring *ring = arena_new(arena, struct keyring, 1);
	struct scan_case *in = arena_new(arena, struct scan_case, 1);
	struct signing *signing;
	struct error error;
	assert_ok(keyring_parse(arena, BYTES_LIT(KEYS), ring, &error));
	*in = (struct scan_case){.message = bytes_from_cstr(message),
				 .envelope = {.frontend = bytes_from_cstr(frontend)}};
	const struct signing_input input = {
		.right = right, .ring = ring, .scan_case = in, .author = bytes_from_cstr(author), .now = NOW};
	assert_ok(signing_begin(arena, &input, &signing));
	return signing;
}

/* Signs all that is wanted; the selectors in the order in which they were asked for. */
static const char *sign_all(struct signing *signing)
{
	struct wire_sign want;
	const char *asked = "";
	for (unsigned turn = 0; signing_want(signing, &want); turn++) {
		uint8_t signature[CRYPTO_SIGNATURE_MAX];
		size_t len;
		struct crypto_key *key = key_of(&want);
		assert_true(turn < KEYRING_SIGNERS && !want.seal && want.digest.len == CRYPTO_SHA256_LEN);
		assert_bytes_str(want.domain, "example.com");
		assert_ok(crypto_sign(key, want.digest.ptr, signature, &len));
		assert_ok(signing_add(signing, bytes_make(signature, len)));
		crypto_key_free(&key);
		asked = arena_cstr(arena, arena_printf(arena, "%s%.*s ", asked, BYTES_FMT(want.selector)));
	}
	return asked;
}

static const char *record_of(const char *selector)
{
	const struct wire_sign sign = {.selector = bytes_from_cstr(selector)};
	struct crypto_key *key = key_of(&sign);
	struct bytes record;
	assert_ok(dkim_key_write(arena, key, &record));
	crypto_key_free(&key);
	return arena_cstr(arena, record);
}

/* What a receiver finds: the results of all signatures, the uppermost first. */
static void check_received(struct bytes message, size_t wanted)
{
	const struct dns_row rows[] = {{DNS_TXT, "r1._domainkey.example.com", record_of("r1"), 0},
				       {DNS_TXT, "e1._domainkey.example.com", record_of("e1"), 0}};
	struct dns_table *table = arena_new(arena, struct dns_table, 1);
	struct canon_message *canon;
	struct dkim *dkim;
	enum auth_step step;
	*table = (struct dns_table){.rows = rows, .n_rows = ARRAY_LEN(rows), .arena = arena};
	const struct dns_host host = dns_table_host(table);
	assert_ok(canon_message_read(arena, message, &canon));
	assert_ok(dkim_begin(canon, &(struct dkim_options){.now = NOW, .verify_max = 10}, &dkim));
	assert_ok(dkim_step(dkim, &host, &step));
	assert_int_equal(step, AUTH_DONE);
	assert_int_equal(dkim->count, wanted);
	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->signatures[i].result != DKIM_PASS)
			fail_msg("%zu: %.*s", i, BYTES_FMT(dkim->signatures[i].reason));
}

static void each_active_key_signs_and_the_last_one_stands_on_top(void **state)
{
	static const struct {
		const char *frontend, *message, *leaves;
	} cases[] = {
		{"milter", MESSAGE, MESSAGE},
		{"smtp", MESSAGE, MESSAGE},
		{"http", MESSAGE, MESSAGE},
		/* The proxy mends line ends; who hands the message back, or tells what to add, does not. */
		{"smtp", "From: a@example.com\r\n\r\none\rtwo\r\n", "From: a@example.com\r\n\r\none\r\ntwo\r\n"},
		{"http", "From: a@example.com\r\n\r\none\rtwo\r\n", "From: a@example.com\r\n\r\none\rtwo\r\n"},
		{"spamd", "From: a@example.com\n\none\n", "From: a@example.com\r\n\r\none\r\n"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct signing *signing = begin(cases[i].message, cases[i].frontend, SIGN_AS_AUTHOR, "example.com");
		assert_non_null(signing);
		assert_string_equal(sign_all(signing), "r1 e1 ");
		struct bytes fields = signing_fields(signing);
		assert_true(bytes_find(fields, BYTES_LIT("ed25519")) < bytes_find(fields, BYTES_LIT("rsa-sha256")));
		check_received(arena_printf(arena, "%.*s%s", BYTES_FMT(fields), cases[i].leaves), 2);
	}
}

static void nothing_is_wanted_where_nothing_is_to_be_signed(void **state)
{
	(void)state;
	assert_null(begin(MESSAGE, "milter", SIGN_NOTHING, "example.com"));
	assert_null(begin(MESSAGE, "milter", SIGN_AS_AUTHOR, "example.net"));
	assert_null(begin(MESSAGE, "milter", SIGN_AS_AUTHOR, "only.example"));
	assert_null(begin(MESSAGE, "milter", SIGN_AS_AUTHOR, ""));
	assert_null(begin("Subject: no author\r\n\r\n", "milter", SIGN_AS_AUTHOR, "example.com"));
	assert_non_null(begin(MESSAGE, "milter", SIGN_AS_AUTHOR, "mail.example.com"));
}

static int begin_all(void **state)
{
	return crypto_init() == ERR_OK ? unit_arena_begin(state) : -1;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(each_active_key_signs_and_the_last_one_stands_on_top, begin_all,
					unit_arena_end),
	cmocka_unit_test_setup_teardown(nothing_is_wanted_where_nothing_is_to_be_signed, begin_all, unit_arena_end),
};
UNIT_MAIN(tests)
