/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/buf.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(buf_done) struct buf again = BUF_INIT(SIZE_MAX / 2);
	struct bytes in = bytes_make(data, size);
	utf8_add_sanitized(&out, in);
	ASSERT(utf8_valid(buf_bytes(&out)));
	if (utf8_valid(in))
		ASSERT(bytes_eq(buf_bytes(&out), in));
	for (struct bytes rest = in; rest.len > 0;) {
		uint8_t raw[4];
		uint32_t code = utf8_next(&rest, NULL);
		buf_add(&again, bytes_make(raw, utf8_encode(code, raw)));
	}
	ASSERT(bytes_eq(buf_bytes(&out), buf_bytes(&again)));
	struct bytes prefix = utf8_prefix(buf_bytes(&out), size / 2);
	ASSERT(prefix.len <= size / 2 && utf8_valid(prefix));
	return 0;
}
