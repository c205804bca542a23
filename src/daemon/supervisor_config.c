/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/supervisor_config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "conf/tree.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/process.h"
#include "sys/sandbox.h"
#include "wire/load.h"

#include "base/banned.h"

#define PATIENCE_MS INT64_C(10000)
#define ANSWER_MAX  (YAML_PACKED_MAX + 1)

/* The answer: this byte, and then the tree, or the line (u32) and the text of the error. */
enum { ANSWER_TREE = 'T', ANSWER_ERROR = 'E' };

/* -- The child ---- */

NORETURN void supervisor_parse_config(void *ctx)
{
	const struct config_job *job = ctx;
	const struct process_limits limits = {0};
	struct process_user nobody;
	struct error error = {.text = "no memory"};
	struct yaml_node *root;
	bool fallback;
	struct arena *arena = arena_create(SIZE_MAX);
	struct buf answer = BUF_INIT(ANSWER_MAX);
	log_set_process("parser");
	/* As root: "nobody", since whom the daemons become is a key of the very file. */
	if (!arena || process_find_user("nobody", &nobody, &fallback) != ERR_OK || process_limit(&limits) != ERR_OK ||
	    process_drop(&nobody, &error) != ERR_OK)
		_exit(1);
	/*
	 * Whether we may go on where the kernel has no sandbox is a key of the very file too: go on. When it says no,
	 * the supervisor ends before any daemon served anybody (child_run()).
	 */
	if (sandbox_enter(SANDBOX_PARSER, NULL, &error) != ERR_OK)
		log_event(LOG_WARNING, "process.unsandboxed", log_cstr("why", error.text));
	if (yaml_parse(arena, job->text, &root, &error) == ERR_OK) {
		buf_add_byte(&answer, ANSWER_TREE);
		yaml_pack(&answer, root);
	} else {
		buf_add_byte(&answer, ANSWER_ERROR);
		buf_add_be32(&answer, (uint32_t)error.at);
		buf_add_cstr(&answer, error.text);
	}
	_exit(buf_err(&answer) == ERR_OK && file_write_all(job->out, buf_bytes(&answer)) == ERR_OK ? 0 : 1);
}

/* -- The supervisor ---- */

/* To the end, which is the child's; ERR_TIMEOUT, ERR_LIMIT, ERR_NOMEM, ERR_IO. */
static enum err read_answer(int fd, struct buf *answer)
{
	const int64_t end = clock_monotonic_ms() + PATIENCE_MS;
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		int64_t left = end - clock_monotonic_ms();
		if (left <= 0)
			return ERR_TIMEOUT;
		int ready = poll(&poll_fd, 1, (int)left);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return ERR_IO;
		if (ready == 0)
			return ERR_TIMEOUT;
		uint8_t piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return buf_err(answer);
		buf_add(answer, bytes_make(piece, (size_t)n));
		TRY(buf_err(answer));
	}
}

static enum err understand(struct arena *arena, struct bytes answer, struct yaml_node **ret_root, struct error *reterr)
{
	struct cursor cur = cursor_make(answer);
	uint8_t kind = cursor_u8(&cur);
	if (kind == ANSWER_TREE) {
		struct bytes packed = arena_copy(arena, cursor_rest(&cur));
		return packed.ptr ? yaml_unpack(arena, packed, ret_root, reterr)
				  : error_set(reterr, ERR_NOMEM, 0, "no memory");
	}
	uint32_t line = cursor_be32(&cur);
	struct bytes text = bytes_sub(cursor_rest(&cur), 0, 150);
	if (kind != ANSWER_ERROR || cur.err != ERR_OK)
		return error_set(reterr, ERR_SYNTAX, 0, "the parser's answer cannot be understood");
	return error_set(reterr, ERR_SYNTAX, line, "%.*s", BYTES_FMT(text));
}

enum err supervisor_ask_parser(struct arena *arena, struct bytes text, NORETURN void (*parse)(void *job),
			       struct yaml_node **ret_root, struct error *reterr)
{
	CLEANUP(buf_done) struct buf answer = BUF_INIT(ANSWER_MAX);
	int ends[2], status = 0;
	pid_t pid;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(reterr, ERR_IO, 0, "no pipe to the parser: %s", strerror(errno));
	struct config_job job = {.text = text, .out = ends[1]};
	enum err err = process_spawn("parser", &ends[1], 1, parse, &job, &pid);
	(void)close(ends[1]);
	if (err == ERR_OK) {
		err = read_answer(ends[0], &answer);
		/* It has said all, or it never will. */
		if (err != ERR_OK)
			(void)kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	(void)close(ends[0]);
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the parser failed: %s", err_name(err));
	if (WIFSIGNALED(status))
		return error_set(reterr, ERR_INTERNAL, 0, "the parser was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(reterr, ERR_INTERNAL, 0, "the parser could not begin or end");
	return understand(arena, buf_bytes(&answer), ret_root, reterr);
}

bool supervisor_read_config(struct arena *arena, const char *file, struct settings *ret_settings)
{
	struct conf_errors errors = {0};
	struct yaml_node *root;
	struct settings_origin origin = {0};
	struct bytes text;
	struct error error;
	bool good = false;
	if (!load_file(arena, file, &text, &errors))
		good = false;
	else if (supervisor_ask_parser(arena, text, supervisor_parse_config, &root, &error) == ERR_OK)
		good = settings_apply(arena, root, ret_settings, &origin, &errors) &&
		       load_check_values(ret_settings, &origin, &errors);
	else
		conf_error_add(&errors, error.at, "%s", error.text);
	load_say_errors(file, &errors);
	return good;
}
