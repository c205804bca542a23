/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit/auth/fixture.h: what tests of auth/ begin with: an arena, for TEST_CRYPTO() the crypto library as well, and
 * files of the seed corpus.
 */
#include "auth/crypto.h"
#include "unit_arena.h"

static inline int crypto_begin(void **state)
{
	return unit_arena_begin(state) == 0 && crypto_init() == ERR_OK ? 0 : -1;
}

#define TEST_CRYPTO(name) cmocka_unit_test_setup_teardown(name, crypto_begin, unit_arena_end)

/* "report_tls/full.json" */
static inline struct bytes sample(const char *name)
{
	char path[500];
	static uint8_t content[20000];
	(void)snprintf(path, sizeof(path), CORPUS "/%s", name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t n = fread(content, 1, sizeof(content), file);
	(void)fclose(file);
	return arena_copy(arena, bytes_make(content, n));
}
