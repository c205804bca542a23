/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a message on its way out of the gate: one size of the pieces is as good as another, and whoever has our
 * field already gets it once. */
#include "base/buf.h"
#include "daemon/gate_rewrite.h"
#include "fuzz.h"

#define FIELD "X-Postern: ours\r\n"

static bool speaks_for_us(void *ctx, struct bytes value)
{
	(void)ctx;
	return bytes_find(value, BYTES_LIT("mx.example.org")) != BYTES_NONE;
}

static void rewrite_all(struct bytes message, struct bytes tag, size_t max, struct buf *out)
{
	struct rewrite rewrite = {
		.field = BYTES_LIT(FIELD), .tag = tag, .line_end = BYTES_LIT("\r\n"), .speaks_for_us = speaks_for_us};
	for (struct bytes piece; (piece = rewrite_next(&rewrite, message, max)).len > 0;) {
		ASSERT(piece.len <= max);
		buf_add(out, piece);
	}
	ASSERT(buf_err(out) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes message = bytes_make(data, size);
	CLEANUP(buf_done) struct buf whole = BUF_INIT(SIZE_MAX / 2), pieces = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(buf_done) struct buf tagged = BUF_INIT(SIZE_MAX / 2), again = BUF_INIT(SIZE_MAX / 2);
	rewrite_all(message, (struct bytes){0}, SIZE_MAX, &whole);
	rewrite_all(message, (struct bytes){0}, 3, &pieces);
	ASSERT(bytes_eq(buf_bytes(&whole), buf_bytes(&pieces)));
	ASSERT(bytes_find(buf_bytes(&whole), BYTES_LIT(FIELD)) != BYTES_NONE);
	rewrite_all(buf_bytes(&whole), (struct bytes){0}, SIZE_MAX, &again);
	ASSERT(bytes_eq(buf_bytes(&whole), buf_bytes(&again)));
	const struct rewrite look = {.speaks_for_us = speaks_for_us};
	ASSERT(!rewrite_finds_forged(&look, buf_bytes(&whole)));
	rewrite_all(message, BYTES_LIT("[SPAM] "), SIZE_MAX, &tagged);
	ASSERT(bytes_find(buf_bytes(&tagged), BYTES_LIT("[SPAM] ")) != BYTES_NONE);
	return 0;
}
