/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/clock.h: the clocks. Formatting needs no time-zone files, so it works inside every sandbox.
 */
#include <stdint.h>

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_usec(void);
/* Since 1970, UTC. */
int64_t clock_wall_ms(void);
/* CPU time of this process, in microseconds. */
uint64_t clock_cpu_usec(void);
/* "2026-11-24T12:00:00Z" and a NUL; `seconds` since 1970, years 1 to 9999. */
void clock_format(int64_t seconds, char out[static 24]);
