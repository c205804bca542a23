/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/plan.h: the inside of the plan, for scan/ only. Others use scan/scan.h.
 */
#include "auth/crypto.h"
#include "scan/scan.h"

#define PLAN_MAX_CHECKS   500
#define PLAN_MAX_FAMILIES 40
#define PLAN_KEYS_KEPT    512 /* public keys of signers */

struct plan_entry {
	const struct check *check;
	int weight;
	size_t family;
};

struct plan_family {
	struct bytes name;
	int cap; /* 0: none known; the weights are not fitted then */
};

struct scan_plan {
	struct plan_entry *entries;
	size_t count;
	struct plan_family families[PLAN_MAX_FAMILIES];
	size_t n_families;
	int bias; /* log-odds without any evidence */
	const char *definitions;
	struct crypto_keys *keys; /* public keys that were read, for all messages of the process */
};
