/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/utf8.h"
#include "conf/tree.h"

#include "base/banned.h"

struct unit {
	const char *name;
	int64_t factor;
};
static const struct unit size_units[] = {
	{"", 1},          {"B", 1},       {"K", 1024},      {"KiB", 1024},           {"M", 1 << 20},
	{"MiB", 1 << 20}, {"G", 1 << 30}, {"GiB", 1 << 30}, {"T", (int64_t)1 << 40}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1},       {"s", 1000},      {"m", 60000}, {"h", 3600000},
					     {"d", 86400000}, {"w", 604800000}, {NULL, 0}};

static void keep_name(char out[static CONF_NAME_MAX], struct bytes name)
{
	name = utf8_prefix(name, CONF_NAME_MAX - 1);
	if (name.len > 0)
		memcpy(out, name.ptr, name.len);
	out[name.len] = '\0';
}

PRINTF_LIKE(4, 0)
static void add_error(struct conf_errors *errors, size_t line, struct bytes key, const char *fmt, va_list ap)
{
	if (errors->count < CONF_ERRORS_MAX) {
		struct conf_error *error = &errors->items[errors->count];
		*error = (struct conf_error){.line = line};
		keep_name(error->key, key);
		(void)vsnprintf(error->text, sizeof(error->text), fmt, ap);
	}
	errors->count++;
}

void conf_error_add(struct conf_errors *errors, size_t line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_error(errors, line, (struct bytes){0}, fmt, ap);
	va_end(ap);
}

void conf_error_add_key(struct conf_errors *errors, size_t line, struct bytes key, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add_error(errors, line, key, fmt, ap);
	va_end(ap);
}

void conf_error_nearest(struct conf_errors *errors, struct bytes nearest)
{
	if (errors->count == 0 || errors->count > CONF_ERRORS_MAX)
		return;
	keep_name(errors->items[errors->count - 1].nearest, nearest);
}

/* -- Values ---- */

static bool parse_with_unit(struct bytes text, const struct unit *units, int64_t *ret)
{
	uint64_t number;
	if (num_take(&text, INT64_MAX, &number) != ERR_OK)
		return false;
	text = bytes_trim(text);
	for (; units->name; units++)
		if (bytes_eq_nocase(text, bytes_from_cstr(units->name)))
			return !ckd_mul(ret, (int64_t)number, units->factor);
	return false;
}

static bool parse_probability(struct bytes text, double *ret)
{
	char digits[32];
	char *end;
	if (text.len == 0 || text.len >= sizeof(digits) || !ascii_is_digit(text.ptr[0]))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_digit(text.ptr[i]) && !bytes_has(BYTES_LIT(".e+-"), text.ptr[i]))
			return false; /* strtod() would also take hexadecimal digits */
	memcpy(digits, text.ptr, text.len);
	digits[text.len] = '\0';
	*ret = strtod(digits, &end);
	return *end == '\0' && *ret >= 0 && *ret <= 1;
}

/* The shape alone: numeric hosts are checked where sockets are made. */
static bool address_shape(struct bytes text)
{
	uint64_t port;
	size_t colon = bytes_rfind_byte(text, ':');
	if (bytes_starts(text, BYTES_LIT("unix:/")))
		return text.len > 6 && text.len < 107;
	return colon != BYTES_NONE && colon > 0 && num_parse(bytes_from(text, colon + 1), 10, 65535, &port) == ERR_OK &&
	       port > 0;
}

/* False when `text` is no value of that type or out of range. */
static bool parse_scalar(const struct conf_key *key, struct bytes text, void *field)
{
	int64_t number = 0;
	switch (key->type) {
	case CONF_STRING:
		*(struct bytes *)field = text;
		return true;
	case CONF_BOOL:
		*(bool *)field = bytes_eq(text, BYTES_LIT("true"));
		return *(bool *)field || bytes_eq(text, BYTES_LIT("false"));
	case CONF_INT: {
		uint64_t value = 0;
		if (num_parse(text, 10, INT64_MAX, &value) != ERR_OK)
			return false;
		number = (int64_t)value;
		break;
	}
	case CONF_SIZE:
		if (!parse_with_unit(text, size_units, &number))
			return false;
		break;
	case CONF_DURATION:
		if (!parse_with_unit(text, duration_units, &number))
			return false;
		break;
	case CONF_PROBABILITY:
		return parse_probability(text, field);
	case CONF_CHOICE:
		for (int i = 0; key->choices[i]; i++) {
			if (bytes_eq(text, bytes_from_cstr(key->choices[i]))) {
				*(int *)field = i;
				return true;
			}
		}
		return false;
	case CONF_ADDRESS:
		*(struct bytes *)field = bytes_eq(text, BYTES_LIT("off")) ? (struct bytes){0} : text;
		return bytes_eq(text, BYTES_LIT("off")) || address_shape(text);
	case CONF_STRINGS:
	case CONF_GROUPS:
		return false;
	}
	if (number < key->min || number > key->max)
		return false;
	*(int64_t *)field = number;
	return true;
}

