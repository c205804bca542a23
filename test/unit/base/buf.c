/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"

static void stops_at_its_maximum(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(10);
	buf_add_cstr(&buf, "12345");
	buf_printf(&buf, "%d", 67890);
	assert_ok(buf_err(&buf));
	buf_add_byte(&buf, 'x');
	assert_int_equal(buf_err(&buf), ERR_LIMIT);
	buf_consume(&buf, 5);
	buf_add_byte(&buf, 'x');
	assert_bytes_str(buf_bytes(&buf), "67890");
	buf_clear(&buf);
	buf_add_byte(&buf, 'x');
	assert_bytes_str(buf_bytes(&buf), "x");
}

static void writes_big_endian(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(100);
	buf_add_be16(&buf, 0x0102);
	buf_add_be32(&buf, 0x03040506);
	buf_add_be64(&buf, 0x0708090a0b0c0d0e);
	for (size_t i = 0; i < 14; i++)
		assert_int_equal(buf.ptr[i], i + 1);
}

static void keeps_the_error_of_no_memory(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 20);
	mem_fail_after(1, 0);
	buf_add_cstr(&buf, "x");
	mem_fail_after(0, 0);
	buf_add_cstr(&buf, "y");
	assert_int_equal(buf_err(&buf), ERR_NOMEM);
	assert_int_equal(buf.len, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(stops_at_its_maximum),
	cmocka_unit_test(writes_big_endian),
	cmocka_unit_test(keeps_the_error_of_no_memory),
};
UNIT_MAIN(tests)
