/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/run.h"

/* Small limits, so that short inputs meet them. */
static void run(struct log *log, struct bytes input, unsigned seed)
{
	static const struct smtp_limits limits = {.line_max = 200, .text_max = 300, .kept_max = (size_t)1 << 20};
	smtp_init(&log->smtp, &limits);
	run_cut(input, seed, log_smtp, log);
	smtp_done(&log->smtp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* What xtext encodes it also decodes. */
	struct bytes text = bytes_make(data, size < 300 ? size : 300);
	CLEANUP(buf_done) struct buf xtext = BUF_INIT(4096);
	CLEANUP(buf_done) struct buf back = BUF_INIT(4096);
	smtp_xtext_encode(&xtext, text);
	ASSERT(smtp_xtext_decode(&back, buf_bytes(&xtext)) == ERR_OK && bytes_eq(buf_bytes(&back), text));
	return run_both(data, size, run);
}