static void *field_of(const struct conf_key *key, void *target)
{
	return (uint8_t *)target + key->offset;
}

enum err conf_defaults(struct arena *arena, const struct conf_group *group, void *target)
{
	for (size_t i = 0; i < group->n_keys; i++) {
		const struct conf_key *key = &group->keys[i];
		void *field = field_of(key, target);
		if (key->type == CONF_GROUPS)
			continue;
		if (key->type != CONF_STRINGS) {
			if (!parse_scalar(key, bytes_from_cstr(key->fallback), field))
				return ERR_INTERNAL;
			continue;
		}
		struct conf_strings *list = field;
		struct bytes rest = bytes_from_cstr(key->fallback), piece;
		size_t capacity = 0;
		*list = (struct conf_strings){0};
		while (rest.len > 0 && bytes_split(&rest, ',', &piece)) {
			list->items = arena_grow(arena, list->items, &capacity, list->count, sizeof(piece));
			if (!list->items)
				return ERR_NOMEM;
			list->items[list->count++] = bytes_trim(piece);
		}
	}
	return ERR_OK;
}

/* -- Names ---- */

#define WORD_MAX 60

unsigned conf_distance(struct bytes a, struct bytes b)
{
	unsigned rows[3][WORD_MAX + 1];
	if (a.len > WORD_MAX || b.len > WORD_MAX)
		return 99;
	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned best = before[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
			best = MIN(best, before[j] + 1);
			best = MIN(best, now[j - 1] + 1);
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
				best = MIN(best, earlier[j - 2] + 1);
			now[j] = best;
		}
	}
	return rows[a.len % 3][b.len];
}

const struct conf_key *conf_find(const struct conf_group *group, struct bytes name, size_t *ret_index)
{
	for (size_t i = 0; i < group->n_keys; i++) {
		if (bytes_eq(name, bytes_from_cstr(group->keys[i].key))) {
			if (ret_index)
				*ret_index = i;
			return &group->keys[i];
		}
	}
	return NULL;
}

const struct conf_key *conf_nearest(const struct conf_group *group, struct bytes name)
{
	const struct conf_key *nearest = NULL;
	unsigned least = (unsigned)MAX((size_t)2, name.len / 3) + 1;
	for (size_t i = 0; i < group->n_keys; i++) {
		struct bytes key = bytes_from_cstr(group->keys[i].key);
		/* Its first words alone are as good as a slip of the pen. */
		bool begun = bytes_starts(key, name) && key.len > name.len &&
			     (key.ptr[name.len] == '_' || key.ptr[name.len] == '.');
		unsigned distance = begun ? 1 : conf_distance(name, key);
		if (distance < least) {
			least = distance;
			nearest = &group->keys[i];
		}
	}
	return nearest;
}

static bool is_section(const struct conf_group *group, struct bytes prefix)
{
	for (size_t i = 0; i < group->n_keys; i++) {
		struct bytes key = bytes_from_cstr(group->keys[i].key);
		if (key.len > prefix.len && key.ptr[prefix.len] == '.' && bytes_starts(key, prefix))
			return true;
	}
	return false;
}

/* -- From the tree to the struct ---- */

static void complain_value(struct conf_errors *errors, const struct conf_key *key, const struct yaml_node *node)
{
	CLEANUP(buf_done) struct buf range = BUF_INIT(4096);
	struct bytes name = bytes_from_cstr(key->key);
	conf_range(&range, key);
	if (node->kind == YAML_SCALAR)
		conf_error_add_key(errors, node->line, name, "%s: \"%.*s\" is not %.*s", key->key,
				   BYTES_FMT(bytes_sub(node->scalar, 0, 60)),
				   BYTES_FMT(bytes_sub(buf_bytes(&range), 0, 100)));
	else
		conf_error_add_key(errors, node->line, name, "%s: expected %.*s", key->key,
				   BYTES_FMT(bytes_sub(buf_bytes(&range), 0, 100)));
}

static enum err apply_strings(struct arena *arena, const struct conf_key *key, const struct yaml_node *node,
			      void *field, struct conf_errors *errors)
{
	struct conf_strings *list = field;
	size_t capacity = 0;
	*list = (struct conf_strings){0};
	for (const struct yaml_node *item = node->first; item; item = item->next) {
		if (item->kind != YAML_SCALAR) {
			conf_error_add_key(errors, item->line, bytes_from_cstr(key->key),
					   "%s: the items of this list are plain values", key->key);
			continue;
		}
		list->items = arena_grow(arena, list->items, &capacity, list->count, sizeof(item->scalar));
		if (!list->items)
			return ERR_NOMEM;
		list->items[list->count++] = item->scalar;
	}
	return ERR_OK;
}

