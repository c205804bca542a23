/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc.h"

#include <stdio.h>

#include "auth/arc_text.h"
#include "base/buf.h"
#include "dns_table.h"
#include "fixture.h"
#include "keys.h"

static struct crypto_key *ed25519, *rsa;

#define NOW 1600000000
#define MAIL                                                                                                           \
	"Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=example.com;\r\n"                              \
	"\tdkim=pass header.d=example.com\r\n"                                                                         \
	"From: a@example.com\r\n"                                                                                      \
	"Subject: one\r\n"                                                                                             \
	"\r\n"                                                                                                         \
	"Text\r\n"

static const struct dns_row rows[] = {
	{DNS_TXT, "ed._domainkey.example.net", "v=DKIM1; k=ed25519; p=" PUBLIC_ED25519, 0},
	{DNS_TXT, "rsa._domainkey.example.net", "v=DKIM1; k=rsa; p=" PUBLIC_RSA_2048, 0},
	{DNS_TXT, "late._domainkey.example.net", NULL, 0},
};

static struct arc *check_with(struct bytes raw, bool late)
{
	static struct dns_table table;
	struct canon_message *message;
	struct arc *arc;
	enum auth_step step;
	table = (struct dns_table){.rows = rows, .n_rows = ARRAY_LEN(rows), .arena = arena, .late = late};
	struct dns_host host = dns_table_host(&table);
	assert_ok(canon_message_read(arena, raw, &message));
	assert_ok(arc_begin(message, &(struct arc_options){.now = NOW}, &arc));
	assert_ok(arc_step(arc, &host, &step));
	if (step == AUTH_WAIT) {
		assert_true(late);
		assert_ok(arc_step(arc, &host, &step));
	}
	assert_int_equal(step, AUTH_DONE);
	assert_true(arc->reason.len > 0);
	return arc;
}

static struct arc *check(struct bytes raw)
{
	return check_with(raw, false);
}

static const struct arc_seal_options by_ed25519 = {.domain = BYTES_INIT("example.net"),
						   .selector = BYTES_INIT("ed"),
						   .authserv_id = BYTES_INIT("mx.example.net"),
						   .header = CANON_RELAXED,
						   .body = CANON_RELAXED,
						   .now = NOW};

static struct bytes joined(struct bytes a, struct bytes b)
{
	return arena_printf(arena, "%.*s%.*s", BYTES_FMT(a), BYTES_FMT(b));
}

static struct bytes seal_with(struct bytes raw, const struct arc_seal_options *options, struct crypto_key *key)
{
	struct bytes fields;
	struct error error = {0};
	if (arc_seal(check(raw), key, options, &fields, &error) != ERR_OK)
		fail_msg("%s", error.text);
	return joined(fields, raw);
}

static struct bytes seal(struct bytes raw)
{
	return seal_with(raw, &by_ed25519, ed25519);
}

/* The message with `from` in it replaced, once. */
static struct bytes replaced(struct bytes raw, const char *from, const char *to)
{
	size_t at = bytes_find(raw, bytes_from_cstr(from));
	assert_true(at != BYTES_NONE);
	return joined(bytes_sub(raw, 0, at), joined(bytes_from_cstr(to), bytes_from(raw, at + strlen(from))));
}

static void no_chain_is_none(void **state)
{
	(void)state;
	struct arc *arc = check(BYTES_LIT(MAIL));
	assert_int_equal(arc->result, ARC_NONE);
	assert_int_equal(arc->chain, 0);
}

