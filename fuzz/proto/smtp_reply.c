/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/run.h"

static void run(struct log *log, struct bytes input, unsigned seed)
{
	smtp_replies_init(&log->replies);
	run_cut(input, seed, log_replies, log);
	smtp_replies_done(&log->replies);
}

/* What is built of any text is one reply of lines that are short enough and hold nothing but print. */
static void check_built(struct bytes text, const char *enhanced, bool utf8)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	struct smtp_replies replies;
	struct smtp_reply reply;
	smtp_reply_add(&out, 550, enhanced, text, utf8);
	struct bytes rest = buf_bytes(&out);
	unsigned lines = 0;
	while (rest.len > 0) {
		size_t lf = bytes_find_byte(rest, '\n');
		ASSERT(lf != BYTES_NONE && lf > 0 && lf < 512 && rest.ptr[lf - 1] == '\r');
		for (size_t i = 0; i + 1 < lf; i++)
			ASSERT(rest.ptr[i] >= ' ' && rest.ptr[i] != 0x7f && (utf8 || rest.ptr[i] < 0x7f));
		rest = bytes_from(rest, lf + 1);
		lines++;
	}
	ASSERT(lines <= SMTP_REPLY_LINES);
	smtp_replies_init(&replies);
	smtp_replies_feed(&replies, buf_bytes(&out));
	ASSERT(smtp_replies_next(&replies, &reply) == ERR_OK && reply.code == 550 && reply.lines == lines);
	ASSERT(!enhanced || bytes_eq(reply.enhanced, bytes_from_cstr(enhanced)));
	/* As another server's reply it is built the same, where no more than its enhanced code is the first word. */
	ASSERT(smtp_replies_next(&replies, &reply) == ERR_AGAIN);
	smtp_replies_done(&replies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_make(data, size);
	struct smtp_features features, again;
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	check_built(text, NULL, true);
	check_built(text, "5.7.1", false);
	check_built(text, "5.7.1", true);
	/* Features that were read and told again are the same. */
	smtp_features_parse(text, &features);
	smtp_features_add(&out, BYTES_LIT("host"), &features);
	struct smtp_replies replies;
	struct smtp_reply reply;
	smtp_replies_init(&replies);
	smtp_replies_feed(&replies, buf_bytes(&out));
	ASSERT(smtp_replies_next(&replies, &reply) == ERR_OK);
	smtp_features_parse(reply.text, &again);
	ASSERT(again.can == features.can && again.size == features.size);
	smtp_replies_done(&replies);
	return run_both(data, size, run);
}
