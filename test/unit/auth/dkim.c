/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include <stdio.h>

#include "auth/fold.h"
#include "base/buf.h"
#include "dns_table.h"
#include "fixture.h"
#include "keys.h"

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

static void line_ends_of_a_file_do_not_matter(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(100000);
	for (size_t i = 0; i < rfc_8463.len; i++)
		if (rfc_8463.ptr[i] != '\r')
			buf_add_byte(&buf, rfc_8463.ptr[i]);
	struct dkim *dkim = check(buf_bytes(&buf));
	assert_int_equal(dkim->count, 2);
	assert_int_equal(dkim->signatures[0].result, DKIM_PASS);
	assert_int_equal(dkim->signatures[1].result, DKIM_PASS);
}

static void all_keys_are_asked_for_before_waiting(void **state)
{
	(void)state;
	struct dkim *dkim = check_with(rfc_8463, rfc_rows, ARRAY_LEN(rfc_rows), &standard, true);
	assert_int_equal(dkim->signatures[0].result, DKIM_PASS);
	assert_int_equal(dkim->signatures[1].result, DKIM_PASS);
}

/* Each byte of the message that is covered, changed once. */
static void a_change_anywhere_is_a_fail(void **state)
{
	(void)state;
	uint8_t copy[4096];
	size_t from = bytes_find(rfc_8463, BYTES_LIT("From: Joe"));
	for (size_t at = from; at < rfc_8463.len; at++) {
		uint8_t byte = rfc_8463.ptr[at];
		if (byte <= ' ' || byte == ':')
			continue;
		memcpy(copy, rfc_8463.ptr, rfc_8463.len);
		copy[at] = byte == '#' ? '%' : '#';
		struct dkim *dkim = check(bytes_make(copy, rfc_8463.len));
		assert_int_equal(dkim->count, 2);
		assert_int_equal(dkim->signatures[0].result, DKIM_FAIL);
		assert_int_equal(dkim->signatures[1].result, DKIM_FAIL);
	}
}

/* -- Signatures made to measure ---- */

#define MAIL                                                                                                           \
	"From: a@example.com\r\n"                                                                                      \
	"To: b@example.net\r\n"                                                                                        \
	"Subject: one\r\n"                                                                                             \
	"Subject:  two\r\n"                                                                                            \
	"Received: by x\r\n"                                                                                           \
	"\r\n"                                                                                                         \
	"Line  one \r\n"                                                                                               \
	"\r\n"                                                                                                         \
	"Line two\r\n"

static struct crypto_key *key_of(const char *pem)
{
	struct crypto_key *key;
	struct error error;
	assert_ok(crypto_key_read_pem(bytes_from_cstr(pem), &key, &error));
	return key;
}

/* A good signature over `mail` with these tags, in front of it. bh= and b= are added, nothing else. */
static struct bytes sign_tags(const char *tags, const char *pem, struct bytes mail, enum canon header, enum canon body,
			      uint64_t length, const char *names)
{
	CLEANUP(crypto_key_free) struct crypto_key *key = key_of(pem);
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 20);
	struct canon_message *message;
	struct canon_body digest;
	struct bytes list[50], piece, rest = bytes_from_cstr(names);
	size_t n = 0, len;
	uint8_t sum[CRYPTO_SHA256_LEN], signature[CRYPTO_SIGNATURE_MAX];
	while (bytes_split(&rest, ':', &piece))
		list[n++] = piece;
	assert_ok(canon_message_read(arena, mail, &message));
	assert_ok(canon_body_hash(message, &(struct canon_want){body, length}, 1, &digest));
	struct fold fold = fold_begin(&buf, "DKIM-Signature", true);
	fold_printf(&fold, "%s", tags);
	fold_names(&fold, list, n);
	fold_printf(&fold, "bh=");
	fold_base64(&fold, bytes_make(digest.digest, sizeof(digest.digest)), false);
	buf_add_byte(&buf, ';');
	fold_break(&fold);
	buf_add_cstr(&buf, "b=");
	assert_ok(canon_header_hash(message, hash, header, list, n, SIZE_MAX));
	canon_signature_hash(hash, header, buf_bytes(&buf), buf.len, buf.len);
	crypto_hash_finish(hash, sum);
	assert_ok(crypto_sign(key, sum, signature, &len));
	fold_base64(&fold, bytes_make(signature, len), false);
	fold_end(&fold);
	buf_add(&buf, mail);
	assert_ok(buf_err(&buf));
	return arena_copy(arena, buf_bytes(&buf));
}

