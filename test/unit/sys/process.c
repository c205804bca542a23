/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/process.h"

#define FDS_MAX 1024

/* What a child saw, through the pipe that it was left. */
struct report {
	pid_t parent;
	char name[16];
	int fds[64];
	int n_fds;
	bool term_is_default, pipe_is_ignored, term_is_free;
	int no_new_privs;
	uid_t uid, euid;
	gid_t gid;
	int n_groups;
	bool back_to_root;
	struct rlimit core, descriptors;
};

static int report_pipe[2];

static struct report look_around(void)
{
	struct report report = {.parent = getppid()};
	struct sigaction action;
	sigset_t blocked;
	for (int fd = 0; fd < FDS_MAX && report.n_fds < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			report.fds[report.n_fds++] = fd;
	(void)prctl(PR_GET_NAME, report.name);
	(void)sigaction(SIGTERM, NULL, &action);
	report.term_is_default = action.sa_handler == SIG_DFL;
	(void)sigaction(SIGPIPE, NULL, &action);
	report.pipe_is_ignored = action.sa_handler == SIG_IGN;
	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	report.term_is_free = !sigismember(&blocked, SIGTERM);
	report.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	report.uid = getuid();
	report.euid = geteuid();
	report.gid = getgid();
	report.n_groups = getgroups(0, NULL);
	(void)getrlimit(RLIMIT_CORE, &report.core);
	(void)getrlimit(RLIMIT_NOFILE, &report.descriptors);
	return report;
}

static void send_report(const struct report *report)
{
	_exit(write(report_pipe[1], report, sizeof(*report)) == (ssize_t)sizeof(*report) ? 0 : 1);
}

NORETURN static void run_plain(void *ctx)
{
	struct report report = look_around();
	(void)ctx;
	send_report(&report);
	_exit(1);
}

NORETURN static void run_dropped(void *ctx)
{
	const struct process_user *user = ctx;
	const struct process_limits limits = {.descriptors = 128};
	struct error error;
	if (process_limit(&limits) != ERR_OK || process_drop(user, &error) != ERR_OK)
		_exit(2);
	struct report report = look_around();
	report.back_to_root = user->change && (setuid(0) == 0 || seteuid(0) == 0);
	send_report(&report);
	_exit(1);
}

static struct report spawn_and_read(NORETURN void (*run)(void *ctx), void *ctx, const int *keep, size_t n_keep)
{
	struct report report = {0};
	pid_t pid;
	int status;
	assert_ok(process_spawn("gate-0", keep, n_keep, run, ctx, &pid));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(report_pipe[0], &report, sizeof(report)), sizeof(report));
	return report;
}

static void ignore(int number)
{
	(void)number;
}

static void a_child_has_only_what_it_was_given(void **state)
{
	int extra[40];
	(void)state;
	assert_int_equal(pipe(report_pipe), 0);
	for (size_t i = 0; i < ARRAY_LEN(extra); i++)
		extra[i] = dup(0);
	int high = fcntl(0, F_DUPFD, 900);
	(void)signal(SIGTERM, ignore);
	/* In no order, one twice, one below 3. */
	const int keep[] = {extra[7], report_pipe[1], 2, extra[7], extra[3]};
	struct report report = spawn_and_read(run_plain, NULL, keep, ARRAY_LEN(keep));
	(void)signal(SIGTERM, SIG_DFL);
	int want[] = {0, 1, 2, report_pipe[1], extra[3], extra[7]};
	assert_int_equal(report.n_fds, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(report.fds[i], want[i]);
	assert_string_equal(report.name, "gate-0");
	assert_int_equal(report.parent, getpid());
	assert_true(report.term_is_default && report.pipe_is_ignored && report.term_is_free);
	for (size_t i = 0; i < ARRAY_LEN(extra); i++)
		(void)close(extra[i]);
	(void)close(high);
}

static void signals_are_not_left_blocked_in_the_parent(void **state)
{
	sigset_t blocked;
	(void)state;
	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < 32; number++)
		assert_int_equal(sigismember(&blocked, number), 0);
}

static void privileges_are_given_up_for_good(void **state)
{
	struct process_user user;
	bool fallback;
	(void)state;
	assert_ok(process_find_user("nobody", &user, &fallback));
	assert_false(fallback);
	assert_int_equal(user.change, geteuid() == 0);
	struct report report = spawn_and_read(run_dropped, &user, (const int[]){report_pipe[1]}, 1);
	assert_int_equal(report.no_new_privs, 1);
	assert_int_equal(report.core.rlim_max, 0);
	assert_int_equal(report.descriptors.rlim_max, 128);
	if (user.change) {
		assert_int_equal(report.uid, user.uid);
		assert_int_equal(report.euid, user.uid);
		assert_int_equal(report.gid, user.gid);
		assert_int_equal(report.n_groups, 1);
		assert_true(user.uid != 0);
	} else {
		assert_int_equal(report.uid, getuid());
	}
	assert_false(report.back_to_root);
}

static void where_the_user_is_missing_it_is_nobody_and_said(void **state)
{
	struct process_user user, nobody;
	bool fallback;
	(void)state;
	assert_ok(process_find_user("no-such-user-here", &user, &fallback));
	assert_int_equal(fallback, geteuid() == 0);
	assert_ok(process_find_user("nobody", &nobody, &fallback));
	assert_int_equal(user.uid, nobody.uid);
}

NORETURN static void run_forever(void *ctx)
{
	(void)ctx;
	if (write(report_pipe[1], "x", 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
}

static void a_child_dies_with_its_supervisor(void **state)
{
	char byte;
	(void)state;
	pid_t supervisor = fork();
	if (supervisor == 0) {
		pid_t pid;
		if (process_spawn("gate-0", (const int[]){report_pipe[1]}, 1, run_forever, NULL, &pid) != ERR_OK)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(report_pipe[0], &byte, 1), 1); /* the child runs */
	(void)close(report_pipe[1]);
	assert_int_equal(kill(supervisor, SIGKILL), 0);
	assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
	/* The last one who holds the pipe is gone. */
	struct pollfd poll_fd = {.fd = report_pipe[0], .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_int_equal(read(report_pipe[0], &byte, 1), 0);
	(void)close(report_pipe[0]);
}

static void the_first_death_costs_nothing_and_quick_ones_wait_longer(void **state)
{
	static const struct {
		int64_t now, wait;
	} cases[] = {{1000, 0},      {1100, 100},    {1300, 200},    {1600, 400},
		     {2100, 800},    {3000, 1600},   {5000, 3200},   {9000, 6400},
		     {16000, 10000}, {27000, 10000}, {57000, 10000}, {87001, 0}, /* calm for more than 30 s */
		     {87100, 100}};
	struct process_backoff backoff = {0};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(process_backoff_next(&backoff, cases[i].now), cases[i].wait);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_child_has_only_what_it_was_given),
	cmocka_unit_test(signals_are_not_left_blocked_in_the_parent),
	cmocka_unit_test(privileges_are_given_up_for_good),
	cmocka_unit_test(where_the_user_is_missing_it_is_nobody_and_said),
	cmocka_unit_test(a_child_dies_with_its_supervisor),
	cmocka_unit_test(the_first_death_costs_nothing_and_quick_ones_wait_longer),
};
UNIT_MAIN(tests)
