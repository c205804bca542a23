/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mail/html.h"

struct look_case {
	const char *html, *visible, *hidden;
	unsigned why;
};

static void check_looks(const struct look_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct html_document *doc;
		print_message("# case %zu\n", i);
		assert_ok(html_parse(arena, bytes_from_cstr(cases[i].html), &doc));
		assert_bytes_str(doc->visible, cases[i].visible);
		assert_bytes_str(doc->hidden, cases[i].hidden);
		assert_int_equal(doc->hidden_why, cases[i].why);
	}
}

#define DISPLAY HTML_HIDDEN_DISPLAY
#define FONT    HTML_HIDDEN_FONT
#define COLOUR  HTML_HIDDEN_COLOUR
#define OFF     HTML_HIDDEN_OFFSCREEN
#define ZERO    HTML_HIDDEN_ZERO_WIDTH

static void shows_text_as_people_see_it(void **state)
{
	static const struct look_case cases[] = {
		{"  a \r\n b\t<b>c</b>d  ", "a b cd", "", 0},
		{"<p>one<p>two<br>three<br><br>four", "one\ntwo\nthree\nfour", "", 0},
		{"<table><tr><td>a<td>b</tr><tr><td>c</table>d", "a b\nc\nd", "", 0},
		{"<pre>a\n b</pre>c<textarea>x\ny</textarea>", "a\nb\nc x\ny", "", 0},
		{"fr<!-- x -->ee of<!---->fer", "free offer", "", 0},
		{"a<script>if (a<b) '</b>' <!-- <script> </script> --></script>b", "ab", "", 0},
		{"a<script><!-- x </script>b", "ab", "", 0},
		{"a<style>b{}</style>c<title>d</title>e", "ace", "", 0},
		{"<noscript>a</noscript>b<template>c</template>", "ab", "c", DISPLAY},
		{"a<![CDATA[b]]>c<svg><text><![CDATA[<d>]]></text></svg>e", "ac<d>e", "", 0},
		{"a<?php b ?>c<!DOCTYPE x>d<!bogus>e</ f>g", "acdeg", "", 0},
		{"1 < 2 && 3 <4 <> </>x", "1 < 2 && 3 <4 <> x", "", 0},
		{"a<b title='>' alt=\"<i>\">c</b>", "ac", "", 0},
		{"a<!--->b<!-->c<!-- x --!>d<!-- - -- > -->e", "abcde", "", 0},
		{"a<!-- never ends", "a", "", 0},
		{"a\0b", "a", "", 0},
		{"a&nbsp;&nbsp;b&#160;c&ensp;d", "a b c d", "", 0},
		{"<xmp>&amp;<b></xmp><plaintext></plaintext>&lt;", "&amp;<b>\n</plaintext>&lt;", "", 0},
		{"x<iframe>&lt;</iframe>y", "xy", "&lt;", 0},
		{"a</body></html>b", "ab", "", 0},
		{"x<unknown-thing y=1>z</unknown-thing>", "xz", "", 0},
		{"<b title=x<i>y</b>", "y", "", 0},
		{"a<b", "a", "", 0},
		{"a<b c=\"d", "a", "", 0},
		{"a</b", "a", "", 0},
		{"a<", "a<", "", 0},
	};
	(void)state;
	check_looks(cases, ARRAY_LEN(cases));
}