#define GOOD "v=1; a=ed25519-sha256; d=example.com; s=ed;"

static const struct dns_row rows[] = {
	{DNS_TXT, "ed._domainkey.example.com", "v=DKIM1; k=ed25519; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "ed._domainkey.xn--bcher-kva.example", "v=DKIM1; k=ed25519; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "rsa._domainkey.example.com", "p=" PUBLIC_RSA_2048, 0},
	{DNS_TXT, "bare._domainkey.example.com", "k=rsa; p=" PUBLIC_RSA_2048_BARE, 0},
	{DNS_TXT, "short._domainkey.example.com", "p=" PUBLIC_RSA_512, 0},
	{DNS_TXT, "late._domainkey.example.com", NULL, 0},
	{DNS_A, "empty._domainkey.example.com", "192.0.2.1", 0},
	{DNS_TXT, "revoked._domainkey.example.com", "v=DKIM1; p=", 0},
	{DNS_TXT, "strict._domainkey.example.com", "k=ed25519; t=s; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "test._domainkey.example.com", "k=ed25519; t=x:y; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "sha1._domainkey.example.com", "k=ed25519; h=sha1; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "hashes._domainkey.example.com", "k=ed25519; h = sha1 : sha256; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "tlsrpt._domainkey.example.com", "k=ed25519; s=tlsrpt; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "star._domainkey.example.com", "k=ed25519; s=other:*; n=a note; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "type._domainkey.example.com", "k=dsa; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "v2._domainkey.example.com", "v=DKIM2; k=ed25519; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "vlast._domainkey.example.com", "k=ed25519; p=" PUBLIC_ED25519 "; v=DKIM1", 0},
	{DNS_TXT, "nop._domainkey.example.com", "k=ed25519", 0},
	{DNS_TXT, "bad64._domainkey.example.com", "k=ed25519; p=!!", 0},
	{DNS_TXT, "cut._domainkey.example.com", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcH", 0},
	{DNS_TXT, "garbage._domainkey.example.com", "hello", 0},
	{DNS_TXT, "two._domainkey.example.com", "v=spf1 -all", 0},
	{DNS_TXT, "two._domainkey.example.com", "k=ed25519; p=" PUBLIC_ED25519, 0},
};

static const struct dkim_signature *one(struct bytes raw)
{
	struct dkim *dkim = check_with(raw, rows, ARRAY_LEN(rows), &standard, false);
	assert_int_equal(dkim->count, 1);
	assert_true(dkim->signatures[0].reason.len > 0);
	return &dkim->signatures[0];
}

static const struct {
	const char *rule, *tags, *names;
	enum dkim_result result;
	const char *reason;
} by_tags[] = {
	{"the plain case", GOOD, "from", DKIM_PASS, "the signature is good"},
	{"a repeated field is taken from the bottom", GOOD, "from:subject:subject", DKIM_PASS, NULL},
	{"fields that are not there may be signed", GOOD, "from:from:reply-to:subject:subject:subject", DKIM_PASS,
	 NULL},
	{"names in any case", GOOD, "FROM:Subject", DKIM_PASS, NULL},
	{"From must be signed", GOOD, "to:subject", DKIM_NEUTRAL, "From is not signed, at byte 62 of the field"},
	{"h= with an empty name", GOOD, "from::to", DKIM_NEUTRAL, NULL},
	{"an unknown tag is nothing", GOOD " zz=1;", "from", DKIM_PASS, NULL},
	{"a tag that is there twice", GOOD " d=example.com;", "from", DKIM_NEUTRAL,
	 "a tag is there twice, at byte 62 of the field"},
	{"an empty tag", GOOD ";", "from", DKIM_NEUTRAL, "a tag name is missing, at byte 59 of the field"},
	{"no v=", "a=ed25519-sha256; d=example.com; s=ed;", "from", DKIM_NEUTRAL, "v= is missing"},
	{"v=2", "v=2; a=ed25519-sha256; d=example.com; s=ed;", "from", DKIM_NEUTRAL,
	 "v= is not 1, at byte 18 of the field"},
	{"no a=", "v=1; d=example.com; s=ed;", "from", DKIM_NEUTRAL, "a= is missing"},
	{"no d=", "v=1; a=ed25519-sha256; s=ed;", "from", DKIM_NEUTRAL, "d= is missing"},
	{"no s=", "v=1; a=ed25519-sha256; d=example.com;", "from", DKIM_NEUTRAL, "s= is missing"},
	{"an unknown algorithm", "v=1; a=rsa-md5; d=example.com; s=ed;", "from", DKIM_NEUTRAL, NULL},
	{"SHA-1 is refused", "v=1; a=rsa-sha1; d=example.com; s=ed;", "from", DKIM_POLICY,
	 "rsa-sha1 is not accepted (RFC 8301)"},
	{"d= that is no domain", "v=1; a=ed25519-sha256; d=exa mple.com; s=ed;", "from", DKIM_NEUTRAL, NULL},
	{"an empty d=", "v=1; a=ed25519-sha256; d=; s=ed;", "from", DKIM_NEUTRAL, NULL},
	{"d= and i= in Unicode",
	 "v=1; a=ed25519-sha256; d=b\xc3\xbc"
	 "cher.example; s=ed; i=@x.B\xc3\xbc"
	 "cher.example;",
	 "from", DKIM_PASS, NULL},
	{"d= in no Unicode", "v=1; a=ed25519-sha256; d=b\xff.example; s=ed;", "from", DKIM_NEUTRAL, NULL},
	{"i= in the domain", GOOD " i=joe@example.com;", "from", DKIM_PASS, NULL},
	{"i= in a subdomain", GOOD " i=@mail.example.com;", "from", DKIM_PASS, NULL},
	{"i= elsewhere", GOOD " i=@badexample.com;", "from", DKIM_NEUTRAL, NULL},
	{"i= above", GOOD " i=@com;", "from", DKIM_NEUTRAL, NULL},
	{"i= without @", GOOD " i=example.com;", "from", DKIM_NEUTRAL, "i= has no @, at byte 64 of the field"},
	{"i= in quoted-printable", GOOD " i=joe=20=3D=40x@=65xample.com;", "from", DKIM_PASS, NULL},
	{"i= with its @ in quoted-printable", GOOD " i=joe=40example.com;", "from", DKIM_PASS, NULL},
	{"i= that is folded", GOOD " i=joe \r\n @ example\r\n\t.com;", "from", DKIM_PASS, NULL},
	{"i= elsewhere in quoted-printable", GOOD " i=@example.com=2Enet;", "from", DKIM_NEUTRAL, NULL},
	{"t=s allows no subdomain", "v=1; a=ed25519-sha256; d=example.com; s=strict; i=@mail.example.com;", "from",
	 DKIM_PERMERROR, NULL},
	{"t=s allows the domain", "v=1; a=ed25519-sha256; d=example.com; s=strict; i=x@Example.com;", "from", DKIM_PASS,
	 NULL},
	{"q=dns/txt", GOOD " q=other : dns/txt;", "from", DKIM_PASS, NULL},
	{"q= unknown", GOOD " q=other;", "from", DKIM_NEUTRAL, NULL},
	{"not expired", GOOD " t=1528637909; x=1528637950;", "from", DKIM_PASS, NULL},
	{"expired", GOOD " t=1528637909; x=1528637949;", "from", DKIM_POLICY, "the signature has expired (x=)"},
	{"x= before t=", GOOD " t=1528637909; x=1528637909;", "from", DKIM_NEUTRAL, NULL},
	{"x= of any length", GOOD " x=99999999999999999999999999;", "from", DKIM_PASS, NULL},
	{"signed in the future", GOOD " t=1528638251;", "from", DKIM_POLICY, NULL},
	{"a clock that is a little ahead", GOOD " t=1528638250;", "from", DKIM_PASS, NULL},
	{"t= no number", GOOD " t=12x;", "from", DKIM_NEUTRAL, NULL},
	{"t= empty", GOOD " t=;", "from", DKIM_NEUTRAL, NULL},
	{"c= unknown", GOOD " c=nofws;", "from", DKIM_NEUTRAL, NULL},
	{"l= no number", GOOD " l=-1;", "from", DKIM_NEUTRAL, NULL},
	{"l= longer than the body", GOOD " l=1000;", "from", DKIM_FAIL, "the body is shorter than l= says"},
	{"l= out of every range", GOOD " l=99999999999999999999999999999999;", "from", DKIM_FAIL, NULL},
	{"no such key", "v=1; a=ed25519-sha256; d=example.com; s=none;", "from", DKIM_PERMERROR,
	 "no key: its name does not exist"},
	{"no TXT record", "v=1; a=ed25519-sha256; d=example.com; s=empty;", "from", DKIM_PERMERROR,
	 "no key: its name has no TXT record"},
	{"no answer", "v=1; a=ed25519-sha256; d=example.com; s=late;", "from", DKIM_TEMPERROR,
	 "the key cannot be had now (timeout)"},
	{"a revoked key", "v=1; a=ed25519-sha256; d=example.com; s=revoked;", "from", DKIM_PERMERROR,
	 "the key is revoked (p= is empty)"},
	{"a key of another type", "v=1; a=rsa-sha256; d=example.com; s=ed;", "from", DKIM_PERMERROR, NULL},
	{"a key for SHA-1", "v=1; a=ed25519-sha256; d=example.com; s=sha1;", "from", DKIM_PERMERROR, NULL},
	{"a key for both", "v=1; a=ed25519-sha256; d=example.com; s=hashes;", "from", DKIM_PASS, NULL},
	{"a key not for mail", "v=1; a=ed25519-sha256; d=example.com; s=tlsrpt;", "from", DKIM_PERMERROR, NULL},
	{"a key for everything", "v=1; a=ed25519-sha256; d=example.com; s=star;", "from", DKIM_PASS, NULL},
	{"a key of an unknown type", "v=1; a=ed25519-sha256; d=example.com; s=type;", "from", DKIM_PERMERROR,
	 "k= names a key type that is not known, at byte 2 of the key record"},
	{"a record of another version", "v=1; a=ed25519-sha256; d=example.com; s=v2;", "from", DKIM_PERMERROR, NULL},
	{"v= that is not first", "v=1; a=ed25519-sha256; d=example.com; s=vlast;", "from", DKIM_PERMERROR, NULL},
	{"a record without p=", "v=1; a=ed25519-sha256; d=example.com; s=nop;", "from", DKIM_PERMERROR, NULL},
	{"p= that is not base64", "v=1; a=ed25519-sha256; d=example.com; s=bad64;", "from", DKIM_PERMERROR,
	 "p= is not base64, at byte 13 of the key record"},
	{"p= that is no such key", "v=1; a=ed25519-sha256; d=example.com; s=cut;", "from", DKIM_PERMERROR, NULL},
	{"no record at all", "v=1; a=ed25519-sha256; d=example.com; s=garbage;", "from", DKIM_PERMERROR, NULL},
	{"one of several records", "v=1; a=ed25519-sha256; d=example.com; s=two;", "from", DKIM_PASS, NULL},
	{"a key on trial", "v=1; a=ed25519-sha256; d=example.com; s=test;", "from", DKIM_PASS,
	 "the signature is good (the key is on trial)"},
	{"a short key is refused", "v=1; a=rsa-sha256; d=example.com; s=short;", "from", DKIM_POLICY,
	 "the key has less than 1024 bits (RFC 8301)"},
};

static void tags_and_key_records_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(by_tags); i++) {
		struct bytes raw = sign_tags(by_tags[i].tags, KEY_ED25519, BYTES_LIT(MAIL), CANON_SIMPLE, CANON_SIMPLE,
					     CANON_ALL, by_tags[i].names);
		const struct dkim_signature *signature = one(raw);
		if (signature->result != by_tags[i].result)
			print_error("%s: %s (%.*s)\n", by_tags[i].rule, dkim_result_name(signature->result),
				    BYTES_FMT(signature->reason));
		assert_int_equal(signature->result, by_tags[i].result);
		if (by_tags[i].reason)
			assert_bytes_str(signature->reason, by_tags[i].reason);
	}
}