static void chains_that_we_seal_are_good(void **state)
{
	(void)state;
	static const char *const mails[] = {MAIL,
					    "From: a@example.com\n\nbare\n\n \n",
					    "From: a@example.com\r\n",
					    "Subject: no From\r\n\r\n",
					    "\r\nno header\r\n",
					    ""};
	for (size_t i = 0; i < ARRAY_LEN(mails) * 4; i++) {
		struct bytes raw = bytes_from_cstr(mails[i / 4]);
		struct arc_seal_options options = by_ed25519;
		options.header = i & 1 ? CANON_RELAXED : CANON_SIMPLE;
		options.body = i & 2 ? CANON_RELAXED : CANON_SIMPLE;
		for (unsigned n = 1; n <= 4; n++) {
			options.selector = n % 2 ? BYTES_LIT("ed") : BYTES_LIT("rsa");
			raw = seal_with(raw, &options, n % 2 ? ed25519 : rsa);
			struct arc *arc = check_with(raw, n % 2);
			assert_bytes_str(arc->reason, "the chain is good");
			assert_int_equal(arc->result, ARC_PASS);
			assert_int_equal(arc->chain, n);
			assert_int_equal(arc->oldest_pass, 0);
			assert_bytes_str(arc->sets[n - 1].domain, "example.net");
			assert_bytes_str(arc->sets[n - 1].authserv_id, "mx.example.net");
		}
	}
}

static void a_chain_may_have_50_sets(void **state)
{
	(void)state;
	struct bytes raw = BYTES_LIT(MAIL), fields;
	for (unsigned n = 1; n <= 50; n++)
		raw = seal(raw);
	struct arc *arc = check(raw);
	assert_int_equal(arc->result, ARC_PASS);
	assert_int_equal(arc->chain, 50);
	assert_ok(arc_seal(arc, ed25519, &by_ed25519, &fields, NULL));
	assert_int_equal(fields.len, 0);
	struct bytes more = joined(BYTES_LIT("ARC-Seal: i=51; a=rsa-sha256; cv=pass; d=a; s=b; b=Ym9v\r\n"), raw);
	assert_int_equal(check(more)->result, ARC_FAIL);
	assert_int_equal(check(more)->chain, 50);
}

static const struct {
	const char *rule, *from, *to, *reason;
} broken[] = {
	{"an instance of zero", "ARC-Seal: a=ed25519-sha256;\r\n b=", "ARC-Seal: i=0; a=ed25519-sha256;\r\n b=",
	 "ARC-Seal: a tag is there twice"},
	{"the seal of a set is missing", "ARC-Seal:", "X-Seal:", "ARC-Seal: instance 2 is missing"},
	{"its message signature", "ARC-Message-Signature:", "X:", "ARC-Message-Signature: instance 2 is missing"},
	{"its results", "ARC-Authentication-Results:", "X:", "ARC-Authentication-Results: instance 2 is missing"},
	{"results twice", "ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: i=1;",
	 "ARC-Authentication-Results: instance 1 is there twice"},
	{"results without an instance", "ARC-Authentication-Results: i=2;",
	 "ARC-Authentication-Results:", "ARC-Authentication-Results: it does not begin with an instance from 1 to 50"},
	{"an instance too high", "ARC-Authentication-Results: i=2;", "ARC-Authentication-Results: i=51;",
	 "ARC-Authentication-Results: it does not begin with an instance from 1 to 50"},
	{"cv= that does not fit", "cv=pass", "cv=none", "ARC-Seal: cv= of instance 2 is not \"pass\""},
	{"cv= of the first", "cv=none", "cv=pass", "ARC-Seal: cv= of instance 1 is not \"none\""},
	{"cv= missing", " cv=pass;", "", "ARC-Seal: cv= is missing"},
	{"cv=fail ends all", "cv=pass", "cv=fail", "the newest seal says that the chain failed before"},
	{"a seal with h=", " cv=pass;", " cv=pass; h=from;", "ARC-Seal: a seal may have no h="},
	{"a signature over seals", "h=from:", "h=arc-seal:from:", "ARC-Message-Signature: h= may not hold ARC-Seal"},
	{"a signature that covers nothing", "h=from:", "h=;z=", "ARC-Message-Signature: From is not signed"},
	{"an empty name stands for no field, and is no error",
	 "h=from:", "h=from::", "ARC-Message-Signature: instance 2: the signature is not"},
	{"the newest seal changed", "d=example.net; i=2; s=ed; t=1600000000\r\nARC-Message",
	 "d=example.net; i=2; s=ed; t=1600000001\r\nARC-Message", "ARC-Seal: instance 2: the signature is not"},
	{"the newest signature changed",
	 "h=from:", "h=From:", "ARC-Message-Signature: instance 2: the signature is not"},
	{"results changed", "i=1; mx.example.net; spf=pass", "i=1; mx.example.net; spf=none",
	 "ARC-Seal: instance 2: the signature is not"},
	{"a key that is not there", "s=ed", "s=other", "ARC-Seal: instance 2: no key"},
	{"the body changed", "Text", "text", "ARC-Message-Signature: instance 2: the body was changed"},
	{"a field changed", "Subject: one", "Subject: two", "ARC-Message-Signature: instance 2: the signature is not"},
};

