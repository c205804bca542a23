/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/envelope.h"

#include "base/arena.h"

#include "fuzz.h"

/* What is accepted, written and read again is the same; a list of recipients ends within its bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)1 << 21);
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 22);
	struct bytes all = bytes_make(data, size), list = all, address, fate;
	struct scan_envelope envelope;
	int64_t now;
	size_t taken = 0;
	while (recipients_next(&list, &address, &fate))
		taken += 8 + address.len + fate.len;
	ASSERT(taken <= size);
	if (!arena || size > 1 << 19 || envelope_decode(arena, all, &envelope, &now) != ERR_OK)
		return 0;
	envelope_encode(&buf, &envelope, now);
	/* Flags that mean nothing are not kept; all else is. */
	ASSERT(buf_err(&buf) == ERR_OK && buf.len == size);
	ASSERT(memcmp(buf.ptr, data, 8) == 0 && buf.ptr[8] == (data[8] & 3) &&
	       memcmp(buf.ptr + 9, data + 9, size - 9) == 0);
	return 0;
}