static void the_length_limits_what_is_covered(void **state)
{
	(void)state;
	static const struct {
		const char *tags;
		uint64_t length, uncovered;
	} cases[] = {
		{GOOD " l=0;", 0, 24},
		{GOOD " l=10;", 10, 14},
		{GOOD " l=24;", 24, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dkim_signature *signature =
			one(sign_tags(cases[i].tags, KEY_ED25519, BYTES_LIT(MAIL), CANON_SIMPLE, CANON_SIMPLE,
				      cases[i].length, "from"));
		assert_int_equal(signature->result, DKIM_PASS);
		assert_int_equal(signature->body_uncovered, cases[i].uncovered);
		assert_true(signature->flags & DKIM_LENGTH);
		assert_int_equal((signature->flags & DKIM_PARTIAL) != 0, cases[i].uncovered > 0);
	}
}

static void weak_sets_of_fields_are_marked(void **state)
{
	(void)state;
	static const struct {
		const char *names;
		unsigned flags;
	} cases[] = {
		{"from", DKIM_SUBJECT_UNSIGNED | DKIM_TO_UNSIGNED},
		{"from:to:subject", DKIM_SUBJECT_UNSIGNED},
		{"from:to:subject:subject", 0},
		{"from:from:to:subject:subject:subject", DKIM_FROM_OVERSIGNED | DKIM_SUBJECT_OVERSIGNED},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(one(sign_tags(GOOD, KEY_ED25519, BYTES_LIT(MAIL), CANON_SIMPLE, CANON_SIMPLE,
					       CANON_ALL, cases[i].names))
					 ->flags,
				 cases[i].flags);
}

/* Text of somebody else's, shown by those who begin the body there, above the fields that were signed. */
static void a_header_with_junk_is_refused(void **state)
{
	(void)state;
	struct bytes raw = sign_tags(GOOD, KEY_ED25519, BYTES_LIT(MAIL), CANON_SIMPLE, CANON_SIMPLE, CANON_ALL, "from");
	const struct dkim_signature *signature =
		one(arena_printf(arena, "From: c@example.com\r\nPay here\r\n%.*s", BYTES_FMT(raw)));
	assert_int_equal(signature->result, DKIM_POLICY);
	assert_int_equal(one(arena_printf(arena, "From x\r\n%.*s", BYTES_FMT(raw)))->result, DKIM_PASS);
}

static void rsa_keys_in_both_forms(void **state)
{
	(void)state;
	static const char *const tags[] = {"v=1; a=rsa-sha256; d=example.com; s=rsa;",
					   "v=1; a=RSA-SHA256; d=EXAMPLE.com; s=bare;"};
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		const struct dkim_signature *signature = one(sign_tags(tags[i], KEY_RSA_2048, BYTES_LIT(MAIL),
								       CANON_SIMPLE, CANON_SIMPLE, CANON_ALL, "from"));
		assert_int_equal(signature->result, DKIM_PASS);
		assert_int_equal(signature->key_bits, 2048);
		assert_bytes_str(signature->domain, "example.com");
	}
}

/* -- Many signatures ---- */

static void what_is_over_the_cap_is_told(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 20);
	struct bytes raw = sign_tags(GOOD, KEY_ED25519, BYTES_LIT(MAIL), CANON_SIMPLE, CANON_SIMPLE, CANON_ALL, "from");
	struct bytes field = bytes_sub(raw, 0, bytes_find(raw, BYTES_LIT("From:")));
	for (size_t i = 0; i < 149; i++)
		buf_add(&buf, field);
	buf_add(&buf, raw);
	struct dkim_options options = {.now = NOW, .verify_max = 3};
	CLEANUP(crypto_keys_free) struct crypto_keys *keys = crypto_keys_new(2);
	options.keys = keys;
	struct dkim *dkim = check_with(buf_bytes(&buf), rows, ARRAY_LEN(rows), &options, false);
	assert_int_equal(dkim->count, 101);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(dkim->signatures[i].result, i < 3 ? DKIM_PASS : DKIM_POLICY);
		assert_bytes_str(dkim->signatures[i].domain, "example.com");
		assert_int_equal(dkim->signatures[i].at, i * field.len);
	}
	assert_bytes_str(dkim->signatures[50].reason, "not checked: there are too many signatures");
	assert_int_equal(dkim->signatures[100].result, DKIM_POLICY);
	assert_bytes_str(dkim->signatures[100].reason, "50 more signatures were left out");
}

