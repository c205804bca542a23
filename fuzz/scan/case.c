/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a recorded case: what is read says the same when it is written and read again. */
#include "scan/case.h"
#include "base/arena.h"
#include "base/buf.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	CLEANUP(buf_done) struct buf first = BUF_INIT((size_t)64 << 20);
	CLEANUP(buf_done) struct buf second = BUF_INIT((size_t)64 << 20);
	struct scan_case scan_case;
	struct error error = {0};
	ASSERT(arena);
	if (case_read(arena, bytes_make(data, size), &scan_case, &error) != ERR_OK) {
		ASSERT(error.text[0] != '\0' && error.at <= size);
		return 0;
	}
	case_write(&first, &scan_case);
	ASSERT(buf_err(&first) == ERR_OK);
	ASSERT(case_read(arena, buf_bytes(&first), &scan_case, &error) == ERR_OK);
	case_write(&second, &scan_case);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
