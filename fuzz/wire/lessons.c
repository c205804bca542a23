/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lessons.h"

#include "fuzz.h"

/* What is read packs to exactly what was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf again = BUF_INIT(size + 1);
	struct cursor cur = cursor_make(bytes_make(data, size));
	struct lesson lesson;
	while (lessons_next(&cur, &lesson))
		lessons_add(&again, &lesson);
	ASSERT(buf_err(&again) == ERR_OK);
	ASSERT(bytes_eq(buf_bytes(&again), bytes_make(data, again.len)));
	ASSERT(cur.err != ERR_OK || again.len == size);
	return 0;
}
