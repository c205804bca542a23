/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "mail/message.h"

/* The links of the message, joined with "|". */
static const struct {
	const char *rule;
	struct bytes in;
	const char *want;
} cases[] = {
	{"a link of HTML", BYTES_INIT("Content-Type: text/html\n\n<a href='http://a.com/'>x</a>"), "http://a.com/"},
	{"HTML by its name", BYTES_INIT("Content-Type: a/b; name=x.HTM\n\n<p><a href='&#104;ttp://a.com/'>"),
	 "http://a.com/"},
	{"HTML by its name without a last dot",
	 BYTES_INIT("Content-Type: a/b; name=\"x.html. \"\n\n<p><a href='&#104;ttp://a.com/'>"), "http://a.com/"},
	{"HTML by its bytes", BYTES_INIT("Content-Type: a/b\n\n<html><a href='&#104;ttp://a.com/'>"), "http://a.com/"},
	{"other bytes are none", BYTES_INIT("Content-Type: a/b\n\nhttp://a.com/"), ""},
	{"HTML of accelerated pages", BYTES_INIT("Content-Type: text/x-amp-html\n\n<p><a href='&#104;ttp://a.com/'>"),
	 "http://a.com/"},
	{"text of messages", BYTES_INIT("Content-Type: message/x\n\nhttp://a.com/"), "http://a.com/"},
	{"a host without a scheme", BYTES_INIT("Content-Type: text/html\n\n<a href='//a.com/b'>x</a>"),
	 "https://a.com/b"},
	{"an empty link is one to the base",
	 BYTES_INIT("Content-Type: text/html\n\n<base href='http://a.com/b'><a href=''>x</a>"), "http://a.com/b"},
	{"NULs inside are dropped by some", BYTES_INIT("\nhttp://a.\0com/b\n"), "http://a/|http://a.com/b"},
	{"in tags too", BYTES_INIT("Content-Type: text/html\n\n<a hr\0ef='http://a.\0com/b'>x</a>"), "http://a.com/b"},
	{"a byte order mark outdoes the label",
	 BYTES_INIT("Content-Type: text/plain; charset=utf-8\n\n\xff\xfeh\0t\0t\0p\0:\0/\0/\0a\0.\0c\0o\0m\0/\0"),
	 "http://a.com/"},
	{"the other one too",
	 BYTES_INIT("Content-Type: text/plain; charset=utf-16le\n\n\xfe\xff\0h\0t\0t\0p\0:\0/\0/\0a\0.\0c\0o\0m\0/"),
	 "http://a.com/"},
	{"UTF-16 without a mark may be of either order",
	 BYTES_INIT("Content-Type: text/plain; charset=utf-16\n\nh\0t\0t\0p\0:\0/\0/\0a\0.\0c\0o\0m\0/\0"),
	 "http://a.com/"},
	{"flowed lines are joined where they say so",
	 BYTES_INIT("Content-Type: text/plain; format=flowed; DelSp=Yes\n\n> http:// \n>  a.com/ \n> b\nc"),
	 "http://a.com/|http://a.com/b"},
	{"and else not", BYTES_INIT("Content-Type: text/plain; format=flowed\n\nhttp://a.com/ \nb"), "http://a.com/"},
	{"the folds of a calendar", BYTES_INIT("Content-Type: text/calendar\n\nURL:https:\n //a.com/\n\tb\nX:"),
	 "https://a.com/b"},
};

static void finds_what_the_table_says(void **state)
{
	int failed = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
		struct message *message;
		assert_ok(message_parse(arena, cases[i].in, &mime_limits_default, &message));
		for (size_t k = 0; k < message->urls.count; k++)
			buf_printf(&out, "%s%.*s", k ? "|" : "", BYTES_FMT(message->urls.items[k].url));
		if (!bytes_eq(buf_bytes(&out), bytes_from_cstr(cases[i].want))) {
			print_error("%s\ngot  %.*s\nwant %s\n", cases[i].rule, BYTES_FMT(buf_bytes(&out)),
				    cases[i].want);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void too_many_links_end_in_a_defect(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf in = BUF_INIT(1 << 20);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct message *message;
	buf_add_cstr(&in, "\n");
	for (unsigned i = 0; i <= URL_MAX; i++)
		buf_printf(&in, "http://a%u.com/\n", i);
	assert_ok(message_parse(arena, buf_bytes(&in), &mime_limits_default, &message));
	assert_true(defect_seen(&message->defects, DEFECT_LIMIT_URLS));
	assert_int_equal(message->urls.count, URL_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_what_the_table_says),
	cmocka_unit_test(too_many_links_end_in_a_defect),
};
UNIT_MAIN(tests)
