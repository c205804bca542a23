/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "base/buf.h"
#include "unit_arena.h"

/* -- Reading ---- */

/* "id/version: method/version=result (comment) reason=<...> type.name=<...> | ...", "!" behind what is malformed. */
static const char *describe(const struct authres *authres)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(100000);
	buf_printf(&out, "%.*s", BYTES_FMT(authres->id));
	if (authres->version > 0)
		buf_printf(&out, "/%u", authres->version);
	buf_add_cstr(&out, authres->malformed ? "!:" : ":");
	for (size_t i = 0; i < authres->n_results; i++) {
		const struct authres_result *result = &authres->results[i];
		buf_printf(&out, "%s %.*s", i ? " |" : "", BYTES_FMT(result->method));
		if (result->version > 0)
			buf_printf(&out, "/%u", result->version);
		buf_printf(&out, "=%.*s%s", BYTES_FMT(result->result), result->malformed ? "!" : "");
		if (result->comment.len > 0)
			buf_printf(&out, " (%.*s)", BYTES_FMT(result->comment));
		if (result->reason.ptr)
			buf_printf(&out, " reason=<%.*s>", BYTES_FMT(result->reason));
		for (size_t j = 0; j < result->n_properties; j++)
			buf_printf(&out, " %.*s.%.*s=<%.*s>", BYTES_FMT(result->properties[j].type),
				   BYTES_FMT(result->properties[j].name), BYTES_FMT(result->properties[j].value));
	}
	return arena_cstr(arena, buf_bytes(&out));
}