static void a_message_without_signatures_asks_nothing(void **state)
{
	(void)state;
	static const char *const messages[] = {"", "\r\n", "From: a@example.com\r\n", "DKIM-Signature\r\n\r\n", MAIL};
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		assert_int_equal(
			check_with(bytes_from_cstr(messages[i]), rows, ARRAY_LEN(rows), &standard, true)->count, 0);
}

/* -- Our own signatures ---- */

static struct bytes joined(struct bytes a, struct bytes b)
{
	return arena_printf(arena, "%.*s%.*s", BYTES_FMT(a), BYTES_FMT(b));
}

static void assert_lines(struct bytes field, bool crlf, size_t max)
{
	struct bytes line;
	assert_true(bytes_ends(field, crlf ? BYTES_LIT("\r\n") : BYTES_LIT("\n")));
	field.len--;
	while (bytes_split(&field, '\n', &line)) {
		assert_true(line.len <= max);
		assert_int_equal(bytes_ends(line, BYTES_LIT("\r")), crlf);
		assert_true(line.len > 1);
	}
}

static const char *const mails[] = {
	MAIL,
	"From: a@example.com\n\nbare\n\n\nline ends \n\n\n",
	"From: a@example.com\r\nSubject: mixed\n folded\r\n\tagain \r\n\r\nmixed\nline\r\nends\r\n",
	"From: a@example.com\r\n\r\n",
	"From: a@example.com\r\n",
	"From: a@example.com\r\n\r\n\r\n\r\n",
	"From: a@example.com\n\n \t \n",
	"From: a@example.com\r\n\r\nno end",
	"From: a@example.com\r\n\r\nbare\rCR\r\r\n\r",
	"From : \t a@example.com  \r\nTo:\r\n b@example.net\r\nSubject: \xe2\x82\xac\r\nX:\r\n\r\n\xff\r\n",
};

