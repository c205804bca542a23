/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "wire/lists.h"
#include "wire/load.h"

/* Reads a configuration; what the key tables say of it is no matter here. */
static struct settings settings_of(struct arena *arena, const char *text, struct settings_origin *origin)
{
	struct settings settings;
	static struct conf_errors errors;
	*origin = (struct settings_origin){0};
	if (!settings_parse(arena, bytes_from_cstr(text), &settings, origin, &errors))
		fail_msg("%s", errors.items[0].text);
	return settings;
}

#define ZONE(name, zone, kind, about, codes, more)                                                                     \
	"    - {name: " name ", zone: " zone ", kind: " kind ", about: [" about "], codes: [" codes "]" more "}\n"

static void what_is_wrong_with_a_list_is_told(void **state)
{
	static const struct {
		const char *text, *error; /* NULL: good */
	} table[] = {
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "client, received, urls", "127.0.0.2 = x", ""),
		 NULL},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "domain", "helo, from", "bit 2 = x", ", canary_hit: off"),
		 NULL},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "domain", "helo", "127.0.0.2 = x", ", canary_miss: ''"),
		 NULL},
		{"lists:\n  zones:\n" ZONE("'a b'", "a.example", "ip", "client", "127.0.0.2 = x", ""),
		 "lists.zones: a b: a list needs a name of 1 to 40 letters, digits and -_."},
		{"lists:\n  zones:\n" ZONE("a", "example", "ip", "client", "127.0.0.2 = x", ""),
		 "lists.zones: a: \"example\" is no zone"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "", "127.0.0.2 = x", ""),
		 "lists.zones: a: without \"about\" it would never be asked"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "clients", "127.0.0.2 = x", ""),
		 "lists.zones: a: about: \"clients\" is none of client, received, helo, sender, from, replies, urls"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip-allow", "urls", "127.0.0.2 = x", ""),
		 "lists.zones: a: a list of kind ip-allow cannot be asked about: urls"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "client", "", ""),
		 "lists.zones: a: it needs 1 to 100 \"codes\" that say what its answers mean"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "client", "127.255.255.1 = x", ""),
		 "lists.zones: a: \"127.255.255.1 = x\": answers outside 127.0.0.0/8 and in 127.255.255.0/24 never "
		 "count"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "client", "127.0.0.2 = x", ", canary_miss: no"),
		 "lists.zones: a: canary_miss: expected an address, or off"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "domain", "urls", "127.0.0.2 = x", ", canary_hit: a..b"),
		 "lists.zones: a: canary_hit: expected a domain, or off"},
		{"lists:\n  zones:\n" ZONE("a", "a.example", "ip", "client", "127.0.0.2 = x", "")
			 ZONE("a", "b.example", "ip", "client", "127.0.0.2 = x", ""),
		 "lists.zones: a: there is a list of this name already"},
		{"lists:\n  local:\n    - {name: l, file: /tmp/l, about: [client, urls]}\n", NULL},
		{"lists:\n  local:\n    - {name: l, file: l, about: [client]}\n",
		 "lists.local: l: file: an absolute path is expected"},
		{"lists:\n  local:\n    - {name: l, file: /tmp/l, kind: allow, about: [client, helo]}\n",
		 "lists.local: l: a list of kind allow is asked about client, received, sender and from only: anybody "
		 "may write "
		 "the rest"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct settings_origin origin;
		static struct conf_errors errors;
		errors = (struct conf_errors){0};
		struct settings settings = settings_of(arena, table[i].text, &origin);
		assert_int_equal(lists_check_values(&settings, &origin, &errors), table[i].error == NULL);
		assert_int_equal(errors.count, table[i].error ? 1 : 0);
		if (!table[i].error)
			continue;
		assert_string_equal(errors.items[0].text, table[i].error);
		assert_int_equal(errors.items[0].line, 3);
	}
}

