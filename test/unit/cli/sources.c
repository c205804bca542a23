/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/sources.h"
#include "sys/file.h"

#define POSTMARK "From a@example.org Tue Nov 24 12:00:00 2026\n"

/* Splits `file` and joins what it gives with '|'. */
static void splits(const char *file, const char *want)
{
	char got[2048];
	size_t at = 0, len = 0, n = 0;
	struct bytes all = bytes_from_cstr(file), message;
	while (mbox_next(all, &at, &message)) {
		assert_true(at <= all.len);
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%.*s", n > 0 ? "|" : "", BYTES_FMT(message));
		assert_true(len < sizeof(got));
		n++;
	}
	got[len] = '\0';
	assert_string_equal(got, want);
	if (all.len > 0 && bytes_starts(all, BYTES_LIT(POSTMARK)))
		assert_int_equal(mbox_count(all), n);
}

static void an_mbox_is_split_where_a_message_begins(void **state)
{
	(void)state;
	splits("", "");
	splits(POSTMARK "Subject: 1\n\none\n", "Subject: 1\n\none\n");
	splits(POSTMARK "Subject: 1\n\none\n\n" POSTMARK "Subject: 2\n\ntwo\n",
	       "Subject: 1\n\none\n|Subject: 2\n\ntwo\n");
	splits("From a Tue Nov 24 12:00:00 2026\r\nSubject: 1\r\n\r\none\r\n\r\nFrom b Tue Nov  4 12:00:00 "
	       "2026\r\nSubject: "
	       "2\r\n\r\ntwo\r\n",
	       "Subject: 1\r\n\r\none\r\n|Subject: 2\r\n\r\ntwo\r\n");
	/* Forms of the line: no sender, a sender with blanks, one named like a day, a zone before or after the year. */
	static const char *const lines[] = {"From  Tue Nov 24 12:00:00 2026",
					    "From joe Tue Nov 24 12:00:00 2026",
					    "From \"a b\"@example.org Tue Nov  4 12:00 2026",
					    "From Sun Tue Nov 24 12:00:00 2026",
					    "From MAILER-DAEMON Tue Nov 24 12:00:00 JST 2026",
					    "From a Tue Nov 24 12:00:00 2026 +0900",
					    "From a@b Tue Nov 24 12:00:00 2026 remote from c"};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char file[512];
		(void)snprintf(file, sizeof(file), POSTMARK "A: 1\n\nx\n\n%s\nA: 2\n\ny\n", lines[i]);
		splits(file, "A: 1\n\nx\n|A: 2\n\ny\n");
	}
}

static void what_people_write_does_not_split_it(void **state)
{
	static const char *const lines[] = {
		"From the men and you", /* words of three letters */
		"From now on we meet at noon",
		"From Tue to Thu",
		"From Tue",
		"From a@example.org",
		"From ",
		"From",
		"From: a@example.org",
		">From a@example.org Tue Nov 24 12:00:00 2026",
		" From a@example.org Tue Nov 24 12:00:00 2026",
		"from a@example.org Tue Nov 24 12:00:00 2026",
		"From a@example.org nTu Nov 24 12:00:00 2026",
		"From a@example.org Tue anF 24 12:00:00 2026",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		char file[1024], want[512];
		(void)snprintf(want, sizeof(want), "Subject: 1\n\none\n\n%s\nNote: y\n", lines[i]);
		(void)snprintf(file, sizeof(file), POSTMARK "%s", want);
		splits(file, want);
	}
	/* Without an empty line before it, or without a field after it. */
	splits(POSTMARK "A: 1\n\nx\n" POSTMARK "A: 2\n", "A: 1\n\nx\n" POSTMARK "A: 2\n");
	splits(POSTMARK "A: 1\n\nx\n\n" POSTMARK "no field\n", "A: 1\n\nx\n\n" POSTMARK "no field\n");
	splits(POSTMARK "A: 1\n\nx\n\n" POSTMARK, "A: 1\n\nx\n\n" POSTMARK);
	splits(POSTMARK "A: 1\n\nx\n\n" POSTMARK "\nA: 2\n", "A: 1\n\nx\n\n" POSTMARK "\nA: 2\n");
}

static void a_file_that_is_one_message_is_no_mbox(void **state)
{
	(void)state;
	assert_int_equal(mbox_count(BYTES_LIT("")), 1);
	assert_int_equal(mbox_count(BYTES_LIT("Subject: x\n\n\n" POSTMARK "A: b\n")), 1);
	assert_int_equal(mbox_count(BYTES_LIT(POSTMARK "A: b\n")), 1);
	assert_int_equal(mbox_count(BYTES_LIT(POSTMARK "A: b\n\n" POSTMARK "C: d\n")), 2);
}

