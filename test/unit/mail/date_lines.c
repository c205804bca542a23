/* SPDX-License-Identifier: Apache-2.0 */
/* One date a line in, seconds since 1970 or "none" out: for date_differential.py. */
#include <inttypes.h>
#include <stdio.h>

#include "mail/date.h"

int main(void)
{
	char line[200];
	while (fgets(line, sizeof(line), stdin)) {
		struct date date;
		if (date_parse(bytes_chomp(bytes_from_cstr(line)), &date) == ERR_OK)
			printf("%" PRId64 "\n", date.time);
		else
			puts("none");
	}
	return 0;
}