static void what_we_sign_is_good(void **state)
{
	(void)state;
	static const char *const pems[] = {KEY_ED25519, KEY_RSA_2048, KEY_RSA_2048_PKCS1};
	for (size_t i = 0; i < ARRAY_LEN(mails) * 4 * ARRAY_LEN(pems); i++) {
		struct bytes mail = bytes_from_cstr(mails[i % ARRAY_LEN(mails)]);
		size_t form = i / ARRAY_LEN(mails) % 4, pem = i / ARRAY_LEN(mails) / 4;
		CLEANUP(crypto_key_free) struct crypto_key *key = key_of(pems[pem]);
		struct dkim_sign_options options = {.domain = BYTES_LIT("example.com"),
						    .selector = pem == 0 ? BYTES_LIT("ed") : BYTES_LIT("rsa"),
						    .header = form & 1 ? CANON_RELAXED : CANON_SIMPLE,
						    .body = form & 2 ? CANON_RELAXED : CANON_SIMPLE,
						    .now = NOW,
						    .expire = 3600};
		struct canon_message *message;
		struct bytes field;
		struct error error;
		assert_ok(canon_message_read(arena, mail, &message));
		assert_ok(dkim_sign(message, key, &options, &field, &error));
		assert_lines(field, message->crlf, 78);
		const struct dkim_signature *signature = one(joined(field, mail));
		assert_bytes_str(signature->reason, "the signature is good");
		assert_int_equal(signature->result, DKIM_PASS);
		assert_true(signature->flags & DKIM_FROM_OVERSIGNED);
		assert_int_equal(signature->expires_at, NOW + 3600);
		/* And the same with other line ends, as another system would have the file. Where a bare CR stands
		 * before a line end the file says something else then. */
		if (bytes_find(mail, BYTES_LIT("\r\r")) != BYTES_NONE)
			continue;
		CLEANUP(buf_done) struct buf buf = BUF_INIT(10000);
		struct bytes all = joined(field, mail);
		for (size_t j = 0; j < all.len; j++)
			if (all.ptr[j] != '\r' || j + 1 == all.len || all.ptr[j + 1] != '\n')
				buf_add_byte(&buf, all.ptr[j]);
		assert_int_equal(one(buf_bytes(&buf))->result, DKIM_PASS);
	}
}

