/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

#include "fuzz.h"

/* There is one form only: what is accepted encodes to the same bytes again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)1 << 20);
	struct bytes payload = bytes_make(data, size);
	struct wire_any any;
	if (size > 1 << 19 || wire_decode(payload, &any) != ERR_OK)
		return 0;
	wire_encode(&buf, &any);
	ASSERT(buf_err(&buf) == ERR_OK && bytes_eq(buf_bytes(&buf), payload));
	bool anybody = false;
	for (unsigned sender = 0; sender < ROLE_COUNT; sender++)
		for (unsigned receiver = 0; receiver < ROLE_COUNT; receiver++)
			anybody |=
				wire_receive((enum wire_role)sender, (enum wire_role)receiver, payload, &any) == ERR_OK;
	ASSERT(anybody); /* a message that nobody may say does not exist */
	return 0;
}
