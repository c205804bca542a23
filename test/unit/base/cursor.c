/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/cursor.h"

static void reads_and_sticks(void **state)
{
	(void)state;
	struct cursor cur = cursor_make(BYTES_LIT("\x01\x02\x03\x04\x05\x06\x07name\0z"));
	assert_int_equal(cursor_u8(&cur), 1);
	assert_int_equal(cursor_be16(&cur), 0x0203);
	assert_int_equal(cursor_le32(&cur), 0x07060504);
	assert_bytes_str(cursor_until(&cur, 0), "name");
	assert_int_equal(cursor_left(&cur), 1);
	assert_int_equal(cursor_be32(&cur), 0);
	assert_int_equal(cur.err, ERR_SHORT);
	assert_int_equal(cursor_u8(&cur), 0);
	assert_true(cursor_end(&cur));
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(reads_and_sticks)};
UNIT_MAIN(tests)
