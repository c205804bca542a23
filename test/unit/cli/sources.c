/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cli/sources.h"

#define FROM "From a@example.org Tue Aug  6 11:52:20 2002\n"

static void walk(const char *file, const char *const *want)
{
	const struct source source = {.file = "-", .path = BYTES_LIT("box")};
	struct source_walk walk;
	struct bytes message, path;
	source_walk_init(&walk, &source, bytes_from_cstr(file));
	for (; *want; want += 2) {
		assert_true(source_walk_next(&walk, &message, &path));
		assert_bytes_str(path, want[0]);
		assert_bytes_str(message, want[1]);
	}
	assert_false(source_walk_next(&walk, &message, &path));
}

static void one_message_keeps_its_name_and_its_bytes(void **state)
{
	(void)state;
	walk("", (const char *const[]){"box", "", NULL});
	walk("S: 1\n\nx\n\n", (const char *const[]){"box", "S: 1\n\nx\n\n", NULL});
	walk(FROM "S: 1\n\nx\n\n", (const char *const[]){"box", FROM "S: 1\n\nx\n\n", NULL});
	/* "From " inside a message that is no mbox */
	walk("S: 1\n\nx\n\n" FROM "S: 2\n\ny\n",
	     (const char *const[]){"box", "S: 1\n\nx\n\n" FROM "S: 2\n\ny\n", NULL});
}

static void messages_of_an_mbox_are_numbered(void **state)
{
	(void)state;
	const char *const want[] = {"box#1", "S: 1\n\nx\n", "box#2", "S: 2\n\ny\n", NULL};
	walk(FROM "S: 1\n\nx\n\n" FROM "S: 2\n\ny\n", want);
}

static void the_empty_line_behind_the_last_message_belongs_to_the_mbox(void **state)
{
	(void)state;
	const char *const want[] = {"box#1", "S: 1\n\nx\n", "box#2", "S: 2\n\ny\n", NULL};
	walk(FROM "S: 1\n\nx\n\n" FROM "S: 2\n\ny\n\n", want);
	const char *const crlf[] = {"box#1", "S: 1\n\nx\r\n", "box#2", "S: 2\n\ny\r\n", NULL};
	walk(FROM "S: 1\n\nx\r\n\r\n" FROM "S: 2\n\ny\r\n\r\n", crlf);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_message_keeps_its_name_and_its_bytes),
	cmocka_unit_test(messages_of_an_mbox_are_numbered),
	cmocka_unit_test(the_empty_line_behind_the_last_message_belongs_to_the_mbox),
};
UNIT_MAIN(tests)
