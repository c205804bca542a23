/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/report_budget.h: how much of the reports of others is kept in a day. Anybody can send some, and a small mail
 * may hold many rows; but who sends many must not use up what the others need.
 *
 * Rule:   REPORT_BUDGET_DAY bytes a day, and of what all others together leave of it a quarter for each sender: whoever
 *         has k domains for it leaves (3/4)^k, of which each other sender has a quarter.
 * Bounds: REPORT_BUDGET_SENDERS places, by hash: two senders may have to share one.
 */
#include "base/bytes.h"

#define REPORT_BUDGET_DAY     (UINT64_C(32) << 20)
#define REPORT_BUDGET_SENDERS 256

/* All zero is a beginning. */
struct report_budget {
	int64_t day;
	uint64_t used;
	uint64_t by[REPORT_BUDGET_SENDERS];
};

/* Uses `size` bytes for what `sender` (a registrable domain; empty: nobody is proven) sent; false: there is no room
 * that day. */
bool report_budget_use(struct report_budget *budget, int64_t day, struct bytes sender, size_t size);
