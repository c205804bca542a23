/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_entity.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

struct entity {
	uint16_t name_at;
	uint8_t name_len, value_len;
	uint8_t value[HTML_ENTITY_MAX];
};
#define HTML_TABLES_ENTITIES
#include "html_tables.h"

#include "base/banned.h"

/* What numbers 0x80 to 0x9f mean: windows-1252; zero is the number itself. */
static const uint16_t c1_remap[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static const struct entity *find(struct bytes name)
{
	if (name.ptr[0] >= 128)
		return NULL;
	size_t low = entity_first[name.ptr[0]], high = entity_first[name.ptr[0] + 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct entity *entity = &entities[middle];
		int order = bytes_cmp(name, bytes_make(entity_names + entity->name_at, entity->name_len));
		if (order == 0)
			return entity;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static size_t decode_named(struct bytes text, bool attribute, uint8_t *out, size_t *ret_len)
{
	const struct entity *entity = NULL;
	size_t run = 1;

	while (run < text.len && run <= ENTITY_LONGEST && ascii_is_alnum(text.ptr[run]))
		run++;
	size_t taken = run;
	if (run < text.len && text.ptr[run] == ';' && run > 1)
		entity = find(bytes_sub(text, 1, taken++));
	if (!entity) {
		/* No name that ends in ; is a prefix of a run without one, so only the old bare names are left. */
		for (taken = MIN(run, (size_t)ENTITY_LONGEST_BARE + 1); taken > 2 && !entity; taken--)
			entity = find(bytes_sub(text, 1, taken - 1));
		taken++;
		if (!entity)
			return 0;
		uint8_t next = taken < text.len ? text.ptr[taken] : 0;
		if (attribute && (next == '=' || ascii_is_alnum(next)))
			return 0;
	}
	memcpy(out, entity->value, HTML_ENTITY_MAX);
	*ret_len = entity->value_len;
	return taken;
}

static size_t decode_numeric(struct bytes text, uint8_t *out, size_t *ret_len)
{
	bool hex = text.len > 2 && (text.ptr[2] | 0x20) == 'x';
	size_t from = hex ? 3 : 2;
	size_t at = from;
	uint32_t code = 0;

	for (; at < text.len; at++) {
		int digit = ascii_hex(text.ptr[at]);
		if (digit < 0 || (!hex && digit > 9))
			break;
		if (code <= 0x10ffff)
			code = code * (hex ? 16 : 10) + (uint32_t)digit;
	}
	if (at == from)
		return 0;
	if (at < text.len && text.ptr[at] == ';')
		at++;
	if (code == 0)
		code = UTF8_REPLACEMENT;
	else if (code - 0x80 < 32 && c1_remap[code - 0x80])
		code = c1_remap[code - 0x80];
	*ret_len = utf8_encode(code, out);
	return at;
}

size_t html_entity_decode(struct bytes text, bool attribute, uint8_t out[static HTML_ENTITY_MAX], size_t *ret_len)
{
	if (text.len < 2)
		return 0;
	return text.ptr[1] == '#' ? decode_numeric(text, out, ret_len) : decode_named(text, attribute, out, ret_len);
}

enum err html_attr_decode(struct arena *arena, struct bytes raw, struct bytes *ret_value)
{
	size_t nuls = 0, references = 0, returns = 0;

	*ret_value = raw;
	for (size_t i = 0; i < raw.len; i++) {
		nuls += raw.ptr[i] == 0;
		references += raw.ptr[i] == '&';
		returns += raw.ptr[i] == '\r';
	}
	if (nuls == 0 && references == 0 && returns == 0)
		return ERR_OK;
	/* A reference of n bytes gives no more than n + 1 ("&nGt;"), a NUL three. */
	size_t room = raw.len + nuls * 2 + references;
	uint8_t *out = arena_alloc_raw(arena, room + HTML_ENTITY_MAX);
	if (!out)
		return ERR_NOMEM;
	size_t n = 0;
	for (size_t at = 0; at < raw.len;) {
		uint8_t c = raw.ptr[at];
		size_t len = 0, taken = 0;
		if (c == '&')
			taken = html_entity_decode(bytes_from(raw, at), true, out + n, &len);
		if (taken) {
			n += len;
			at += taken;
			continue;
		}
		at++;
		if (c == 0)
			n += utf8_encode(UTF8_REPLACEMENT, out + n);
		else if (c != '\r')
			out[n++] = c;
		else if (at >= raw.len || raw.ptr[at] != '\n')
			out[n++] = '\n';
	}
	ASSERT(n <= room);
	arena_shrink(arena, out, room + HTML_ENTITY_MAX, n);
	*ret_value = bytes_make(out, n);
	return ERR_OK;
}