static void what_is_broken_is_a_fail(void **state)
{
	(void)state;
	struct bytes raw = seal(seal(BYTES_LIT(MAIL)));
	assert_int_equal(check(raw)->result, ARC_PASS);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct arc *arc = check(replaced(raw, broken[i].from, broken[i].to));
		if (arc->result != ARC_FAIL || !bytes_starts(arc->reason, bytes_from_cstr(broken[i].reason)))
			print_error("%s: %s (%.*s)\n", broken[i].rule, arc_result_name(arc->result),
				    BYTES_FMT(arc->reason));
		assert_int_equal(arc->result, ARC_FAIL);
		assert_true(bytes_starts(arc->reason, bytes_from_cstr(broken[i].reason)));
		assert_int_equal(arc->chain, 2);
		assert_false(arc->temporary);
	}
}

static void the_order_of_fields_does_not_matter(void **state)
{
	(void)state;
	struct bytes raw = seal(seal(BYTES_LIT(MAIL))), lines[100], rest = raw;
	size_t n = 0, mail = bytes_find(raw, BYTES_LIT("Authentication-Results: mx"));
	/* The six fields, the last of them first. */
	for (size_t at = 0; at < raw.len; at++)
		if ((at == 0 || raw.ptr[at - 1] == '\n') && bytes_starts(bytes_from(raw, at), BYTES_LIT("ARC-"))) {
			if (n > 0)
				lines[n - 1].len = (size_t)(raw.ptr + at - lines[n - 1].ptr);
			lines[n++] = bytes_from(raw, at);
		}
	assert_int_equal(n, 6);
	mail = bytes_find(raw, BYTES_LIT("\nAuthentication-Results: mx")) + 1;
	lines[5].len = (size_t)(raw.ptr + mail - lines[5].ptr);
	rest = bytes_from(raw, mail);
	for (size_t i = 0; i < n; i++)
		rest = joined(lines[i], rest);
	assert_int_equal(rest.len, raw.len);
	assert_int_equal(check(rest)->result, ARC_PASS);
}

static void the_oldest_pass_is_told(void **state)
{
	(void)state;
	struct bytes changed = replaced(seal(seal(BYTES_LIT(MAIL))), "Text", "Text and a footer");
	struct arc *arc = check(changed);
	assert_int_equal(arc->result, ARC_FAIL);
	/* A list changes the text, but checks before it does so: its seal says pass, over what it made of it. */
	struct bytes list;
	struct arc *before = check(seal(seal(BYTES_LIT(MAIL))));
	struct canon_message *message;
	assert_ok(canon_message_read(arena, changed, &message));
	before->message = message;
	assert_ok(arc_seal(before, ed25519, &by_ed25519, &list, NULL));
	arc = check(joined(list, changed));
	assert_int_equal(arc->result, ARC_PASS);
	assert_int_equal(arc->chain, 3);
	assert_int_equal(arc->oldest_pass, 3);
	assert_int_equal(check(seal(joined(list, changed)))->oldest_pass, 3);
}

