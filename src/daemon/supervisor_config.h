/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/supervisor_config.h: the configuration as the supervisor gets it, which may be root: it reads the file's bytes
 * and never parses them. A child that lives for a moment does that, as nobody and in the smallest sandbox, and hands
 * back a tree; the supervisor checks every value of it by the tables of conf/settings.c (doc/design/0005).
 */
#include "base/err.h"
#include "conf/settings.h"

struct arena;
struct yaml_node;

/* False when there are errors, which were said on standard error ("FILE:LINE: text"). Waits for the child. */
NODISCARD bool supervisor_read_config(struct arena *arena, const char *file, struct settings *ret_settings);

/* What the child is given. */
struct config_job {
	struct bytes text;
	int out; /* where the answer goes */
};

/*
 * Has `text` parsed by a child that runs `parse`: supervisor_parse_config(), or what a test takes for it. On failure
 * *reterr has the line in `at`, or 0 when it is the child that failed: it died, hung, or wrote what is no tree.
 */
NODISCARD enum err supervisor_ask_parser(struct arena *arena, struct bytes text, NORETURN void (*parse)(void *job),
					 struct yaml_node **ret_root, struct error *reterr);
NORETURN void supervisor_parse_config(void *job);