static void tells_hidden_text(void **state)
{
	static const struct look_case cases[] = {
		{"a<div style='display:none'>b</div>c", "ac", "b", DISPLAY},
		{"a<div style='DISPLAY : NONE !important; display:block'>b</div>", "a", "b", DISPLAY},
		{"a<div style='d\\69 splay:/**/none'>b</div>", "a", "b", DISPLAY},
		{"a<div style='display:block;display:none'>b", "a", "b", DISPLAY},
		{"a<div style='display:none;display:block'>b", "a\nb", "", 0},
		{"a<div style=\"font-family:'x;display:none'\">b", "a\nb", "", 0},
		{"a<span hidden>b</span>c", "ac", "b", DISPLAY},
		{"a<span style=mso-hide:all>b</span>", "a", "b", DISPLAY},
		{"<div style=visibility:hidden>a<i style=visibility:visible>b</i></div>", "b", "a", DISPLAY},
		{"a<span style='opacity:0.01'>b</span><span style=opacity:.5>c</span>", "ac", "b", COLOUR},
		{"a<span style=font-size:0>b</span><span style='font:1px/1 x'>c</span>", "a", "bc", FONT},
		{"a<span style='font-size:0'><b style='font-size:2em'>b</b><b style='font-size:12pt'>c", "ac", "b",
		 FONT},
		{"a<font size=1>b</font>", "ab", "", 0},
		{"a<span style='line-height:0'>b</span>", "a", "b", FONT},
		{"a<font color=white>b</font>c", "ac", "b", COLOUR},
		{"a<font color='#fffffe'>b</font><font color=#ddd>c</font>", "ac", "b", COLOUR},
		{"<body bgcolor=black text=white>a<font color=#000>b</font>", "a", "b", COLOUR},
		{"<table bgcolor=red><tr><td style='color:rgb(255,0,0)'>a<td>b</table>", "b", "a", COLOUR},
		{"<div style='background:#123456'><b style='color:#123458'>a</b>b</div>", "b", "a", COLOUR},
		{"<div style='background:url(x.png) #fff'><b style='color:#fff'>a</b></div>", "a", "", 0},
		{"<b style='color:transparent'>a</b><b style='color:rgba(0,0,0,0)'>b</b>", "", "ab", COLOUR},
		{"<b style='color:hsl(0,0%,100%)'>a</b><b style='color:rgb(100% 100% 100%)'>b", "", "ab", COLOUR},
		{"a<div style='position:absolute;left:-9999px'>b</div>", "a", "b", OFF},
		{"a<div style='left:-9999px'>b</div>", "a\nb", "", 0},
		{"a<div style='text-indent:-9999px'>b</div>", "a", "b", OFF},
		{"a<div style='margin-left:-5000px'>b</div>", "a", "b", OFF},
		{"a<div style='overflow:hidden;max-height:0'>b</div>", "a", "b", OFF},
		{"a<div style='overflow:hidden;height:1px;width:0'>b</div>", "a", "b", OFF},
		{"a<div style='max-height:0'>b</div>", "a\nb", "", 0},
		{"a<div style='position:absolute;clip:rect(0 0 0 0)'>b</div>", "a", "b", OFF},
		{"a<div style='clip-path:inset(50%)'>b</div><div style='transform:scale(0)'>c", "a", "b\nc", OFF},
		{"<p style=display:none>a<p>b", "b", "a", DISPLAY},
		{"<ul><li hidden>a<li>b</ul>", "b", "a", DISPLAY},
		{"<div><font color=white></div>a</font>b", "b", "a", COLOUR},
		{"<b><div hidden>a</b>b</div>c", "c", "ab", DISPLAY},
		{"<b><span hidden>a</b>b", "b", "a", DISPLAY},
		{"<table><tr><td><font color=white>a<td>b</table>", "b", "a", COLOUR},
		{"<style>.x,h1{display:none}#y{font-size:0}p.z{color:#fff}</style>"
		 "<b class='q x'>a</b><h1>b</h1><i id=y>c</i><b class=z>d</b><p class=z>e</p>f",
		 "d\nf", "a\nb\nc\ne", DISPLAY | FONT | COLOUR},
		{"<b class=x>a</b>b<style><!-- .x { display : none } --></style>", "b", "a", DISPLAY},
		{"<style>@media print{.x{display:none}}@media screen{.y{display:none}}.a .x{display:none}</style>"
		 "<b class=x>a</b><b class=y>b</b>",
		 "a", "b", DISPLAY},
		{"<style>.x{display:none!important}</style><b class=x style=display:inline>a</b>", "", "a", DISPLAY},
		{"<!--[if mso]><style>.x{display:none}</style><![endif]--><b class=x>a</b>", "a", "", 0},
		{"<style media=print>.x{display:none}</style><style media='screen, print'>.y{display:none}</style>"
		 "<b class=x>a</b><b class=y>b</b>",
		 "a", "b", DISPLAY},
		{"<style>@media only screen and (min-width:1px){.x{display:none}}"
		 "@media (max-width:600px){.y{display:none}}@media print,(max-width: 9999px){.z{display:none}}"
		 "@media not all{.y{display:none}}@media (min-width:40em) and (orientation:landscape){.y{display:none}}"
		 "</style><b class=x>a</b><b class=y>b</b><b class=z>c</b>",
		 "b", "ac", DISPLAY},
		{"<style>body .x,html body b.y,* #z{display:none}bodyx .w{display:none}</style>"
		 "<b class=x>a</b><b class=y>b</b><b id=z>c</b><b class=w>d</b>",
		 "d", "abc", DISPLAY},
		{"a<div style='position:relative;left:-9999px'>b</div>", "a", "b", OFF},
		{"a<b style='font-size:calc( 0px )'>b</b><b style='opacity:calc(1 - 1)'>c</b>", "ac", "b", FONT},
		{"a<!--[if mso]>b<![endif]-->c<![if !mso]>d<![endif]><!--[if !mso]><!-->e<!--<![endif]-->", "acde", "b",
		 0},
	};
	(void)state;
	check_looks(cases, ARRAY_LEN(cases));
}

