/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "mail/param.h"

/* "token; name=value|other|..." with ' for extended values; "!" at the end where something was loose. */
static const struct {
	const char *rule, *in, *name, *want;
} cases[] = {
	{"a token alone", "text/plain", "x", "text/plain;"},
	{"a token value", "text/plain; x=y", "x", "text/plain;y"},
	{"a name in any case", "a; X=y", "x", "a;y"},
	{"a quoted value", "a; x=\"y z; w\"", "x", "a;y z; w"},
	{"blanks around the equals sign", "a; x = y", "x", "a;y"},
	{"comments", "a (b; c=d) ; x=y (e)", "x", "a;y"},
	{"nested comments", "a (b (c) d); x=y", "x", "a;y"},
	{"escapes", "a; x=\"y\\\"z\\\\w\"", "x", "a;y\"z\\w"},
	{"an escape of another byte: kept, or cut", "a; x=\"y\\z\"", "x", "a;y\\z|yz"},
	{"an empty value", "a; x=\"\"", "x", "a;"},
	{"no value", "a; x=", "x", "a;"},
	{"a name without value", "a; x; y=z", "y", "a;z!"},
	{"empty parameters", "a;;; x=y;", "x", "a;y"},
	{"blanks in a token: up to the blank, or all", "a; x=y z", "x", "a;y|y z!"},
	{"a forgotten semicolon", "a; x=y z=w", "z", "a;w!"},
	{"a forgotten semicolon behind the token", "a x=y", "x", "a;y!"},
	{"a forgotten semicolon behind a quoted value", "a; x=\"y\" z=w", "z", "a;w!"},
	{"no closing quote: all, or up to the semicolon", "a; x=\"y; z=w", "x", "a;y; z=w|y!"},
	{"bytes behind the quote", "a; x=\"y\"z", "x", "a;y|yz!"},
	{"single quotes mean nothing, but some cut them", "a; x='y'", "x", "a;'y'|y"},
	{"twice", "a; x=y; x=z", "x", "a;y|z?"},
	{"twice the same", "a; x=y; x=y", "x", "a;y?"},
	{"continuations", "a; x*0=y; x*1=z", "x", "a;yz"},
	{"continuations in another order", "a; x*1=z; x*0=y", "x", "a;yz"},
	{"numbers of two digits are numbers",
	 "a; x*10=k; x*0=a; x*1=b; x*2=c; x*3=d; x*4=e; x*5=f; x*6=g; x*7=h; "
	 "x*8=i; x*9=j",
	 "x", "a;abcdefghijk"},
	{"a gap: up to it, or over it", "a; x*0=y; x*2=z", "x", "a;y|yz"},
	{"no first section", "a; x*1=z", "x", "a;z"},
	{"a section twice: the first, or the last", "a; x*0=y; x*0=z; x*1=w", "x", "a;yw|zw?"},
	{"comments inside a token: kept, its end, or dropped", "a; x=y.(z)w", "x", "a;y.(z)w|y.|y.w"},
	{"comments before and behind a token", "a; x=(b)y.z(c)", "x", "a;(b)y.z(c)|y.z"},
	{"comments with blanks in them", "a; x=(b c)y.z(d)", "x", "a;(b|(b c)y.z(d)|y.z!"},
	{"a comment behind a name", "a; x(b)=y; z (c) = w", "z", "a;w"},
	{"a comment behind the number of a section", "a; x*0(b)=y; x*1=z", "x", "a;yz"},
	{"no closing quote: what follows is read as well", "a; y=\"b; x=w", "x", "a;w!"},
	{"extended", "a; x*=utf-8'en'y%20z", "x", "a;'utf-8'y z"},
	{"extended without a charset", "a; x*=y%20z", "x", "a;''y z"},
	{"extended with one quote", "a; x*=y'z%41", "x", "a;''y'zA"},
	{"escapes that are none stay", "a; x*=utf-8''y%zz%4", "x", "a;'utf-8'y%zz%4"},
	{"a lower case escape", "a; x*=utf-8''%c3%bc", "x", "a;'utf-8'\xc3\xbc"},
	{"extended sections and plain ones: as they say, or all unescaped", "a; x*0*=utf-8''y%20; x*1=%41", "x",
	 "a;'utf-8'y %41|'utf-8'y A"},
	{"extended before plain", "a; x=y; x*=utf-8''z", "x", "a;'utf-8'z|y?"},
};

static void draw(struct arena *arena, struct bytes in, struct bytes name, struct buf *out)
{
	struct param_list list;
	struct param_values values;
	assert_ok(param_parse(arena, in, &list));
	assert_ok(param_values(arena, &list, name, &values));
	buf_printf(out, "%.*s;", BYTES_FMT(list.token));
	for (size_t i = 0; i < values.count; i++) {
		const struct param_value *value = &values.items[i];
		buf_add_cstr(out, i ? "|" : "");
		if (value->kind == PARAM_EXTENDED)
			buf_printf(out, "'%.*s'", BYTES_FMT(value->charset));
		buf_add(out, value->text);
	}
	buf_add_cstr(out, values.differ ? "?" : "");
	buf_add_cstr(out, list.loose ? "!" : "");
}

static void reads_as_the_table_says(void **state)
{
	int failed = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
		draw(arena, bytes_from_cstr(cases[i].in), bytes_from_cstr(cases[i].name), &out);
		if (!bytes_eq(buf_bytes(&out), bytes_from_cstr(cases[i].want))) {
			print_error("%s\ngot  %.*s\nwant %s\n", cases[i].rule, BYTES_FMT(buf_bytes(&out)),
				    cases[i].want);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void nuls_in_a_name_are_dropped(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
	(void)state;
	draw(arena, BYTES_LIT("a; \0=c; n\0ame=b"), BYTES_LIT("name"), &out);
	assert_bytes_str(buf_bytes(&out), "a;b!");
}

static void too_many_are_told(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf in = BUF_INIT(1 << 16);
	struct param_list list;
	(void)state;
	for (unsigned i = 0; i <= PARAM_MAX; i++)
		buf_printf(&in, "%sp%u=v", i ? ";" : "a;", i);
	assert_ok(param_parse(arena, buf_bytes(&in), &list));
	assert_int_equal(list.count, PARAM_MAX);
	assert_true(list.limited);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_as_the_table_says),
	cmocka_unit_test(nuls_in_a_name_are_dropped),
	cmocka_unit_test(too_many_are_told),
};
UNIT_MAIN(tests)
