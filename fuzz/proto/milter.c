/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/run.h"

static void run(struct log *log, struct bytes input, unsigned seed)
{
	milter_init(&log->milter);
	run_cut(input, seed, log_milter, log);
	milter_done(&log->milter);
}

/* What is built of any text is whole packets, and the refusal's text is one reply. */
static void check_built(struct bytes text)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)8 << 20);
	milter_reply(&out, "550", "5.7.1", text);
	milter_add_header(&out, BYTES_LIT("X-A"), text);
	milter_insert_header(&out, 0, BYTES_LIT("X-A"), text);
	milter_change_from(&out, text, text);
	milter_add_recipient_with(&out, text, text);
	milter_replace_body(&out, text);
	milter_quarantine(&out, text);
	unsigned packets = 0;
	for (size_t at = 0; at < out.len; packets++) {
		ASSERT(out.len - at > 4);
		size_t len = (size_t)out.ptr[at] << 24 | (size_t)out.ptr[at + 1] << 16 | (size_t)out.ptr[at + 2] << 8 |
			     out.ptr[at + 3];
		ASSERT(len > 0 && len <= out.len - at - 4);
		if (packets == 0)
			ASSERT(out.ptr[at + 4] == 'y' &&
			       memchr(out.ptr + at + 5, '\0', len - 1) == out.ptr + at + 3 + len);
		at += 4 + len;
	}
	ASSERT(packets >= 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes value;
	check_built(bytes_make(data, size));
	if (milter_macro(bytes_make(data, size), BYTES_LIT("i"), &value))
		ASSERT(value.len < size);
	return run_both(data, size, run);
}
