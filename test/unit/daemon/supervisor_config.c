/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/tree.h"
#include "daemon/supervisor_config.h"
#include "sys/file.h"
#include "sys/process.h"

static void answer(void *ctx, struct bytes bytes)
{
	const struct config_job *job = ctx;
	if (file_write_all(job->out, bytes) != ERR_OK)
		_exit(1);
}

NORETURN static void die(void *ctx)
{
	answer(ctx, BYTES_LIT("T"));
	abort();
}

NORETURN static void exit_badly(void *ctx)
{
	(void)ctx;
	_exit(7);
}

NORETURN static void say_nothing(void *ctx)
{
	(void)ctx;
	_exit(0);
}

NORETURN static void say_nonsense(void *ctx)
{
	answer(ctx, BYTES_LIT("T\1\0\0\0\0\1\0\0\0\0\xff\0\0\0"));
	_exit(0);
}

NORETURN static void say_much(void *ctx)
{
	static uint8_t zeroes[65536];
	for (;;)
		answer(ctx, bytes_make(zeroes, sizeof(zeroes)));
}

NORETURN static void have_nowhere_to_write(void *ctx)
{
	struct config_job job = *(const struct config_job *)ctx;
	job.out = -1;
	supervisor_parse_config(&job);
}

static void no_child_is_left(void)
{
	int status;
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void the_child_gives_the_tree_that_the_parser_gives(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf text = BUF_INIT(YAML_BYTES_MAX);
	CLEANUP(buf_done) struct buf here = BUF_INIT(YAML_PACKED_MAX);
	CLEANUP(buf_done) struct buf there = BUF_INIT(YAML_PACKED_MAX);
	struct yaml_node *root;
	struct error error;
	(void)state;
	buf_add_cstr(&text, "recipients:\n");
	for (int i = 0; i < 3000; i++) /* more than a pipe holds */
		buf_printf(&text, "  - {match: \"user-%d@some-what-longer-name.example.org\"}\n", i);
	assert_ok(yaml_parse(arena, buf_bytes(&text), &root, &error));
	yaml_pack(&here, root);
	assert_true(here.len > 65536 * 2);
	assert_ok(supervisor_ask_parser(arena, buf_bytes(&text), supervisor_parse_config, &root, &error));
	yaml_pack(&there, root);
	assert_bytes(buf_bytes(&there), buf_bytes(&here));
	no_child_is_left();
}

/* "Name:\tvalue\n" of /proc/PID/status. */
static bool status_says(const char *status, const char *line)
{
	return strstr(status, line) != NULL;
}

static void the_parser_has_no_rights_when_it_answers(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(YAML_BYTES_MAX);
	char path[64], status[4096], byte;
	int ends[2], wstatus;
	pid_t pid;
	(void)state;
	if (access("/proc/sys/kernel/seccomp/actions_avail", R_OK) != 0)
		skip();
	buf_add_cstr(&text, "hostname: ");
	while (text.len < 500000)
		buf_add_cstr(&text, "much-more-than-a-pipe-holds-");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct config_job job = {.text = buf_bytes(&text), .out = ends[1]};
	assert_ok(process_spawn("parser", &ends[1], 1, supervisor_parse_config, &job, &pid));
	(void)close(ends[1]);
	/* Its first byte is here and its last does not fit into the pipe: it stands still. */
	assert_int_equal(read(ends[0], &byte, 1), 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t n = read(fd, status, sizeof(status) - 1);
	(void)close(fd);
	assert_true(n > 0);
	status[n] = '\0';
	assert_true(status_says(status, "\nSeccomp:\t2\n"));
	assert_true(status_says(status, "\nNoNewPrivs:\t1\n"));
	if (geteuid() == 0) {
		assert_false(status_says(status, "\nUid:\t0\t"));
		assert_true(status_says(status, "\nCapEff:\t0000000000000000\n"));
	}
	(void)close(ends[0]); /* nobody listens: it ends with an error of its own */
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	assert_true(WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 1);
}

static void an_error_of_syntax_comes_back_with_its_line(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct yaml_node *root;
	struct error error = {0};
	(void)state;
	assert_int_equal(
		supervisor_ask_parser(arena, BYTES_LIT("a: 1\nb: &x 2\n"), supervisor_parse_config, &root, &error),
		ERR_SYNTAX);
	assert_int_equal(error.at, 2);
	assert_string_equal(error.text, "anchors and tags are not supported");
	no_child_is_left();
}

static void a_child_that_dies_or_lies_is_an_error(void **state)
{
	static const struct {
		NORETURN void (*parse)(void *ctx);
		enum err want;
		const char *text;
	} cases[] = {
		{die, ERR_INTERNAL, "the parser was ended by signal 6"},
		{exit_badly, ERR_INTERNAL, "the parser could not begin or end"},
		{have_nowhere_to_write, ERR_INTERNAL, "the parser could not begin or end"},
		{say_nothing, ERR_SYNTAX, "the parser's answer cannot be understood"},
		{say_nonsense, ERR_SYNTAX, "this is no packed tree"},
		{say_much, ERR_LIMIT, "the parser failed: limit"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct yaml_node *root;
		struct error error = {0};
		assert_int_equal(supervisor_ask_parser(arena, BYTES_LIT("a: 1\n"), cases[i].parse, &root, &error),
				 cases[i].want);
		assert_string_equal(error.text, cases[i].text);
		assert_int_equal(error.at, 0);
		no_child_is_left();
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_child_gives_the_tree_that_the_parser_gives),
	cmocka_unit_test(the_parser_has_no_rights_when_it_answers),
	cmocka_unit_test(an_error_of_syntax_comes_back_with_its_line),
	cmocka_unit_test(a_child_that_dies_or_lies_is_an_error),
};

UNIT_MAIN(tests)