static void the_fields_asked_for_are_signed_in_order(void **state)
{
	(void)state;
	CLEANUP(crypto_key_free) struct crypto_key *key = key_of(KEY_ED25519);
	static const struct bytes names[] = {BYTES_INIT("Subject"), BYTES_INIT("to")}, over[] = {BYTES_INIT("from")};
	struct dkim_sign_options options = {.domain = BYTES_LIT("example.com"),
					    .selector = BYTES_LIT("ed"),
					    .identity = BYTES_LIT("a;b@mail.example.com"),
					    .names = names,
					    .n_names = 2,
					    .oversign = over,
					    .n_oversign = 1,
					    .now = NOW};
	struct canon_message *message;
	struct bytes field;
	assert_ok(canon_message_read(arena, BYTES_LIT(MAIL), &message));
	assert_ok(dkim_sign(message, key, &options, &field, NULL));
	assert_true(bytes_find(field, BYTES_LIT("h=from:Subject:to:from;")) != BYTES_NONE);
	assert_true(bytes_find(field, BYTES_LIT("i=a=3Bb@mail.example.com;")) != BYTES_NONE);
	const struct dkim_signature *signature = one(joined(field, BYTES_LIT(MAIL)));
	assert_int_equal(signature->result, DKIM_PASS);
	assert_int_equal(signature->n_signed, 4);
	/* A From that somebody adds breaks it. */
	assert_int_equal(one(joined(field, BYTES_LIT("From: c@example.org\r\n" MAIL)))->result, DKIM_FAIL);
}

