/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fuzz/proto/run.h: a codec must say the same however its input is cut. The first byte of an input chooses the cuts,
 * the rest is the input: it is run whole and cut, and the logs are compared.
 */
#include "fuzz.h"
#include "log.h"

typedef void run_fn(struct log *log, struct bytes input, unsigned seed);

/* Calls feed(ctx, piece) for the pieces of `all`: whole with seed 0, byte by byte with 1, else in cuts by the seed. */
static inline void run_cut(struct bytes all, unsigned seed, int (*feed)(void *ctx, struct bytes piece), void *ctx)
{
	uint32_t state = seed * 2654435761u;
	for (size_t at = 0; at < all.len;) {
		state = state * 1103515245u + 12345u;
		size_t n = seed == 0 ? all.len : seed == 1 ? 1 : 1 + (state >> 16) % (seed < 128 ? 7 : 97);
		struct bytes piece = bytes_sub(all, at, n);
		(void)feed(ctx, piece);
		at += piece.len;
	}
}

static inline int run_both(const uint8_t *data, size_t size, run_fn *run)
{
	struct log whole = {.text = BUF_INIT(SIZE_MAX / 4)}, cut = {.text = BUF_INIT(SIZE_MAX / 4)};
	unsigned seed = size > 0 ? data[0] : 0;
	struct bytes input = bytes_from(bytes_make(data, size), 1);
	run(&whole, input, 0);
	cut.hold = seed % 3 == 2;
	run(&cut, input, seed + 1);
	ASSERT(bytes_eq(buf_bytes(&whole.text), buf_bytes(&cut.text)));
	ASSERT(whole.err == cut.err);
	buf_done(&whole.text);
	buf_done(&cut.text);
	return 0;
}
