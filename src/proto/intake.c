/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/intake.h"

#include "base/num.h"

#include "base/banned.h"

void intake_init(struct intake *intake, size_t max)
{
	*intake = (struct intake){0};
	buf_init(&intake->kept, max);
}

void intake_done(struct intake *intake)
{
	buf_done(&intake->kept);
}

enum err intake_fail(struct intake *intake, enum err err)
{
	if (intake->err == ERR_OK)
		intake->err = err;
	intake->in = (struct bytes){0};
	return intake->err;
}

/* Adds to what is kept; `in` is all of it then. */
static void keep_more(struct intake *intake, struct bytes data)
{
	buf_add(&intake->kept, data);
	intake->in = buf_bytes(&intake->kept);
	if (buf_err(&intake->kept) != ERR_OK)
		intake_fail(intake, buf_err(&intake->kept));
}

void intake_feed(struct intake *intake, struct bytes data)
{
	if (intake_keep(intake) != ERR_AGAIN)
		return;
	if (intake->kept.len == 0) {
		intake->in = data;
		return;
	}
	/* What was taken goes only now, so that the spans given out stayed good until here. */
	if (intake->kept.len > intake->in.len)
		buf_consume(&intake->kept, intake->kept.len - intake->in.len);
	keep_more(intake, data);
}

enum err intake_keep(struct intake *intake)
{
	if (intake->err != ERR_OK)
		return intake->err;
	if (intake->in.len == 0) {
		buf_clear(&intake->kept);
		intake->in = (struct bytes){0};
	} else if (intake->kept.len == 0) {
		keep_more(intake, intake->in);
	}
	return intake->err == ERR_OK ? ERR_AGAIN : intake->err;
}

struct bytes intake_take(struct intake *intake, size_t n)
{
	struct bytes taken = bytes_sub(intake->in, 0, n);
	intake->in = bytes_from(intake->in, taken.len);
	intake->seen = 0;
	return taken;
}

enum err intake_line(struct intake *intake, size_t max, struct bytes *ret_line)
{
	size_t window = MIN(intake->in.len, max);
	size_t seen = MIN(intake->seen, window);
	size_t at = bytes_find_byte(bytes_sub(intake->in, seen, window - seen), '\n');
	if (at != BYTES_NONE) {
		*ret_line = intake_take(intake, seen + at + 1);
		return ERR_OK;
	}
	if (window == max)
		return ERR_LIMIT;
	intake->seen = window;
	return intake_keep(intake);
}
