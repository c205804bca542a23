/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/json.h"

static void writes_values(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(10000);
	struct json json;
	json_init(&json, &buf);
	json_object(&json, NULL);
	json_string(&json, "s", BYTES_LIT("a\"\n"));
	json_string_or_null(&json, "n", (struct bytes){0});
	json_array(&json, "a");
	json_int(&json, NULL, -5);
	json_uint(&json, NULL, UINT64_MAX);
	json_bool(&json, NULL, true);
	json_object(&json, NULL);
	json_end(&json);
	json_end(&json);
	json_milli(&json, "w", 1600);
	json_milli(&json, "x", -50);
	json_milli(&json, "y", 2000);
	json_milli(&json, "z", 0);
	json_double(&json, "p", 0.1);
	json_double(&json, "q", 0.99999999999912345);
	json_raw(&json, "r", BYTES_LIT("[1]"));
	json_end(&json);
	assert_bytes_str(buf_bytes(&buf),
			 "{\"s\":\"a\\\"\\n\",\"n\":null,\"a\":[-5,18446744073709551615,true,{}],\"w\":1.6,"
			 "\"x\":-0.05,\"y\":2,\"z\":0,\"p\":0.1,\"q\":0.9999999999991235,\"r\":[1]}");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(writes_values)};
UNIT_MAIN(tests)
