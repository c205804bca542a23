/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/json.h: a streaming JSON writer onto a buf: commas, quotes and escapes are its business.
 *
 * The output is always valid UTF-8 on one line. Errors are those of the buf (sticky). Depth is bounded at JSON_DEPTH; a
 * deeper nesting or an unbalanced end is a mistake of ours (ASSERT).
 *     json_object(&j, NULL);  json_string(&j, "path", path);  json_array(&j, "parts"); ... json_end(&j); json_end(&j);
 * In an array the key is NULL.
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

void json_init(struct json *json, struct buf *buf);
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
/* Ends the innermost object or array. */
void json_end(struct json *json);

void json_string(struct json *json, const char *key, struct bytes value);
/* As json_string, but a span with a NULL pointer is null. */
void json_string_or_null(struct json *json, const char *key, struct bytes value);
void json_cstr(struct json *json, const char *key, const char *value);
void json_int(struct json *json, const char *key, int64_t value);
void json_uint(struct json *json, const char *key, uint64_t value);
/* `value` thousandths, as a decimal fraction: 1600 is written 1.6, -50 is -0.05. */
void json_milli(struct json *json, const char *key, int64_t value);
/* The shortest digits that read back as the same double; finite values only. */
void json_double(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* Text that is JSON already. */
void json_raw(struct json *json, const char *key, struct bytes value);
/* A key that came from outside. */
void json_string_at(struct json *json, struct bytes key, struct bytes value);
void json_object_at(struct json *json, struct bytes key);