static void canaries_are_those_of_rfc_5782_unless_told(void **state)
{
	static const struct {
		int kind;
		const char *hit, *miss, *hit_name, *miss_name;
	} table[] = {
		{LIST_IP, "", "", "2.0.0.127.z.example", "1.0.0.127.z.example"},
		{LIST_IP_ALLOW, "45.0.0.9", "off", "9.0.0.45.z.example", ""},
		{LIST_IP, "2001:db8::2", "off",
		 "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z.example", ""},
		{LIST_DOMAIN, "", "", "test.z.example", "invalid.z.example"},
		{LIST_DOMAIN_ALLOW, "dbltest.com", "example.com", "dbltest.com.z.example", "example.com.z.example"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct settings_list_zone zone = {.zone = BYTES_LIT("z.example"),
						  .kind = table[i].kind,
						  .canary_hit = bytes_from_cstr(table[i].hit),
						  .canary_miss = bytes_from_cstr(table[i].miss)};
		struct bytes name;
		assert_ok(lists_canary(arena, &zone, true, &name));
		assert_bytes_str(name, table[i].hit_name);
		assert_ok(lists_canary(arena, &zone, false, &name));
		assert_bytes_str(name, table[i].miss_name);
	}
}

static void the_configuration_reaches_the_judge(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct settings_origin origin;
	struct scan_settings scan;
	struct settings settings = settings_of(arena,
					       "lists:\n  max_questions: 7\n  own_domains: [a.example]\n  zones:\n"
					       "    - {name: z, zone: Z.Example., kind: domain-allow, about: [sender, "
					       "from], codes: [\"127.0.0.2 = x\"]}\n"
					       "  local:\n    - {name: l, file: /x, kind: allow, about: [client]}\n",
					       &origin);
	(void)state;
	assert_ok(load_scan_settings(arena, &settings, &scan));
	assert_int_equal(scan.list_questions, 7);
	assert_int_equal(scan.n_own_domains, 1);
	assert_int_equal(scan.n_zones, 1);
	assert_bytes_str(scan.zones[0].zone, "z.example");
	assert_int_equal(scan.zones[0].kind, LIST_DOMAIN_ALLOW);
	assert_int_equal(scan.zones[0].about, LIST_SENDER | LIST_FROM);
	assert_int_equal(scan.zones[0].codes[0].value, 0x7f000002);
	assert_int_equal(scan.n_locals, 1);
	assert_true(scan.locals[0].allow);
	assert_int_equal(scan.locals[0].about, LIST_CLIENT);
}

static void a_wrong_line_of_a_file_is_told_with_file_and_line(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	char path[] = "/tmp/test-lists-XXXXXX", text[200], want[200];
	int fd = mkstemp(path);
	struct settings_origin origin;
	static struct conf_errors errors;
	(void)state;
	assert_true(fd >= 0 && write(fd, "# x\n192.0.2.1/24\nexample.com\n", 29) == 29 && close(fd) == 0);
	(void)snprintf(text, sizeof(text), "lists:\n  local:\n    - {name: l, file: %s, about: [client]}\n", path);
	struct settings settings = settings_of(arena, text, &origin);
	assert_false(lists_check_files(&settings, &errors));
	assert_int_equal(errors.count, 1);
	(void)snprintf(want, sizeof(want), "lists.local: %s:2: \"192.0.2.1/24\" has bits beyond its prefix", path);
	assert_string_equal(errors.items[0].text, want);
	assert_int_equal(unlink(path), 0);
	errors = (struct conf_errors){0};
	assert_false(lists_check_files(&settings, &errors));
	(void)snprintf(want, sizeof(want), "lists.local: %s: No such file or directory", path);
	assert_string_equal(errors.items[0].text, want);
}

static void count_wrong(void *ctx, struct bytes file, size_t line, struct bytes text, const char *why)
{
	size_t *count = ctx;
	(void)file;
	(void)text;
	assert_true(line == 0 && why[0]);
	(*count)++;
}

/* An empty file is an empty list; one that is gone leaves the list as it was before, or empty. */
static void a_list_whose_file_is_gone_stays_as_it_was(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf answer = BUF_INIT(1024);
	char path[] = "/tmp/test-lists-XXXXXX", text[400];
	int fd = mkstemp(path);
	struct settings_origin origin;
	struct local_lists lists;
	struct bytes *texts, image;
	size_t wrong = 0;
	(void)state;
	assert_true(fd >= 0 && write(fd, "example.com\n", 12) == 12);
	(void)snprintf(text, sizeof(text), "lists:\n  local:\n    - {name: l, file: %s, about: [client]}\n", path);
	struct settings settings = settings_of(arena, text, &origin);
	assert_ok(lists_read(arena, &settings, count_wrong, &wrong, &texts));
	assert_ok(lists_build(arena, &settings, texts, NULL, count_wrong, &wrong, &image));
	assert_ok(local_lists_open(arena, image, &lists));
	assert_int_equal(wrong, 0);
	assert_true(local_lists_answer(&lists, BYTES_LIT("example.com"), &answer));

	assert_int_equal(unlink(path), 0);
	assert_ok(lists_read(arena, &settings, count_wrong, &wrong, &texts));
	assert_int_equal(wrong, 1);
	struct local_lists kept;
	assert_ok(lists_build(arena, &settings, texts, &lists, count_wrong, &wrong, &image));
	assert_ok(local_lists_open(arena, image, &kept));
	assert_int_equal(wrong, 2);
	assert_true(local_lists_answer(&kept, BYTES_LIT("example.com"), &answer));
	assert_ok(lists_build(arena, &settings, texts, NULL, count_wrong, &wrong, &image));
	assert_ok(local_lists_open(arena, image, &kept));
	assert_false(local_lists_answer(&kept, BYTES_LIT("example.com"), &answer));

	assert_true(ftruncate(fd, 0) == 0 && close(fd) == 0 && (fd = open(path, O_CREAT | O_WRONLY, 0600)) >= 0);
	assert_ok(lists_read(arena, &settings, count_wrong, &wrong, &texts));
	assert_ok(lists_build(arena, &settings, texts, &lists, count_wrong, &wrong, &image));
	assert_ok(local_lists_open(arena, image, &kept));
	assert_int_equal(wrong, 2);
	assert_false(local_lists_answer(&kept, BYTES_LIT("example.com"), &answer));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(close(fd), 0);
}

static void what_is_no_plain_file_is_told_and_not_waited_for(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	char folder[] = "/tmp/test-lists-XXXXXX", path[100], text[400], want[200];
	struct settings_origin origin;
	static struct conf_errors errors;
	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(text, sizeof(text),
		       "lists:\n  local:\n    - {name: l, file: %s, about: [client]}\n"
		       "    - {name: m, file: %s, about: [client]}\n",
		       path, folder);
	struct settings settings = settings_of(arena, text, &origin);
	(void)alarm(10); /* who opens it waits without end */
	assert_false(lists_check_files(&settings, &errors));
	(void)alarm(0);
	assert_int_equal(errors.count, 2);
	(void)snprintf(want, sizeof(want), "lists.local: %s: it is not a plain file", path);
	assert_string_equal(errors.items[0].text, want);
	(void)snprintf(want, sizeof(want), "lists.local: %s: it is not a plain file", folder);
	assert_string_equal(errors.items[1].text, want);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_wrong_with_a_list_is_told),
	cmocka_unit_test(canaries_are_those_of_rfc_5782_unless_told),
	cmocka_unit_test(the_configuration_reaches_the_judge),
	cmocka_unit_test(a_wrong_line_of_a_file_is_told_with_file_and_line),
	cmocka_unit_test(a_list_whose_file_is_gone_stays_as_it_was),
	cmocka_unit_test(what_is_no_plain_file_is_told_and_not_waited_for),
};
UNIT_MAIN(tests)
