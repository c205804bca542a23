/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf.h"

#include <arpa/inet.h>

#include "auth/spf_macro.h"
#include "unit_arena.h"

#include "dns_table.h"

static void ip_of(const char *text, uint8_t ip[16])
{
	memcpy(ip, (const uint8_t[16]){[10] = 0xff, [11] = 0xff}, 16);
	bool v6 = bytes_has(bytes_from_cstr(text), ':');
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, v6 ? ip : ip + 12), 1);
}

/* -- Records ---- */

static void a_record_of_spf_begins_with_its_version(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is;
	} cases[] = {
		{"v=spf1", true},        {"v=spf1 -all", true},   {"V=SpF1 -all", true},
		{"v=spf10", false},      {"v=spf1\t-all", false}, {"v=spf2.0/pra", false},
		{" v=spf1 -all", false}, {"v=spf", false},        {"", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(spf_record_is(bytes_from_cstr(cases[i].text)), cases[i].is);
}

static void errors_are_at_their_byte(void **state)
{
	(void)state;
	static const struct {
		const char *before, *bad; /* the record is both; the error is at the first byte of `bad` */
		const char *text;
	} cases[] = {
		{"v=spf1 ip4:192.0.2.0/24 ", "moo", "no such mechanism"},
		{"v=spf1 -", "all.", "no such mechanism"},
		{"v=spf1 ", "1up=foo", "neither a mechanism nor a modifier"},
		{"v=spf1 ", "=all", "neither a mechanism nor a modifier"},
		{"v=spf1 -", "", "neither a mechanism nor a modifier"},
		{"v=spf1 ", "-exp=a.example", "a modifier has no qualifier"},
		{"v=spf1 -all", ":x", "nothing may follow \"all\""},
		{"v=spf1 include", "", "a colon and a domain have to follow"},
		{"v=spf1 exists", "/24", "a colon and a domain have to follow"},
		{"v=spf1 ptr", "/24", "a colon and a domain have to follow"},
		{"v=spf1 include:", " -all", "a domain is missing"},
		{"v=spf1 a:", "museum", "a domain has at least two labels"},
		{"v=spf1 a:%{d.}", "com", "a domain has at least two labels"},
		{"v=spf1 a:www.", "123", "not a top label: letters, digits and inner dashes, not digits alone"},
		{"v=spf1 a:www.", "-com", "not a top label: letters, digits and inner dashes, not digits alone"},
		{"v=spf1 a:www.", "com-", "not a top label: letters, digits and inner dashes, not digits alone"},
		{"v=spf1 a:example.", "com/", "not a top label: letters, digits and inner dashes, not digits alone"},
		{"v=spf1 a:example..", ".", "not a top label: letters, digits and inner dashes, not digits alone"},
		{"v=spf1 include:_spf.", "example/24",
		 "not a top label: letters, digits and inner dashes, not digits alone"},
		{"v=spf1 a:", "192.0.2.1", "an address where a name belongs: ip4: is for addresses"},
		{"v=spf1 mx:", "2001:db8::1", "an address where a name belongs: ip6: is for addresses"},
		{"v=spf1 a/", "33", "a prefix length of IPv4 is a number from 0 to 32"},
		{"v=spf1 a/", "032", "a prefix length of IPv4 is a number from 0 to 32"},
		{"v=spf1 a//", "129", "a prefix length of IPv6 is a number from 0 to 128"},
		{"v=spf1 a", "/24/24", "neither a colon nor a prefix length"},
		{"v=spf1 a", "/", "neither a colon nor a prefix length"},
		{"v=spf1 a", "///24", "neither a colon nor a prefix length"},
		{"v=spf1 mx", "//24//24", "neither a colon nor a prefix length"},
		{"v=spf1 ip4", "/24", "a colon and an address have to follow"},
		{"v=spf1 ip4:", "192.0.2", "not an IPv4 address"},
		{"v=spf1 ip4:", "192.0.2.01", "not an IPv4 address"},
		{"v=spf1 ip4:", "2001:db8::1", "not an IPv4 address"},
		{"v=spf1 ip4:192.0.2.0/", "", "a prefix length of IPv4 is a number from 0 to 32"},
		{"v=spf1 ip4:192.0.2.0/", "+8", "a prefix length of IPv4 is a number from 0 to 32"},
		{"v=spf1 ip4:192.0.2.0/", "18446744073709551624", "a prefix length of IPv4 is a number from 0 to 32"},
		{"v=spf1 ip6:", "192.0.2.1", "not an IPv6 address"},
		{"v=spf1 ip6:", "2001:db8::1::", "not an IPv6 address"},
		{"v=spf1 ip6:2001:db8::/", "/32", "a prefix length of IPv6 is a number from 0 to 128"},
		{"v=spf1 a:ex", "\x01mple.com", "a byte that may not stand in a record"},
		{"v=spf1 a", "\t-all", "a byte that may not stand in a record"},
		{"v=spf1 a:b",
		 "\xc3\xbc"
		 "cher.example",
		 "a byte that may not stand in a record"},
		{"v=spf1 exists:", "%(ir).example", "a percent sign that begins no macro"},
		{"v=spf1 exists:a.", "%", "a percent sign that begins no macro"},
		{"v=spf1 exists:%{", "x}.example", "no such macro letter"},
		{"v=spf1 exists:%{", "", "no such macro letter"},
		{"v=spf1 exists:%{d", "0}.example", "a macro keeps at least one part"},
		{"v=spf1 exists:%{d2r", "2}", "neither a delimiter nor the end of a macro"},
		{"v=spf1 exists:", "%{d", "a macro without its closing brace"},
		{"v=spf1 exists:a.", "%{c}.example", "%{c} is for explanations only"},
		{"v=spf1 -all exp=", "%{T}.example", "%{t} is for explanations only"},
		{"v=spf1 foo=", "%abc", "a percent sign that begins no macro"},
		{"v=spf1 redirect=", "", "a domain is missing"},
		{"v=spf1 redirect=", "-all", "a domain has at least two labels"},
		{"v=spf1 redirect=a.example ", "REDIRECT=b.example", "a second \"redirect\" (RFC 7208 6)"},
		{"v=spf1 exp=a.example -all ", "exp=a.example", "a second \"exp\" (RFC 7208 6)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spf_record record;
		struct error error = {0};
		struct bytes text = arena_printf(arena, "%s%s", cases[i].before, cases[i].bad);
		assert_true(spf_record_is(text));
		if (spf_record_parse(text, &record, &error) != ERR_SYNTAX || error.at != strlen(cases[i].before))
			print_error("%.*s: byte %zu: %s\n", BYTES_FMT(text), error.at, error.text);
		assert_int_equal(spf_record_parse(text, &record, &error), ERR_SYNTAX);
		assert_int_equal(error.at, strlen(cases[i].before));
		assert_string_equal(error.text, cases[i].text);
	}
}

static void good_records_are_read_whole(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned terms, lookups;
		bool all;
	} cases[] = {
		{"v=spf1", 0, 0, false},
		{"v=spf1   ", 0, 0, false},
		{"v=spf1  a   -all  ", 2, 1, true},
		{"v=spf1 A MX PTR IP4:192.0.2.0/0 IP6:::/0 EXISTS:%{I}.a.b Include:a.b ALL", 8, 5, true},
		{"v=spf1 a:foo:bar/baz.example.com", 1, 1, false},
		{"v=spf1 a:example.com./24//64 mx//0 mx/0", 3, 3, false},
		{"v=spf1 a:.com a:a.1-2 a:a.xn--zckzah a:%{d}/24", 4, 4, false},
		{"v=spf1 exists:%%.%{l} exists:%{d}%-", 2, 2, false},
		{"v=spf1 exists:%{d999999999999999999999r.-+,/_=}", 1, 1, false},
		{"v=spf1 moo.cow-far_out=man:dog/cat foo= x=%{t}%_ redirect=a.example. exp=%{d}", 5, 1, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spf_record record;
		struct error error = {0};
		if (spf_record_parse(bytes_from_cstr(cases[i].text), &record, &error) != ERR_OK)
			print_error("%s: byte %zu: %s\n", cases[i].text, error.at, error.text);
		assert_ok(spf_record_parse(bytes_from_cstr(cases[i].text), &record, &error));
		assert_int_equal(record.terms, cases[i].terms);
		assert_int_equal(record.lookups, cases[i].lookups);
		assert_int_equal(record.all, cases[i].all);
	}
}

static void a_term_keeps_what_was_written(void **state)
{
	(void)state;
	struct bytes record = BYTES_LIT("v=spf1 ~mx:mail.example/24//64 ?ip6:2001:db8::/32");
	struct spf_term term;
	size_t at = 0;
	assert_ok(spf_term_next(record, &at, &term, NULL));
	assert_int_equal(term.kind, SPF_MX);
	assert_int_equal(term.qualifier, SPF_SOFTFAIL);
	assert_int_equal(term.at, 7);
	assert_bytes_str(term.text, "~mx:mail.example/24//64");
	assert_bytes_str(term.domain, "mail.example");
	assert_int_equal(term.bits4, 24);
	assert_int_equal(term.bits6, 64);
	assert_ok(spf_term_next(record, &at, &term, NULL));
	assert_int_equal(term.kind, SPF_IP6);
	assert_int_equal(term.qualifier, SPF_NEUTRAL);
	assert_int_equal(term.bits6, 32);
	assert_int_equal(term.ip[1], 1);
	assert_ok(spf_term_next(record, &at, &term, NULL));
	assert_int_equal(term.kind, SPF_END);
	assert_int_equal(at, record.len);
}

static void a_term_has_at_most_128_macros(void **state)
{
	(void)state;
	char text[16 + 4 * (SPF_MACROS_MAX + 1)] = "v=spf1 exists:";
	size_t len = strlen(text);
	for (size_t i = 0; i < SPF_MACROS_MAX; i++, len += 4)
		memcpy(text + len, "%{d}", 4);
	struct spf_record record;
	struct error error;
	assert_ok(spf_record_parse(bytes_make(text, len), &record, &error));
	memcpy(text + len, "%{d}", 4);
	assert_int_equal(spf_record_parse(bytes_make(text, len + 4), &record, &error), ERR_SYNTAX);
	assert_int_equal(error.at, len);
}

/* -- Macros ---- */

static struct spf_values values(const uint8_t ip[16])
{
	return (struct spf_values){
		.ip = ip,
		.sender = BYTES_LIT("strong-bad@email.example.com"),
		.local = BYTES_LIT("strong-bad"),
		.sender_domain = BYTES_LIT("email.example.com"),
		.domain = BYTES_LIT("email.example.com"),
		.validated = BYTES_LIT("mx.example.org"),
		.helo = BYTES_LIT("we+ird/~_."),
		.receiver = BYTES_LIT(""),
		.now = 1735689600,
	};
}

static void names_expand_as_rfc_7208_7_4_shows(void **state)
{
	(void)state;
	static const struct {
		const char *ip, *spec, *name;
	} cases[] = {
		{"192.0.2.3", "%{s}", "strong-bad@email.example.com"},
		{"192.0.2.3", "%{o}", "email.example.com"},
		{"192.0.2.3", "%{d}", "email.example.com"},
		{"192.0.2.3", "%{d4}", "email.example.com"},
		{"192.0.2.3", "%{d3}", "email.example.com"},
		{"192.0.2.3", "%{d2}", "example.com"},
		{"192.0.2.3", "%{d1}", "com"},
		{"192.0.2.3", "%{dr}", "com.example.email"},
		{"192.0.2.3", "%{d2r}", "example.email"},
		{"192.0.2.3", "%{l}", "strong-bad"},
		{"192.0.2.3", "%{l-}", "strong.bad"},
		{"192.0.2.3", "%{lr}", "strong-bad"},
		{"192.0.2.3", "%{lr-}", "bad.strong"},
		{"192.0.2.3", "%{l1r-}", "strong"},
		{"192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{"192.0.2.3", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"192.0.2.3", "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{"2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
		 "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com"},
		{"192.0.2.3", "%{p}.a%%b%_c%-d.example.", "mx.example.org.a%b c%20d.example"},
		{"192.0.2.3", "%{H}.example", "we%2Bird%2F~_..example"},
		{"192.0.2.3", "%{h+/_}.example", "we.ird.~...example"},
		{"192.0.2.3", "%{H2r+/_}.example", "ird.we.example"},
		{"192.0.2.3", "%{hr+/_.}.example", "..~.ird.we.example"},
		{"192.0.2.3", "plain.example.", "plain.example"},
		{"192.0.2.3", "", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t ip[16];
		struct bytes name;
		ip_of(cases[i].ip, ip);
		struct spf_values known = values(ip);
		assert_ok(spf_macro_name(arena, bytes_from_cstr(cases[i].spec), &known, &name));
		assert_bytes_str(name, cases[i].name);
	}
}

static void a_long_name_loses_labels_at_its_left(void **state)
{
	(void)state;
	uint8_t ip[16];
	ip_of("192.0.2.3", ip);
	struct spf_values known = values(ip);
	struct bytes name;
	char spec[600] = "";
	/* 14 times 18 bytes and "com" are 255: the first label has to go. */
	for (size_t i = 0; i < 14; i++)
		memcpy(spec + 5 * i, "%{d}.", 5);
	memcpy(spec + 70, "com", 4);
	assert_ok(spf_macro_name(arena, bytes_from_cstr(spec), &known, &name));
	assert_int_equal(name.len, 255 - strlen("email."));
	assert_true(bytes_starts(name, BYTES_LIT("example.com.email.")));
	/* As many as a term may have: the end is right whatever was pushed out. */
	for (size_t i = 0; i < 100; i++)
		memcpy(spec + 5 * i, "%{d}.", 5);
	memcpy(spec + 500, "com", 4);
	assert_ok(spf_macro_name(arena, bytes_from_cstr(spec), &known, &name));
	assert_int_equal(name.len, 255 - strlen("email."));
	assert_true(bytes_starts(name, BYTES_LIT("example.com.email.")) &&
		    bytes_ends(name, BYTES_LIT(".example.com.com")));
	/* One label alone is no name, and is not cut into one. */
	uint8_t label[400];
	memset(label, 'x', sizeof(label));
	known.local = bytes_make(label, sizeof(label));
	assert_ok(spf_macro_name(arena, BYTES_LIT("%{l}"), &known, &name));
	assert_int_equal(name.len, 400);
	assert_ok(spf_macro_name(arena, BYTES_LIT("%{l}.example"), &known, &name));
	assert_bytes_str(name, "example");
}

static void explanations_are_printable_ascii_or_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"See http://example/?s=%{S}&ip=%{C}&r=%{r}.", "See http://example/?s=strong-bad%40email.example.com"
							       "&ip=2001%3Adb8%3A%3Acb01&r=unknown."},
		{"%{c} at %{t} by %{h}", "2001:db8::cb01 at 1735689600 by we+ird/~_."},
		{"", ""},
		{"The %{x}-files", ""},
		{"50% off", ""},
		{"\xef\xbb\xbfText", ""},
		{"two\nlines", ""},
	};
	uint8_t ip[16];
	ip_of("2001:db8::cb01", ip);
	struct spf_values known = values(ip);
	struct bytes text;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_ok(spf_macro_explain(arena, bytes_from_cstr(cases[i].text), &known, &text));
		assert_bytes_str(text, cases[i].want);
	}
	known.helo = BYTES_LIT("a\r\nX: y");
	assert_ok(spf_macro_explain(arena, BYTES_LIT("by %{h}"), &known, &text));
	assert_bytes_str(text, "");
	assert_ok(spf_macro_explain(arena, BYTES_LIT("by %{H}"), &known, &text));
	assert_bytes_str(text, "by a%0D%0AX%3A%20y");
	uint8_t big[SPF_EXPLANATION_MAX + 1];
	memset(big, 'x', sizeof(big));
	assert_ok(spf_macro_explain(arena, bytes_make(big, SPF_EXPLANATION_MAX), &known, &text));
	assert_int_equal(text.len, SPF_EXPLANATION_MAX);
	assert_ok(spf_macro_explain(arena, bytes_make(big, sizeof(big)), &known, &text));
	assert_bytes_str(text, "");
}

