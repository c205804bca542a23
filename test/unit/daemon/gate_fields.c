/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "daemon/gate_fields.h"

#define FIELDS                                                                                                         \
	"X-Postern: clean (0.1) A,\r\n\tB;\r\n\tid=1\r\nAuthentication-Results:x\r\nDKIM-Signature:  v=1;\r\n b=c\r\n"

static void fields_come_from_the_lowest_up_with_their_folds(void **state)
{
	static const struct {
		const char *name, *value;
	} want[] = {{"DKIM-Signature", " v=1;\r\n b=c"},
		    {"Authentication-Results", "x"},
		    {"X-Postern", "clean (0.1) A,\r\n\tB;\r\n\tid=1"}};
	struct bytes fields = BYTES_LIT(FIELDS), name, value;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(fields_take_last(&fields, &name, &value));
		assert_bytes_str(name, want[i].name);
		assert_bytes_str(value, want[i].value);
	}
	assert_false(fields_take_last(&fields, &name, &value));
	assert_false(fields_take_last(&fields, &name, &value));
}

static void what_is_no_field_ends_it(void **state)
{
	static const char *const cases[] = {"", "\r\n", "no colon\r\n", " continues: nothing", "A: b\r\nno colon"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes fields = bytes_from_cstr(cases[i]), name, value;
		size_t n = 0;
		while (fields_take_last(&fields, &name, &value))
			assert_true(++n <= 1 && name.len > 0);
	}
}

static void line_ends_are_those_of_the_message(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(1000);
	(void)state;
	assert_true(fields_want_crlf(BYTES_LIT("A: b\r\nC: d\n")));
	assert_false(fields_want_crlf(BYTES_LIT("A: b\nC: d\r\n")));
	assert_false(fields_want_crlf(BYTES_LIT("\n")));
	assert_false(fields_want_crlf(BYTES_LIT("A: b")));
	fields_add_lines(&out, BYTES_LIT("a\r\n b\rc\r\n\r"), false);
	assert_bytes_str(buf_bytes(&out), "a\n b\rc\n\r");
	buf_clear(&out);
	fields_add_lines(&out, BYTES_LIT("a\r\n b\r\n"), true);
	assert_bytes_str(buf_bytes(&out), "a\r\n b\r\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(fields_come_from_the_lowest_up_with_their_folds),
	cmocka_unit_test(what_is_no_field_ends_it),
	cmocka_unit_test(line_ends_are_those_of_the_message),
};
UNIT_MAIN(tests)