static void drops_characters_without_width(void **state)
{
	static const struct look_case cases[] = {
		{"v\xe2\x80\x8bi&#8203;a&shy;g\xef\xbb\xbfra", "viagra", "", ZERO},
		{"a&zwnj; b&zwj;&nbsp;&zwnj;", "a b", "", 0},
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "", 0},
		{"\xe2\x98\x80\xef\xb8\x8f!", "\xe2\x98\x80!", "", 0},
	};
	(void)state;
	check_looks(cases, ARRAY_LEN(cases));
}

static void decodes_references(void **state)
{
	static const struct look_case cases[] = {
		{"&lt;&amp;&eacute;&Eacute &notit; &notin; &copy2",
		 "<&\xc3\xa9\xc3\x89 \xc2\xacit; \xe2\x88\x89 \xc2\xa9"
		 "2",
		 "", 0},
		{"&#65;&#x42;&#67 &#x44z&#128;&#x99;", "ABC Dz\xe2\x82\xac\xe2\x84\xa2", "", 0},
		{"&#0;&#xD800;&#x110000;&#99999999999;", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "", 0},
		{"& &; &# &#; &#x; &nosuch; &CounterClockwiseContourIntegral;",
		 "& &; &# &#; &#x; &nosuch; \xe2\x88\xb3", "", 0},
		{"&nGt;&bne;", "\xe2\x89\xab\xe2\x83\x92=\xe2\x83\xa5", "", 0},
	};
	(void)state;
	check_looks(cases, ARRAY_LEN(cases));
}

struct link_case {
	const char *html;
	enum html_link_kind kind;
	const char *url, *text;
	bool hidden;
};

