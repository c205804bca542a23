/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/supervisor_generation.h: one configuration with all that those who serve it inherit: its sockets, the index of
 * signing keys, the image of our own lists.
 *
 * Owns:   its memory and descriptors, until generation_free(). What fails was said in the log.
 */
#include "daemon/child.h"

struct arena;
struct lists_status;

struct generation {
	struct arena *arena;
	struct settings settings;
	struct process_user user;
	int listeners[FRONTENDS]; /* -1: off, or handed on to the next generation */
	int local_lists;          /* the memory file with the image of our own lists; -1: none */
	struct bytes keyring;     /* the index of signing keys, as it was when this generation began */
	unsigned gates, scanners, resolvers, signers, ledgers, couriers;
	struct lists_status *lists;
	bool retiring;
};

/* NULL when the file has errors, which were said on standard error, or memory is short. Waits for a child. */
struct generation *generation_read(const char *file);
/* Closes what is open. NULL is fine. */
void generation_free(struct generation *generation);

/* state_dir and run_dir, which belong to who the children become. */
NODISCARD bool generation_make_folders(struct generation *generation);
/* Opens what the configuration names; a socket of the generation before, or of the service manager, is taken over. */
NODISCARD bool generation_open_listeners(struct generation *generation, struct generation *before);
void generation_close_listeners(struct generation *generation);
void generation_close_lists(struct generation *generation);
