/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/sniff.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sniff sniff = sniff_content(bytes_make(data, size));
	ASSERT((sniff.type == NULL) == (size == 0));
	return 0;
}
