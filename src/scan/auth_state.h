/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/auth_state.h: how far a case has come with its authentication; for scan/ only.
 */
#include "scan/auth.h"

struct auth_state {
	bool begun, done, failed;
	bool spf_known, signatures_known, chain_known;
	struct spf_query query;
	struct address_list authors; /* of From, wherever in the header */
	struct dkim *dkim;
	struct arc *arc;
	struct scan_auth result;
};

/* Of the case; NULL without memory. */
struct auth_state *scan_auth_state(struct scan *scan);
/* Public keys that the process keeps; NULL: none. */
struct crypto_keys *scan_keys(struct scan *scan);