static void a_failed_chain_is_sealed_once(void **state)
{
	(void)state;
	struct bytes changed = replaced(seal(BYTES_LIT(MAIL)), "Subject: one", "Subject: two"), fields;
	struct bytes sealed = seal(changed);
	assert_true(bytes_find(sealed, BYTES_LIT("cv=fail;")) != BYTES_NONE);
	struct arc *arc = check(sealed);
	assert_int_equal(arc->result, ARC_FAIL);
	assert_int_equal(arc->chain, 2);
	assert_true(arc->sealed_fail);
	assert_ok(arc_seal(arc, ed25519, &by_ed25519, &fields, NULL));
	assert_int_equal(fields.len, 0);
}

static void a_key_that_cannot_be_had_now_is_told(void **state)
{
	(void)state;
	struct arc_seal_options options = by_ed25519;
	options.selector = BYTES_LIT("late");
	struct arc *arc = check(seal_with(BYTES_LIT(MAIL), &options, ed25519));
	struct bytes fields;
	assert_int_equal(arc->result, ARC_FAIL);
	assert_true(arc->temporary);
	assert_int_equal(arc_seal(arc, ed25519, &by_ed25519, &fields, NULL), ERR_AGAIN);
}

static void our_results_are_taken_over_in_order(void **state)
{
	(void)state;
	static const struct {
		const char *mail, *text;
	} cases[] = {
		{"From: a@b.example\r\n\r\n", "mx.example.net; none"},
		{"Authentication-Results: mx.example.net; none\r\nFrom: a@b.example\r\n\r\n", "mx.example.net; none"},
		{"Authentication-Results: other.example; spf=pass\r\nFrom: a@b.example\r\n\r\n",
		 "mx.example.net; none"},
		{"Authentication-Results: (hi; there) MX.example.net 1;\r\n\tspf=pass (a;b)\r\n "
		 "smtp.mailfrom=\"x;y\"@z ;\r\n"
		 "Authentication-Results: other.example; dmarc=pass\r\n"
		 "Authentication-Results: mx.example.net; arc=none;;\r\n"
		 "From: a@b.example\r\n\r\n",
		 "mx.example.net; spf=pass (a;b) smtp.mailfrom=\"x;y\"@z; arc=none"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf unfolded = BUF_INIT(10000);
		struct arc *arc = check(seal(bytes_from_cstr(cases[i].mail)));
		assert_int_equal(arc->result, ARC_PASS);
		for (size_t j = 0; j < arc->sets[0].text.len; j++)
			if (arc->sets[0].text.ptr[j] != '\r' && arc->sets[0].text.ptr[j] != '\n')
				buf_add_byte(&unfolded, arc->sets[0].text.ptr[j]);
		assert_bytes_str(buf_bytes(&unfolded), cases[i].text);
	}
}

static void lines_stay_short(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(100000);
	buf_add_cstr(&buf, "Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=");
	for (size_t i = 0; i < 3000; i++)
		buf_add_byte(&buf, 'a');
	buf_add_cstr(&buf, "\r\nAuthentication-Results: mx.example.net;");
	for (size_t i = 0; i < 300; i++)
		buf_add_cstr(&buf, " dkim=pass header.d=example.com;");
	buf_add_cstr(&buf, "\r\nFrom: a@example.com\r\n\r\n");
	struct bytes raw = seal(buf_bytes(&buf)), line;
	assert_int_equal(check(raw)->result, ARC_PASS);
	struct bytes fields = bytes_sub(raw, 0, raw.len - buf.len);
	while (bytes_split(&fields, '\n', &line))
		assert_true(line.len <= 200);
}

static void what_cannot_be_sealed_is_said(void **state)
{
	(void)state;
	static const struct bytes seals[] = {BYTES_INIT("arc-seal")},
				  results[] = {BYTES_INIT("Authentication-Results")};
	static const struct arc_seal_options cases[] = {
		{.domain = BYTES_INIT("a b"), .selector = BYTES_INIT("s"), .authserv_id = BYTES_INIT("mx")},
		{.domain = BYTES_INIT("a"), .selector = BYTES_INIT(";"), .authserv_id = BYTES_INIT("mx")},
		{.domain = BYTES_INIT("a"), .selector = BYTES_INIT("s"), .authserv_id = BYTES_INIT("")},
		{.domain = BYTES_INIT("a"), .selector = BYTES_INIT("s"), .authserv_id = BYTES_INIT("mx; spf=pass")},
		{.domain = BYTES_INIT("a"), .selector = BYTES_INIT("s"), .authserv_id = BYTES_INIT("mx"), .now = -1},
		{.domain = BYTES_INIT("a"),
		 .selector = BYTES_INIT("s"),
		 .authserv_id = BYTES_INIT("mx"),
		 .names = seals,
		 .n_names = 1},
		{.domain = BYTES_INIT("a"),
		 .selector = BYTES_INIT("s"),
		 .authserv_id = BYTES_INIT("mx"),
		 .names = results,
		 .n_names = 1},
	};
	struct arc *arc = check(BYTES_LIT(MAIL));
	struct bytes fields;
	struct error error;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(arc_seal(arc, ed25519, &cases[i], &fields, &error), ERR_SYNTAX);
		assert_true(error.text[0] != '\0');
	}
}