/* -- Checks ---- */

static const struct dns_row world[] = {
	{DNS_TXT, "plain.example", "some other text", 0},
	{DNS_TXT, "plain.example", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all", 0},
	{DNS_TXT, "two.example", "v=spf1 +all", 0},
	{DNS_TXT, "two.example", "v=spf1 -all", 0},
	{DNS_TXT, "slow.example", NULL, 0},
	{DNS_TXT, "wrong.example", "v=spf1 +all ip4:192.0.2.300", 0},
	{DNS_TXT, "none.example", "nothing of SPF", 0},
	{DNS_TXT, "empty.example", "v=spf1", 0},

	{DNS_TXT, "outer.example", "v=spf1 include:middle.example -all", 0},
	{DNS_TXT, "middle.example", "v=spf1 ?include:plain.example redirect=inner.example", 0},
	{DNS_TXT, "inner.example", "v=spf1 a:host.example exp=ignored.example -all", 0},
	{DNS_TXT, "ignored.example", "not to be seen", 0},
	{DNS_A, "host.example", "198.51.100.7", 0},
	{DNS_AAAA, "host.example", "2001:db8:ffff:0:0:0:0:7", 0},
	{DNS_TXT, "includes-none.example", "v=spf1 include:none.example -all", 0},
	{DNS_TXT, "includes-wrong.example", "v=spf1 include:wrong.example -all", 0},
	{DNS_TXT, "includes-slow.example", "v=spf1 ip4:192.0.2.1 include:slow.example -all", 0},
	{DNS_TXT, "redirects-none.example", "v=spf1 redirect=nowhere.example", 0},
	{DNS_TXT, "redirects-all.example", "v=spf1 redirect=nowhere.example ?all", 0},
	{DNS_TXT, "redirects-label.example", "v=spf1 redirect=%{d1}", 0},
	{DNS_TXT, "explains.example", "v=spf1 redirect=explained.example exp=ignored.example", 0},
	{DNS_TXT, "explained.example", "v=spf1 include:inner.example -all exp=why.%{o}", 0},
	{DNS_TXT, "why.explains.example", "%{i} is no host of %{d}, says %{r}", 0},

	{DNS_TXT, "mx.example", "v=spf1 mx/31 -all", 0},
	{DNS_MX, "mx.example", "c.mx.example", 30},
	{DNS_MX, "mx.example", "a.mx.example", 10},
	{DNS_MX, "mx.example", "", 0},
	{DNS_MX, "mx.example", "b.mx.example", 20},
	{DNS_A, "a.mx.example", "192.0.2.10", 0},
	{DNS_A, "b.mx.example", "192.0.2.20", 0},
	{DNS_A, "c.mx.example", NULL, 0},
	{DNS_TXT, "nullmx.example", "v=spf1 mx -all", 0},
	{DNS_MX, "nullmx.example", "", 0},

	{DNS_TXT, "many.example", "v=spf1 mx -all", 0},
	{DNS_MX, "many.example", "m11.example", 11},
	{DNS_MX, "many.example", "m10.example", 10},
	{DNS_MX, "many.example", "m9.example", 9},
	{DNS_MX, "many.example", "m8.example", 8},
	{DNS_MX, "many.example", "m7.example", 7},
	{DNS_MX, "many.example", "m6.example", 6},
	{DNS_MX, "many.example", "m5.example", 5},
	{DNS_MX, "many.example", "m4.example", 4},
	{DNS_MX, "many.example", "m3.example", 3},
	{DNS_MX, "many.example", "m2.example", 2},
	{DNS_MX, "many.example", "m1.example", 1},
	{DNS_A, "m11.example", "192.0.2.111", 0},
	{DNS_A, "m10.example", "192.0.2.110", 0},

	{DNS_TXT, "ptr.example", "v=spf1 ptr -all", 0},
	{DNS_TXT, "ptr2.example", "v=spf1 -exists:%{p}.deny.example ptr:Ptr.Example -all", 0},
	{DNS_PTR, "5.100.51.198.in-addr.arpa", "notptr.example", 0},
	{DNS_PTR, "5.100.51.198.in-addr.arpa", "a.slow.example", 0},
	{DNS_PTR, "5.100.51.198.in-addr.arpa", "host.PTR.example", 0},
	{DNS_A, "notptr.example", "198.51.100.5", 0},
	{DNS_A, "a.slow.example", NULL, 0},
	{DNS_A, "host.ptr.example", "198.51.100.5", 0},
	{DNS_PTR, "6.100.51.198.in-addr.arpa", NULL, 0},

	{DNS_TXT, "pmac.example", "v=spf1 exists:%{p}.ok.example -all exp=%{p}.why.example", 0},
	{DNS_PTR, "8.100.51.198.in-addr.arpa", "z.example", 0},
	{DNS_PTR, "8.100.51.198.in-addr.arpa", "b.pmac.example", 0},
	{DNS_PTR, "8.100.51.198.in-addr.arpa", "PMAC.example", 0},
	{DNS_PTR, "9.100.51.198.in-addr.arpa", "z.example", 0},
	{DNS_PTR, "9.100.51.198.in-addr.arpa", "a.pmac.example", 0},
	{DNS_PTR, "9.100.51.198.in-addr.arpa", "b.pmac.example", 0},
	{DNS_PTR, "10.100.51.198.in-addr.arpa", "z.example", 0},
	{DNS_A, "z.example", "198.51.100.8", 0},
	{DNS_A, "z.example", "198.51.100.9", 0},
	{DNS_A, "z.example", "198.51.100.10", 0},
	{DNS_A, "a.pmac.example", "198.51.100.9", 0},
	{DNS_A, "b.pmac.example", "198.51.100.8", 0},
	{DNS_A, "b.pmac.example", "198.51.100.9", 0},
	{DNS_A, "pmac.example", "198.51.100.8", 0},
	{DNS_A, "pmac.example.ok.example", "127.0.0.2", 0},
	{DNS_A, "a.pmac.example.ok.example", "127.0.0.2", 0},
	{DNS_TXT, "z.example.why.example", "%{p} of %{i}", 0},
	{DNS_TXT, "unknown.why.example", "%{p}", 0},
	{DNS_TXT, "pexp.example", "v=spf1 -all exp=%{p}.why.example", 0},
	{DNS_TXT, "fails-mx.example", "v=spf1 -mx:slow.example", 0},
	{DNS_MX, "slow.example", NULL, 0},

	{DNS_TXT, "void.example", "v=spf1 a:no1.example exists:no2.example -all exp=no3.example", 0},
	{DNS_TXT, "void3.example", "v=spf1 a:no1.example mx:no2.example exists:host.example exists:no3.example -all",
	 0},
	{DNS_TXT, "void4.example", "v=spf1 a:no1.example mx:no2.example exists:no3.example +all", 0},
	{DNS_TXT, "ten.example", "v=spf1 a a a a a include:nine.example -all", 0},
	{DNS_TXT, "nine.example", "v=spf1 a:host.example a:host.example a:host.example a:host.example", 0},
	{DNS_A, "ten.example", "192.0.2.99", 0},
	{DNS_TXT, "eleven.example", "v=spf1 a a a a a a include:nine.example -all", 0},
	{DNS_A, "eleven.example", "192.0.2.99", 0},
	{DNS_TXT, "loop.example", "v=spf1 include:loop.example", 0},
	{DNS_TXT, "round.example", "v=spf1 redirect=round.example", 0},
	{DNS_TXT, "helo.example", "v=spf1 exists:%{l}.%{h}", 0},
	{DNS_A, "postmaster.helo.example", "127.0.0.2", 0},
	{DNS_TXT, "user.example", "v=spf1 -exists:%{l}.user.example +exists:%{s}.deny.example ?all", 0},
	{DNS_A, "b\xc3\xb6se.user.example", "127.0.0.2", 0},
	{DNS_TXT, "xn--bcher-kva.example", "v=spf1 exists:%{d}.%{o}", 0},
	{DNS_A, "xn--bcher-kva.example.xn--bcher-kva.example", "127.0.0.2", 0},
	{DNS_TXT, "fails-a.example", "v=spf1 a:a.slow.example +all", 0},
	{DNS_TXT, "dots.example", "v=spf1 a:a..example a:.example -all", 0},
};

static const struct {
	const char *rule;
	const char *ip, *helo, *from;
	enum spf_code code;
	const char *mechanism, *explanation, *problem;
	unsigned lookups, void_lookups;
} checks[] = {
	{"the record among other texts decides", "192.0.2.77", "h.example", "u@plain.example", SPF_PASS,
	 "ip4:192.0.2.0/24", "", "", 0, 0},
	{"IPv6 by prefix", "2001:db8:1::1", "h.example", "u@PLAIN.example.", SPF_PASS, "ip6:2001:db8::/32", "", "", 0,
	 0},
	{"no match", "192.0.3.1", "h.example", "u@plain.example", SPF_SOFTFAIL, "~all", "", "", 0, 0},
	{"no directive", "192.0.3.1", "h.example", "u@empty.example", SPF_NEUTRAL, "default", "", "", 0, 0},
	{"no record", "192.0.2.1", "h.example", "u@none.example", SPF_NONE, "", "", "", 0, 0},
	{"no name", "192.0.2.1", "h.example", "u@nowhere.example", SPF_NONE, "", "", "", 0, 0},
	{"one label", "192.0.2.1", "h.example", "root", SPF_NONE, "", "", "", 0, 0},
	{"an address literal", "192.0.2.1", "h.example", "u@[192.0.2.1]", SPF_NONE, "", "", "", 0, 0},
	{"no domain", "192.0.2.1", "h.example", "u@", SPF_NONE, "", "", "", 0, 0},
	{"neither HELO nor sender", "192.0.2.1", "", "", SPF_NONE, "", "", "", 0, 0},
	{"two records", "192.0.2.1", "h.example", "u@two.example", SPF_PERMERROR, "", "",
	 "two.example has 2 SPF records", 0, 0},
	{"an error behind what would match", "192.0.2.1", "h.example", "u@wrong.example", SPF_PERMERROR, "", "",
	 "SPF record of wrong.example, byte 17, \"ip4:192.0.2.300\": not an IPv4 address", 0, 0},
	{"DNS fails", "192.0.2.1", "h.example", "u@slow.example", SPF_TEMPERROR, "", "", "TXT slow.example: timeout", 0,
	 0},
	{"DNS fails for a mechanism", "192.0.2.1", "h.example", "u@fails-a.example", SPF_TEMPERROR, "", "",
	 "SPF record of fails-a.example, byte 8, \"a:a.slow.example\": A a.slow.example: timeout", 1, 0},

	{"an include that is neutral does not match", "192.0.2.1", "h.example", "u@outer.example", SPF_FAIL, "-all", "",
	 "", 2, 0},
	{"includes and redirects are told as a chain", "198.51.100.7", "h.example", "u@outer.example", SPF_PASS,
	 "include:middle.example > redirect=inner.example > a:host.example", "", "", 4, 0},
	{"IPv6 asks for AAAA", "2001:db8:ffff::7", "h.example", "u@inner.example", SPF_PASS, "a:host.example", "", "",
	 1, 0},
	{"an include without a record", "192.0.2.1", "h.example", "u@includes-none.example", SPF_PERMERROR, "", "",
	 "SPF record of includes-none.example, byte 8, \"include:none.example\": what it leads to has no SPF record", 1,
	 0},
	{"an include with an error", "192.0.2.1", "h.example", "u@includes-wrong.example", SPF_PERMERROR, "", "",
	 "SPF record of wrong.example, byte 17, \"ip4:192.0.2.300\": not an IPv4 address", 1, 0},
	{"an include that fails", "192.0.2.2", "h.example", "u@includes-slow.example", SPF_TEMPERROR, "", "",
	 "SPF record of includes-slow.example, byte 22, \"include:slow.example\": TXT slow.example: timeout", 1, 0},
	{"an include that is not come to", "192.0.2.1", "h.example", "u@includes-slow.example", SPF_PASS,
	 "ip4:192.0.2.1", "", "", 0, 0},
	{"a redirect without a record", "192.0.2.1", "h.example", "u@redirects-none.example", SPF_PERMERROR, "", "",
	 "SPF record of redirects-none.example, byte 8, \"redirect=nowhere.example\": what it leads to has no SPF "
	 "record",
	 1, 0},
	{"a redirect beside all says nothing", "192.0.2.1", "h.example", "u@redirects-all.example", SPF_NEUTRAL, "?all",
	 "", "", 0, 0},
	{"a redirect to no domain", "192.0.2.1", "h.example", "u@redirects-label.example", SPF_PERMERROR, "", "",
	 "SPF record of redirects-label.example, byte 8, \"redirect=%{d1}\": what it leads to is no domain", 1, 0},
	{"the explanation is that of the record that failed", "203.0.113.9", "h.example", "u@explains.example",
	 SPF_FAIL, "redirect=explained.example > -all",
	 "203.0.113.9 is no host of explained.example, says mx.receiver.example", "", 3, 0},

	{"hosts of MX, the null MX left out", "192.0.2.11", "h.example", "u@mx.example", SPF_PASS, "mx/31", "", "", 1,
	 0},
	{"hosts of MX come by preference", "192.0.2.21", "h.example", "u@mx.example", SPF_PASS, "mx/31", "", "", 1, 0},
	{"a host of MX that fails", "192.0.2.31", "h.example", "u@mx.example", SPF_TEMPERROR, "", "",
	 "SPF record of mx.example, byte 8, \"mx/31\": A c.mx.example: timeout", 1, 0},
	{"MX that fails", "192.0.2.1", "h.example", "u@fails-mx.example", SPF_TEMPERROR, "", "",
	 "SPF record of fails-mx.example, byte 8, \"-mx:slow.example\": MX slow.example: timeout", 1, 0},
	{"no mail is no empty answer", "192.0.2.31", "h.example", "u@nullmx.example", SPF_FAIL, "-all", "", "", 1, 0},
	{"the tenth host is looked at", "192.0.2.110", "h.example", "u@many.example", SPF_PASS, "mx", "", "", 1, 0},
	{"the eleventh host is not", "192.0.2.111", "h.example", "u@many.example", SPF_PERMERROR, "", "",
	 "SPF record of many.example, byte 8, \"mx\": over 10 MX hosts (RFC 7208 4.6.4)", 1, 0},

	{"a validated name below the domain", "198.51.100.5", "h.example", "u@ptr.example", SPF_PASS, "ptr", "", "", 1,
	 0},
	{"%{p} is a name below the domain if there is one", "198.51.100.5", "h.example", "u@ptr2.example", SPF_PASS,
	 "ptr:Ptr.Example", "", "", 2, 1},
	{"PTR that fails does not match", "198.51.100.6", "h.example", "u@ptr.example", SPF_FAIL, "-all", "", "", 1, 0},
	{"no PTR", "198.51.100.99", "h.example", "u@ptr.example", SPF_FAIL, "-all", "", "", 1, 1},
	{"%{p} is the domain itself before others", "198.51.100.8", "h.example", "u@pmac.example", SPF_PASS,
	 "exists:%{p}.ok.example", "", "", 1, 0},
	{"%{p} is the first name below the domain before others", "198.51.100.9", "h.example", "u@pmac.example",
	 SPF_PASS, "exists:%{p}.ok.example", "", "", 1, 0},
	{"%{p} is any name", "198.51.100.10", "h.example", "u@pmac.example", SPF_FAIL, "-all",
	 "z.example of 198.51.100.10", "", 1, 1},
	{"%{p} is unknown", "203.0.113.9", "h.example", "u@pexp.example", SPF_FAIL, "-all", "unknown", "", 0, 0},

	{"two empty answers, and a third for the explanation", "192.0.2.1", "h.example", "u@void.example", SPF_FAIL,
	 "-all", "", "", 2, 2},
	{"a match before the third empty answer", "192.0.2.1", "h.example", "u@void3.example", SPF_PASS,
	 "exists:host.example", "", "", 3, 2},
	{"three empty answers", "192.0.2.1", "h.example", "u@void4.example", SPF_PERMERROR, "", "",
	 "SPF record of void4.example, byte 37, \"exists:no3.example\": over 2 terms whose name has no such record "
	 "(RFC "
	 "7208 4.6.4)",
	 3, 3},
	{"a name that cannot be asked is an empty answer", "192.0.2.1", "h.example", "u@dots.example", SPF_FAIL, "-all",
	 "", "", 2, 2},
	{"ten terms that ask", "192.0.2.1", "h.example", "u@ten.example", SPF_FAIL, "-all", "", "", 10, 0},
	{"eleven terms that ask", "192.0.2.1", "h.example", "u@eleven.example", SPF_PERMERROR, "", "",
	 "SPF record of nine.example, byte 53, \"a:host.example\": over 10 terms that ask DNS (RFC 7208 4.6.4)", 10, 0},
	{"a record that includes itself", "192.0.2.1", "h.example", "u@loop.example", SPF_PERMERROR, "", "",
	 "SPF record of loop.example, byte 8, \"include:loop.example\": over 10 terms that ask DNS (RFC 7208 4.6.4)",
	 10, 0},
	{"a record that redirects to itself", "192.0.2.1", "h.example", "u@round.example", SPF_PERMERROR, "", "",
	 "SPF record of round.example, byte 8, \"redirect=round.example\": over 10 terms that ask DNS (RFC 7208 4.6.4)",
	 10, 0},

	{"the null sender is postmaster of HELO", "192.0.2.1", "helo.example", "", SPF_PASS, "exists:%{l}.%{h}", "", "",
	 1, 0},
	{"a sender without local part is postmaster", "192.0.2.1", "helo.example", "@helo.example", SPF_PASS,
	 "exists:%{l}.%{h}", "", "", 1, 0},
	{"a local part outside ASCII matches nothing (RFC 8616)", "192.0.2.1", "h.example", "b\xc3\xb6se@user.example",
	 SPF_NEUTRAL, "?all", "", "", 2, 0},
	{"a domain in Unicode is its A-labels", "192.0.2.1", "h.example",
	 "u@b\xc3\xbc"
	 "cher.example",
	 SPF_PASS, "exists:%{d}.%{o}", "", "", 1, 0},
	{"a domain in no charset", "192.0.2.1", "h.example",
	 "u@b\xfc"
	 "cher.example",
	 SPF_NONE, "", "", "", 0, 0},
	{"one dot at the end of a domain says nothing", "192.0.2.1", "h.example", "@helo.example.", SPF_NEUTRAL,
	 "default", "", "", 1, 1},
	{"two end an empty label (4.3)", "192.0.2.1", "h.example", "u@helo.example..", SPF_NONE, "", "", "", 0, 0},
	{"a path in its brackets is the path", "192.0.2.1", "helo.example", "<@helo.example>", SPF_PASS,
	 "exists:%{l}.%{h}", "", "", 1, 0},
	{"... and an empty one the null sender", "192.0.2.1", "helo.example", "<>", SPF_PASS, "exists:%{l}.%{h}", "",
	 "", 1, 0},
};

static struct spf_query query_of(size_t i)
{
	struct spf_query query = {.helo = bytes_from_cstr(checks[i].helo),
				  .from = bytes_from_cstr(checks[i].from),
				  .receiver = BYTES_LIT("mx.receiver.example"),
				  .now = 1735689600};
	ip_of(checks[i].ip, query.ip);
	return query;
}

static struct dns_host host_of(struct dns_table *table, const struct dns_row *rows, size_t n_rows, bool late)
{
	memset(table, 0, sizeof(*table));
	table->rows = rows;
	table->n_rows = n_rows;
	table->arena = arena;
	table->late = late;
	return dns_table_host(table);
}

static unsigned run(const struct spf_query *query, bool late, struct spf_result *result)
{
	static struct dns_table table;
	struct dns_host host = host_of(&table, world, ARRAY_LEN(world), late);
	unsigned rounds = 1;
	for (; spf_check(arena, &host, query, result) == AUTH_WAIT; rounds++)
		assert_true(late && rounds < 40);
	return rounds;
}

static void checks_decide(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		for (int late = 0; late < 2; late++) {
			struct spf_query query = query_of(i);
			struct spf_result result;
			(void)run(&query, late, &result);
			if (result.code != checks[i].code || result.lookups != checks[i].lookups ||
			    result.void_lookups != checks[i].void_lookups)
				print_error("%s: %s, %u lookups, %u void, by \"%.*s\": %.*s\n", checks[i].rule,
					    spf_code_name(result.code), result.lookups, result.void_lookups,
					    BYTES_FMT(result.mechanism), BYTES_FMT(result.problem));
			assert_int_equal(result.code, checks[i].code);
			assert_bytes_str(result.mechanism, checks[i].mechanism);
			assert_bytes_str(result.explanation, checks[i].explanation);
			assert_bytes_str(result.problem, checks[i].problem);
			assert_int_equal(result.lookups, checks[i].lookups);
			assert_int_equal(result.void_lookups, checks[i].void_lookups);
			assert_int_equal(result.helo_scope,
					 query.from.len == 0 || bytes_eq(query.from, BYTES_LIT("<>")));
		}
	}
}