static const struct {
	const char *rule, *value, *said;
} values[] = {
	/* -- RFC 8601, appendix B ---- */
	{"B.2: nothing was done", " example.org 1; none", "example.org/1:"},
	{"B.3: one result", " example.com;\r\n          spf=pass smtp.mailfrom=example.net",
	 "example.com: spf=pass smtp.mailfrom=<example.net>"},
	{"B.4: several results, a comment",
	 " example.com;\r\n auth=pass (cleartext) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
	 "example.com: auth=pass (cleartext) smtp.auth=<sender@example.net> | spf=pass smtp.mailfrom=<example.net>"},
	{"B.4: an address", " example.com; iprev=pass policy.iprev=192.0.2.200",
	 "example.com: iprev=pass policy.iprev=<192.0.2.200>"},
	{"B.6: reasons, and a mailbox without local part",
	 " example.com;\r\n\tdkim=pass reason=\"good signature\"\r\n\t header.i=@mail-router.example.net;\r\n"
	 "\tdkim=fail reason=\"bad signature\"\r\n\t header.i=@newyork.example.com",
	 "example.com: dkim=pass reason=<good signature> header.i=<@mail-router.example.net> | "
	 "dkim=fail reason=<bad signature> header.i=<@newyork.example.com>"},
	{"B.7: comments wherever they may stand",
	 " foo.example.net (one) 1 (two);\r\n dkim (three) / 1 (four) = (five) fail\r\n"
	 "  policy (six) . (seven) expired\r\n  (eight) = (nine) 1362471462 (ten)",
	 "foo.example.net/1: dkim/1=fail policy.expired=<1362471462>"},

	/* -- The grammar of 2.2 ---- */
	{"the least value", "a;none", "a:"},
	{"blanks around everything", " a \t 1 ; spf = pass\t;\tdkim=none ", "a/1: spf=pass | dkim=none"},
	{"keywords in any case, values as they are", "Mx.Example; SPF=Pass SMTP.MailFrom=Example.NET",
	 "Mx.Example: spf=pass smtp.mailfrom=<Example.NET>"},
	{"authserv-id may be quoted", "\"a b\" 1; none", "a b/1:"},
	{"a quoted value loses quotes, quoted pairs and folds", "a; x=y reason=\"a \\\"b\\\\ c\r\n d;e(f)\" p.q=\"\"",
	 "a: x=y reason=<a \"b\\ c d;e(f)> p.q=<>"},
	{"a local part keeps the quotes that it needs", "a; spf=pass smtp.mailfrom=\"x y\"@example.com",
	 "a: spf=pass smtp.mailfrom=<\"x y\"@example.com>"},
	{"a local part has what atoms have", "a; spf=pass smtp.mailfrom=b+x=y/z@example.com",
	 "a: spf=pass smtp.mailfrom=<b+x=y/z@example.com>"},
	{"UTF-8 (RFC 8616)", "a; spf=pass smtp.mailfrom=\xc3\xbc@b\xc3\xbc.example header.d=b\xc3\xbc.example",
	 "a: spf=pass smtp.mailfrom=<\xc3\xbc@b\xc3\xbc.example> header.d=<b\xc3\xbc.example>"},
	{"a comment behind the result is kept, nested or not",
	 "a; dmarc=pass (p=reject (a\\)b) dis=none) header.from=b.c",
	 "a: dmarc=pass (p=reject (a)b) dis=none) header.from=<b.c>"},
	{"a comment right behind a value", "a; spf=pass smtp.helo=b(c)smtp.mailfrom=d",
	 "a: spf=pass smtp.helo=<b> smtp.mailfrom=<d>"},
	{"the same method again", "a; dkim=pass header.d=b; dkim=fail header.d=c",
	 "a: dkim=pass header.d=<b> | dkim=fail header.d=<c>"},

	/* -- What is none of it ---- */
	{"nothing", "", "!:"},
	{"only blanks and comments", " (a) (b)", "!:"},
	{"no results", "a", "a!:"},
	{"... after a semicolon", "a;", "a!:"},
	{"a semicolon too many", "a; spf=pass;", "a!: spf=pass"},
	{"... in the middle", "a;; spf=pass;; dkim=pass", "a!: spf=pass | dkim=pass"},
	{"no authserv-id, as some write it", "spf=pass (b) smtp.mailfrom=c; dkim=none",
	 "!: spf=pass (b) smtp.mailfrom=<c> | dkim=none"},
	{"more than a version behind it", "a b; spf=pass", "a!: spf=pass"},
	{"not a token", "a@b; spf=pass", "a@b!: spf=pass"},
	{"none beside others", "a; none; spf=pass", "a!: spf=pass"},
	{"none behind others", "a; spf=pass; none", "a!: spf=pass"},
	{"a method without result", "a; spf; dkim=; =pass; dmarc=pass", "a!: dmarc=pass"},
	{"a property without type", "a; dmarc=fail action=none header.from=b",
	 "a!: dmarc=fail! .action=<none> header.from=<b>"},
	{"a reason behind a property", "a; x=y p.q=z reason=w", "a!: x=y! reason=<w> p.q=<z>"},
	{"two reasons", "a; x=y reason=v reason=w", "a!: x=y! reason=<v> .reason=<w>"},
	{"a value that must be quoted", "a; dkim=pass header.b=Ab/c= header.d=e",
	 "a!: dkim=pass! header.b=<Ab/c=> header.d=<e>"},
	{"an empty value", "a; dkim=pass header.d= header.s=b", "a!: dkim=pass! header.d=<header.s=b>"},
	{"words that are no clauses", "a; dkim=pass junk =x . \"q;\" header.d=b",
	 "a!: dkim=pass! .junk=<x> header.d=<b>"},
	{"a property without name", "a; dkim=pass header.=b header.d=c", "a!: dkim=pass! header.d=<c>"},
	{"a comment that does not end", "a; spf=pass (b; dkim=pass", "a!: spf=pass!"},
	{"a quoted string that does not end", "a; spf=pass reason=\"b; dkim=pass",
	 "a!: spf=pass! reason=<b; dkim=pass>"},
	{"a stray parenthesis", "a; spf=pass ) x.y=z", "a!: spf=pass! x.y=<z>"},
	{"a version that is none", "a; spf/x=pass; dkim/2=pass", "a!: dkim/2=pass"},
	{"bytes that are no UTF-8", "a; x=y p.q=\xff", "a!: x=y! p.q=<\xff>"},
};

static void values_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct authres authres;
		assert_ok(authres_parse(arena, bytes_from_cstr(values[i].value), &authres));
		const char *said = describe(&authres);
		if (strcmp(said, values[i].said) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", values[i].rule, said, values[i].said);
	}
}

