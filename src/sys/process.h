/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/process.h: children of the supervisor. They are forked without exec, keep only the descriptors they are given,
 * die with their supervisor, and give up every privilege before they read the first foreign byte.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Forks; the child calls run(ctx), which never returns. The child has default signals, the name `name` (15 bytes are
 * seen by ps), standard error and the `n_keep` descriptors of `keep` and no other, and ends when its parent does.
 * Returns in the parent: ERR_OK and *ret_pid, or ERR_LIMIT.
 */
NODISCARD enum err process_spawn(const char *name, const int *keep, size_t n_keep, NORETURN void (*run)(void *ctx),
				 void *ctx, pid_t *ret_pid);

struct process_user {
	bool change; /* false: stay who we are */
	uid_t uid;
	gid_t gid;
};
/*
 * The user to become when started as root: `name`, or "nobody" where there is none such (*ret_fallback tells). Started
 * as anyone else: stay. ERR_DENIED when neither exists.
 */
NODISCARD enum err process_find_user(const char *name, struct process_user *ret_user, bool *ret_fallback);
/* Groups, ids, no_new_privs; cannot be undone. */
NODISCARD enum err process_drop(const struct process_user *user, struct error *reterr);

struct process_limits {
	uint64_t descriptors; /* 0: as inherited */
	uint64_t memory;      /* of address space, bytes; 0: none */
};
/* No core dumps ever: they would hold mail. */
NODISCARD enum err process_limit(const struct process_limits *limits);

/* How long to wait before the next start: doubles from 100 ms to 10 s while deaths come quickly, else 0. */
struct process_backoff {
	int64_t last_ms;
	int64_t wait_ms;
};
int64_t process_backoff_next(struct process_backoff *backoff, int64_t now_ms);
