/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/given.h: what a command that looks at a message is given beside it: the configuration, who brought it, in whose
 * name, at which time, and which DNS server to ask. What is wrong with it is said, and the exit status returned.
 */
#include "cli/opt.h"
#include "conf/settings.h"
#include "scan/case.h"

/* The rows below serve other structures with such members as well. */
struct given {
	const char *config, *dns, *ip, *helo, *from, *now;
};

#define GIVEN_ENVELOPE(g)                                                                                              \
	{.name = "ip", .value_name = "ADDRESS", .help = "the client that brought it", .value = &(g).ip},               \
		{.name = "helo", .value_name = "NAME", .help = "what the client called itself", .value = &(g).helo},   \
	{                                                                                                              \
		.name = "from", .value_name = "ADDRESS", .help = "the envelope's sender; \"\" is the null sender",     \
		.value = &(g).from                                                                                     \
	}
#define GIVEN_NOW(g)                                                                                                   \
	{                                                                                                              \
		.name = "now", .value_name = "SECONDS", .help = "judge as if at this time (since 1970)",               \
		.value = &(g).now                                                                                      \
	}
#define GIVEN_DNS(g)                                                                                                   \
	{                                                                                                              \
		.name = "dns", .value_name = "ADDR@PORT",                                                              \
		.help = "the DNS server to ask (default: as the configuration says)", .value = &(g).dns                \
	}
#define GIVEN_CONFIG(g)                                                                                                \
	{                                                                                                              \
		.name = "config", .value_name = "FILE", .help = "the configuration", .value = &(g).config              \
	}

/* The configuration, checked whole. 0 or 2. */
int given_settings(const struct given *given, struct arena *arena, struct settings *ret_settings);
/* --ip, which must be there. 0 or 2. */
int given_client(const struct opt_set *set, const struct given *given, uint8_t ret_ip[16]);
/*
 * All of it: the configuration, what of it judging depends on, the envelope without recipients, and the time as a fact.
 * Whether the DNS is asked (settings.dns) is what the configuration says; the command may know better. 0 or 2.
 */
int given_case(const struct opt_set *set, const struct given *given, struct arena *arena, struct settings *ret_settings,
	       struct scan_case *scan_case);
