/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/when.h"

#include <time.h>

#include "base/err.h"
#include "base/num.h"

#include "base/banned.h"

static const struct {
	char unit;
	int64_t ms;
} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};

bool when_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	struct bytes rest = bytes_from_cstr(text);
	uint64_t number = 0;
	struct tm tm = {0};
	if (num_take(&rest, INT64_MAX / 604800000, &number) == ERR_OK) {
		if (rest.len == 0) {
			*ret_ms = (int64_t)number * 1000;
			return true;
		}
		for (size_t i = 0; rest.len == 1 && i < ARRAY_LEN(units); i++) {
			if (rest.ptr[0] == (uint8_t)units[i].unit) {
				*ret_ms = now_ms - (int64_t)number * units[i].ms;
				return true;
			}
		}
	}
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		tm = (struct tm){.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		if (end && *end == '\0') {
			int day = tm.tm_mday;
			time_t seconds = mktime(&tm); /* local time, as people type it */
			if (day > 28 && tm.tm_mday < 4)
				return false; /* 30 February: mktime goes on into March */
			*ret_ms = (int64_t)seconds * 1000;
			return true;
		}
	}
	return false;
}

void when_format(int64_t ms, bool utc, char out[static 32])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm = {0};
	if (utc)
		(void)gmtime_r(&seconds, &tm);
	else
		(void)localtime_r(&seconds, &tm);
	if (strftime(out, 32, utc ? "%Y-%m-%d %H:%M:%SZ" : "%Y-%m-%d %H:%M:%S", &tm) == 0)
		out[0] = '\0';
}