static void long_lists_are_folded(void **state)
{
	(void)state;
	CLEANUP(crypto_key_free) struct crypto_key *key = key_of(KEY_RSA_2048);
	struct bytes *names = arena_new(arena, struct bytes, 1000);
	for (size_t i = 0; i < 1000; i++)
		names[i] = arena_printf(arena, "X-Field-Number-%zu", i);
	struct dkim_sign_options options = {.domain = BYTES_LIT("example.com"),
					    .selector = BYTES_LIT("rsa"),
					    .names = names,
					    .n_names = 1000,
					    .now = NOW};
	struct canon_message *message;
	struct bytes field;
	assert_ok(canon_message_read(arena, BYTES_LIT(MAIL), &message));
	assert_ok(dkim_sign(message, key, &options, &field, NULL));
	assert_lines(field, true, 78);
	const struct dkim_signature *signature = one(joined(field, BYTES_LIT(MAIL)));
	assert_int_equal(signature->result, DKIM_PASS);
	assert_int_equal(signature->n_signed, 1001);
}

static void what_cannot_be_signed_is_said(void **state)
{
	(void)state;
	static const struct bytes bad_names[] = {BYTES_INIT("a;b")};
	static const struct dkim_sign_options cases[] = {
		{.domain = BYTES_INIT("exa mple"), .selector = BYTES_INIT("s")},
		{.domain = BYTES_INIT("example.com"), .selector = BYTES_INIT("")},
		{.domain = BYTES_INIT("example.com;"), .selector = BYTES_INIT("s")},
		{.domain = BYTES_INIT("example.com"),
		 .selector = BYTES_INIT("s"),
		 .identity = BYTES_INIT("x@other.example")},
		{.domain = BYTES_INIT("example.com"),
		 .selector = BYTES_INIT("s"),
		 .identity = BYTES_INIT("example.com")},
		{.domain = BYTES_INIT("example.com"), .selector = BYTES_INIT("s"), .names = bad_names, .n_names = 1},
		{.domain = BYTES_INIT("example.com"), .selector = BYTES_INIT("s"), .now = -1},
		{.domain = BYTES_INIT("example.com"), .selector = BYTES_INIT("s"), .expire = INT64_MAX},
	};
	CLEANUP(crypto_key_free) struct crypto_key *key = key_of(KEY_ED25519);
	struct canon_message *message;
	struct bytes field;
	struct error error;
	assert_ok(canon_message_read(arena, BYTES_LIT(MAIL), &message));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(dkim_sign(message, key, &cases[i], &field, &error), ERR_SYNTAX);
		assert_true(error.text[0] != '\0');
	}
	struct dkim_sign_options options = {.domain = BYTES_LIT("example.com"), .selector = BYTES_LIT("s")};
	static const char *const unfit[] = {"To: a\r\n\r\n", " x\r\nFrom: a\r\n\r\n", "", "\r\nFrom: a\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(unfit); i++) {
		assert_ok(canon_message_read(arena, bytes_from_cstr(unfit[i]), &message));
		assert_int_equal(dkim_sign(message, key, &options, &field, &error), ERR_SYNTAX);
	}
}

