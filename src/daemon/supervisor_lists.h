/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/supervisor_lists.h: how the reputation lists of a configuration are, as the resolver says it, in a file of
 * run_dir that `postern status` reads (wire/lists.h).
 */
#include "conf/settings.h"
#include "wire/wire.h"

struct arena;
struct lists_status;

/* All unknown. NULL without memory. */
struct lists_status *lists_status_new(struct arena *arena, const struct settings *settings);
/* What makes no sense is left out: the resolver reads what strangers send. */
void lists_status_set(struct lists_status *status, const struct wire_zone *zone);
/* Of the configuration in force. That it could not be written is said. */
void lists_status_write(const struct lists_status *status);
void lists_status_remove(const struct lists_status *status);
