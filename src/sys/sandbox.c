/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Newer than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* -- seccomp: the tables ---- */

#define CALL(name) SCMP_SYS(name)

/* Writing to what is open, memory without execution, time, an orderly or disorderly end. */
static const int calls_of_all[] = {
	CALL(write),         CALL(writev),          CALL(close),           CALL(futex),
	CALL(munmap),        CALL(mremap),          CALL(madvise),         CALL(brk),
	CALL(clock_gettime), CALL(clock_nanosleep), CALL(gettimeofday),    CALL(exit),
	CALL(exit_group),    CALL(rt_sigreturn),    CALL(rt_sigprocmask),  CALL(rt_sigaction),
	CALL(sigaltstack),   CALL(getpid),          CALL(gettid),          CALL(getrandom),
	CALL(fstat),         CALL(lseek),           CALL(restart_syscall), CALL(sched_yield),
	CALL(sysinfo),
};

/* What lives on: reading what is open, conversations, the loop. */
static const int calls_of_daemons[] = {
	CALL(read),       CALL(readv),       CALL(recvmsg),   CALL(sendmsg), CALL(recvfrom), CALL(sendto),
	CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_ctl), CALL(poll),    CALL(ppoll),
};

static const int calls_of_gate[] = {
	CALL(accept4),     CALL(connect),  CALL(getsockopt),   CALL(setsockopt), CALL(getsockname),
	CALL(getpeername), CALL(shutdown), CALL(memfd_create), CALL(ftruncate),  CALL(pwrite64),
	CALL(pread64),     CALL(dup),      CALL(sendfile),
};

static const int calls_of_vault[] = {
	CALL(openat),    CALL(open),       CALL(newfstatat), CALL(statx),   CALL(stat),     CALL(lstat),
	CALL(access),    CALL(faccessat),  CALL(faccessat2), CALL(unlink),  CALL(unlinkat), CALL(rename),
	CALL(renameat),  CALL(renameat2),  CALL(mkdir),      CALL(mkdirat), CALL(rmdir),    CALL(fsync),
	CALL(fdatasync), CALL(ftruncate),  CALL(fallocate),  CALL(pread64), CALL(pwrite64), CALL(pwritev),
	CALL(preadv),    CALL(getdents64), CALL(statfs),     CALL(fstatfs), CALL(readlink), CALL(readlinkat),
	CALL(getcwd),    CALL(fchmod),     CALL(geteuid),    CALL(getuid),  CALL(fchown),   CALL(umask),
	CALL(dup),       CALL(getsockopt),
};

static const int calls_of_resolver[] = {
	CALL(bind),        CALL(connect),  CALL(getsockopt), CALL(setsockopt), CALL(getsockname),
	CALL(getpeername), CALL(shutdown), CALL(sendmmsg),   CALL(recvmmsg),   CALL(timerfd_settime),
};

static const int calls_of_courier[] = {
	CALL(connect), CALL(getsockopt), CALL(setsockopt), CALL(getsockname), CALL(getpeername), CALL(shutdown),
};

struct filter {
	scmp_filter_ctx ctx;
	int failed;
};

static void allow(struct filter *filter, int call)
{
	/* A call that this architecture does not have is negative: nothing to allow. */
	if (filter->failed == 0 && call >= 0)
		filter->failed = seccomp_rule_add(filter->ctx, SCMP_ACT_ALLOW, call, 0);
}

static void allow_all(struct filter *filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		allow(filter, calls[i]);
}

/* Allowed when argument `n`, masked, has that value. */
static void allow_masked(struct filter *filter, int call, unsigned n, uint64_t mask, uint64_t value)
{
	if (filter->failed == 0 && call >= 0)
		filter->failed = seccomp_rule_add(filter->ctx, SCMP_ACT_ALLOW, call, 1,
						  SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, mask, value));
}

static void allow_exact(struct filter *filter, int call, unsigned n, uint64_t value)
{
	allow_masked(filter, call, n, UINT64_MAX, value);
}

/* Memory, of files only where the process reads messages; none that can be executed. */
static void allow_mmap(struct filter *filter, bool files)
{
	const uint64_t anonymous = files ? 0 : MAP_ANONYMOUS;
	if (filter->failed == 0)
		filter->failed = seccomp_rule_add(filter->ctx, SCMP_ACT_ALLOW, CALL(mmap), 2,
						  SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
						  SCMP_A3_64(SCMP_CMP_MASKED_EQ, anonymous, anonymous));
}

static void common(struct filter *filter, enum sandbox_profile profile)
{
	allow_all(filter, calls_of_all, ARRAY_LEN(calls_of_all));
	/* No memory that can be executed. */
	allow_mmap(filter, profile != SANDBOX_SIGNER || SANITIZED);
	allow_masked(filter, CALL(mprotect), 2, PROT_EXEC, 0);
	/* fstat(3) of newer C libraries is newfstatat with an empty path. */
	allow_masked(filter, CALL(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH);
	static const int operations[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_ADD_SEALS, F_GET_SEALS, F_DUPFD_CLOEXEC};
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		allow_masked(filter, CALL(fcntl), 1, 0xffffffff, (uint64_t)operations[i]);
	/* abort(3) signals this process, and no other can be. */
	allow_exact(filter, CALL(tgkill), 0, (uint64_t)getpid());
	if (SANITIZED) {
		/* What the sanitizers' run time wants; these builds guard nobody's mail. */
		static const int calls[] = {CALL(sched_getaffinity),
					    CALL(prlimit64),
					    CALL(getrlimit),
					    CALL(rt_tgsigqueueinfo),
					    CALL(prctl),
					    CALL(readlink),
					    CALL(openat),
					    CALL(getppid),
					    CALL(uname),
					    CALL(sigaltstack),
					    CALL(pipe2),
					    CALL(ioctl)};
		allow_all(filter, calls, ARRAY_LEN(calls));
	}
}

static void allow_sockets(struct filter *filter, int family, int type)
{
	if (filter->failed == 0)
		filter->failed = seccomp_rule_add(filter->ctx, SCMP_ACT_ALLOW, CALL(socket), 2,
						  SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)family, 0),
						  SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0xf, (uint64_t)type));
}