static void the_domain_that_was_checked_is_told(void **state)
{
	(void)state;
	struct spf_result result;
	struct spf_query query = {.helo = BYTES_LIT("Mail.Example."), .from = BYTES_LIT("a@b@Plain.example.")};
	(void)run(&query, false, &result);
	assert_bytes_str(result.domain, "Plain.example");
	query.from = BYTES_LIT("");
	(void)run(&query, false, &result);
	assert_bytes_str(result.domain, "Mail.Example");
	query.from = BYTES_LIT("u@b\xc3\xbc"
			       "cher.example");
	(void)run(&query, false, &result);
	assert_bytes_str(result.domain, "xn--bcher-kva.example");
}

static void what_can_be_asked_at_once_is(void **state)
{
	(void)state;
	struct spf_result result;
	struct spf_query query = {.from = BYTES_LIT("u@many.example")};
	ip_of("192.0.2.110", query.ip);
	/* TXT; MX; ten addresses; the answer. */
	assert_int_equal(run(&query, true, &result), 4);
	query.from = BYTES_LIT("u@ptr.example");
	ip_of("198.51.100.5", query.ip);
	/* TXT; PTR; three addresses; the answer. */
	assert_int_equal(run(&query, true, &result), 4);
}

static void without_memory_the_result_is_temperror(void **state)
{
	(void)state;
	static struct dns_table table;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct spf_query query = query_of(i);
		bool fits = false;
		for (size_t budget = 0; !fits; budget += 8) {
			struct arena *small = arena_create(budget);
			arena_reset(arena);
			struct dns_host host = host_of(&table, world, ARRAY_LEN(world), false);
			struct spf_result result;
			assert_int_equal(spf_check(small, &host, &query, &result), AUTH_DONE);
			fits = !arena_refused(small);
			if (!fits && result.code != SPF_TEMPERROR)
				print_error("%s with %zu bytes: %s\n", checks[i].rule, budget,
					    spf_code_name(result.code));
			assert_int_equal(result.code, fits ? checks[i].code : SPF_TEMPERROR);
			assert_true(fits || result.problem.len > 0);
			arena_free(&small);
		}
	}
}