static enum err apply_flat(struct arena *arena, const struct conf_group *group, const struct yaml_node *map,
			   void *target, struct conf_errors *errors);

static enum err apply_groups(struct arena *arena, const struct conf_key *key, const struct yaml_node *node, void *field,
			     struct conf_errors *errors)
{
	struct conf_groups *list = field;
	size_t count = 0;
	for (const struct yaml_node *item = node->first; item; item = item->next)
		count++;
	*list = (struct conf_groups){.items = arena_alloc_array(arena, count + 1, key->group->size)};
	if (!list->items)
		return ERR_NOMEM;
	for (const struct yaml_node *item = node->first; item; item = item->next) {
		void *element = (uint8_t *)list->items + list->count * key->group->size;
		if (item->kind != YAML_MAP) {
			conf_error_add_key(errors, item->line, bytes_from_cstr(key->key),
					   "%s: each item is a group of \"key: value\"", key->key);
			continue;
		}
		TRY(conf_defaults(arena, key->group, element));
		TRY(apply_flat(arena, key->group, item, element, errors));
		list->count++;
	}
	return ERR_OK;
}

static enum err apply_value(struct arena *arena, const struct conf_key *key, const struct yaml_node *node, void *target,
			    struct conf_errors *errors)
{
	void *field = field_of(key, target);
	if (key->type == CONF_STRINGS && node->kind == YAML_LIST)
		return apply_strings(arena, key, node, field, errors);
	if (key->type == CONF_GROUPS && node->kind == YAML_LIST)
		return apply_groups(arena, key, node, field, errors);
	if (node->kind != YAML_SCALAR || !parse_scalar(key, node->scalar, field))
		complain_value(errors, key, node);
	return ERR_OK;
}

/* The section that is most like `name`, or the empty span. */
static struct bytes nearest_section(const struct conf_group *group, struct bytes name)
{
	struct bytes nearest = {0};
	unsigned least = 3;
	for (size_t i = 0; i < group->n_keys; i++) {
		struct bytes key = bytes_from_cstr(group->keys[i].key);
		struct bytes section = bytes_sub(key, 0, bytes_find_byte(key, '.'));
		unsigned distance = section.len < key.len ? conf_distance(name, section) : 99;
		if (distance < least) {
			least = distance;
			nearest = section;
		}
	}
	return nearest;
}

static void complain_unknown(struct conf_errors *errors, const struct conf_group *group, struct bytes name, size_t line)
{
	const struct conf_key *nearest = conf_nearest(group, name);
	if (nearest) {
		conf_error_add_key(errors, line, name, "unknown key \"%.*s\"; did you mean \"%s\"?",
				   BYTES_FMT(bytes_sub(name, 0, 80)), nearest->key);
		conf_error_nearest(errors, bytes_from_cstr(nearest->key));
	} else {
		conf_error_add_key(errors, line, name, "unknown key \"%.*s\"", BYTES_FMT(bytes_sub(name, 0, 80)));
	}
}

/* True when `node` is wrong as a section, or as a key that belongs into one, and that was said. */
static bool complain_section(struct conf_errors *errors, const struct conf_group *group, const struct yaml_node *node)
{
	struct bytes name = bytes_sub(node->key, 0, 80);
	size_t dot = bytes_find_byte(name, '.');
	struct bytes nearest = node->kind == YAML_MAP ? nearest_section(group, name) : (struct bytes){0};
	if (is_section(group, name))
		conf_error_add_key(errors, node->line, name, "\"%.*s\" is a section: its keys stand below it, indented",
				   BYTES_FMT(name));
	else if (dot != BYTES_NONE && conf_find(group, name, NULL))
		conf_error_add_key(errors, node->line, name, "\"%.*s\" is written as \"%.*s\" in the section \"%.*s\"",
				   BYTES_FMT(name), BYTES_FMT(bytes_from(name, dot + 1)),
				   BYTES_FMT(bytes_sub(name, 0, dot)));
	else if (nearest.len > 0)
		conf_error_add_key(errors, node->line, name, "unknown section \"%.*s\"; did you mean \"%.*s\"?",
				   BYTES_FMT(name), BYTES_FMT(nearest));
	else
		return false;
	conf_error_nearest(errors, nearest);
	return true;
}

/* A map without sections: the groups of a list. */
static enum err apply_flat(struct arena *arena, const struct conf_group *group, const struct yaml_node *map,
			   void *target, struct conf_errors *errors)
{
	for (const struct yaml_node *node = map->first; node; node = node->next) {
		const struct conf_key *key = conf_find(group, node->key, NULL);
		if (key && key->type != CONF_GROUPS)
			TRY(apply_value(arena, key, node, target, errors));
		else
			complain_unknown(errors, group, node->key, node->line);
	}
	return ERR_OK;
}

