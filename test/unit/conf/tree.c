/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/tree.h"

/* As text, so that a case is one line: k=v for a scalar, k={...} and k=[...] for what holds others. */
static void print_node(struct buf *buf, const struct yaml_node *node)
{
	if (node->key.ptr)
		buf_printf(buf, "%.*s=", BYTES_FMT(node->key));
	if (node->kind == YAML_SCALAR) {
		buf_add(buf, node->scalar);
		return;
	}
	buf_add_byte(buf, node->kind == YAML_MAP ? '{' : '[');
	for (const struct yaml_node *child = node->first; child; child = child->next) {
		print_node(buf, child);
		buf_add_cstr(buf, child->next ? " " : "");
	}
	buf_add_byte(buf, node->kind == YAML_MAP ? '}' : ']');
}

static void reads_maps_lists_and_scalars(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", "{}"},
		{"# a comment\n", "{}"},
		{"---\n", "{}"},
		{"a: 1\n", "{a=1}"},
		{"a: 1\nb:\n  c: x y\n  d: [p, q]\n", "{a=1 b={c=x y d=[p q]}}"},
		{"a: {b: {c: {d: e}}}", "{a={b={c={d=e}}}}"},
		{"a:\n  - 1\n  - b: 2\n    c: 3\n", "{a=[1 {b=2 c=3}]}"},
		{"a: \"q\\u00e9\"\nb: 'it''s'\n", "{a=q\xc3\xa9 b=it's}"},
		{"a:\n", "{a=}"},
		{"a: [\"::1\", \"*@b\"]\n", "{a=[::1 *@b]}"},
		{"\xef\xbb\xbf"
		 "a: b\r\nc: d\r\n",
		 "{a=b c=d}"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
		struct yaml_node *root;
		struct error error;
		assert_ok(yaml_parse(arena, bytes_from_cstr(cases[i].text), &root, &error));
		print_node(&got, root);
		assert_bytes_str(buf_bytes(&got), cases[i].want);
	}
}

