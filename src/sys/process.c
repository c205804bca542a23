/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"

#define KEEP_MAX         256
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS  10000
#define BACKOFF_CALM_MS  30000

static int ascending(const void *left, const void *right)
{
	int a = *(const int *)left, b = *(const int *)right;
	return (a > b) - (a < b);
}

/* Where close_range(2) is missing or forbidden (old container rules), one by one. */
static void close_between(unsigned first, unsigned last)
{
	struct rlimit limit;
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return;
	rlim_t end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < (1u << 20) ? limit.rlim_max : 1u << 20;
	for (unsigned fd = first; fd <= last && fd < end; fd++)
		(void)close((int)fd);
}

static void close_all_but(const int *keep, size_t n_keep)
{
	int sorted[KEEP_MAX];
	unsigned next = STDERR_FILENO + 1;
	memcpy(sorted, keep, n_keep * sizeof(int));
	qsort(sorted, n_keep, sizeof(int), ascending);
	for (size_t i = 0; i < n_keep; i++) {
		if (sorted[i] < (int)next)
			continue;
		if ((unsigned)sorted[i] > next)
			close_between(next, (unsigned)sorted[i] - 1);
		next = (unsigned)sorted[i] + 1;
	}
	close_between(next, ~0u);
}

static void reset_signals(void)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++)
		if (number != SIGKILL && number != SIGSTOP)
			(void)signal(number, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	/* The terminal's signals are for the supervisor, which drains us. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

enum err process_spawn(const char *name, const int *keep, size_t n_keep, NORETURN void (*run)(void *ctx), void *ctx,
		       pid_t *ret_pid)
{
	pid_t parent = getpid();
	sigset_t all, before;
	ASSERT(n_keep <= KEEP_MAX);
	/* No handler of the parent's may run in the child: it would write into the parent's loop. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid != 0) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		if (pid < 0)
			return ERR_LIMIT;
		*ret_pid = pid;
		return ERR_OK;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* it died before we asked to be told */
	(void)prctl(PR_SET_NAME, name);
	reset_signals();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
	close_all_but(keep, n_keep);
	run(ctx);
}

enum err process_find_user(const char *name, struct process_user *ret_user, bool *ret_fallback)
{
	*ret_user = (struct process_user){0};
	*ret_fallback = false;
	if (geteuid() != 0)
		return ERR_OK;
	const struct passwd *entry = getpwnam(name);
	if (!entry) {
		*ret_fallback = true;
		entry = getpwnam("nobody");
	}
	if (!entry)
		return ERR_DENIED;
	*ret_user = (struct process_user){.change = true, .uid = entry->pw_uid, .gid = entry->pw_gid};
	return ERR_OK;
}

enum err process_drop(const struct process_user *user, struct error *reterr)
{
	if (user->change) {
		if (setgroups(1, &user->gid) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
		    setresuid(user->uid, user->uid, user->uid) != 0)
			return error_set(reterr, ERR_DENIED, 0, "cannot become user %u: %s", (unsigned)user->uid,
					 strerror(errno));
		if (user->uid != 0 && setuid(0) == 0)
			return error_set(reterr, ERR_INTERNAL, 0, "privileges could be taken back");
		/* A change of ids forgets it. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "no_new_privs: %s", strerror(errno));
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return ERR_OK;
}

static enum err limit(int resource, uint64_t value)
{
	struct rlimit now, wanted = {.rlim_cur = value, .rlim_max = value};
	if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
	    now.rlim_max < value)
		wanted = (struct rlimit){now.rlim_max, now.rlim_max};
	return setrlimit((__rlimit_resource_t)resource, &wanted) == 0 ? ERR_OK : ERR_IO;
}

enum err process_limit(const struct process_limits *limits)
{
	TRY(limit(RLIMIT_CORE, 0));
	if (limits->descriptors > 0)
		TRY(limit(RLIMIT_NOFILE, limits->descriptors));
	if (limits->memory > 0)
		TRY(limit(RLIMIT_AS, limits->memory));
	return ERR_OK;
}

int64_t process_backoff_next(struct process_backoff *backoff, int64_t now_ms)
{
	bool calm = backoff->last_ms == 0 || now_ms - backoff->last_ms > BACKOFF_CALM_MS;
	/* One death is an accident: the service is back at once. A second one soon after it waits. */
	int64_t wait = calm ? 0 : backoff->wait_ms == 0 ? BACKOFF_FIRST_MS : backoff->wait_ms * 2;
	backoff->wait_ms = wait > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : wait;
	backoff->last_ms = now_ms;
	return backoff->wait_ms;
}