static void properties_are_found(void **state)
{
	(void)state;
	struct authres authres;
	assert_ok(authres_parse(arena, BYTES_LIT("a; dkim=pass header.d=b header.d=c policy.d=e"), &authres));
	assert_bytes_str(authres_property(&authres.results[0], BYTES_LIT("header"), BYTES_LIT("d")), "b");
	assert_bytes_str(authres_property(&authres.results[0], BYTES_LIT("policy"), BYTES_LIT("d")), "e");
	assert_null(authres_property(&authres.results[0], BYTES_LIT("smtp"), BYTES_LIT("d")).ptr);
}

static void reading_is_bounded(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf text = BUF_INIT(1000000);
	struct authres authres;
	buf_add_cstr(&text, "a");
	for (size_t i = 0; i < 1000; i++)
		buf_add_cstr(&text, "; x=y");
	for (size_t i = 0; i < 100; i++)
		buf_add_cstr(&text, " p.q=z");
	assert_ok(authres_parse(arena, buf_bytes(&text), &authres));
	assert_int_equal(authres.n_results, AUTHRES_RESULTS_MAX);
	assert_true(authres.malformed);
	buf_clear(&text);
	buf_add_cstr(&text, "a; x=y");
	for (size_t i = 0; i < 100; i++)
		buf_add_cstr(&text, " p.q=z");
	assert_ok(authres_parse(arena, buf_bytes(&text), &authres));
	assert_int_equal(authres.results[0].n_properties, AUTHRES_PROPERTIES_MAX);
	assert_true(authres.results[0].malformed);
	/* Deep nesting is a count. */
	buf_clear(&text);
	for (size_t i = 0; i < 200000; i++)
		buf_add_byte(&text, '(');
	assert_ok(authres_parse(arena, buf_bytes(&text), &authres));
	assert_true(authres.malformed);
}

/* -- Writing ---- */

#define PROPERTY(t, n, v)                                                                                              \
	{                                                                                                              \
		.type = BYTES_INIT(t), .name = BYTES_INIT(n), .value = BYTES_INIT(v)                                   \
	}
#define RESULT(m, r, ...)                                                                                              \
	.method = BYTES_INIT(m), .result = BYTES_INIT(r), .properties = (struct authres_property[]){__VA_ARGS__},      \
	.n_properties = sizeof((struct authres_property[]){__VA_ARGS__}) / sizeof(struct authres_property)

static void what_the_gate_says_is_written(void **state)
{
	(void)state;
	struct authres_result results[] = {
		{RESULT("spf", "pass", PROPERTY("smtp", "mailfrom", "bounce@example.com"))},
		{RESULT("dkim", "pass", PROPERTY("header", "d", "example.com"), PROPERTY("header", "s", "s1"),
			PROPERTY("header", "a", "rsa-sha256"), PROPERTY("header", "i", "@example.com"))},
		{.method = BYTES_INIT("arc"), .result = BYTES_INIT("pass")},
		{.comment = BYTES_INIT("p=reject dis=none"),
		 RESULT("dmarc", "pass", PROPERTY("header", "from", "example.com"))},
	};
	struct authres authres = {
		.id = BYTES_LIT("mx.example.org"), .results = results, .n_results = ARRAY_LEN(results)};
	CLEANUP(buf_done) struct buf out = BUF_INIT(AUTHRES_FIELD_MAX);
	assert_int_equal(authres_write(&out, &authres), 4);
	assert_ok(buf_err(&out));
	assert_bytes_str(buf_bytes(&out),
			 "mx.example.org; spf=pass smtp.mailfrom=bounce@example.com; "
			 "dkim=pass header.d=example.com header.s=s1 header.a=rsa-sha256 header.i=@example.com; "
			 "arc=pass; dmarc=pass (p=reject dis=none) header.from=example.com");
	authres.n_results = 0;
	buf_clear(&out);
	assert_int_equal(authres_write(&out, &authres), 0);
	assert_bytes_str(buf_bytes(&out), "mx.example.org; none");
}

