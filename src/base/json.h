/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/json.h: a streaming JSON writer onto a buf: commas, quotes and escapes are its business.
 *
 * The output is always valid UTF-8 on one line. Errors are those of the buf (sticky). Depth is bounded at JSON_DEPTH; a
 * deeper nesting or an unbalanced end is a mistake of ours (ASSERT).
 *     jsonw_object(&j, NULL);  jsonw_string(&j, "path", path);  jsonw_array(&j, "parts"); ... jsonw_end(&j);
 * jsonw_end(&j); In an array the key is NULL. The prefix is jsonw_, since libraries that we link export json_ names.
 */
#include "base/buf.h"
#include "base/bytes.h"

#define JSON_DEPTH 32

struct json {
	struct buf *buf;
	unsigned depth;
	bool comma;
	char close[JSON_DEPTH];
};

void jsonw_init(struct json *json, struct buf *buf);
void jsonw_object(struct json *json, const char *key);
void jsonw_array(struct json *json, const char *key);
/* Ends the innermost object or array. */
void jsonw_end(struct json *json);

void jsonw_string(struct json *json, const char *key, struct bytes value);
/* As json_string, but a span with a NULL pointer is null. */
void jsonw_string_or_null(struct json *json, const char *key, struct bytes value);
void jsonw_cstr(struct json *json, const char *key, const char *value);
void jsonw_int(struct json *json, const char *key, int64_t value);
void jsonw_uint(struct json *json, const char *key, uint64_t value);
/* `value` thousandths, as a decimal fraction: 1600 is written 1.6, -50 is -0.05. */
void jsonw_milli(struct json *json, const char *key, int64_t value);
/* The shortest digits that read back as the same double; finite values only. */
void jsonw_double(struct json *json, const char *key, double value);
void jsonw_bool(struct json *json, const char *key, bool value);
void jsonw_null(struct json *json, const char *key);
/* Text that is JSON already. */
void jsonw_raw(struct json *json, const char *key, struct bytes value);
/* A key that came from outside. */
void jsonw_string_at(struct json *json, struct bytes key, struct bytes value);
void json_object_at(struct json *json, struct bytes key);
