/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lessons.h"

#include "unit.h"

static void lessons_come_back_in_order(void **state)
{
	static const struct lesson lessons[] = {
		{.time = -1, .outcome = 0, .relations = BYTES_INIT("1 org=a")},
		{.time = INT64_MAX, .outcome = 255},
		{.time = 1768478400, .outcome = 1, .relations = BYTES_INIT("1")},
	};
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1024);
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lessons); i++)
		lessons_add(&buf, &lessons[i]);
	assert_ok(buf_err(&buf));
	assert_int_equal(buf.len, ARRAY_LEN(lessons) * LESSON_HEAD + 8);
	struct cursor cur = cursor_make(buf_bytes(&buf));
	struct lesson got;
	for (size_t i = 0; i < ARRAY_LEN(lessons); i++) {
		assert_true(lessons_next(&cur, &got));
		assert_true(got.time == lessons[i].time);
		assert_int_equal(got.outcome, lessons[i].outcome);
		assert_bytes(got.relations, lessons[i].relations);
	}
	assert_false(lessons_next(&cur, &got));
	assert_ok(cur.err);
}

static void a_lesson_that_is_cut_is_none(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1024);
	(void)state;
	lessons_add(&buf, &(struct lesson){.time = 1, .relations = BYTES_LIT("1 org=a")});
	for (size_t cut = 1; cut < buf.len; cut++) {
		struct cursor cur = cursor_make(bytes_sub(buf_bytes(&buf), 0, cut));
		struct lesson got;
		assert_false(lessons_next(&cur, &got));
		assert_int_equal(cur.err, ERR_SHORT);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lessons_come_back_in_order),
	cmocka_unit_test(a_lesson_that_is_cut_is_none),
};

UNIT_MAIN(tests)
