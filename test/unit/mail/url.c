/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "mail/url.h"

struct parse_case {
	const char *raw, *url; /* NULL: a browser opens nothing */
	unsigned flags;
};

static void brings_urls_into_one_form(void **state)
{
	static const struct parse_case cases[] = {
		{"http://example.com", "http://example.com/", 0},
		{" HTTP://EXAMPLE.com:80/a?b#c ", "http://example.com/a?b#c", 0},
		{"https://example.com:8443/", "https://example.com:8443/", URL_PORT},
		{"http://example.com:/", "http://example.com/", 0},
		{"http://a.com/b/../c/./d/..", "http://a.com/c/", 0},
		{"http://a.com/%2e%2E/b/%2E", "http://a.com/b/", 0},
		{"http://a.com/%7eu%41?%61=%2f&'", "http://a.com/~uA?a=%2F&'", 0},
		{"http://a.com/ b\xc3\xa9?\xc3\xa9#\xc3\xa9", "http://a.com/%20b%C3%A9?%C3%A9#%C3%A9", 0},
		{"http://a.com/%zz%", "http://a.com/%25zz%25", 0},
		{"http://a.com/%%34%31", "http://a.com/%2541", 0},
		{"http:\\\\a.com\\b", "http://a.com/b", URL_BACKSLASH},
		{"http:////a.com/b", "http://a.com/b", 0},
		{"http:a.com", "http://a.com/", 0},
		{"ht\ntp://a\t.com/", "http://a.com/", URL_CONTROL},
		{"http://paypal.com@evil.com/", "http://paypal.com@evil.com/", URL_USERINFO},
		{"http://a@b@evil.com/", "http://a%40b@evil.com/", URL_USERINFO},
		{"http://@evil.com/", "http://evil.com/", URL_USERINFO},
		{"http://%65vil.com/", "http://evil.com/", URL_ESCAPED_HOST},
		{"http://evil.com./", "http://evil.com/", 0},
		{"http://127.0.0.1/", "http://127.0.0.1/", URL_IP_HOST},
		{"http://0x7f.1/", "http://127.0.0.1/", URL_IP_HOST | URL_IP_ODD},
		{"http://0177.0.0.01/", "http://127.0.0.1/", URL_IP_HOST | URL_IP_ODD},
		{"http://2130706433/", "http://127.0.0.1/", URL_IP_HOST | URL_IP_ODD},
		{"http://0x7f000001/", "http://127.0.0.1/", URL_IP_HOST | URL_IP_ODD},
		{"http://127.1/", "http://127.0.0.1/", URL_IP_HOST | URL_IP_ODD},
		{"http://127.0.1/", "http://127.0.0.1/", URL_IP_HOST | URL_IP_ODD},
		{"http://256.1.1.1/", NULL, 0},
		{"http://1.2.3.4.5/", NULL, 0},
		{"http://09.1/", NULL, 0},
		{"http://4294967296/", NULL, 0},
		{"http://[::1]:8080/", "http://[::1]:8080/", URL_IP_HOST | URL_PORT},
		{"http://[2001:DB8:0:0:1:0:0:1]/", "http://[2001:db8::1:0:0:1]/", URL_IP_HOST},
		{"http://[::ffff:1.2.3.4]/", "http://[::ffff:102:304]/", URL_IP_HOST},
		{"http://[1:2:3:4:5:6:7::]/", "http://[1:2:3:4:5:6:7:0]/", URL_IP_HOST},
		{"http://[::1/", NULL, 0},
		{"http://[1::2::3]/", NULL, 0},
		{"http://[1:2:3:4:5:6:7:8:9]/", NULL, 0},
		{"http://b\xc3\xbc"
		 "cher.de/",
		 "http://xn--bcher-kva.de/", URL_IDN},
		{"http://fa\xc3\x9f.de/", "http://xn--fa-hia.de/", URL_IDN},
		{"http://XN--BCHER-KVA.de/", "http://xn--bcher-kva.de/", URL_IDN},
		{"http://\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x80\x82jp/", "http://xn--wgv71a119e.jp/", URL_IDN},
		{"http://\xef\xbd\x81\xef\xbc\x8e"
		 "com/",
		 "http://a.com/", URL_IDN},
		{"http://p\xd0\xb0ypal.com/", "http://xn--pypal-4ve.com/", URL_IDN | URL_MIXED_SCRIPT},
		{"http://xn--pypal-4ve.com/", "http://xn--pypal-4ve.com/", URL_IDN | URL_MIXED_SCRIPT},
		{"http://xn--/", NULL, 0},
		{"http://a b.com/", NULL, 0},
		{"http://a%00b/", NULL, 0},
		{"http://\xff/", NULL, 0},
		{"http://a:65536/", NULL, 0},
		{"http://a:x/", NULL, 0},
		{"http://", NULL, 0},
		{"http:///", NULL, 0},
		{"", NULL, 0},
		{"relative/path", NULL, 0},
		{"//a.com/", NULL, 0},
		{"hxxps://a.com/", "https://a.com/", URL_DEFANGED},
		{"MAILTO:A@b.com?subject=x", "mailto:A@b.com?subject=x", 0},
		{"JavaScript:a b", "javascript:a%20b", 0},
		{"data:text/html,<b>", "data:text/html,<b>", 0},
		{"file:///etc/passwd", "file:///etc/passwd", 0},
		{"ftp://a.com:21", "ftp://a.com/", 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct url url, again;
		print_message("# case %zu\n", i);
		enum err err = url_parse(arena, bytes_from_cstr(cases[i].raw), false, &url);
		assert_int_equal(err, cases[i].url ? ERR_OK : ERR_SYNTAX);
		if (err != ERR_OK)
			continue;
		assert_bytes_str(url.url, cases[i].url);
		assert_int_equal(url.flags, cases[i].flags);
		assert_ok(url_parse(arena, url.url, false, &again));
		assert_bytes(again.url, url.url);
	}
}

static void names_the_pieces(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct url url;
	assert_ok(url_parse(arena, BYTES_LIT("https://u:p@[::1]:99/a/b?c?d#e#f"), false, &url));
	assert_bytes_str(url.scheme, "https");
	assert_bytes_str(url.host, "::1");
	assert_bytes_str(url.path, "/a/b");
	assert_bytes_str(url.query, "c?d");
	assert_int_equal(url.port, 99);
	assert_ok(url_parse(arena, BYTES_LIT("example.com:8080/x"), true, &url));
	assert_bytes_str(url.url, "http://example.com:8080/x");
	assert_int_equal(url.flags, URL_SCHEMELESS | URL_PORT);
}

static void long_urls_are_cut_to_a_fixed_point(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 20);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct url url, again;
	buf_add_cstr(&buf, "http://");
	for (int i = 0; i < 9000; i++)
		buf_add_cstr(&buf, "u");
	buf_add_cstr(&buf, "@evil.com/");
	for (int i = 0; i < 9000; i++)
		buf_add_cstr(&buf, "\xc3\xa9");
	assert_ok(url_parse(arena, buf_bytes(&buf), false, &url));
	assert_bytes_str(url.host, "evil.com");
	assert_true(url.url.len <= URL_MAX_LEN && url.url.len > URL_MAX_LEN - 3);
	assert_ok(url_parse(arena, url.url, false, &again));
	assert_bytes(again.url, url.url);
}