static void gate(struct filter *filter)
{
	static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
	allow_all(filter, calls_of_gate, ARRAY_LEN(calls_of_gate));
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		allow_sockets(filter, families[i], SOCK_STREAM);
}

static void resolver(struct filter *filter)
{
	static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_STREAM, SOCK_DGRAM};
	allow_all(filter, calls_of_resolver, ARRAY_LEN(calls_of_resolver));
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		for (size_t j = 0; j < ARRAY_LEN(types); j++)
			allow_sockets(filter, families[i], types[j]);
}

static void courier(struct filter *filter)
{
	allow_all(filter, calls_of_courier, ARRAY_LEN(calls_of_courier));
	allow_sockets(filter, AF_INET, SOCK_STREAM);
	allow_sockets(filter, AF_INET6, SOCK_STREAM);
}

static void vault(struct filter *filter)
{
	allow_all(filter, calls_of_vault, ARRAY_LEN(calls_of_vault));
	static const int locks[] = {F_SETLK, F_GETLK, F_SETLKW, F_OFD_SETLK, F_OFD_GETLK};
	for (size_t i = 0; i < ARRAY_LEN(locks); i++)
		allow_masked(filter, CALL(fcntl), 1, 0xffffffff, (uint64_t)locks[i]);
}

static enum err enter_seccomp(enum sandbox_profile profile, struct error *reterr)
{
	struct filter filter = {.ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)};
	if (!filter.ctx)
		return error_set(reterr, ERR_NOMEM, 0, "seccomp: no memory for the filter");
	/* Calls of another architecture (32 bit) are not in the tables. */
	(void)seccomp_attr_set(filter.ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary tree: calls late in the table cost no more than early ones. */
	(void)seccomp_attr_set(filter.ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	common(&filter, profile);
	if (profile != SANDBOX_PARSER)
		allow_all(&filter, calls_of_daemons, ARRAY_LEN(calls_of_daemons));
	switch (profile) {
	case SANDBOX_GATE:
		gate(&filter);
		break;
	case SANDBOX_RESOLVER:
		resolver(&filter);
		break;
	case SANDBOX_VAULT:
		vault(&filter);
		break;
	case SANDBOX_COURIER:
		courier(&filter);
		break;
	case SANDBOX_SCANNER:
	case SANDBOX_SIGNER:
	case SANDBOX_PARSER:
		break;
	}
	int rc = filter.failed ? filter.failed : seccomp_load(filter.ctx);
	seccomp_release(filter.ctx);
	if (rc != 0)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "seccomp: %s", strerror(-rc));
	return ERR_OK;
}

/* -- Landlock ---- */

static int landlock_version(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static enum err allow_folder(int ruleset, const char *folder, uint64_t access, struct error *reterr)
{
	struct landlock_path_beneath_attr beneath = {.allowed_access = access,
						     .parent_fd = open(folder, O_PATH | O_CLOEXEC)};
	if (beneath.parent_fd < 0)
		return error_set(reterr, ERR_IO, 0, "%.100s: %s", folder, strerror(errno));
	long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	int why = errno;
	(void)close(beneath.parent_fd);
	return rc == 0 ? ERR_OK : error_set(reterr, ERR_UNSUPPORTED, 0, "Landlock: %s", strerror(why));
}

static enum err enter_landlock(const char *folder, struct error *reterr)
{
	/* Every right of the first version of the interface, then what later ones added. */
	struct landlock_ruleset_attr attr = {.handled_access_fs = (1ULL << 13) - 1};
	int version = landlock_version();
	if (version < 1)
		return folder ? error_set(reterr, ERR_UNSUPPORTED, 0,
					  "this kernel has no Landlock (or it is switched off)")
			      : ERR_OK;
	if (version >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "Landlock: %s", strerror(errno));
	uint64_t access =
		attr.handled_access_fs &
		~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
			    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM);
	enum err err = folder ? allow_folder(ruleset, folder, access, reterr) : ERR_OK;
	if (err == ERR_OK && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		err = error_set(reterr, ERR_UNSUPPORTED, 0, "Landlock: %s", strerror(errno));
	(void)close(ruleset);
	return err;
}

enum err sandbox_enter(enum sandbox_profile profile, const char *folder, struct error *reterr)
{
	enum err files = enter_landlock(profile == SANDBOX_VAULT ? folder : NULL, reterr);
	enum err calls = enter_seccomp(profile, files == ERR_OK ? reterr : NULL);
	return files != ERR_OK ? files : calls;
}
