/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_tls.h"

#include "base/arena.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct report_tls report;
	struct error error = {0};
	if (report_tls_read(arena, bytes_make(data, size), &report, &error) != ERR_OK) {
		ASSERT(error.text[0] != '\0');
		return 0;
	}
	ASSERT(report.begin <= report.end);
	for (size_t i = 0; i < report.n_policies; i++) {
		const struct report_tls_policy *policy = &report.policies[i];
		ASSERT(policy->domain.len > 0 && policy->domain.len <= REPORT_TEXT_MAX);
		ASSERT(policy->successful <= REPORT_COUNT_MAX && policy->failed <= REPORT_COUNT_MAX);
		for (size_t k = 0; k < policy->n_failures; k++)
			ASSERT(policy->failures[k].sessions <= REPORT_COUNT_MAX);
	}
	return 0;
}
