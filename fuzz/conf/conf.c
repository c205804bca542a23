/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration: each error has a line that is in the file, and what is good says the same when it is
 * written out and read again. */
#include "base/arena.h"
#include "base/buf.h"
#include "conf/settings.h"
#include "fuzz.h"

/* 'it''s', the one quoting of YAML in which nothing else is special. */
static void add_quoted(struct buf *buf, struct bytes text)
{
	buf_add_byte(buf, '\'');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\'')
			buf_add_byte(buf, '\'');
		buf_add_byte(buf, text.ptr[i]);
	}
	buf_add_byte(buf, '\'');
}

/* Every key that is one value, as "{section: {key: 'value', ...}, ...}": the keys of a section stand together. */
static void write_values(struct buf *buf, const struct settings *settings)
{
	struct bytes open = {0};
	buf_add_byte(buf, '{');
	for (size_t i = 0; i < settings_keys.n_keys; i++) {
		const struct conf_key *key = &settings_keys.keys[i];
		CLEANUP(buf_done) struct buf value = BUF_INIT((size_t)1 << 20);
		if (key->type == CONF_STRINGS || key->type == CONF_GROUPS)
			continue;
		struct bytes name = bytes_from_cstr(key->key);
		size_t dot = bytes_find_byte(name, '.');
		struct bytes section = dot == BYTES_NONE ? (struct bytes){0} : bytes_sub(name, 0, dot);
		if (!bytes_eq(section, open)) {
			buf_add_cstr(buf, open.len ? "}, " : "");
			buf_add(buf, section);
			buf_add_cstr(buf, section.len ? ": {" : "");
			open = section;
		}
		conf_format(&value, key, settings);
		ASSERT(buf_err(&value) == ERR_OK);
		buf_add(buf, dot == BYTES_NONE ? name : bytes_from(name, dot + 1));
		buf_add_cstr(buf, ": ");
		add_quoted(buf, buf_bytes(&value));
		buf_add_cstr(buf, ", ");
	}
	buf_add_cstr(buf, open.len ? "}}" : "}");
	ASSERT(buf_err(buf) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)256 << 20);
	CLEANUP(buf_done) struct buf first = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf second = BUF_INIT((size_t)16 << 20);
	struct conf_errors errors = {0};
	struct settings settings;
	ASSERT(arena);
	if (!settings_parse(arena, bytes_make(data, size), &settings, NULL, &errors)) {
		ASSERT(errors.count > 0);
		for (size_t i = 0; i < errors.count && i < CONF_ERRORS_MAX; i++) {
			ASSERT(errors.items[i].text[0] != '\0');
			ASSERT(errors.items[i].line > 0 && errors.items[i].line <= size + 2);
		}
		return 0;
	}
	ASSERT(errors.count == 0);
	write_values(&first, &settings);
	ASSERT(settings_parse(arena, buf_bytes(&first), &settings, NULL, &errors));
	write_values(&second, &settings);
	ASSERT(bytes_eq(buf_bytes(&first), buf_bytes(&second)));
	return 0;
}