/* Ten records of the largest size that lead to each other, each term with as many macros as it may have. */
static void large_records_are_bounded_work(void **state)
{
	(void)state;
	static const char target[] = "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}.big.example";
	char *text = arena_alloc_raw(arena, DNS_PACKED_MAX), name[DNS_NAME_MAX + 1];
	size_t len = strlen("v=spf1");
	memcpy(text, "v=spf1", len);
	while (len + 3 + 4 * SPF_MACROS_MAX + 10 + sizeof(target) < DNS_PACKED_MAX) {
		memcpy(text + len, " x=", 3);
		len += 3;
		for (size_t i = 0; i < SPF_MACROS_MAX; i++, len += 4)
			memcpy(text + len, "%{s}", 4);
	}
	memcpy(text + len, " redirect=", 10);
	memcpy(text + len + 10, target, sizeof(target));
	struct bytes local = BYTES_LIT("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z");
	struct spf_query query = {.from = arena_printf(arena, "%.*s@big.example", BYTES_FMT(local))};
	struct spf_values known = {.sender = query.from, .local = local, .ip = query.ip};
	struct bytes expanded;
	assert_ok(spf_macro_name(arena, bytes_from_cstr(target), &known, &expanded));
	memcpy(name, expanded.ptr, expanded.len);
	name[expanded.len] = 0;
	const struct dns_row rows[] = {{DNS_TXT, "big.example", text, 0}, {DNS_TXT, name, text, 0}};
	static struct dns_table table;
	struct dns_host host = host_of(&table, rows, ARRAY_LEN(rows), false);
	struct spf_result result;
	assert_int_equal(spf_check(arena, &host, &query, &result), AUTH_DONE);
	assert_int_equal(result.code, SPF_PERMERROR);
	assert_int_equal(result.lookups, SPF_LOOKUPS_MAX);
	assert_true(bytes_ends(result.problem, BYTES_LIT("over 10 terms that ask DNS (RFC 7208 4.6.4)")));
}

