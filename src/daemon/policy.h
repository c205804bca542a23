/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/policy.h: what becomes of a judged message for each of its recipients, by the configuration. Pure.
 */
#include "conf/settings.h"
#include "scan/verdict.h"

/* Log-odds of the configuration's thresholds, computed once. */
struct policy {
	const struct settings *settings;
	int tag_at, quarantine_at;
};

void policy_init(struct policy *policy, const struct settings *settings);
/*
 * `class` is what the message is by itself (verdict.own_class), `sender_policy` what its author domain asks for; what
 * of both is stricter is done.
 */
enum verdict_action policy_fate(const struct policy *policy, enum verdict_class class, int log_odds,
				enum dmarc_policy sender_policy, struct bytes recipient);
/* "*@example.org", "postmaster@*", "*", or a whole address; ASCII case does not matter. */
bool policy_matches(struct bytes pattern, struct bytes address);
/* The configured text with its %reason% and %id% replaced. */
struct buf;
void policy_reject_text(struct buf *buf, const struct policy *policy, struct bytes reason, struct bytes id);

/* Networks of the configuration, which wire/load.h has checked. ERR_SYNTAX, ERR_NOMEM. */
NODISCARD enum err networks_parse(struct arena *arena, const struct conf_strings *texts,
				  struct scan_network **ret_networks, size_t *ret_count);
bool networks_hold(const struct scan_network *networks, size_t n, const uint8_t ip[16]);
