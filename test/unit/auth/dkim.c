/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "dns_table.h"
#include "unit.h"

static struct arena *arena;

#define NOW 1528637950

/* -- The examples of the standards ---- */

#define RSA_2048_OF_RFC_6376                                                                                           \
	"v=DKIM1; "                                                                                                    \
	"p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4j"       \
	"YfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ" \
	"2QIDAQAB"
#define RSA_OF_RFC_8463                                                                                                \
	"v=DKIM1; k=rsa; "                                                                                             \
	"p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J1"               \
	"6JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTI" \
	"KT+l/K4w3QIDAQAB"
#define ED25519_OF_RFC_8463 "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

#define DINNER                                                                                                         \
	"From: Joe SixPack <joe@football.example.com>\r\n"                                                             \
	"To: Suzie Q <suzie@shopping.example.net>\r\n"                                                                 \
	"Subject: Is dinner ready?\r\n"                                                                                \
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                                              \
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"                                             \
	"\r\n"                                                                                                         \
	"Hi.\r\n"                                                                                                      \
	"\r\n"                                                                                                         \
	"We lost the game. Are you hungry yet?\r\n"                                                                    \
	"\r\n"                                                                                                         \
	"Joe.\r\n"

static const struct bytes rfc_6376 = BYTES_INIT("DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\r\n"
						"      c=simple/simple; q=dns/txt; i=joe@football.example.com;\r\n"
						"      h=Received : From : To : Subject : Date : Message-ID;\r\n"
						"      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
						"      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\r\n"
						"      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\r\n"
						"      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\r\n"
						"      4bmp/YzhwvcubU4=;\r\n"
						"Received: from client1.football.example.com  [192.0.2.1]\r\n"
						"      by submitserver.example.com with SUBMISSION;\r\n"
						"      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\r\n" DINNER);

#define RFC_8463_HEADER                                                                                                \
	"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"                                                \
	" d=football.example.com; i=@football.example.com;\r\n"                                                        \
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"                                                      \
	" subject : date : message-id : from : subject : date;\r\n"                                                    \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                                        \
	" b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"                                              \
	" Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"                                                                        \
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"                                                    \
	" d=football.example.com; i=@football.example.com;\r\n"                                                        \
	" q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"                                                \
	" date : message-id : from : subject : date;\r\n"                                                              \
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                                        \
	" b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"                                              \
	" DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"                                              \
	" dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"

static const struct bytes rfc_8463 = BYTES_INIT(RFC_8463_HEADER DINNER);

static const struct dns_row rfc_rows[] = {
	{DNS_TXT, "brisbane._domainkey.example.com", RSA_2048_OF_RFC_6376, 0},
	{DNS_TXT, "brisbane._domainkey.football.example.com", ED25519_OF_RFC_8463, 0},
	{DNS_TXT, "test._domainkey.football.example.com", RSA_OF_RFC_8463, 0},
};

static struct dkim *check_with(struct bytes raw, const struct dns_row *rows, size_t n,
			       const struct dkim_options *options, bool late)
{
	static struct dns_table table;
	struct canon_message *message;
	struct dkim *dkim;
	enum auth_step step;
	table = (struct dns_table){.rows = rows, .n_rows = n, .arena = arena, .late = late};
	struct dns_host host = dns_table_host(&table);
	assert_ok(canon_message_read(arena, raw, &message));
	assert_ok(dkim_begin(message, options, &dkim));
	assert_ok(dkim_step(dkim, &host, &step));
	if (late && dkim->n_checks > 0) {
		assert_int_equal(step, AUTH_WAIT);
		assert_ok(dkim_step(dkim, &host, &step));
	}
	assert_int_equal(step, AUTH_DONE);
	return dkim;
}

static const struct dkim_options standard = {.now = NOW, .verify_max = DKIM_VERIFY_MAX};

static struct dkim *check(struct bytes raw)
{
	return check_with(raw, rfc_rows, ARRAY_LEN(rfc_rows), &standard, false);
}

static void the_example_of_rfc_6376_is_good(void **state)
{
	(void)state;
	struct dkim *dkim = check(rfc_6376);
	assert_int_equal(dkim->count, 1);
	assert_bytes_str(dkim->signatures[0].reason, "the signature is good");
	assert_int_equal(dkim->signatures[0].result, DKIM_PASS);
	assert_bytes_str(dkim->signatures[0].domain, "example.com");
	assert_bytes_str(dkim->signatures[0].identity, "joe@football.example.com");
	assert_int_equal(dkim->signatures[0].key_bits, 1024);
	assert_int_equal(dkim->signatures[0].n_signed, 6);
	assert_bytes_str(dkim->signatures[0].signed_names[5], "message-id");
}

static void the_examples_of_rfc_8463_are_good(void **state)
{
	(void)state;
	struct dkim *dkim = check(rfc_8463);
	assert_int_equal(dkim->count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_bytes_str(dkim->signatures[i].reason, "the signature is good");
		assert_int_equal(dkim->signatures[i].result, DKIM_PASS);
		assert_int_equal(dkim->signatures[i].flags, DKIM_FROM_OVERSIGNED | DKIM_SUBJECT_OVERSIGNED);
	}
	assert_bytes_str(dkim->signatures[0].algorithm, "ed25519-sha256");
	assert_bytes_str(dkim->signatures[1].algorithm, "rsa-sha256");
}

static int setup(void **state)
{
	(void)state;
	arena = arena_create(SIZE_MAX);
	return crypto_init() == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(the_example_of_rfc_6376_is_good, setup, teardown),
	cmocka_unit_test_setup_teardown(the_examples_of_rfc_8463_are_good, setup, teardown),
};
UNIT_MAIN(tests)
