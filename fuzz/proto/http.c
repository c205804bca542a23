/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/run.h"

static void run(struct log *log, struct bytes input, unsigned seed)
{
	static const struct http_limits limits = {.head_max = 1000, .body_max = 5000, .kept_max = (size_t)1 << 20};
	http_init(&log->http, &limits);
	run_cut(input, seed, log_http, log);
	ASSERT(log->err == ERR_OK || (http_status(&log->http) >= 400 && http_status(&log->http) < 600));
	http_done(&log->http);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_make(data, size), key, value;
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	size_t pairs = 0;
	for (struct bytes query = text; http_query_next(&query, &key, &value); pairs++)
		ASSERT(key.len + value.len <= size);
	ASSERT(pairs <= size);
	if (http_percent_decode(&out, text, true) != ERR_OK)
		ASSERT(out.len == 0 || buf_err(&out) != ERR_OK);
	ASSERT(out.len <= size);
	return run_both(data, size, run);
}
