/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File names of a part, best first: those of Content-Disposition before those of Content-Type (RFC 2183, 2.3), of one
 * field those of RFC 2231 before the plain ones (RFC 6266, 4.3 says the same for HTTP), and among several plain ones
 * the first. RFC 2047 words inside parameters are forbidden (RFC 2047, 5) and decoded by every client in use.
 */
#include "base/arena.h"
#include "base/num.h"
#include "mail/charset.h"
#include "mail/entity.h"
#include "mail/param.h"
#include "mail/words.h"

#include "base/banned.h"

struct names {
	struct arena *arena;
	struct mime_name items[ENTITY_NAMES];
	size_t count;
};

static void add_name(struct names *names, struct bytes text)
{
	text = bytes_trim(text);
	if (text.len == 0 || names->count >= ENTITY_NAMES)
		return;
	for (size_t i = 0; i < names->count; i++)
		if (bytes_eq(names->items[i].text, text))
			return;
	names->items[names->count++].text = text;
}

/* A name in UTF-8. A NUL ends it for some clients, is dropped by others. */
static enum err add_text(struct names *names, struct bytes text)
{
	if (bytes_has(text, 0)) {
		struct bytes whole = entity_without_nul(names->arena, text);
		if (!whole.ptr)
			return ERR_NOMEM;
		add_name(names, whole);
		text = entity_until_nul(text);
	}
	add_name(names, text);
	return ERR_OK;
}

/* RFC 2047 words or raw bytes. */
static enum err add_plain(struct names *names, struct bytes value)
{
	struct bytes text = words_decode_name(names->arena, value);
	return text.ptr ? add_text(names, text) : ERR_NOMEM;
}

static enum err add_decoded(struct names *names, const struct param_value *value)
{
	if (value->kind == PARAM_EXTENDED) {
		struct charset_result result;
		TRY(charset_decode(names->arena, charset_find(value->charset), value->text, &result));
		return add_text(names, result.text);
	}
	if (!bytes_has(value->text, 0))
		return add_plain(names, value->text);
	struct bytes whole = entity_without_nul(names->arena, value->text);
	if (!whole.ptr)
		return ERR_NOMEM;
	TRY(add_plain(names, whole));
	return add_plain(names, entity_until_nul(value->text));
}

static enum err add_param(struct names *names, const struct param_list *list, struct bytes name)
{
	struct param_values values;
	TRY(param_values(names->arena, list, name, &values));
	/* Unquoted blanks: clients that save all of it are more, and what they save is what matters. */
	for (size_t i = 0; i + 1 < values.count; i++) {
		struct param_value *a = &values.items[i], *b = &values.items[i + 1];
		if (a->kind == PARAM_PLAIN && b->kind == PARAM_PLAIN && b->text.len > a->text.len + 1 &&
		    bytes_starts(b->text, a->text) &&
		    (b->text.ptr[a->text.len] == ' ' || b->text.ptr[a->text.len] == '\t')) {
			struct param_value swap = *a;
			*a = *b;
			*b = swap;
		}
	}
	for (size_t i = 0; i < values.count; i++)
		TRY(add_decoded(names, &values.items[i]));
	return ERR_OK;
}

static enum err add_fields(struct names *names, const struct header *header, size_t count, enum header_id id,
			   struct bytes own, struct bytes other)
{
	struct param_list list;
	for (size_t i = 0; i < count; i++) {
		const struct header_field *field = &header->fields[i];
		if (field->id != id)
			continue;
		struct bytes value = header_unfold(names->arena, field->value);
		if (!value.ptr)
			return ERR_NOMEM;
		TRY(param_parse(names->arena, value, &list));
		TRY(add_param(names, &list, own));
		/* The name of a form's field is no file's (RFC 7578, 4.2). */
		if (!bytes_eq_nocase(list.token, BYTES_LIT("form-data")))
			TRY(add_param(names, &list, other));
	}
	return ERR_OK;
}

/* What is left when a client cuts the path off, as all do on saving. */
static struct bytes base_name(struct bytes name)
{
	size_t slash = bytes_rfind_byte(name, '/'), back = bytes_rfind_byte(name, '\\');
	if (slash != BYTES_NONE && (back == BYTES_NONE || slash > back))
		return bytes_from(name, slash + 1);
	return back == BYTES_NONE ? name : bytes_from(name, back + 1);
}

/* True when what is saved bears names that differ by more than case. */
static bool differ(const struct names *names)
{
	for (size_t i = 1; i < names->count; i++)
		if (!bytes_eq_nocase(base_name(names->items[i].text), base_name(names->items[0].text)))
			return true;
	return false;
}

enum err entity_names(struct arena *arena, const struct mime_part *part, struct defect_list *defects,
		      struct entity *entity)
{
	struct names names = {.arena = arena};
	const struct header *header = &entity->header;
	size_t count = header->count;
	for (size_t i = 0; i < header->n_others; i++)
		count = MAX(count, header->others[i].count);
	const struct bytes filename = BYTES_LIT("filename"), name = BYTES_LIT("name");
	TRY(add_fields(&names, header, count, HEADER_CONTENT_DISPOSITION, filename, name));
	TRY(add_fields(&names, header, count, HEADER_CONTENT_TYPE, name, filename));
	if (names.count == 0)
		return ERR_OK;
	entity->names = arena_new(arena, struct mime_name, names.count);
	if (!entity->names)
		return ERR_NOMEM;
	memcpy(entity->names, names.items, names.count * sizeof(names.items[0]));
	entity->n_names = names.count;
	if (differ(&names))
		defect_add(defects, (struct defect){.id = DEFECT_NAME_AMBIGUOUS, .part = part, .at = DEFECT_NOWHERE});
	return ERR_OK;
}
