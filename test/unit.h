/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit.h: what every unit test includes: cmocka with TAP output, comparisons of spans that print both sides, and
 * the helper that feeds a parser whole, byte by byte and in random cuts.
 */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
/* clang-format on */

#include "base/bytes.h"

#define UNIT_MAIN(tests)                                                                                               \
	int main(void)                                                                                                 \
	{                                                                                                              \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                                              \
		return cmocka_run_group_tests(tests, NULL, NULL);                                                      \
	}

static inline void unit_bytes_eq(struct bytes got, struct bytes want, const char *file, int line)
{
	if (!bytes_eq(got, want)) {
		print_error("got  \"%.*s\"\nwant \"%.*s\"\n", BYTES_FMT(got), BYTES_FMT(want));
		_fail(file, line);
	}
}
#define assert_bytes(got, want)     unit_bytes_eq((got), (want), __FILE__, __LINE__)
#define assert_bytes_str(got, want) unit_bytes_eq((got), bytes_from_cstr(want), __FILE__, __LINE__)
#define assert_ok(expr)             assert_int_equal((expr), ERR_OK)

/*
 * Calls feed(ctx, piece) for the pieces of `all`, cut by `seed`: 0 whole, 1 byte by byte, else random cuts. Returns
 * early with the first value that is not 0.
 */
static inline int unit_chunks(struct bytes all, unsigned seed, int (*feed)(void *ctx, struct bytes piece), void *ctx)
{
	uint32_t state = seed * 2654435761u + 1;
	for (size_t at = 0; at < all.len;) {
		state = state * 1664525u + 1013904223u;
		size_t n = seed == 0 ? all.len : seed == 1 ? 1 : 1 + (state >> 16) % 37;
		struct bytes piece = bytes_sub(all, at, n);
		int rc = feed(ctx, piece);
		if (rc != 0)
			return rc;
		at += piece.len;
	}
	return 0;
}
