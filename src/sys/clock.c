/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/banned.h"

static struct timespec now_of(clockid_t clock)
{
	struct timespec now = {0};
	(void)clock_gettime(clock, &now);
	return now;
}

int64_t clock_monotonic_ms(void)
{
	struct timespec now = now_of(CLOCK_MONOTONIC_COARSE);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_usec(void)
{
	struct timespec now = now_of(CLOCK_MONOTONIC);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
	struct timespec now = now_of(CLOCK_REALTIME);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_cpu_usec(void)
{
	struct timespec now = now_of(CLOCK_PROCESS_CPUTIME_ID);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar, by eras of 400 years beginning in March. */
void clock_format(int64_t seconds, char out[static 24])
{
	int64_t days = seconds / 86400, rest = seconds % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	int64_t day = day_of_year - (153 * month + 2) / 5 + 1;
	int64_t year = year_of_era + era * 400 + (month >= 10);
	(void)snprintf(out, 24, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year % 10000,
		       (int)(month < 10 ? month + 3 : month - 9), (int)day, (int)(rest / 3600), (int)(rest / 60 % 60),
		       (int)(rest % 60));
}
