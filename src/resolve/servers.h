/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve/servers.h: the `dns` part of the configuration, and the command line's --dns, as libunbound wants them.
 */
#include "conf/settings.h"
#include "resolve/upstream.h"

#define SERVERS_MAX 16

struct servers {
	struct upstream_options options; /* points into this struct: do not copy it */
	struct upstream_zone zones[SERVERS_MAX];
};

/* ERR_SYNTAX names what is wrong. `settings` must outlive *ret_servers. */
NODISCARD enum err servers_read(const struct settings *settings, struct servers *ret_servers, struct error *reterr);
