/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "sys/file.h"

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/postern-file-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder); /* each test leaves it empty, temporary files included */
}

static const char *in_folder(const char *name)
{
	static char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void a_file_is_written_whole_with_its_mode_and_read_back(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	const char *path = in_folder("one");
	struct bytes content;
	struct stat st;
	(void)state;
	mode_t mask = umask(0077);
	assert_ok(file_write_atomic(path, BYTES_LIT("first"), 0644));
	(void)umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_ok(file_write_atomic(path, BYTES_LIT("second\0time"), 0600));
	assert_ok(file_read(arena, path, 100, &content));
	assert_bytes(content, BYTES_LIT("second\0time"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(file_read(arena, path, 11, &content));
	assert_int_equal(file_read(arena, path, 10, &content), ERR_LIMIT);
	assert_int_equal(unlink(path), 0);
	arena_free(&arena);
}

/* Whoever owns the folder could have laid it there for root to follow. */
static void a_link_under_the_temporary_name_is_not_followed(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	char victim[128], temporary[160], path[128];
	struct bytes content;
	(void)state;
	(void)snprintf(victim, sizeof(victim), "%s", in_folder("victim"));
	(void)snprintf(path, sizeof(path), "%s", in_folder("pid"));
	(void)snprintf(temporary, sizeof(temporary), "%s.%d.new", path, (int)getpid());
	assert_ok(file_write_atomic(victim, BYTES_LIT("untouched"), 0600));
	assert_int_equal(symlink(victim, temporary), 0);
	assert_ok(file_write_atomic(path, BYTES_LIT("123"), 0600));
	assert_ok(file_read(arena, victim, 100, &content));
	assert_bytes_str(content, "untouched");
	assert_ok(file_read(arena, path, 100, &content));
	assert_bytes_str(content, "123");
	assert_int_equal(unlink(victim), 0);
	assert_int_equal(unlink(path), 0);
	arena_free(&arena);
}

static void a_failed_write_leaves_the_old_file_and_no_other(void **state)
{
	char path[5000];
	(void)state;
	assert_int_equal(file_write_atomic("/nonexistent/x", BYTES_LIT("x"), 0600), ERR_IO);
	assert_int_equal(errno, ENOENT);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(file_write_atomic(path, BYTES_LIT("x"), 0600), ERR_IO);
	assert_int_equal(errno, ENAMETOOLONG);
	/* A folder in its place: rename fails, the temporary file goes. */
	assert_int_equal(mkdir(in_folder("taken"), 0700), 0);
	assert_int_equal(file_write_atomic(in_folder("taken"), BYTES_LIT("x"), 0600), ERR_IO);
	assert_int_equal(rmdir(in_folder("taken")), 0);
}

static void a_full_disk_is_an_error(void **state)
{
	int fd = open("/dev/full", O_WRONLY);
	(void)state;
	if (fd < 0) {
		print_message("# skipped: there is no /dev/full\n");
		skip();
	}
	assert_int_equal(file_write_all(fd, BYTES_LIT("x")), ERR_IO);
	assert_int_equal(errno, ENOSPC);
	(void)close(fd);
}

static void of_a_pipe_all_is_read_within_the_bound(void **state)
{
	struct arena *arena = arena_create(1 << 20);
	struct bytes content;
	char path[32];
	int ends[2];
	(void)state;
	assert_int_equal(pipe(ends), 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	if (access(path, R_OK) != 0) {
		print_message("# skipped: there is no /dev/fd\n");
		skip();
	}
	assert_ok(file_write_all(ends[1], BYTES_LIT("from a pipe")));
	(void)close(ends[1]);
	assert_ok(file_read(arena, path, 11, &content));
	assert_bytes_str(content, "from a pipe");
	assert_int_equal(file_read(arena, "/dev/zero", 5000, &content), ERR_LIMIT);
	assert_int_equal(file_read(arena, "/dev", 5000, &content), ERR_IO);
	assert_int_equal(errno, EISDIR);
	(void)close(ends[0]);
	arena_free(&arena);
}

static void folders_are_made_with_those_above_them(void **state)
{
	struct stat st;
	(void)state;
	assert_ok(file_make_folder(in_folder("a/b//c"), 0700));
	assert_int_equal(stat(in_folder("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_ok(file_make_folder(in_folder("a/b/c"), 0700));
	assert_ok(file_make_folder("/", 0700));
	assert_int_equal(file_make_folder("", 0700), ERR_IO);
	assert_ok(file_write_atomic(in_folder("a/file"), BYTES_LIT(""), 0600));
	assert_int_equal(file_make_folder(in_folder("a/file"), 0700), ERR_IO);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(file_make_folder(in_folder("a/file/b"), 0700), ERR_IO);
	assert_int_equal(unlink(in_folder("a/file")), 0);
	assert_int_equal(rmdir(in_folder("a/b/c")), 0);
	assert_int_equal(rmdir(in_folder("a/b")), 0);
	assert_int_equal(rmdir(in_folder("a")), 0);
}

static void only_a_sealed_memory_file_of_the_size_that_was_said_is_mapped(void **state)
{
	struct bytes content;
	int fd, ends[2];
	(void)state;
	assert_ok(memfd_new(&fd));
	assert_ok(file_write_all(fd, BYTES_LIT("message")));
	assert_int_equal(memfd_map(fd, 7, &content), ERR_DENIED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(memfd_map(fd, 7, &content), ERR_DENIED); /* it could still be written to */
	assert_ok(memfd_seal(fd));
	assert_int_equal(memfd_map(fd, 6, &content), ERR_LIMIT);
	assert_int_equal(memfd_map(fd, 8, &content), ERR_LIMIT);
	assert_ok(memfd_map(fd, 7, &content));
	assert_bytes_str(content, "message");
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(memfd_seal(fd), ERR_IO); /* for good */
	memfd_unmap(content);
	(void)close(fd);

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(memfd_map(ends[0], 0, &content), ERR_DENIED);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void an_empty_memory_file_is_the_empty_span(void **state)
{
	struct bytes content = BYTES_LIT("x");
	int fd;
	(void)state;
	assert_ok(memfd_new(&fd));
	assert_ok(memfd_seal(fd));
	assert_ok(memfd_map(fd, 0, &content));
	assert_int_equal(content.len, 0);
	memfd_unmap(content);
	(void)close(fd);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
static const struct CMUnitTest tests[] = {
	WITH_FOLDER(a_file_is_written_whole_with_its_mode_and_read_back),
	WITH_FOLDER(a_link_under_the_temporary_name_is_not_followed),
	WITH_FOLDER(a_failed_write_leaves_the_old_file_and_no_other),
	cmocka_unit_test(a_full_disk_is_an_error),
	cmocka_unit_test(of_a_pipe_all_is_read_within_the_bound),
	WITH_FOLDER(folders_are_made_with_those_above_them),
	cmocka_unit_test(only_a_sealed_memory_file_of_the_size_that_was_said_is_mapped),
	cmocka_unit_test(an_empty_memory_file_is_the_empty_span),
};
UNIT_MAIN(tests)
