/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "mail/url.h"

/* What is found, as it stands in the text, with blanks between. */
static void finds_urls_in_text(void **state)
{
	static const char *const cases[][2] = {
		{"see http://a.com/b.", "http://a.com/b"},
		{"(http://a.com/b_(c)) [https://a.com/]", "http://a.com/b_(c) https://a.com/"},
		{"http://a.com/x?y=1&z=[2]!", "http://a.com/x?y=1&z=[2]"},
		{"\"http://a.com\", 'http://b.com'", "http://a.com http://b.com"},
		{"http://a.com,http://b.com;https://c.com|http://d.com/",
		 "http://a.com http://b.com https://c.com http://d.com/"},
		{"<http://a.com>", "http://a.com"},
		{"<URL:http://a.com/b>", "http://a.com/b"},
		{"<http://a.com/b \r\n c>", "http://a.com/b \r\n c"},
		{"<http://a.com/b c>", "http://a.com/b"},
		{"ftp://a.com/ HTTPS://B.com/ hxxp://c.com/", "ftp://a.com/ HTTPS://B.com/ hxxp://c.com/"},
		{"mailto:a@b.com, mailto: none", "mailto:a@b.com"},
		{"www.a.com/b, www.example.qqq", "www.a.com/b www.example.qqq"},
		{"example.com and sub.example.co.jp/x.", "example.com sub.example.co.jp/x"},
		{"example.com:8080/x example.com?y", "example.com:8080/x example.com?y"},
		{"me@example.com first.last@example.com", ""},
		{"/usr/share/x.com a/b.com", ""},
		{"README.md setup.py run.sh 3.14 v1.2.3 e.g. i.e. Node.js", ""},
		{"the end.The next. It was.so", ""},
		{"is.gd/x bit.ly/y README.md/z", "is.gd/x bit.ly/y README.md/z"},
		{"http://user@a.com/ http://[::1]/x http://1.2.3.4/",
		 "http://user@a.com/ http://[::1]/x http://1.2.3.4/"},
		{"http:\\\\a.com\\b", "http:\\\\a.com\\b"},
		{"http:// http: ://x http://", ""},
		{"こちらhttp://a.jp/bをご覧", "http://a.jp/b"},
		{"http://a.jpをご覧ください", "http://a.jp"},
		{"http://a.jp。次http://b.jp、（http://c.jp）「http://d.jp」",
		 "http://a.jp http://b.jp http://c.jp http://d.jp"},
		{"http://日本語.jpはこちら", "http://日本語.jp"},
		{"http://例え.テスト.jp/x へ", "http://例え.テスト.jp/x"},
		{"詳しくはexample.jpまで　www.b.jpへ", "example.jp www.b.jp"},
		{"www.日本語.jpへ", "www.日本語.jp"},
		{"http://a.com/stra\xc3\x9f"
		 "e x",
		 "http://a.com/stra\xc3\x9f"
		 "e"},
		{"http://пример.рф/x.", "http://пример.рф/x"},
		{"http://a.com\xff"
		 "b",
		 "http://a.com"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf got = BUF_INIT(4096);
		struct url_list list = {0};
		struct bytes text = bytes_from_cstr(cases[i][0]);
		print_message("# case %zu\n", i);
		assert_ok(url_find(arena, text, NULL, &list));
		for (size_t j = 0; j < list.count; j++) {
			if (j > 0)
				buf_add_byte(&got, ' ');
			buf_add(&got, bytes_sub(text, list.items[j].at, list.items[j].len));
		}
		assert_bytes_str(buf_bytes(&got), cases[i][1]);
	}
}

static void joins_wrapped_urls(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct url_list list = {0};
	assert_ok(url_find(arena, BYTES_LIT("<http://a.com/b/\r\n  c?d=\r\n1>"), NULL, &list));
	assert_int_equal(list.count, 1);
	assert_bytes_str(list.items[0].url, "http://a.com/b/c?d=1");
	assert_int_equal(list.items[0].flags, 0);
}

static void marks_bare_hosts(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct url_list list = {0};
	assert_ok(url_find(arena, BYTES_LIT("WWW.Example.COM:81/A"), NULL, &list));
	assert_int_equal(list.count, 1);
	assert_bytes_str(list.items[0].url, "http://www.example.com:81/A");
	assert_int_equal(list.items[0].flags, URL_SCHEMELESS | URL_PORT);
}

/* Work that is not linear takes minutes here, which the test's time limit ends. */
static void floods_take_linear_time(void **state)
{
	static const char *const pieces[] = {"http://", "a.",          "<http://a",      "www.",      "a@",
					     "あ.",     "mailto:",     "http:",          "http://@",  "a.com.",
					     "a-",      "<http://a\n", "http://a.com/(", "http://あ", "a.com/ "};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 21);
		struct url_list list = {0};
		while (buf.len < 1000000)
			buf_add_cstr(&buf, pieces[i]);
		assert_ok(url_find(arena, buf_bytes(&buf), NULL, &list));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_urls_in_text),
	cmocka_unit_test(joins_wrapped_urls),
	cmocka_unit_test(marks_bare_hosts),
	cmocka_unit_test(floods_take_linear_time),
};
UNIT_MAIN(tests)