static void finds_links_with_what_they_show(void **state)
{
	static const struct link_case cases[] = {
		{"<a href=http://a/>b <i>c</i>\n d</a>e", HTML_LINK_ANCHOR, "http://a/", "b c d", false},
		{"<A HREF = 'x&amp;y&copy=1&lt;' href=second>t", HTML_LINK_ANCHOR, "x&y&copy=1<", "t", false},
		{"<a href=\" ht\ntp://a\t/ \">x</a>", HTML_LINK_ANCHOR, "http://a/", "x", false},
		{"<a href=1>x<a href=2>y</a>", HTML_LINK_ANCHOR, "1", "x", false},
		{"<a href=1><div>x<p>y</p></div> z", HTML_LINK_ANCHOR, "1", "x y z", false},
		{"<table><tr><td><a href=1>x<td>y</table>", HTML_LINK_ANCHOR, "1", "x", false},
		{"<a href=1><img alt=' Pay&amp;Pal ' src=2></a>", HTML_LINK_ANCHOR, "1", "Pay&Pal", false},
		{"<a href=1><img alt=no>yes</a>", HTML_LINK_ANCHOR, "1", "yes", false},
		{"<div hidden><a href=1>x</a></div>", HTML_LINK_ANCHOR, "1", "x", true},
		{"<!--[if mso]><a href=1>x</a><![endif]-->y", HTML_LINK_ANCHOR, "1", "x", true},
		{"<a href='1'x=2>y</a>", HTML_LINK_ANCHOR, "1", "y", false},
		{"<a/href=1/>y</a>", HTML_LINK_ANCHOR, "1/", "y", false},
		{"<a href=\"1>x</a><b title=\">y", HTML_LINK_ANCHOR, "1>x</a><b title=", "y", false},
		{"<a href=\"1", HTML_LINK_ANCHOR, "1", "", true},
		{"<td style=font-size:0><a href=1><img src=2></a>", HTML_LINK_ANCHOR, "1", "", false},
		{"<a href=1 style=font-size:0><b style=font-size:9px>x</b></a>", HTML_LINK_ANCHOR, "1", "x", false},
		{"<a href=1 style=font-size:0>x</a>", HTML_LINK_ANCHOR, "1", "x", true},
		{"<td style=font-size:0><img src=2>", HTML_LINK_IMAGE, "2", "", false},
		{"<td style=display:none><img src=2>", HTML_LINK_IMAGE, "2", "", true},
		{"<map><area href=1 alt=x></map>", HTML_LINK_ANCHOR, "1", "", false},
		{"<img src=a.png>", HTML_LINK_IMAGE, "a.png", "", false},
		{"<td background=a.png>", HTML_LINK_IMAGE, "a.png", "", false},
		{"<p style=\"background: URL( &quot;a.png&quot; )\">", HTML_LINK_IMAGE, "a.png", "", false},
		{"<style>b{background:url(a.png)}</style>", HTML_LINK_IMAGE, "a.png", "", false},
		{"<form action=/x>", HTML_LINK_FORM, "/x", "", false},
		{"<button formaction=/x>", HTML_LINK_FORM, "/x", "", false},
		{"<meta http-equiv=Refresh content=\"3 ; URL = 'http://x/' \">", HTML_LINK_REFRESH, "http://x/", "",
		 false},
		{"<meta content='0;http://x/' http-equiv=refresh>", HTML_LINK_REFRESH, "http://x/", "", false},
		{"<iframe src=x>", HTML_LINK_FRAME, "x", "", false},
		{"<object data=x>", HTML_LINK_FRAME, "x", "", false},
		{"<script src=x></script>", HTML_LINK_OTHER, "x", "", false},
		{"<link href=x>", HTML_LINK_OTHER, "x", "", false},
		{"<a href=x/y>t</a><base href='http://b/c/d?e'>", HTML_LINK_ANCHOR, "http://b/c/x/y", "t", false},
		{"<base href=http://b/><base href=http://c/><img src=//d/e>", HTML_LINK_IMAGE, "http://d/e", "", false},
		{"<v:rect href=http://w/>", HTML_LINK_ANCHOR, "http://w/", "", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct html_document *doc;
		print_message("# case %zu\n", i);
		assert_ok(html_parse(arena, bytes_from_cstr(cases[i].html), &doc));
		assert_true(doc->n_links > 0);
		assert_int_equal(doc->links[0].kind, cases[i].kind);
		assert_bytes_str(doc->links[0].url, cases[i].url);
		assert_bytes_str(doc->links[0].text, cases[i].text);
		assert_int_equal(doc->links[0].hidden, cases[i].hidden);
	}
}

static void counts_what_checks_ask_for(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct html_document *doc;
	assert_ok(html_parse(
		arena,
		BYTES_LIT("<title> A  &amp;\nb</title><title>c</title><form><input type=Password>"
			  "<input type=hidden><input></form><img><iframe></iframe><script>x</script>"
			  "<foo><o:p>wo<!-- x -->rd <!-- -->y<b onclick=x>"
			  "<a href=' JavaScript:x'>z</a><img src=data:,x>"
			  "<meta http-equiv=refresh content=5>"
			  "&#112;&#97;&#115;&#115;&#119;&#111;&#114;&#100;&#112;&#97;&#115;&#115;&#119;&#111;"
			  "&#114;&#100;<u hidden>h"),
		&doc));
	assert_bytes_str(doc->title, "A & b");
	assert_int_equal(doc->forms, 1);
	assert_int_equal(doc->inputs, 2);
	assert_int_equal(doc->password_inputs, 1);
	assert_int_equal(doc->images, 2);
	assert_int_equal(doc->iframes, 1);
	assert_int_equal(doc->scripts, 1);
	assert_int_equal(doc->unknown_tags, 1);
	assert_int_equal(doc->comments_in_words, 1);
	assert_true(doc->event_handlers && doc->javascript_urls && doc->data_urls && doc->meta_refresh);
	assert_true(doc->entities_heavy);
	assert_false(doc->limited);
	assert_true(doc->hidden_at > 0);
}

static void nul_is_dropped(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct html_document *doc;
	assert_ok(html_parse(arena, BYTES_LIT("a\0b<a href='x\0y'>c\0d</a>"), &doc));
	assert_bytes_str(doc->visible, "abcd");
	assert_bytes_str(doc->links[0].url, "x\xef\xbf\xbdy");
}

static struct html_document *parse_repeated(struct arena *arena, const char *piece, size_t times, const char *tail)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 24);
	struct html_document *doc;
	for (size_t i = 0; i < times; i++)
		buf_add_cstr(&buf, piece);
	buf_add_cstr(&buf, tail);
	struct bytes source = arena_copy(arena, buf_bytes(&buf));
	assert_ok(html_parse(arena, source, &doc));
	return doc;
}

