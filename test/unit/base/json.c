/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/json.h"

static void writes_values(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(10000);
	struct json json;
	jsonw_init(&json, &buf);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "s", BYTES_LIT("a\"\n"));
	jsonw_string_or_null(&json, "n", (struct bytes){0});
	jsonw_array(&json, "a");
	jsonw_int(&json, NULL, -5);
	jsonw_uint(&json, NULL, UINT64_MAX);
	jsonw_bool(&json, NULL, true);
	jsonw_object(&json, NULL);
	jsonw_end(&json);
	jsonw_end(&json);
	jsonw_milli(&json, "w", 1600);
	jsonw_milli(&json, "x", -50);
	jsonw_milli(&json, "y", 2000);
	jsonw_milli(&json, "z", 0);
	jsonw_double(&json, "p", 0.1);
	jsonw_double(&json, "q", 0.99999999999912345);
	jsonw_raw(&json, "r", BYTES_LIT("[1]"));
	jsonw_end(&json);
	assert_bytes_str(buf_bytes(&buf),
			 "{\"s\":\"a\\\"\\n\",\"n\":null,\"a\":[-5,18446744073709551615,true,{}],\"w\":1.6,"
			 "\"x\":-0.05,\"y\":2,\"z\":0,\"p\":0.1,\"q\":0.9999999999991235,\"r\":[1]}");
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(writes_values)};
UNIT_MAIN(tests)
