/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/dns.h: the DNS for a command: the resolver of the daemons in this process, and answers waited for.
 *
 *     while (spf_check(arena, &host, &query, &result) == AUTH_WAIT)
 *             cli_dns_wait(dns);
 */
#include "auth/dns.h"
#include "conf/settings.h"

struct cli_dns;
struct scan;

/* `server`: "ADDRESS@PORT" instead of what the configuration says; may be NULL. */
NODISCARD enum err cli_dns_open(const struct settings *settings, const char *server, struct cli_dns **ret_dns,
				struct error *reterr);
void cli_dns_free(struct cli_dns **dns);
/* Its answers live as long as it. */
struct dns_host cli_dns_host(struct cli_dns *dns);
/* Returns when an answer came. */
void cli_dns_wait(struct cli_dns *dns);
/* Answers what the scan has asked of the DNS, at least one question; the other kinds stay open. */
NODISCARD enum err cli_dns_answer(struct cli_dns *dns, struct scan *scan);