static void refuses_what_is_not_strict_and_tells_the_line(void **state)
{
	static const struct {
		const char *text;
		size_t line;
		const char *want;
	} cases[] = {
		{"a: 1\nb: &x 2\n", 2, "anchors and tags are not supported"},
		{"a: !!int 2\n", 1, "anchors and tags are not supported"},
		{"a: &x {b: c}\n", 1, "anchors and tags are not supported"},
		{"a: ! [b]\n", 1, "anchors and tags are not supported"},
		{"a: 1\nb: *x\n", 2, "aliases are not supported"},
		{"\n<<: {a: b}\n", 2, "merge keys are not supported"},
		{"a: 1\n---\nb: 2\n", 2, "a second document is not supported"},
		{"a: 1\nb: 2\na: 3\n", 3, "\"a\" is given twice (first in line 1)"},
		{"a: {b: 1, \"b\": 2}\n", 1, "\"b\" is given twice (first in line 1)"},
		{"a: {}\na: {}\n", 2, "\"a\" is given twice (first in line 1)"},
		{"- a\n", 1, "expected \"key: value\""},
		{"\n\njust words\n", 3, "expected \"key: value\""},
		{"? [a]\n: b\n", 1, "a key must be a plain word"},
		{"{a: b}: c\n", 1, "a key must be a plain word"},
		{"a: \"x\\0y\"\n", 1, "a value is one line, without control characters"},
		{"a: \"\\x82\"\n", 1, "a value is one line, without control characters"},
		{"a: \"\\N\"\n", 1, "a value is one line, without control characters"},
		{"a: \"\\L\"\n", 1, "a value is one line, without control characters"},
		{"a: \"\\P\"\n", 1, "a value is one line, without control characters"},
		{"a: \"\\uffff\"\n", 1, "a value is one line, without control characters"},
		{"\"a\\0\": y\n", 1, "a value is one line, without control characters"},
		{"a: |\n  two\n  lines\n", 1, "a value is one line, without control characters"},
		{"a: [[[[[[[[b]]]]]]]]\n", 1, "values are nested too deep"},
		{"a: 1\n\tb: 2\n", 2, "found a tab character that violates indentation"},
		{"a: 1\n b: 2\n", 2, "mapping values are not allowed in this context"},
		{"a: b\nc: \xff\n", 2, "invalid leading UTF-8 octet"},
		{"a: b\n\nc: \x01\n", 3, "control characters are not allowed"},
		{"a: [b\n", 2, "did not find expected ',' or ']'"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct yaml_node *root;
		struct error error = {0};
		if (yaml_parse(arena, bytes_from_cstr(cases[i].text), &root, &error) != ERR_SYNTAX)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(error.text, cases[i].want);
		assert_int_equal(error.at, cases[i].line);
	}
}

static void bounds_bytes_values_and_memory(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(arena_free) struct arena *small = arena_create(200);
	CLEANUP(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	struct yaml_node *root;
	struct error error;
	buf_add_cstr(&text, "a: [");
	for (int i = 0; i < YAML_NODES_MAX; i++)
		buf_add_cstr(&text, "x,");
	buf_add_cstr(&text, "]\n");
	assert_int_equal(yaml_parse(arena, buf_bytes(&text), &root, &error), ERR_SYNTAX);
	assert_string_equal(error.text, "the file has too many values");
	assert_int_equal(yaml_parse(small, BYTES_LIT("a: b\nc: d\ne: f\n"), &root, &error), ERR_NOMEM);
	while (text.len <= YAML_BYTES_MAX)
		buf_add_cstr(&text, "# a comment of some length, many times over\n");
	assert_int_equal(yaml_parse(arena, buf_bytes(&text), &root, &error), ERR_LIMIT);
}

static void a_packed_tree_comes_out_as_it_was(void **state)
{
	static const char *const texts[] = {
		"",
		"a: 1\nb:\n  c: x y\n  d: [p, q]\ne: {}\nf: []\ng: [[], {}, [x]]\nh:\n",
		"a: {b: {c: {d: {e: {f: {g: h}}}}}}\ni: \"q\\u00e9\"\n",
		"a:\n  - 1\n  - b: 2\n    c: 3\n\n  - 'it''s'\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf want = BUF_INIT(10000);
		CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
		CLEANUP(buf_done) struct buf packed = BUF_INIT(10000);
		CLEANUP(buf_done) struct buf again = BUF_INIT(10000);
		struct yaml_node *root;
		struct error error;
		assert_ok(yaml_parse(arena, bytes_from_cstr(texts[i]), &root, &error));
		print_node(&want, root);
		yaml_pack(&packed, root);
		assert_ok(yaml_unpack(arena, buf_bytes(&packed), &root, &error));
		print_node(&got, root);
		assert_bytes(buf_bytes(&got), buf_bytes(&want));
		yaml_pack(&again, root); /* lines and quotes too */
		assert_bytes(buf_bytes(&again), buf_bytes(&packed));
		for (size_t len = 0; len < packed.len; len++) {
			/* Cut anywhere it is no tree, or one that lacks its last values. */
			if (yaml_unpack(arena, bytes_sub(buf_bytes(&packed), 0, len), &root, &error) == ERR_OK)
				assert_true(len > 0 && root->kind == YAML_MAP);
		}
	}
}

/* kind, depth, line, key, scalar */
#define NODE(kind, depth, key, scalar) kind depth "\0\0\0\1" key scalar
#define NONE                           "\0\0\0\0"
#define ONE(c)                         "\0\0\0\1" c
#define ROOT                           NODE("\1", "\0", NONE, NONE)
#define PACKED(text)                                                                                                   \
	{                                                                                                              \
		(const uint8_t *)(text), sizeof(text) - 1                                                              \
	}

static void a_packed_tree_that_lies_is_none(void **state)
{
	static const struct bytes good = PACKED(ROOT NODE("\0", "\1", ONE("a"), ONE("b")));
	static const struct bytes bad[] = {
		PACKED(""),
		PACKED(NODE("\0", "\0", NONE, ONE("b"))),          /* a scalar as the root */
		PACKED(NODE("\2", "\0", NONE, NONE)),              /* a list as the root */
		PACKED(ROOT ROOT),                                 /* two roots */
		PACKED(NODE("\1", "\1", NONE, NONE)),              /* a root below nothing */
		PACKED(ROOT NODE("\0", "\2", ONE("a"), ONE("b"))), /* below a node that is not there */
		PACKED(ROOT NODE("\0", "\1", ONE("a"), ONE("b")) NODE("\0", "\2", ONE("c"), NONE)), /* below a scalar */
		PACKED(ROOT NODE("\3", "\1", ONE("a"), NONE)),                                      /* no such kind */
		PACKED(ROOT NODE("\1", "\1", ONE("a"), ONE("b"))),  /* a map that is a scalar as well */
		PACKED(ROOT NODE("\0", "\1", ONE("\n"), ONE("b"))), /* control characters */
		PACKED(ROOT NODE("\0", "\1", ONE("a"), ONE("\0"))),
		PACKED(ROOT NODE("\0", "\1", ONE("a"), ONE("\xff"))),                               /* no UTF-8 */
		PACKED(ROOT NODE("\0", "\1", ONE("a"), ONE("b")) NODE("\0", "\1", ONE("a"), NONE)), /* a key twice */
		PACKED(ROOT NODE("\2", "\1", ONE("a"), NONE) NODE("\0", "\2", ONE("k"), NONE)), /* a key in a list */
		PACKED("\1\0\0\0\0\0" NONE NONE),                                               /* line 0 */
		PACKED(ROOT "\0\1\0\0\0\1" ONE("a") "\xff\xff\xff\xff"
						    "b"), /* a length that is not there */
	};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf deep = BUF_INIT(1000);
	struct yaml_node *root;
	struct error error;
	(void)state;
	assert_ok(yaml_unpack(arena, good, &root, &error));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (yaml_unpack(arena, bad[i], &root, &error) != ERR_SYNTAX)
			fail_msg("accepted: case %zu", i);
	for (uint8_t depth = 0; depth <= YAML_DEPTH_MAX; depth++) {
		buf_add_byte(&deep, depth == 0 ? YAML_MAP : YAML_LIST);
		buf_add_byte(&deep, depth);
		buf_add_be32(&deep, 1);
		buf_add_be64(&deep, 0);
	}
	assert_int_equal(yaml_unpack(arena, buf_bytes(&deep), &root, &error), ERR_SYNTAX);
	assert_string_equal(error.text, "values are nested too deep");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_packed_tree_comes_out_as_it_was),
	cmocka_unit_test(a_packed_tree_that_lies_is_none),
	cmocka_unit_test(reads_maps_lists_and_scalars),
	cmocka_unit_test(refuses_what_is_not_strict_and_tells_the_line),
	cmocka_unit_test(bounds_bytes_values_and_memory),
};
UNIT_MAIN(tests)