static const struct {
	const char *rule;
	struct bytes value;
	const char *as_property, *as_reason;
} written[] = {
	{"a token", BYTES_INIT("a-b.c_d!"), "a-b.c_d!", "a-b.c_d!"},
	{"nothing", BYTES_INIT(""), "\"\"", NULL},
	{"blanks", BYTES_INIT("a b"), "\"a b\"", "\"a b\""},
	{"specials (RFC 2045 5.1)", BYTES_INIT("2001:db8::1"), "\"2001:db8::1\"", "\"2001:db8::1\""},
	{"base64", BYTES_INIT("ab/c="), "\"ab/c=\"", "\"ab/c=\""},
	{"a mailbox is no token, but a pvalue", BYTES_INIT("a=b/c@d.e"), "a=b/c@d.e", "\"a=b/c@d.e\""},
	{"one without local part", BYTES_INIT("@d.e"), "@d.e", "\"@d.e\""},
	{"one whose local part is quoted", BYTES_INIT("\"a b\"@c"), "\"a b\"@c", "\"\\\"a b\\\"@c\""},
	{"one that is none", BYTES_INIT("a b@c"), "\"a b@c\"", "\"a b@c\""},
	{"a second @", BYTES_INIT("a@b@c"), "\"a@b@c\"", "\"a@b@c\""},
	{"quotes and backslashes", BYTES_INIT("a\"b\\c"), "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
	{"a result smuggled in", BYTES_INIT("a; dkim=pass"), "\"a; dkim=pass\"", "\"a; dkim=pass\""},
	{"a comment smuggled in", BYTES_INIT("a@b(c"), "\"a@b(c\"", "\"a@b(c\""},
	{"a line smuggled in", BYTES_INIT("a\r\nX-B: c"), "\"a??X-B: c\"", "\"a??X-B: c\""},
	{"NUL, DEL and C1", BYTES_INIT("a\0b\x7f\xc2\x85"), "\"a?b??\"", "\"a?b??\""},
	{"UTF-8", BYTES_INIT("\xc3\xbc@b\xc3\xbc.example"), "\xc3\xbc@b\xc3\xbc.example",
	 "\"\xc3\xbc@b\xc3\xbc.example\""},
	{"bytes that are none", BYTES_INIT("a\xff"), "a\xef\xbf\xbd", "a\xef\xbf\xbd"},
};

static void values_are_quoted_where_they_need_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(written); i++) {
		struct authres_property property = {BYTES_LIT("p"), BYTES_LIT("q"), written[i].value};
		struct authres_result result = {.method = BYTES_LIT("m"),
						.result = BYTES_LIT("r"),
						.reason = written[i].value,
						.properties = &property,
						.n_properties = 1};
		struct authres authres = {.id = BYTES_LIT("a"), .results = &result, .n_results = 1}, again;
		CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
		assert_int_equal(authres_write(&out, &authres), 1);
		const char *want = arena_cstr(
			arena, arena_printf(arena, "a; m=r%s%s p.q=%s", written[i].as_reason ? " reason=" : "",
					    written[i].as_reason ? written[i].as_reason : "", written[i].as_property));
		if (!bytes_eq(buf_bytes(&out), bytes_from_cstr(want)))
			fail_msg("%s:\n  got  %.*s\n  want %s", written[i].rule, BYTES_FMT(buf_bytes(&out)), want);
		assert_ok(authres_parse(arena, buf_bytes(&out), &again));
		assert_false(again.malformed);
		assert_int_equal(again.n_results, 1);
		assert_int_equal(again.results[0].n_properties, 1);
	}
}

static void other_parts_are_written(void **state)
{
	(void)state;
	struct authres_property properties[] = {PROPERTY("", "action", "none"), PROPERTY("p", "", "x"),
						PROPERTY("p q", "r", "x"), PROPERTY("p", "q", "x")};
	struct authres_result results[] = {
		{.method = BYTES_INIT("m"),
		 .version = 2,
		 .result = BYTES_INIT("r"),
		 .comment = BYTES_INIT("a) b\\ (c\r\n"),
		 .properties = properties,
		 .n_properties = ARRAY_LEN(properties)},
		{.method = BYTES_INIT("m;x"), .result = BYTES_INIT("r")},
		{.method = BYTES_INIT("m"), .result = BYTES_INIT("")},
	};
	struct authres authres = {.id = BYTES_LIT("a b"), .version = 2, .results = results, .n_results = 3};
	CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
	assert_int_equal(authres_write(&out, &authres), 3);
	assert_bytes_str(buf_bytes(&out), "\"a b\" 2; m/2=r (a\\) b\\\\ \\(c?"
					  "?) p.q=x");
	authres.results = results + 1;
	authres.n_results = 2;
	buf_clear(&out);
	assert_int_equal(authres_write(&out, &authres), 2);
	assert_bytes_str(buf_bytes(&out), "\"a b\" 2; none");
}

