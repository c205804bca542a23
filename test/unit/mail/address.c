/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "mail/address.h"

/* "name|address;name|address" */
static const struct {
	struct bytes in;
	const char *want;
} rows[] = {
	{BYTES_INIT("a@b.c"), "|a@b.c"},
	{BYTES_INIT("Foo Bar <a@b.c>"), "Foo Bar|a@b.c"},
	{BYTES_INIT("\"Foo, Bar\" <a@b.c>, x@y"), "Foo, Bar|a@b.c;|x@y"},
	{BYTES_INIT("Foo, Bar <a@b.c>"), "Foo, Bar|a@b.c"},
	{BYTES_INIT("a@b.c (Foo (x) Bar)"), "Foo (x) Bar|a@b.c"},
	{BYTES_INIT("undisclosed-recipients:;"), ""},
	{BYTES_INIT("G: a@b, c@d;, e@f"), "|a@b;|c@d;|e@f"},
	{BYTES_INIT("<@a,@b:c@d>"), "|c@d"},
	{BYTES_INIT("Foo <a@b.c"), "Foo|a@b.c"},
	{BYTES_INIT("<<a@b>>"), "|a@b"},
	{BYTES_INIT("a@b.com via c <d@e>"), "a@b.com via c|d@e"},
	{BYTES_INIT("\"a@b\" <c@d>"), "a@b|c@d"},
	{BYTES_INIT("=\?utf-8\?Q\?=C3=A9\?= <a@b>"), "\303\251|a@b"},
	{BYTES_INIT("=\?utf-8\?Q\?Foo_<a@b>\?="), "Foo|a@b"},
	{BYTES_INIT("a@b; c@d;"), "|a@b;|c@d"},
	{BYTES_INIT("a@b,,"), "|a@b"},
	{BYTES_INIT("root"), "|root"},
	{BYTES_INIT("\"john doe\"@x.y"), "|\"john doe\"@x.y"},
	{BYTES_INIT("\"john\"@x.y"), "|john@x.y"},
	{BYTES_INIT("a@[1.2.3.4]"), "|a@[1.2.3.4]"},
	{BYTES_INIT("a @ b . c"), "|a@b.c"},
	{BYTES_INIT("(c) a (d) @ (e) b"), "e|a@b"},
	{BYTES_INIT("\347\224\250\346\210\267@\344\276\213\343\201\210.jp"),
	 "|\347\224\250\346\210\267@\344\276\213\343\201\210.jp"},
	{BYTES_INIT("Foo <a@b> <c@d>"), "Foo|a@b;|c@d"},
	{BYTES_INIT("\"Fo\\\"o\" <a@b>"), "Fo\"o|a@b"},
	{BYTES_INIT("=\?utf-8\?Q\?Foo,_Bar\?= <a@b>"), "Foo, Bar|a@b"},
	{BYTES_INIT(""), ""},
	{BYTES_INIT(", ;"), ""},
	{BYTES_INIT("a@b@c"), "|a@b@c"},
	{BYTES_INIT("\"unclosed <a@b>"), "unclosed|a@b"},
};

static void reads_lists_as_clients_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf got = BUF_INIT(4000);
		struct address_list list = {0};
		assert_ok(address_parse(arena, rows[i].in, NULL, 0, BYTES_LIT("To"), NULL, &list));
		for (size_t k = 0; k < list.count; k++) {
			buf_add_cstr(&got, k ? ";" : "");
			buf_add(&got, list.items[k].name);
			buf_add_byte(&got, '|');
			buf_add(&got, list.items[k].address);
			assert_true(list.items[k].at + list.items[k].len <= rows[i].in.len);
		}
		assert_bytes_str(buf_bytes(&got), rows[i].want);
	}
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (uint64_t n = 1; n < 30; n++) {
			CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
			struct address_list list = {0};
			mem_fail_after(n, 1);
			enum err err = address_parse(arena, rows[i].in, NULL, 0, BYTES_LIT("To"), NULL, &list);
			mem_fail_after(0, 0);
			assert_true(err == ERR_OK || err == ERR_NOMEM);
		}
	}
}

/* A quadratic parser would need minutes for these, and the time limit of the test would end it. */
static void time_is_linear(void **state)
{
	(void)state;
	static const char *const units[] = {"(",  "<",  "\"",     ",", "<,", "(\\", "\"<",
					    "a,", "=?", "=?a?Q?", "@", ":",  "<\""};
	static uint8_t raw[1000000];
	for (size_t u = 0; u < ARRAY_LEN(units); u++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct address_list list = {0};
		for (size_t i = 0; i < sizeof(raw); i++)
			raw[i] = (uint8_t)units[u][i % strlen(units[u])];
		assert_ok(address_parse(arena, bytes_make(raw, sizeof(raw)), NULL, 0, BYTES_LIT("To"), NULL, &list));
		assert_true(list.count <= ADDRESS_MAX);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_lists_as_clients_do),
	cmocka_unit_test(survives_every_failed_allocation),
	cmocka_unit_test(time_is_linear),
};
UNIT_MAIN(tests)
