/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"

#include "base/banned.h"

void jsonw_init(struct json *json, struct buf *buf)
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

void jsonw_object(struct json *json, const char *key)
{
	open(json, bytes_from_cstr(key), '{', '}');
}

void jsonw_array(struct json *json, const char *key)
{
	open(json, bytes_from_cstr(key), '[', ']');
}

void json_object_at(struct json *json, struct bytes key)
{
	open(json, key, '{', '}');
}

void jsonw_end(struct json *json)
{
	ASSERT(json->depth > 0);
	buf_add_byte(json->buf, (uint8_t)json->close[--json->depth]);
	json->comma = true;
}

void jsonw_string_at(struct json *json, struct bytes key, struct bytes value)
{
	begin(json, key);
	quoted(json, value);
}

void jsonw_string(struct json *json, const char *key, struct bytes value)
{
	jsonw_string_at(json, bytes_from_cstr(key), value);
}

void jsonw_string_or_null(struct json *json, const char *key, struct bytes value)
{
	if (value.ptr)
		jsonw_string(json, key, value);
	else
		jsonw_null(json, key);
}

void jsonw_cstr(struct json *json, const char *key, const char *value)
{
	jsonw_string_or_null(json, key, bytes_from_cstr(value));
}

void jsonw_int(struct json *json, const char *key, int64_t value)
{
	begin(json, bytes_from_cstr(key));
	buf_printf(json->buf, "%lld", (long long)value);
}

void jsonw_uint(struct json *json, const char *key, uint64_t value)
{
	begin(json, bytes_from_cstr(key));
	buf_printf(json->buf, "%llu", (unsigned long long)value);
}

void jsonw_milli(struct json *json, const char *key, int64_t value)
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

void jsonw_double(struct json *json, const char *key, double value)
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

void jsonw_bool(struct json *json, const char *key, bool value)
{
	begin(json, bytes_from_cstr(key));
	buf_add_cstr(json->buf, value ? "true" : "false");
}

void jsonw_null(struct json *json, const char *key)
{
	begin(json, bytes_from_cstr(key));
	buf_add_cstr(json->buf, "null");
}

void jsonw_raw(struct json *json, const char *key, struct bytes value)
{
	begin(json, bytes_from_cstr(key));
	buf_add(json->buf, value);
}
