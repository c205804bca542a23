/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/when.h: points in time as people type and read them.
 */
#include <stdbool.h>
#include <stdint.h>

/* "2h" (ago; s m h d w), "2026-11-24", "2026-11-24T10:00" (local time), or seconds since 1970. */
bool when_parse(const char *text, int64_t now_ms, int64_t *ret_ms);
/* "2026-11-24 10:00:00" in local time, or in UTC with a Z; and a NUL. */
void when_format(int64_t ms, bool utc, char out[static 32]);
