/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "scan/local_list.h"

struct wrong {
	size_t count, first;
};

static void on_wrong(void *ctx, size_t number, struct bytes line, const char *why)
{
	struct wrong *wrong = ctx;
	assert_true(line.len > 0 && why[0]);
	if (wrong->count++ == 0)
		wrong->first = number;
}

static const struct local_list *parse(struct arena *arena, struct bytes text, struct wrong *wrong)
{
	const struct local_list *list;
	struct bytes image;
	*wrong = (struct wrong){0};
	assert_ok(local_list_build(arena, text, on_wrong, wrong, &image));
	assert_ok(local_list_open(arena, image, &list));
	return list;
}

static void expect(const struct local_list *list, const char *value, const char *entry)
{
	CLEANUP(buf_done) struct buf got = BUF_INIT(1024);
	bool found = local_list_find(list, bytes_from_cstr(value), &got);
	if (found != (entry != NULL))
		fail_msg("\"%s\" is %sfound", value, found ? "" : "not ");
	assert_bytes_str(buf_bytes(&got), entry ? entry : "");
}

static void values_are_found_by_the_narrowest_entry(void **state)
{
	static const char text[] = "\xef\xbb\xbf# a list\r\n"
				   "192.0.2.0/24 # a network\r\n"
				   "  192.0.2.128/25\t\r\n"
				   "192.0.2.200\r\n"
				   "10.0.0.0/8\n"
				   "2001:DB8::/32\n"
				   "2001:db8:0:1::9\n"
				   "Example.COM\n"
				   ".example.net\n"
				   "deep.under.example.net\n"
				   ".museum\n"
				   "Some.One@example.org\n"
				   "a#b@example.org\n"
				   "192.0.2.200";
	static const struct {
		const char *value, *entry;
	} table[] = {
		{"192.0.2.1", "192.0.2.0/24"},
		{"192.0.2.129", "192.0.2.128/25"},
		{"192.0.2.200", "192.0.2.200"},
		{"192.0.3.1", NULL},
		{"10.255.255.255", "10.0.0.0/8"},
		{"11.0.0.0", NULL},
		{"2001:db8::1", "2001:db8::/32"},
		{"2001:db8:0:1::9", "2001:db8:0:1::9"},
		{"2001:db9::1", NULL},
		{"::ffff:192.0.2.1", "192.0.2.0/24"},
		{"example.com", "example.com"},
		{"www.example.com", NULL},
		{"xexample.com", NULL},
		{"example.net", ".example.net"},
		{"a.b.example.net", ".example.net"},
		{"deep.under.example.net", "deep.under.example.net"},
		{"xexample.net", NULL},
		{"net", NULL},
		{"art.museum", ".museum"},
		{"some.one@example.org", "some.one@example.org"},
		{"other@example.org", NULL},
		{"a#b@example.org", "a#b@example.org"},
		{"anyone@example.com", "example.com"},
		{"anyone@sub.example.net", ".example.net"},
		{"anyone@sub.example.com", NULL},
		{"", NULL},
		{".", NULL},
		{"@", NULL},
		{"1.2.3", NULL},
		{"300.1.1.1", NULL},
	};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct wrong wrong;
	const struct local_list *list = parse(arena, bytes_from_cstr(text), &wrong);
	(void)state;
	assert_int_equal(wrong.count, 0);
	assert_int_equal(local_list_count(list), 12); /* one of the thirteen is there twice, a comment is none */
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		expect(list, table[i].value, table[i].entry);
}

static void wrong_lines_are_told_by_their_number(void **state)
{
	static const char *const lines[] = {"192.0.2.1/24",
					    "192.0.2.1/33",
					    "192.0.2",
					    "0.0.0.0/0",
					    "::/0",
					    "2001:db8::1/32",
					    "2001:db8::/129",
					    "[192.0.2.1]",
					    "192.0.2.0%/30",
					    "a b",
					    "@example.com",
					    "user@",
					    "user@exa mple.com",
					    "user@example..com",
					    "example.com.",
					    "..example.com",
					    ".",
					    "*.example.com",
					    "http://example.com/",
					    "\xe4.example",
					    "-@-@",
					    "a_b.c/d",
					    ".2.1",
					    "a\0b.example"};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		CLEANUP(buf_done) struct buf text = BUF_INIT(4096);
		struct wrong wrong;
		buf_add_cstr(&text, "# first\n\n");
		buf_add_cstr(&text, lines[i]);
		if (i == ARRAY_LEN(lines) - 1)
			buf_add(&text, BYTES_LIT("\0b.example"));
		buf_add_cstr(&text, "\ngood.example\n");
		const struct local_list *list = parse(arena, buf_bytes(&text), &wrong);
		if (wrong.count != 1)
			fail_msg("\"%s\" is taken", lines[i]);
		assert_int_equal(wrong.first, 3);
		expect(list, "good.example", "good.example");
	}
}

static void an_entry_that_is_too_long_is_told(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf text = BUF_INIT(4096);
	struct wrong wrong;
	(void)state;
	for (size_t i = 0; i < 63; i++)
		buf_add_cstr(&text, "abc.");
	buf_add_byte(&text, 'd');
	assert_int_equal(text.len, 253);
	const struct local_list *list = parse(arena, buf_bytes(&text), &wrong);
	assert_int_equal(wrong.count, 0);
	CLEANUP(buf_done) struct buf entry = BUF_INIT(1024);
	assert_true(local_list_find(list, buf_bytes(&text), &entry));
	buf_add_cstr(&text, "ef");
	(void)parse(arena, buf_bytes(&text), &wrong);
	assert_int_equal(wrong.count, 1);
	buf_clear(&entry);
	assert_false(local_list_find(list, buf_bytes(&text), &entry));
}

