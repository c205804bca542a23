/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/run.h"

static void run(struct log *log, struct bytes input, unsigned seed)
{
	static const struct spamd_limits limits = {.head_max = 300, .body_max = 2000};
	spamd_init(&log->spamd, &limits);
	run_cut(input, seed, log_spamd, log);
	spamd_eof(&log->spamd);
	(void)log_spamd_events(log);
	ASSERT(log->err != ERR_OK || log->spamd.state == SPAMD_OVER);
	spamd_done(&log->spamd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return run_both(data, size, run);
}