static void instances_are_read_behind_comments(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		unsigned instance;
		const char *rest;
	} cases[] = {
		{" i=1; a.example; none", 1, "a.example; none"},
		{"\r\n\t(a (b\\) c) d) i (x) = (y) 50 (z) ; rest", 50, "rest"},
		{" i=01; a", 1, "a"},
		{" i=1 a", 0, ""},
		{" i=; a", 0, ""},
		{" i=001; a", 0, ""},
		{" I=1; a", 0, ""},
		{" (i=1; a", 0, ""},
		{"", 0, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes rest;
		assert_int_equal(arc_text_instance(bytes_from_cstr(cases[i].value), &rest), cases[i].instance);
		if (cases[i].instance)
			assert_bytes_str(rest, cases[i].rest);
	}
}

static int setup(void **state)
{
	struct error error;
	if (crypto_begin(state) != 0 || crypto_key_read_pem(BYTES_LIT(KEY_ED25519), &ed25519, &error) != ERR_OK ||
	    crypto_key_read_pem(BYTES_LIT(KEY_RSA_2048), &rsa, &error) != ERR_OK)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	crypto_key_free(&ed25519);
	crypto_key_free(&rsa);
	return unit_arena_end(state);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(no_chain_is_none, setup, teardown),
	cmocka_unit_test_setup_teardown(chains_that_we_seal_are_good, setup, teardown),
	cmocka_unit_test_setup_teardown(a_chain_may_have_50_sets, setup, teardown),
	cmocka_unit_test_setup_teardown(what_is_broken_is_a_fail, setup, teardown),
	cmocka_unit_test_setup_teardown(the_order_of_fields_does_not_matter, setup, teardown),
	cmocka_unit_test_setup_teardown(the_oldest_pass_is_told, setup, teardown),
	cmocka_unit_test_setup_teardown(a_failed_chain_is_sealed_once, setup, teardown),
	cmocka_unit_test_setup_teardown(a_key_that_cannot_be_had_now_is_told, setup, teardown),
	cmocka_unit_test_setup_teardown(our_results_are_taken_over_in_order, setup, teardown),
	cmocka_unit_test_setup_teardown(lines_stay_short, setup, teardown),
	cmocka_unit_test_setup_teardown(what_cannot_be_sealed_is_said, setup, teardown),
	cmocka_unit_test_setup_teardown(instances_are_read_behind_comments, setup, teardown),
};
UNIT_MAIN(tests)
