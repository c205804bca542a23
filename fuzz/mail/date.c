/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/date.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct date date, again;
	char text[40];
	if (date_parse(bytes_make(data, size), &date) != ERR_OK)
		return 0;
	if (date.time < -62167219200 || date.time >= 253402300800)
		return 0;
	date_format_rfc5322(date.time, text);
	ASSERT(date_parse(bytes_from_cstr(text), &again) == ERR_OK && again.time == date.time);
	return 0;
}