static void results_have_the_words_of_rfc_8601(void **state)
{
	(void)state;
	assert_string_equal(spf_code_name(SPF_NONE), "none");
	assert_string_equal(spf_code_name(SPF_NEUTRAL), "neutral");
	assert_string_equal(spf_code_name(SPF_PASS), "pass");
	assert_string_equal(spf_code_name(SPF_FAIL), "fail");
	assert_string_equal(spf_code_name(SPF_SOFTFAIL), "softfail");
	assert_string_equal(spf_code_name(SPF_TEMPERROR), "temperror");
	assert_string_equal(spf_code_name(SPF_PERMERROR), "permerror");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_record_of_spf_begins_with_its_version),
	TEST(errors_are_at_their_byte),
	cmocka_unit_test(good_records_are_read_whole),
	cmocka_unit_test(a_term_keeps_what_was_written),
	cmocka_unit_test(a_term_has_at_most_128_macros),
	TEST(names_expand_as_rfc_7208_7_4_shows),
	TEST(a_long_name_loses_labels_at_its_left),
	TEST(explanations_are_printable_ascii_or_nothing),
	TEST(checks_decide),
	TEST(the_domain_that_was_checked_is_told),
	TEST(what_can_be_asked_at_once_is),
	TEST(without_memory_the_result_is_temperror),
	TEST(large_records_are_bounded_work),
	cmocka_unit_test(results_have_the_words_of_rfc_8601),
};
UNIT_MAIN(tests)
