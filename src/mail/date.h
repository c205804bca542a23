/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/date.h: RFC 5322 dates with the obsolete forms, and what real mailers write instead.
 */
#include "base/bytes.h"
#include "base/err.h"

struct date {
	int64_t time;       /* seconds since 1970, UTC */
	int32_t offset;     /* of the zone, seconds east of Greenwich */
	bool zone_known;    /* false for "-0000", a missing or an unknown zone */
	bool obsolete;      /* two-digit year, named zone, missing comma...: understood, and not RFC 5322 3.3 */
	bool weekday_wrong; /* a weekday was given and it is another one */
};

/* ERR_SYNTAX when no date can be made of it (impossible days too). */
NODISCARD enum err date_parse(struct bytes value, struct date *ret_date);

/* "1993-03-22T17:41:09Z"; years 0 to 9999. Writes 20 bytes and a NUL. */
void date_format_rfc3339(int64_t time, char out[static 21]);
/* "Mon, 22 Mar 1993 17:41:09 +0000" and a NUL. */
void date_format_rfc5322(int64_t time, char out[static 40]);