enum err conf_apply(struct arena *arena, const struct conf_group *group, const struct yaml_node *root, void *target,
		    size_t *lines, struct conf_errors *errors)
{
	/* One level of sections: "milter: { listen: ... }" is the key "milter.listen", and the only way to write it. */
	for (const struct yaml_node *section = root->first; section; section = section->next) {
		bool nested = section->kind == YAML_MAP && is_section(group, section->key);
		if (!nested && complain_section(errors, group, section))
			continue;
		const struct yaml_node *only = section;
		for (const struct yaml_node *node = nested ? section->first : only; node;
		     node = nested ? node->next : NULL) {
			size_t index;
			struct bytes name =
				nested ? arena_printf(arena, "%.*s.%.*s", BYTES_FMT(section->key), BYTES_FMT(node->key))
				       : node->key;
			if (!name.ptr)
				return ERR_NOMEM;
			const struct conf_key *key = conf_find(group, name, &index);
			if (!key) {
				complain_unknown(errors, group, name, node->line);
				continue;
			}
			if (lines)
				lines[index] = node->line;
			TRY(apply_value(arena, key, node, target, errors));
		}
	}
	return ERR_OK;
}

/* -- From the struct to text ---- */

static void format_with_unit(struct buf *buf, int64_t value, const struct unit *units)
{
	const struct unit *best = &units[0];
	for (const struct unit *unit = units; unit->name; unit++)
		if (value != 0 && value % unit->factor == 0 && unit->factor > best->factor)
			best = unit;
	buf_printf(buf, "%lld%s", (long long)(value / best->factor), best->name);
}

void conf_format(struct buf *buf, const struct conf_key *key, const void *target)
{
	const void *field = (const uint8_t *)target + key->offset;
	switch (key->type) {
	case CONF_STRING:
		buf_add(buf, *(const struct bytes *)field);
		break;
	case CONF_ADDRESS: {
		struct bytes address = *(const struct bytes *)field;
		buf_add(buf, address.len > 0 ? address : BYTES_LIT("off"));
		break;
	}
	case CONF_BOOL:
		buf_add_cstr(buf, *(const bool *)field ? "true" : "false");
		break;
	case CONF_INT:
		buf_printf(buf, "%lld", (long long)*(const int64_t *)field);
		break;
	case CONF_SIZE:
		format_with_unit(buf, *(const int64_t *)field, size_units);
		break;
	case CONF_DURATION:
		format_with_unit(buf, *(const int64_t *)field, duration_units);
		break;
	case CONF_PROBABILITY:
		buf_printf(buf, "%.12g", *(const double *)field);
		break;
	case CONF_CHOICE:
		buf_add_cstr(buf, key->choices[*(const int *)field]);
		break;
	case CONF_STRINGS: {
		const struct conf_strings *list = field;
		for (size_t i = 0; i < list->count; i++) {
			buf_add_cstr(buf, i ? ", " : "");
			buf_add(buf, list->items[i]);
		}
		break;
	}
	case CONF_GROUPS:
		buf_printf(buf, "%zu groups", ((const struct conf_groups *)field)->count);
		break;
	}
}

static void format_range(struct buf *buf, const struct conf_key *key, const char *what, const struct unit *units)
{
	static const struct unit plain[] = {{"", 1}, {NULL, 0}};
	buf_printf(buf, "%s from ", what);
	format_with_unit(buf, key->min, units ? units : plain);
	buf_add_cstr(buf, " to ");
	format_with_unit(buf, key->max, units ? units : plain);
}

void conf_range(struct buf *buf, const struct conf_key *key)
{
	switch (key->type) {
	case CONF_STRING:
		buf_add_cstr(buf, "a text");
		break;
	case CONF_BOOL:
		buf_add_cstr(buf, "true or false");
		break;
	case CONF_INT:
		format_range(buf, key, "a number", NULL);
		break;
	case CONF_SIZE:
		format_range(buf, key, "a size", size_units);
		break;
	case CONF_DURATION:
		format_range(buf, key, "a time", duration_units);
		break;
	case CONF_PROBABILITY:
		buf_add_cstr(buf, "a probability from 0 to 1");
		break;
	case CONF_CHOICE:
		buf_add_cstr(buf, "one of:");
		for (size_t i = 0; key->choices[i]; i++)
			buf_printf(buf, " %s", key->choices[i]);
		break;
	case CONF_ADDRESS:
		buf_add_cstr(buf, "ADDRESS:PORT, [ADDRESS]:PORT, unix:/PATH or off");
		break;
	case CONF_STRINGS:
		buf_add_cstr(buf, "a list of texts");
		break;
	case CONF_GROUPS:
		buf_add_cstr(buf, "a list of groups");
		break;
	}
}