static void writing_is_bounded(void **state)
{
	(void)state;
	static uint8_t quotes[100000];
	memset(quotes, '"', sizeof(quotes));
	static struct authres_property properties[100];
	static struct authres_result results[300];
	for (size_t i = 0; i < ARRAY_LEN(properties); i++)
		properties[i] =
			(struct authres_property){BYTES_LIT("p"), BYTES_LIT("q"), bytes_make(quotes, sizeof(quotes))};
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		results[i] = (struct authres_result){.method = BYTES_LIT("m"),
						     .result = BYTES_LIT("r"),
						     .comment = bytes_make(quotes, sizeof(quotes)),
						     .reason = bytes_make(quotes, sizeof(quotes)),
						     .properties = properties,
						     .n_properties = ARRAY_LEN(properties)};
	struct authres authres = {.id = bytes_make(quotes, sizeof(quotes)), .results = results, .n_results = 300},
		       again;
	CLEANUP(buf_done) struct buf out = BUF_INIT(1000000);
	assert_int_equal(authres_write(&out, &authres), 1);
	assert_true(out.len <= AUTHRES_FIELD_MAX);
	assert_ok(authres_parse(arena, buf_bytes(&out), &again));
	assert_false(again.malformed);
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		results[i] = (struct authres_result){.method = BYTES_LIT("m"), .result = BYTES_LIT("r")};
	buf_clear(&out);
	assert_int_equal(authres_write(&out, &authres), AUTHRES_RESULTS_MAX);
	/* A buffer that is smaller than the value. */
	CLEANUP(buf_done) struct buf small = BUF_INIT(1000);
	(void)authres_write(&small, &authres);
	assert_int_equal(buf_err(&small), ERR_LIMIT);
}

/* -- Whose field is it? ---- */