/* The key lives elsewhere: the digest goes there, the signature comes back. */
static void signing_in_two_steps_is_the_same(void **state)
{
	(void)state;
	CLEANUP(crypto_key_free) struct crypto_key *key = key_of(KEY_RSA_2048);
	struct dkim_sign_options options = {
		.domain = BYTES_LIT("example.com"), .selector = BYTES_LIT("rsa"), .now = NOW};
	struct canon_message *message;
	struct dkim_draft draft;
	struct bytes field, once;
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
	assert_ok(canon_message_read(arena, BYTES_LIT(MAIL), &message));
	assert_ok(dkim_sign_prepare(message, CRYPTO_RSA, &options, &draft, NULL));
	assert_ok(crypto_sign(key, draft.digest, signature, &len));
	assert_ok(dkim_sign_finish(&draft, bytes_make(signature, len), &field));
	assert_ok(dkim_sign(message, key, &options, &once, NULL));
	assert_bytes(field, once);
}

static const struct CMUnitTest tests[] = {
	TEST_CRYPTO(the_example_of_rfc_6376_is_good),
	TEST_CRYPTO(the_examples_of_rfc_8463_are_good),
	TEST_CRYPTO(line_ends_of_a_file_do_not_matter),
	TEST_CRYPTO(all_keys_are_asked_for_before_waiting),
	TEST_CRYPTO(a_change_anywhere_is_a_fail),
	TEST_CRYPTO(tags_and_key_records_decide),
	TEST_CRYPTO(the_length_limits_what_is_covered),
	TEST_CRYPTO(weak_sets_of_fields_are_marked),
	TEST_CRYPTO(a_header_with_junk_is_refused),
	TEST_CRYPTO(rsa_keys_in_both_forms),
	TEST_CRYPTO(what_is_over_the_cap_is_told),
	TEST_CRYPTO(a_message_without_signatures_asks_nothing),
	TEST_CRYPTO(what_we_sign_is_good),
	TEST_CRYPTO(the_fields_asked_for_are_signed_in_order),
	TEST_CRYPTO(long_lists_are_folded),
	TEST_CRYPTO(what_cannot_be_signed_is_said),
	TEST_CRYPTO(signing_in_two_steps_is_the_same),
};
UNIT_MAIN(tests)