static void splitting_takes_time_in_proportion_to_the_file(void **state)
{
	enum { N = 100000 };
	static const char line[] = "\nFrom a Tue Nov 24\n";
	char *file = malloc(N * (sizeof(line) - 1));
	struct bytes message;
	size_t at = 0, n = 0;
	(void)state;
	assert_non_null(file);
	for (size_t i = 0; i < N; i++)
		memcpy(file + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	(void)alarm(20);
	while (mbox_next(bytes_make(file, N * (sizeof(line) - 1)), &at, &message))
		n++;
	(void)alarm(0);
	assert_int_equal(n, 1);
	free(file);
}

static void walk(const char *file, const char *const *want)
{
	const struct source source = {.file = "-", .path = BYTES_LIT("box")};
	struct source_walk walk;
	struct bytes message, path;
	source_walk_init(&walk, &source, bytes_from_cstr(file));
	for (; *want; want += 2) {
		assert_true(source_walk_next(&walk, &message, &path));
		assert_bytes_str(path, want[0]);
		assert_bytes_str(message, want[1]);
	}
	assert_false(source_walk_next(&walk, &message, &path));
}

static void one_message_keeps_its_name_and_its_bytes(void **state)
{
	(void)state;
	walk("", (const char *const[]){"box", "", NULL});
	walk("S: 1\n\nx\n\n", (const char *const[]){"box", "S: 1\n\nx\n\n", NULL});
	walk(POSTMARK "S: 1\n\nx\n\n", (const char *const[]){"box", POSTMARK "S: 1\n\nx\n\n", NULL});
	/* "From " inside a message that is no mbox */
	walk("S: 1\n\nx\n\n" POSTMARK "S: 2\n\ny\n",
	     (const char *const[]){"box", "S: 1\n\nx\n\n" POSTMARK "S: 2\n\ny\n", NULL});
}

static void messages_of_an_mbox_are_numbered(void **state)
{
	(void)state;
	const char *const want[] = {"box#1", "S: 1\n\nx\n", "box#2", "S: 2\n\ny\n", NULL};
	walk(POSTMARK "S: 1\n\nx\n\n" POSTMARK "S: 2\n\ny\n", want);
}

static void the_empty_line_behind_the_last_message_belongs_to_the_mbox(void **state)
{
	(void)state;
	const char *const want[] = {"box#1", "S: 1\n\nx\n", "box#2", "S: 2\n\ny\n", NULL};
	walk(POSTMARK "S: 1\n\nx\n\n" POSTMARK "S: 2\n\ny\n\n", want);
	const char *const crlf[] = {"box#1", "S: 1\n\nx\r\n", "box#2", "S: 2\n\ny\r\n", NULL};
	walk(POSTMARK "S: 1\n\nx\r\n\r\n" POSTMARK "S: 2\n\ny\r\n\r\n", crlf);
}

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/postern-test-sources-XXXXXX");
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_folder(void **state)
{
	(void)state;
	return chdir("/") == 0 && nftw(folder, remove_one, 10, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text)
{
	char above[100];
	(void)snprintf(above, sizeof(above), "%s", path);
	char *slash = strrchr(above, '/');
	if (slash) {
		*slash = '\0';
		assert_ok(file_make_folder(above, 0700));
	}
	assert_ok(file_write_atomic(path, bytes_from_cstr(text), 0600));
}

/* What the last expand() said on standard error. */
static char said[1024];

/* The paths, joined with blanks. */
static const char *expand(char **paths, size_t n, bool *ret_failed)
{
	static char joined[1024];
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct source_list list;
	size_t len = 0;
	int kept = dup(STDERR_FILENO), file = memfd_create("said", MFD_CLOEXEC);
	assert_true(dup2(file, STDERR_FILENO) == STDERR_FILENO);
	enum err err = sources_expand(arena, paths, n, &list);
	assert_true(dup2(kept, STDERR_FILENO) == STDERR_FILENO);
	(void)close(kept);
	ssize_t n_said = pread(file, said, sizeof(said) - 1, 0);
	assert_true(n_said >= 0);
	said[n_said] = '\0';
	(void)close(file);
	assert_ok(err);
	joined[0] = '\0';
	for (size_t i = 0; i < list.count; i++) {
		assert_bytes_str(list.items[i].path, list.items[i].file);
		len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%s%s", i > 0 ? " " : "",
					list.items[i].file);
		assert_true(len < sizeof(joined));
	}
	*ret_failed = list.failed;
	return joined;
}

static void folders_come_in_byte_order_of_the_relative_path(void **state)
{
	static char m[] = "m", m_slash[] = "m//", z[] = "z", none[] = "none", standard_input[] = "-";
	bool failed;
	(void)state;
	put("m/b", "x");
	put("m/a/z", "x");
	put("m/a-1", "x");
	put("m/cur/2:2,S", "x");
	put("m/cur/10:2,S", "x");
	put("m/new/1", "x");
	put("m/\xe6\x97\xa5", "x");
	put("m/.hidden", "x");
	put("m/.Sent/cur/1", "x");
	put("z", "x");
	assert_int_equal(symlink("/", "m/link"), 0);
	assert_int_equal(mkfifo("m/fifo", 0600), 0);
	char *one[] = {z, m, standard_input};
	assert_string_equal(expand(one, 3, &failed),
			    "z m/a-1 m/a/z m/b m/cur/10:2,S m/cur/2:2,S m/new/1 m/\xe6\x97\xa5 -");
	assert_false(failed);
	/* Once for the folder and all below it, and no failure: the exit status does not come from it. */
	assert_string_equal(
		said, "postern: m: skipped 2 (hidden names), 1 (symbolic links), 1 (neither files nor folders)\n");
	char *slashes[] = {m_slash, none, z};
	assert_string_equal(expand(slashes, 3, &failed),
			    "m/a-1 m/a/z m/b m/cur/10:2,S m/cur/2:2,S m/new/1 m/\xe6\x97\xa5 z");
	assert_true(failed);
	put("clean/a", "x");
	put("dots\n/.a", "x");
	char clean[] = "clean", dots[] = "dots\n", hidden[] = "dots\n/.a", a_link[] = "to-clean";
	char *all[] = {clean};
	(void)expand(all, 1, &failed);
	assert_string_equal(said, "");
	/* Foreign names reach no terminal raw; what is named itself is no more skipped than anything else. */
	assert_int_equal(symlink("clean", "to-clean"), 0);
	char *named[] = {dots, hidden, a_link};
	assert_string_equal(expand(named, 3, &failed), "dots\n/.a to-clean/a");
	assert_string_equal(said, "postern: dots\xef\xbf\xbd: skipped 1 (hidden names)\n");
	assert_false(failed);
}

static void files_pipes_and_standard_input_are_read_whole(void **state)
{
	struct source source = {.file = "f"};
	struct source_file file;
	int ends[2];
	(void)state;
	put("f", "mapped");
	assert_ok(source_open(&source, &file));
	assert_true(file.mapped);
	assert_bytes_str(file.content, "mapped");
	source_close(&file);
	put("f", "");
	assert_ok(source_open(&source, &file));
	assert_int_equal(file.content.len, 0);
	source_close(&file);
	source.file = "none";
	assert_int_equal(source_open(&source, &file), ERR_IO);
	assert_int_equal(errno, ENOENT);
	source.file = ".";
	assert_int_equal(source_open(&source, &file), ERR_IO);
	assert_int_equal(errno, EISDIR);
	source.file = "-";
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "piped", 5), 5);
	(void)close(ends[1]);
	int kept = dup(STDIN_FILENO);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	(void)close(ends[0]);
	assert_ok(source_open(&source, &file));
	assert_bytes_str(file.content, "piped");
	assert_false(file.mapped);
	source_close(&file);
	/* It is not closed: it is not ours. */
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	if (kept >= 0)
		assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
	(void)close(kept);
	/* A size over the bound is refused before anything is read. */
	assert_int_equal(truncate("f", (off_t)SOURCE_MAX_BYTES + 1), 0);
	source.file = "f";
	assert_int_equal(source_open(&source, &file), ERR_LIMIT);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_message_keeps_its_name_and_its_bytes),
	cmocka_unit_test(messages_of_an_mbox_are_numbered),
	cmocka_unit_test(the_empty_line_behind_the_last_message_belongs_to_the_mbox),
	cmocka_unit_test(an_mbox_is_split_where_a_message_begins),
	cmocka_unit_test(what_people_write_does_not_split_it),
	cmocka_unit_test(a_file_that_is_one_message_is_no_mbox),
	cmocka_unit_test(splitting_takes_time_in_proportion_to_the_file),
	IN_FOLDER(folders_come_in_byte_order_of_the_relative_path),
	IN_FOLDER(files_pipes_and_standard_input_are_read_whole),
};

UNIT_MAIN(tests)