static const struct {
	const char *value;
	bool ours;
} claims[] = {
	/* Well formed (2.2) */
	{" mx.example.org; spf=pass", true},
	{" mx.example.org 1; spf=pass", true},
	{"MX.Example.ORG; none", true},
	{"\r\n\tmx.example.org\r\n\t; none", true},
	{"\"mx.example.org\"; none", true},
	{"(a) mx.example.org (b) 1 (c); none", true},
	{"(a(b)\\)c) mx.example.org; none", true},
	{"mx.example.org", true},
	{"mx.example.org.; none", true},
	{"other.example; none", false},
	{"other.example 1; spf=pass smtp.mailfrom=mx.example.org", false},
	{"other.example; x=y (mx.example.org)", false},
	{"other.example (for mx.example.org); none", false},
	{"other.example; dkim=pass header.d=mx.example.org; mx.example.org=pass", false},
	{"amx.example.org; none", false},
	{"a.mx.example.org; none", false},
	{"mx.example.org.evil.example; none", false},
	{"mx.example.organization; none", false},
	{"example.org; none", false},
	{"mx-example.org; none", false},
	{"", false},
	{"; spf=pass", false},
	/* Malformed: our name where a lenient reader looks for it */
	{"mx.example.org 2 extra; spf=pass", true},
	{"mx.example.org spf=pass", true},
	{"mx.example.org/1; spf=pass", true},
	{"mx.example.org, spf=pass", true},
	{"mx.example.org: spf=pass", true},
	{"mx.example.org\t1 spf=pass; dkim=pass", true},
	{";mx.example.org; spf=pass", true},
	{".mx.example.org; spf=pass", true},
	{"mx.example.org..; spf=pass", true},
	{"a..mx.example.org; spf=pass", false},
	{"\xc2\xa0; mx.example.org; spf=pass", true},
	{" ; ; mx.example.org; spf=pass", true},
	{"(); mx.example.org; spf=pass", true},
	{"<mx.example.org>; spf=pass", true},
	{"[mx.example.org]; spf=pass", true},
	{"'mx.example.org'; spf=pass", true},
	{"=mx.example.org; spf=pass", true},
	{"other.example mx.example.org; spf=pass", true},
	{"\"mx.example.org; spf=pass", true},
	{"\"mx\".\"example.org\"; spf=pass", true},
	{"\"mx\\.example.org\"; spf=pass", true},
	{"mx.example.org\"; spf=pass", true},
	{"\"mx.exam\nple.org\"x; spf=pass", true},
	{"\"mx.exam\\ple.org\"x; spf=pass", true},
	{"(mx.example.org; spf=pass", true},
	{"(a mx.example.org; spf=pass", true},
	{"a) mx.example.org; spf=pass", true},
	{"x=mx.example.org; spf=pass", true},
	{"x=amx.example.org; spf=pass", false},
	/* Comments that readers end in different places */
	{"(a\\) mx.example.org; spf=pass) other.example; none", true},
	{"((a) mx.example.org; spf=pass) other.example; none", true},
	{"(a;(b) mx.example.org; spf=pass) other.example; none", true},
	{"(mx.example.org; spf=pass) other.example; none", true},
	{"(mx.example.org) other.example; none", true},
	{"other.example (\"mx.example.org); none\"; spf=pass", true},
	{"other.example (a;mx.example.org;b); spf=pass", true},
	/* What some readers do not see, or decode */
	{"mx.\x01"
	 "example.org; spf=pass",
	 true},
	{"mx.example.org\xc2\xa0; spf=pass", true},
	{"\xe2\x80\x8bmx.exam\xe2\x80\x8b"
	 "ple.org; spf=pass",
	 true},
	{"\xef\xbd\x8dx.example.org; spf=pass", true},
	{"=?utf-8?q?mx=2Eexample=2Eorg?=; spf=pass", true},
	{"=?utf-8?b?bXguZXhhbXBsZS5vcmc7IHNwZj1wYXNz?=", true},
	{"=?utf-8?q?other=2Eexample?=; spf=pass", false},
};

static void forged_fields_are_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		size_t used = arena_used(arena);
		bool ours = authres_is_ours(arena, bytes_from_cstr(claims[i].value), BYTES_LIT("mx.example.org"));
		if (ours != claims[i].ours)
			fail_msg("%s: got %d", claims[i].value, ours);
		assert_int_equal(arena_used(arena), used);
	}
	assert_true(authres_is_ours(arena, BYTES_LIT("m\0x.example.org; spf=pass"), BYTES_LIT("mx.example.org")));
	assert_true(authres_is_ours(arena,
				    BYTES_LIT("b\xc3\xbc"
					      "cher.example; spf=pass"),
				    BYTES_LIT("xn--bcher-kva.example")));
	assert_true(authres_is_ours(arena, BYTES_LIT("mx.example.org; spf=pass"), BYTES_LIT("mx.example.org.")));
	assert_true(authres_is_ours(arena, BYTES_LIT("gate 1; spf=pass"), BYTES_LIT("gate")));
	assert_false(authres_is_ours(arena, BYTES_LIT("gateway 1; spf=pass"), BYTES_LIT("gate")));
}

static void without_memory_a_field_is_not_trusted(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *small = arena_create(16);
	struct authres authres;
	assert_true(authres_is_ours(small, BYTES_LIT("other.example; spf=pass"), BYTES_LIT("mx.example.org")));
	assert_int_equal(authres_parse(small, BYTES_LIT("a; spf=pass"), &authres), ERR_NOMEM);
}

static const struct CMUnitTest tests[] = {
	TEST(values_are_read),
	TEST(properties_are_found),
	TEST(reading_is_bounded),
	TEST(what_the_gate_says_is_written),
	TEST(values_are_quoted_where_they_need_it),
	TEST(other_parts_are_written),
	TEST(writing_is_bounded),
	TEST(forged_fields_are_known),
	TEST(without_memory_a_field_is_not_trusted),
};
UNIT_MAIN(tests)
