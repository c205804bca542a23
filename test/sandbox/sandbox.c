/* SPDX-License-Identifier: Apache-2.0 */
/* Tries each attempt of a profile in a child and prints TAP. Runs as root, who becomes nobody first, and as anyone. */
#include "sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/net.h"
#include "sys/process.h"

#define NOT_PREPARED   100
#define NO_SANDBOX     101
#define PATIENCE_S     30
#define PERMISSION(no) ((no) == EACCES || (no) == EPERM)

static char base[64], folder[96], outside[96], secret[128], socket_path[128];
static enum sandbox_profile profile;
static const char *profile_name;
static unsigned number, failed;

static bool make_folders(const struct process_user *user)
{
	(void)snprintf(base, sizeof(base), "/tmp/postern-sandbox-XXXXXX");
	if (!mkdtemp(base) || chmod(base, 0755) != 0)
		return false;
	(void)snprintf(folder, sizeof(folder), "%s/state", base);
	(void)snprintf(outside, sizeof(outside), "%s/outside", base);
	(void)snprintf(secret, sizeof(secret), "%s/secret", outside);
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket", outside);
	(void)umask(0);
	return mkdir(folder, 0777) == 0 && mkdir(outside, 0777) == 0 &&
	       (!user->change || chown(folder, user->uid, user->gid) == 0) &&
	       file_write_atomic(secret, BYTES_LIT("secret"), 0666) == ERR_OK;
}

/* Two folders of plain files and no deeper ones. */
static void remove_folders(void)
{
	static const char *const names[] = {
		"outside/secret", "outside/moved", "outside/socket",   "outside/folder", "state/db",
		"state/db-wal",   "state/db-shm",  "state/db-journal", "state/body",     "state/moved",
		"state/folder/x", "state/folder",  "outside",          "state",          ""};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[160];
		(void)snprintf(path, sizeof(path), "%s/%s", base, names[i]);
		(void)remove(path);
	}
}

static bool open_all(struct before *before)
{
	char text[160];
	struct net_address address;
	struct error error;
	int len = snprintf(text, sizeof(text), "unix:%s", socket_path);
	*before = (struct before){.folder = folder, .outside = outside};
	if (ipc_pair(before->pair) != ERR_OK || memfd_new(&before->memfd) != ERR_OK ||
	    file_write_all(before->memfd, BYTES_LIT(MEMFD_TEXT)) != ERR_OK || memfd_seal(before->memfd) != ERR_OK)
		return false;
	(void)unlink(socket_path);
	if (net_parse(bytes_make(text, (size_t)len), &address, &error) != ERR_OK ||
	    net_listen(&address, &before->listener, &error) != ERR_OK || chmod(socket_path, 0666) != 0)
		return false;
	before->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return before->page != MAP_FAILED;
}

/* In the child: all that a daemon does before its first foreign byte, then the attempt. Exit status: its result. */
NORETURN static void try_in_sandbox(const struct attempt *attempt, const struct process_user *user)
{
	const struct process_limits limits = {0};
	struct before before;
	struct error error = {.text = "?"};
	(void)alarm(PATIENCE_S);
	if (!open_all(&before) || process_limit(&limits) != ERR_OK || process_drop(user, &error) != ERR_OK ||
	    (attempt->prepare && !attempt->prepare(&before)))
		_exit(NOT_PREPARED);
	if (sandbox_enter(profile, profile == SANDBOX_VAULT ? folder : NULL, &error) != ERR_OK) {
		(void)dprintf(STDERR_FILENO, "# %s\n", error.text);
		_exit(NO_SANDBOX);
	}
	int result = attempt->run(&before);
	_exit(result < 0 || result >= NOT_PREPARED ? 99 : result);
}

static bool as_wanted(const struct attempt *attempt, int status)
{
	bool by_filter = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
	bool refused = WIFEXITED(status) && PERMISSION(WEXITSTATUS(status));
	switch (attempt->outcome) {
	case DEADLY:
		return by_filter || (SANITIZED && attempt->sanitizers_may);
	case REFUSED:
		return refused;
	case WORKS:
		return WIFEXITED(status) && WEXITSTATUS(status) == 0;
	case ABORTS:
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	}
	return false;
}

static void try(const struct attempt *attempt, const struct process_user *user)
{
	static const char *const outcomes[] = {"", "is deadly", "is refused", "works", "ends the process as it should"};
	int status = 0;
	(void)fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		try_in_sandbox(attempt, user);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		(void)printf("not ok %u - no process\n", ++number);
		failed++;
		return;
	}
	bool good = as_wanted(attempt, status);
	(void)printf("%s %u - %s: %s %s\n", good ? "ok" : "not ok", ++number, profile_name, attempt->name,
		     outcomes[attempt->outcome]);
	if (good)
		return;
	failed++;
	if (WIFSIGNALED(status))
		(void)printf("# ended by signal %d\n", WTERMSIG(status));
	else
		(void)printf("# ended with %d (%s)\n", WEXITSTATUS(status),
			     WEXITSTATUS(status) < NOT_PREPARED ? strerror(WEXITSTATUS(status)) : "not begun");
}

static void try_all(const struct attempt *attempts, size_t n, const struct process_user *user)
{
	for (size_t i = 0; i < n; i++)
		if (attempts[i].profiles & (1u << profile))
			try(&attempts[i], user);
}

/* Asked without our own code, so that a fault in it is not taken for a kernel that cannot. */
static bool kernel_can(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
		return false;
	return profile != SANDBOX_VAULT ||
	       syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"gate", "scanner", "resolver", "vault", "signer", "parser", "courier"};
	struct process_user user;
	bool fallback;
	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(names); i++) {
		if (strcmp(argv[1], names[i]) == 0) {
			profile = (enum sandbox_profile)i;
			profile_name = names[i];
		}
	}
	if (!profile_name || process_find_user("nobody", &user, &fallback) != ERR_OK || !make_folders(&user)) {
		(void)fprintf(stderr, "usage: test_sandbox gate|scanner|resolver|vault|signer|parser|courier\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (kernel_can()) {
		try_all(forbidden, n_forbidden, &user);
		try_all(needed, n_needed, &user);
		(void)printf("1..%u\n", number);
	} else {
		(void)printf("1..0 # SKIP this kernel does not let a process sandbox itself\n");
	}
	remove_folders();
	return failed == 0 ? 0 : 1;
}