static void joins_references_with_a_base(void **state)
{
	static const struct {
		const char *base, *reference, *want;
	} cases[] = {
		{"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
		{"http://a/b/c/d;p?q", "/g", "http://a/g"},
		{"http://a/b/c/d;p?q", "//g", "http://g"},
		{"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
		{"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s"},
		{"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
		{"http://a/b/c/d;p?q", "http://x/", "http://x/"},
		{"http://a/b/c/d;p?q", "../g", "http://a/b/c/../g"},
		{"http://a", "g", "http://a/g"},
		{"http://a", "?g", "http://a/?g"},
		{"mailto:x", "g", "g"},
		{"", "g", "g"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		assert_bytes_str(url_join(arena, bytes_from_cstr(cases[i].base), bytes_from_cstr(cases[i].reference)),
				 cases[i].want);
	}
}

static void takes_urls_out_of_urls(void **state)
{
	static const struct {
		const char *raw, *inner, *innermost;
	} cases[] = {
		{"https://www.google.com/url?sa=t&q=http%3A%2F%2Fevil.com%2Fa%3Fb%3D1&x=2", "http://evil.com/a?b=1",
		 NULL},
		{"http://l.example/l.php?u=https%253A%252F%252Fevil.com%252F", "https://evil.com/", NULL},
		{"https://eu.safelinks.example/?url=https%3A%2F%2Fevil.com%2F&data=05", "https://evil.com/", NULL},
		{"http://urldefense.proofpoint.com/v1/url?u=http://evil.com/&k=x", "http://evil.com/", NULL},
		{"https://urldefense.proofpoint.com/v2/url?u=https-3A__evil.com_a-2520b&d=x", "https://evil.com/a%20b",
		 NULL},
		{"https://urldefense.com/v3/__https://evil.com/?a=b*c&d=**Ae__;Iy8v!!x",
		 "https://evil.com/?a=b#c&d=//e", NULL},
		{"http://cache.example/web/2020/http://evil.com/x?y=1", "http://evil.com/x?y=1", NULL},
		{"http://r.example/https%3A%2F%2Fevil.com/", "https://evil.com/", NULL},
		{"http://r.example/?r=aHR0cDovL2V2aWwuY29tLw==", "http://evil.com/", NULL},
		{"http://r.example/go/aHR0cHM6Ly9ldmlsLmNvbS8", "https://evil.com/", NULL},
		{"http://r.example/#http://evil.com/", "http://evil.com/", NULL},
		{"http://r.example/?u=http%3A%2F%2Fs.example%2F%3Fu%3Dhttp%253A%252F%252Fevil.com%252F",
		 "http://s.example/?u=http%3A%2F%2Fevil.com%2F", "http://evil.com/"},
		{"http://r.example/?u=httpx&v=/a/b", NULL, NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct url_list list = {0};
		print_message("# case %zu\n", i);
		assert_ok(url_add(arena, bytes_from_cstr(cases[i].raw), BYTES_LIT("t"), NULL, 3, 4, URL_FROM_HTML,
				  &list));
		assert_int_equal(list.count, cases[i].innermost ? 3 : cases[i].inner ? 2 : 1);
		for (size_t j = 1; j < list.count; j++) {
			assert_bytes_str(list.items[j].url, j == 1 ? cases[i].inner : cases[i].innermost);
			assert_int_equal(list.items[j].flags, URL_UNROLLED | URL_FROM_HTML);
			assert_int_equal(list.items[j].at, 3);
		}
	}
}

static void keeps_duplicates_once_and_a_limit(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct url_list list = {0};
	assert_ok(url_add(arena, BYTES_LIT("http://A.com"), BYTES_LIT("x"), NULL, 0, 1, URL_HIDDEN, &list));
	assert_ok(url_add(arena, BYTES_LIT("http://a.com/"), BYTES_LIT("x"), NULL, 0, 1, 0, &list));
	assert_ok(url_add(arena, BYTES_LIT("http://a.com/"), BYTES_LIT("y"), NULL, 0, 1, 0, &list));
	assert_ok(url_add(arena, BYTES_LIT("not a url"), BYTES_LIT("y"), NULL, 0, 1, 0, &list));
	assert_int_equal(list.count, 2);
	assert_int_equal(list.items[0].flags, 0);
	for (unsigned i = 0; i < URL_MAX + 5; i++)
		assert_ok(url_add(arena, arena_printf(arena, "http://a.com/%u", i), (struct bytes){0}, NULL, 0, 1, 0,
				  &list));
	assert_int_equal(list.count, URL_MAX);
	assert_true(list.limited);
}

static void knows_registrable_domains(void **state)
{
	static const char *const cases[][2] = {
		{"www.example.com", "example.com"},
		{"a.b.example.co.jp", "example.co.jp"},
		{"EXAMPLE.CO.UK", "EXAMPLE.CO.UK"},
		{"co.uk", "co.uk"},
		{"com", "com"},
		{"www.ck", "www.ck"},
		{"a.www.ck", "www.ck"},
		{"a.b.c.ck", "b.c.ck"},
		{"a.b.unlistedtld", "b.unlistedtld"},
		{"10.1.2.3", "10.1.2.3"},
		{"::1", "::1"},
		{"", ""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_bytes_str(url_registrable(bytes_from_cstr(cases[i][0])), cases[i][1]);
	assert_true(url_is_suffix(BYTES_LIT("co.uk")) && url_is_suffix(BYTES_LIT("Com")));
	assert_false(url_is_suffix(BYTES_LIT("example.com")) || url_is_suffix(BYTES_LIT("1.2.3.4")));
	assert_true(url_tld_known(BYTES_LIT("JP")) && url_tld_known(BYTES_LIT("xn--p1ai")));
	assert_false(url_tld_known(BYTES_LIT("txt")) || url_tld_known(BYTES_LIT("")));
}

static void survives_failed_allocations(void **state)
{
	static const char raw[] = "https://r.example/?u=http%3A%2F%2Fb\xc3\xbc"
				  "cher.de%2F&v=aHR0cDovL2V2aWwuY29tLw==";
	(void)state;
	for (uint64_t nth = 1; nth < 20; nth++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct url_list list = {0};
		mem_fail_after(nth, 1);
		enum err err = url_add(arena, bytes_from_cstr(raw), (struct bytes){0}, NULL, 0, 0, 0, &list);
		mem_fail_after(0, 0);
		assert_true(err == ERR_OK ? list.count == 3 : err == ERR_NOMEM);
	}
	for (size_t budget = 0; budget < 4000; budget += 7) {
		CLEANUP(arena_free) struct arena *arena = arena_create(budget);
		struct url_list list = {0};
		enum err err = url_add(arena, bytes_from_cstr(raw), (struct bytes){0}, NULL, 0, 0, 0, &list);
		assert_true(err == ERR_OK ? list.count == 3 : err == ERR_NOMEM);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(brings_urls_into_one_form),
	cmocka_unit_test(names_the_pieces),
	cmocka_unit_test(long_urls_are_cut_to_a_fixed_point),
	cmocka_unit_test(joins_references_with_a_base),
	cmocka_unit_test(takes_urls_out_of_urls),
	cmocka_unit_test(keeps_duplicates_once_and_a_limit),
	cmocka_unit_test(knows_registrable_domains),
	cmocka_unit_test(survives_failed_allocations),
};
UNIT_MAIN(tests)
