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

static struct local_list *parse(struct arena *arena, struct bytes text, struct wrong *wrong)
{
	struct local_list *list;
	*wrong = (struct wrong){0};
	assert_ok(local_list_parse(arena, text, on_wrong, wrong, &list));
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
	struct local_list *list = parse(arena, bytes_from_cstr(text), &wrong);
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
		struct local_list *list = parse(arena, buf_bytes(&text), &wrong);
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
	struct local_list *list = parse(arena, buf_bytes(&text), &wrong);
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
	struct local_list *list = parse(arena, buf_bytes(&text), &wrong);
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

static void an_empty_list_has_nothing(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct wrong wrong;
	struct local_list *list = parse(arena, (struct bytes){0}, &wrong);
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
	cmocka_unit_test(an_empty_list_has_nothing),
};
UNIT_MAIN(tests)
