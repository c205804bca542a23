/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/child.h: the frame of every daemon below the supervisor: privileges given up in the one right order, the loop,
 * the control channel, peers as they come.
 */
#include "conf/settings.h"
#include "sys/process.h"
#include "sys/sandbox.h"
#include "wire/wire.h"

struct child;
struct loop;

enum frontend { FRONTEND_MILTER, FRONTEND_SMTP, FRONTEND_HTTP, FRONTEND_SPAMD, FRONTENDS };
extern const char *const frontend_names[FRONTENDS];

/* What a child inherits: all of it, and nothing else. */
struct heritage {
	enum wire_role role;
	uint32_t index, serial;
	unsigned metrics_row;
	const struct settings *settings;
	const char *hostname;
	struct process_user user;
	struct bytes keyring; /* text of the index of signing keys, the same for all of a generation */
	int control;
	int listeners[FRONTENDS]; /* gates only; -1: off */
	/*
	 * Memory files with the image of our own lists (scan/local_list.h), sealed; -1: none. `lists`: of this
	 * generation, for scanners to look into and for the lister, to which it is open still, to write;
	 * `lists_before`: for the lister, of the generation before.
	 */
	int lists, lists_before;
};

struct child_ops {
	/* Opens and connects what must be open before privileges go; `folder` is what the sandbox leaves. May be NULL.
	 */
	enum err (*prepare)(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr);
	/* Everything is locked up: begin. */
	enum err (*start)(struct child *child, void *state);
	/* A peer's socket came; it is ours now. */
	void (*peer)(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket);
	/* Everything ends, not only this process: let go who waits between messages. drain() follows. May be NULL. */
	void (*ending)(void *state);
	/*
	 * Take nothing new, finish, then child_drained(). May be called again. NULL: the supervisor ends the process
	 * when nobody needs it any more.
	 */
	void (*drain)(void *state);
	enum sandbox_profile profile;
	struct process_limits limits;
};

/* The whole life of the process. */
NORETURN void child_run(const struct heritage *heritage, const struct child_ops *ops);

const struct heritage *child_heritage(const struct child *child);
/* The list of signing keys that it inherited; one that makes no sense is said, and empty. */
struct keyring;
struct arena;
void child_keyring(const struct child *child, struct arena *arena, struct keyring *ret_ring);
/* The image in such a memory file, for good; of -1 an empty one. ERR_DENIED, ERR_IO, ERR_NOMEM. */
NODISCARD enum err child_map_lists(int fd, struct bytes *ret_image);
struct loop *child_loop(struct child *child);
/* To the supervisor. */
void child_say(struct child *child, const struct wire_any *any);
/* Nothing is left to do: says so and ends. */
NORETURN void child_drained(struct child *child);

NORETURN void gate_main(const struct heritage *heritage);
NORETURN void lister_main(const struct heritage *heritage);
NORETURN void scanner_main(const struct heritage *heritage);
NORETURN void resolver_main(const struct heritage *heritage);
NORETURN void signer_main(const struct heritage *heritage);
NORETURN void ledger_main(const struct heritage *heritage);
NORETURN void vault_main(const struct heritage *heritage);
NORETURN void courier_main(const struct heritage *heritage);
