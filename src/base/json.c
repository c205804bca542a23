/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"

#include "base/banned.h"

void json_init(struct json *json, struct buf *buf)
{
	*json = (struct json){.buf = buf};
}

static void quoted(struct json *json, struct bytes text)
{
	buf_add_byte(json->buf, '"');
	escape_json(json->buf, text);
	buf_add_byte(json->buf, '"');
}

/* What goes before a value: the comma and the key. */
static void begin(struct json *json, struct bytes key)
{
	if (json->comma)
		buf_add_byte(json->buf, ',');
	json->comma = true;
	if (key.ptr) {
		quoted(json, key);
		buf_add_byte(json->buf, ':');
	}
}

static void open(struct json *json, struct bytes key, char first, char last)
{
	begin(json, key);
	ASSERT(json->depth < JSON_DEPTH);
	json->close[json->depth++] = last;
	json->comma = false;
	buf_add_byte(json->buf, (uint8_t)first);
}

void json_object(struct json *json, const char *key)
{
	open(json, bytes_from_cstr(key), '{', '}');
}

void json_array(struct json *json, const char *key)
{
	open(json, bytes_from_cstr(key), '[', ']');
}

void json_object_at(struct json *json, struct bytes key)
{
	open(json, key, '{', '}');
}

void json_end(struct json *json)
{
	ASSERT(json->depth > 0);
	buf_add_byte(json->buf, (uint8_t)json->close[--json->depth]);
	json->comma = true;
}

void json_string_at(struct json *json, struct bytes key, struct bytes value)
{
	begin(json, key);
	quoted(json, value);
}

void json_string(struct json *json, const char *key, struct bytes value)
{
	json_string_at(json, bytes_from_cstr(key), value);
}

void json_string_or_null(struct json *json, const char *key, struct bytes value)
{
	if (value.ptr)
		json_string(json, key, value);
	else
		json_null(json, key);
}

void json_cstr(struct json *json, const char *key, const char *value)
{
	json_string_or_null(json, key, bytes_from_cstr(value));
}

void json_int(struct json *json, const char *key, int64_t value)
{
	begin(json, bytes_from_cstr(key));
	buf_printf(json->buf, "%lld", (long long)value);
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	begin(json, bytes_from_cstr(key));
	buf_printf(json->buf, "%llu", (unsigned long long)value);
}

void json_milli(struct json *json, const char *key, int64_t value)
{
	char text[40];
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
	begin(json, bytes_from_cstr(key));
	int len = snprintf(text, sizeof(text), "%s%llu.%03u", value < 0 ? "-" : "",
			   (unsigned long long)(magnitude / 1000), (unsigned)(magnitude % 1000));
	while (len > 0 && text[len - 1] == '0')
		len--;
	if (len > 0 && text[len - 1] == '.')
		len--;
	buf_add(json->buf, bytes_make(text, (size_t)len));
}

void json_double(struct json *json, const char *key, double value)
{
	char text[40];
	ASSERT(isfinite(value));
	begin(json, bytes_from_cstr(key));
	for (int digits = 1; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_add_cstr(json->buf, text);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, bytes_from_cstr(key));
	buf_add_cstr(json->buf, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	begin(json, bytes_from_cstr(key));
	buf_add_cstr(json->buf, "null");
}

void json_raw(struct json *json, const char *key, struct bytes value)
{
	begin(json, bytes_from_cstr(key));
	buf_add(json->buf, value);
}
