/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File names of a part, best first: those of Content-Disposition before those of Content-Type (RFC 2183, 2.3), of one
 * field those of RFC 2231 before the plain ones (RFC 6266, 4.3 says the same for HTTP), and among several plain ones
 * the first. RFC 2047 words inside parameters are forbidden (RFC 2047, 5) and decoded by every client in use.
 */
#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
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

/* What no file's name can hold: clients drop it, or put another character there. */
static bool is_no_name_byte(uint8_t c)
{
	return ascii_is_cntrl(c) || c == '"';
}

/* The name without what it cannot hold; a slice when there is nothing of that. */
static struct bytes clean_name(struct arena *arena, struct bytes text)
{
	size_t len = 0;
	while (len < text.len && !is_no_name_byte(text.ptr[len]))
		len++;
	if (len == text.len)
		return text;
	uint8_t *copy = arena_alloc_raw(arena, text.len);
	if (!copy)
		return (struct bytes){0};
	memcpy(copy, text.ptr, len);
	for (size_t i = len; i < text.len; i++)
		if (!is_no_name_byte(text.ptr[i]))
			copy[len++] = text.ptr[i];
	return bytes_make(copy, len);
}

/* A name in UTF-8. A NUL ends it for some clients; they and others drop what no name can hold. */
static enum err add_text(struct names *names, struct bytes text)
{
	struct bytes clean = clean_name(names->arena, text);
	if (text.ptr && !clean.ptr)
		return ERR_NOMEM;
	bool nul = bytes_has(text, 0);
	if (nul)
		add_name(names, clean);
	add_name(names, entity_until_nul(text));
	if (!nul)
		add_name(names, clean);
	return ERR_OK;
}

/* What stands behind the last dot. */
static struct bytes ending(struct bytes name)
{
	size_t dot = bytes_rfind_byte(name, '.');
	return dot == BYTES_NONE ? (struct bytes){0} : bytes_from(name, dot + 1);
}

/*
 * Percent escapes mean nothing in a plain name, but browsers decode them when a webmail hands the name on. Told where
 * it makes another kind of file of it ("a%2Eexe"): blanks written so are harmless, and common.
 */
static enum err add_unescaped(struct names *names, struct bytes text)
{
	if (!bytes_has(text, '%'))
		return ERR_OK;
	uint8_t *out = arena_alloc_raw(names->arena, text.len);
	if (!out)
		return ERR_NOMEM;
	struct bytes name = bytes_make(out, param_unescape(text, out));
	return bytes_eq_nocase(ending(name), ending(text)) || !utf8_valid(name) ? ERR_OK : add_text(names, name);
}

/* RFC 2047 words or raw bytes. */
static enum err add_plain(struct names *names, struct bytes value)
{
	struct bytes text = words_decode_name(names->arena, value);
	if (!text.ptr)
		return ERR_NOMEM;
	TRY(add_text(names, text));
	return add_unescaped(names, text);
}

static enum err add_decoded(struct names *names, const struct param_value *value)
{
	if (value->kind == PARAM_EXTENDED) {
		struct charset_result result;
		TRY(charset_decode(names->arena, charset_find(value->charset), value->text, &result));
		TRY(add_text(names, result.text));
		/* Some write RFC 2047 words where RFC 2231 wants its own form, and some read them. */
		return bytes_find(result.text, BYTES_LIT("=?")) == BYTES_NONE ? ERR_OK : add_plain(names, result.text);
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
			   struct bytes own, struct bytes other, bool *ret_limited)
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
		if (bytes_starts(list.token, BYTES_LIT("=?"))) { /* the whole value in words, as for types */
			value = words_decode_name(names->arena, value);
			if (!value.ptr)
				return ERR_NOMEM;
			TRY(param_parse(names->arena, value, &list));
		}
		if (list.limited)
			*ret_limited = true;
		TRY(add_param(names, &list, own));
		/* The name of a form's field is no file's (RFC 7578, 4.2). */
		if (!bytes_eq_nocase(list.token, BYTES_LIT("form-data")))
			TRY(add_param(names, &list, other));
	}
	return ERR_OK;
}

/* Fields that are a name by themselves; Thunderbird knows them, and takes them when there is no other. */
static enum err add_name_fields(struct names *names, const struct header *header, size_t count)
{
	static const struct bytes fields[] = {BYTES_INIT("Content-Name"), BYTES_INIT("X-Sun-Data-Name")};
	for (size_t i = 0; i < count && names->count == 0; i++) {
		const struct header_field *field = &header->fields[i];
		for (size_t k = 0; k < ARRAY_LEN(fields) && field->id == HEADER_OTHER; k++)
			if (bytes_eq_nocase(field->name, fields[k]))
				TRY(add_plain(names, header_unfold(names->arena, field->value)));
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

/* True when two names differ in more than case and what no name can hold. */
static bool differ_in_letters(struct bytes a, struct bytes b)
{
	for (size_t i = 0, k = 0;; i++, k++) {
		while (i < a.len && is_no_name_byte(a.ptr[i]))
			i++;
		while (k < b.len && is_no_name_byte(b.ptr[k]))
			k++;
		if (i >= a.len || k >= b.len)
			return i < a.len || k < b.len;
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[k]))
			return true;
	}
}

/* True when what is saved bears names that differ. */
static bool differ(const struct names *names)
{
	for (size_t i = 1; i < names->count; i++)
		if (differ_in_letters(base_name(names->items[i].text), base_name(names->items[0].text)))
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
	bool limited = false;
	const struct bytes filename = BYTES_LIT("filename"), name = BYTES_LIT("name");
	TRY(add_fields(&names, header, count, HEADER_CONTENT_DISPOSITION, filename, name, &limited));
	TRY(add_fields(&names, header, count, HEADER_CONTENT_TYPE, name, filename, &limited));
	TRY(add_name_fields(&names, header, count));
	if (limited)
		defect_add(defects, (struct defect){.id = DEFECT_LIMIT_HEADER, .part = part, .at = DEFECT_NOWHERE});
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
