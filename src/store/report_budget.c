/* SPDX-License-Identifier: Apache-2.0 */
#include "store/report_budget.h"

#include "base/hash.h"

#include "base/banned.h"

bool report_budget_use(struct report_budget *budget, int64_t day, struct bytes sender, size_t size)
{
	static const struct hash_key key = {0x706f737465726e72, 0x6570627564676574};
	if (budget->day != day)
		*budget = (struct report_budget){.day = day};
	uint64_t *its = &budget->by[hash_sip(key, sender) % REPORT_BUDGET_SENDERS];
	uint64_t others = budget->used - *its;
	if (size > REPORT_BUDGET_DAY || *its + size > (REPORT_BUDGET_DAY - others) / 4)
		return false;
	*its += size;
	budget->used += size;
	return true;
}