static void a_list_of_many_is_compact_and_whole(void **state)
{
	enum { MANY = 50000 };
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf text = BUF_INIT((size_t)1 << 24);
	struct wrong wrong;
	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		unsigned n = i * 7919u % MANY; /* in no order, each once */
		buf_printf(&text, "45.%u.%u.0/24\nhost%u.example\n", n >> 8, n & 255, n);
	}
	const struct local_list *list = parse(arena, buf_bytes(&text), &wrong);
	assert_int_equal(wrong.count, 0);
	assert_int_equal(local_list_count(list), 2 * MANY);
	assert_true(arena_used(arena) < text.len + 16 * (size_t)MANY);
	for (unsigned n = 0; n < MANY; n += 97) {
		char value[64], entry[64];
		(void)snprintf(value, sizeof(value), "45.%u.%u.%u", n >> 8, n & 255, n % 256);
		(void)snprintf(entry, sizeof(entry), "45.%u.%u.0/24", n >> 8, n & 255);
		expect(list, value, entry);
		(void)snprintf(value, sizeof(value), "host%u.example", n);
		expect(list, value, value);
		(void)snprintf(value, sizeof(value), "host%u.example", n + MANY);
		expect(list, value, NULL);
	}
}

static void lists_are_one_image(void **state)
{
	static const char *const texts[] = {"192.0.2.0/24\n.example.net\n", "", "example.com\nwww.example.net\n"};
	static const char *const names[] = {"a", "a-list-of-nothing", "12345678"};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf answer = BUF_INIT(1024);
	struct local_lists_item items[ARRAY_LEN(texts)] = {0};
	struct local_lists lists = {items, ARRAY_LEN(texts)}, opened;
	struct bytes image;
	struct wrong wrong = {0};
	(void)state;
	for (size_t i = 0; i < lists.count; i++) {
		items[i].name = bytes_from_cstr(names[i]);
		assert_ok(local_list_build(arena, bytes_from_cstr(texts[i]), on_wrong, &wrong, &items[i].image));
	}
	assert_ok(local_lists_pack(arena, &lists, &image));
	/* Where it lies and who opens it is all the same. */
	uint8_t *moved = arena_alloc(arena, image.len);
	memcpy(moved, image.ptr, image.len);
	assert_ok(local_lists_open(arena, bytes_make(moved, image.len), &opened));
	assert_int_equal(opened.count, 3);
	assert_true(local_lists_answer(&opened, BYTES_LIT("www.example.net"), &answer));
	assert_bytes_str(buf_bytes(&answer), "a .example.net\n12345678 www.example.net\n");
	buf_clear(&answer);
	assert_false(local_lists_answer(&opened, BYTES_LIT("example.org"), &answer));
	for (size_t i = 0; i < lists.count; i++)
		assert_true(bytes_eq(local_lists_image(&opened, items[i].name), items[i].image));
	assert_null(local_lists_image(&opened, BYTES_LIT("b")).ptr);
	assert_ok(local_lists_open(arena, (struct bytes){0}, &opened));
	assert_int_equal(opened.count, 0);
}

/* Cut anywhere, or with any byte changed: it is refused, or finds something or nothing; the sanitizers see the rest. */
static void an_image_of_somebody_else_does_no_harm(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct local_lists_item item = {.name = BYTES_LIT("list")};
	struct local_lists lists = {&item, 1}, opened;
	struct bytes image;
	struct wrong wrong = {0};
	(void)state;
	assert_ok(local_list_build(arena, BYTES_LIT("192.0.2.0/24\n2001:db8::/32\nexample.com\n.b.example\n"), on_wrong,
				   &wrong, &item.image));
	assert_ok(local_lists_pack(arena, &lists, &image));
	for (size_t at = 0; at < 9 * image.len; at++) {
		CLEANUP(arena_free) struct arena *inner = arena_create(SIZE_MAX);
		CLEANUP(buf_done) struct buf answer = BUF_INIT(4096);
		bool cut = at >= 8 * image.len;
		size_t len = cut ? at - 8 * image.len : image.len;
		uint8_t *copy = arena_alloc_raw(inner, len + 1);
		memcpy(copy, image.ptr, len);
		if (!cut)
			copy[at / 8] ^= (uint8_t)(1u << at % 8);
		enum err err = local_lists_open(inner, bytes_make(copy, len), &opened);
		assert_true(err == ERR_OK || err == ERR_SYNTAX);
		if (err != ERR_OK)
			continue;
		(void)local_lists_answer(&opened, BYTES_LIT("192.0.2.1"), &answer);
		(void)local_lists_answer(&opened, BYTES_LIT("2001:db8::1"), &answer);
		(void)local_lists_answer(&opened, BYTES_LIT("www.example.com"), &answer);
		(void)local_lists_answer(&opened, BYTES_LIT("a.b.example"), &answer);
	}
}

static void an_empty_list_has_nothing(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct wrong wrong;
	const struct local_list *list = parse(arena, (struct bytes){0}, &wrong);
	(void)state;
	assert_int_equal(local_list_count(list), 0);
	expect(list, "192.0.2.1", NULL);
	expect(list, "example.com", NULL);
	expect(list, "a@example.com", NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(values_are_found_by_the_narrowest_entry),
	cmocka_unit_test(wrong_lines_are_told_by_their_number),
	cmocka_unit_test(an_entry_that_is_too_long_is_told),
	cmocka_unit_test(a_list_of_many_is_compact_and_whole),
	cmocka_unit_test(lists_are_one_image),
	cmocka_unit_test(an_image_of_somebody_else_does_no_harm),
	cmocka_unit_test(an_empty_list_has_nothing),
};
UNIT_MAIN(tests)