static void deep_nesting_is_bounded_and_text_right(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct html_document *doc = parse_repeated(arena, "<div>", 10000, "x<i hidden>y</i>z");
	assert_true(doc->limited);
	assert_bytes_str(doc->visible, "xz");
	assert_bytes_str(doc->hidden, "y");
	doc = parse_repeated(arena, "<a href=x>", HTML_MAX_LINKS + 10, "x");
	assert_true(doc->limited);
	assert_int_equal(doc->n_links, HTML_MAX_LINKS);
	doc = parse_repeated(arena, "<a x=y x=z ", 10000, "href=1>");
	assert_int_equal(doc->n_links, 1);
}

/* Work that is not linear takes minutes here, which the test's time limit ends. */
static void floods_take_linear_time(void **state)
{
	static const char *const pieces[] = {
		"<div>",
		"<a><b><i>",
		"<",
		"&",
		"<!--",
		"<a href=\"",
		"x=y ",
		"</b>",
		"<li>",
		"<td>",
		"<p><font>",
		"<script><!--<script>",
		"<svg><![CDATA[",
		"<div style=\"/*",
		"<div style=url(",
		"<style>.a{",
		"\xe2\x80\x8b",
		"<!--[if a]>",
		"&#",
		"<div><b>",
		"<title>",
		"</",
		"<b></p>",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		(void)parse_repeated(arena, pieces[i], 1000000 / strlen(pieces[i]), "x");
	}
}

static void survives_failed_allocations(void **state)
{
	static const char html[] = "<style>.x{color:red}</style><base href=http://b/><title>t</title>"
				   "<a class=x href='a&amp;b\n'>a<br>b</a><div hidden>c</div><img src=x srcset='a, b'>";
	(void)state;
	for (uint64_t nth = 1; nth < 40; nth++) {
		struct html_document *doc = NULL;
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		mem_fail_after(nth, 1);
		enum err err = html_parse(arena, bytes_from_cstr(html), &doc);
		mem_fail_after(0, 0);
		assert_true(err == ERR_OK ? doc != NULL : err == ERR_NOMEM);
	}
	for (size_t budget = 0; budget < 80000; budget += 97) {
		struct html_document *doc = NULL;
		CLEANUP(arena_free) struct arena *arena = arena_create(budget);
		enum err err = html_parse(arena, bytes_from_cstr(html), &doc);
		assert_true(err == ERR_OK ? doc != NULL : err == ERR_NOMEM);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(shows_text_as_people_see_it),
	cmocka_unit_test(tells_hidden_text),
	cmocka_unit_test(drops_characters_without_width),
	cmocka_unit_test(decodes_references),
	cmocka_unit_test(finds_links_with_what_they_show),
	cmocka_unit_test(counts_what_checks_ask_for),
	cmocka_unit_test(nul_is_dropped),
	cmocka_unit_test(deep_nesting_is_bounded_and_text_right),
	cmocka_unit_test(floods_take_linear_time),
	cmocka_unit_test(survives_failed_allocations),
};
UNIT_MAIN(tests)
