/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lessons.h"

#include "base/banned.h"

void lessons_add(struct buf *buf, const struct lesson *lesson)
{
	struct bytes relations = bytes_sub(lesson->relations, 0, UINT16_MAX);
	buf_add_be64(buf, (uint64_t)lesson->time);
	buf_add_byte(buf, lesson->outcome);
	buf_add_be16(buf, (uint16_t)relations.len);
	buf_add(buf, relations);
}

bool lessons_next(struct cursor *cur, struct lesson *ret_lesson)
{
	if (cursor_end(cur))
		return false;
	ret_lesson->time = (int64_t)cursor_be64(cur);
	ret_lesson->outcome = cursor_u8(cur);
	ret_lesson->relations = cursor_take(cur, cursor_be16(cur));
	return cur->err == ERR_OK;
}
