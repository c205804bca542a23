/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "fuzz.h"

static void check(struct bytes out)
{
	ASSERT(utf8_valid(out));
	for (size_t i = 0; i < out.len; i++)
		ASSERT(!ascii_is_cntrl(out.ptr[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf json = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(buf_done) struct buf plain = BUF_INIT(SIZE_MAX / 2);
	escape_json(&json, bytes_make(data, size));
	escape_plain(&plain, bytes_make(data, size));
	check(buf_bytes(&json));
	check(buf_bytes(&plain));
	return 0;
}
