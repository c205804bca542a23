/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/param.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "mail/comment.h"

#include "base/banned.h"

static size_t skip_blanks(struct bytes in, size_t at)
{
	while (at < in.len && ascii_is_space(in.ptr[at]))
		at++;
	return at;
}

/* An open comment ends the value (RFC 5322, 3.2.2). */
static size_t skip_cfws(struct bytes in, size_t at)
{
	for (;;) {
		at = skip_blanks(in, at);
		if (at >= in.len || in.ptr[at] != '(')
			return at;
		at = MIN(comment_end(in, at), in.len);
	}
}

static bool is_token_byte(uint8_t c)
{
	static const char specials[] = "()<>@,;:\\\"/[]?=";
	return c > ' ' && c < 0x7f && !memchr(specials, c, sizeof(specials) - 1);
}

/* True when "name=" stands at `at`: a semicolon was forgotten. */
static bool name_follows(struct bytes in, size_t at)
{
	size_t from = at;
	while (at < in.len && is_token_byte(in.ptr[at]))
		at++;
	return at > from && at < in.len && in.ptr[at] == '=';
}

/*
 * A quoted string from the quote at `at` on. RFC 2045 unescapes every backslash; most clients only those before a quote
 * or a backslash, so that "C:\new.exe" stays itself. The latter is the value, the former the other one.
 */
static enum err take_quoted(struct arena *arena, struct bytes in, size_t *at, struct param *param, bool *loose)
{
	size_t i = *at + 1, close = i, len = 0, strict_len = 0;
	while (close < in.len && in.ptr[close] != '"')
		close += in.ptr[close] == '\\' ? 2 : 1;
	close = MIN(close, in.len);
	uint8_t *text = arena_alloc_raw(arena, close - *at);
	uint8_t *strict = NULL;
	if (!text)
		return ERR_NOMEM;
	for (; i < in.len && in.ptr[i] != '"'; i++) {
		uint8_t c = in.ptr[i];
		if (c == '\\' && i + 1 < in.len) {
			uint8_t next = in.ptr[++i];
			if (next != '"' && next != '\\') {
				if (!strict) {
					strict = arena_alloc_raw(arena, close - *at);
					if (!strict)
						return ERR_NOMEM;
					memcpy(strict, text, len);
					strict_len = len;
				}
				text[len++] = '\\';
			}
			c = next;
		}
		text[len++] = c;
		if (strict)
			strict[strict_len++] = c;
	}
	param->value = bytes_make(text, len);
	if (strict)
		param->others[0] = bytes_make(strict, strict_len);
	if (i >= in.len) { /* no closing quote: all that follows, or up to a semicolon */
		size_t stop = bytes_find_byte(bytes_from(in, *at), ';');
		*loose = true;
		/* What follows is read as parameters as well. No quote can open in it, so this happens once a value. */
		size_t from = *at;
		*at = in.len;
		if (stop != BYTES_NONE) {
			param->others[1] = bytes_trim(bytes_sub(in, from + 1, stop - 1));
			*at = from + stop;
		}
		return ERR_OK;
	}
	*at = i + 1;
	return ERR_OK;
}

/* What follows a quoted string up to the semicolon: some clients join it to the value ("a.txt".exe). */
static enum err take_tail(struct arena *arena, struct bytes in, size_t *at, struct param *param, bool *loose)
{
	size_t from = skip_cfws(in, *at);
	if (from > *at && name_follows(in, from)) {
		*loose = true;
		*at = from;
		return ERR_OK;
	}
	struct bytes rest = bytes_from(in, from);
	size_t stop = bytes_find_byte(rest, ';');
	struct bytes tail = bytes_trim(stop == BYTES_NONE ? rest : bytes_sub(rest, 0, stop));
	*at = stop == BYTES_NONE ? in.len : from + stop;
	if (tail.len == 0)
		return ERR_OK;
	*loose = true;
	param->others[1] = arena_printf(arena, "%.*s%.*s", BYTES_FMT(param->value), BYTES_FMT(tail));
	return param->others[1].ptr ? ERR_OK : ERR_NOMEM;
}

/* A value without quotes: a token by the book; with blanks in it many clients take all up to the semicolon. */
static enum err take_token(struct arena *arena, struct bytes in, size_t *at, struct param *param, bool *loose)
{
	size_t from = *at, stop = from, first = BYTES_NONE;
	for (; stop < in.len && in.ptr[stop] != ';'; stop++) {
		if (!ascii_is_space(in.ptr[stop]))
			continue;
		size_t next = skip_blanks(in, stop);
		if (name_follows(in, next)) {
			*loose = true;
			break;
		}
		if (first == BYTES_NONE)
			first = stop;
		stop = next - 1;
	}
	struct bytes all = bytes_trim(bytes_sub(in, from, stop - from));
	param->value = all;
	if (first != BYTES_NONE && first - from < all.len) {
		size_t comment = skip_blanks(in, first);
		param->value = bytes_sub(in, from, first - from);
		if (comment >= in.len || in.ptr[comment] != '(' || skip_cfws(in, comment) < stop) {
			*loose = true;
			param->others[0] = all;
		}
	}
	if (param->value.len > 2 && param->value.ptr[0] == '\'' &&
	    param->value.ptr[param->value.len - 1] == '\'') /* single quotes mean nothing, but some cut them */
		param->others[1] = bytes_sub(param->value, 1, param->value.len - 2);
	/* Comments may stand between any two tokens, and some clients drop them from names ("a.(x)exe"). */
	size_t comment = bytes_find_byte(param->value, '(');
	if (comment != BYTES_NONE && comment > 0 && !param->others[1].ptr)
		param->others[1] = bytes_sub(param->value, 0, comment);
	if (comment != BYTES_NONE)
		TRY(comment_cut(arena, all, &param->others[2]));
	*at = stop;
	return ERR_OK;
}

/* "name*1*" into its three pieces; NULs in the name are dropped. ERR_SYNTAX when nothing else is in it. */
static enum err set_name(struct arena *arena, struct bytes raw, struct param *param)
{
	param->section = -1;
	if (bytes_has(raw, '(')) /* "name(x)=" (RFC 5322, 3.2.2) */
		TRY(comment_cut(arena, raw, &raw));
	if (raw.len > 1 && raw.ptr[raw.len - 1] == '*') {
		param->extended = true;
		raw.len--;
	}
	size_t star = bytes_rfind_byte(raw, '*');
	uint64_t section;
	if (star != BYTES_NONE && star > 0 && num_parse(bytes_from(raw, star + 1), 10, 9999, &section) == ERR_OK) {
		param->section = (int)section;
		raw.len = star;
	}
	uint8_t *name = arena_alloc_raw(arena, raw.len);
	size_t len = 0;
	if (!name)
		return ERR_NOMEM;
	for (size_t i = 0; i < raw.len; i++)
		if (raw.ptr[i] != 0)
			name[len++] = ascii_lower(raw.ptr[i]);
	param->name = bytes_make(name, len);
	return len > 0 ? ERR_OK : ERR_SYNTAX;
}

static enum err take_param(struct arena *arena, struct bytes in, size_t *at, struct param *param, bool *loose)
{
	size_t from = *at, stop = from;
	while (stop < in.len && in.ptr[stop] != '=' && in.ptr[stop] != ';')
		stop++;
	struct bytes name = bytes_trim(bytes_sub(in, from, stop - from));
	*at = stop;
	if (stop >= in.len || in.ptr[stop] == ';' || name.len == 0) {
		*loose = *loose || name.len > 0 || stop < in.len;
		*at = stop < in.len ? stop + 1 : stop;
		return ERR_SYNTAX;
	}
	TRY(set_name(arena, name, param));
	*at = skip_blanks(in, stop + 1);
	size_t value = skip_cfws(in, *at);
	if (value < in.len && in.ptr[value] == '"') {
		*at = value;
		TRY(take_quoted(arena, in, at, param, loose));
		return take_tail(arena, in, at, param, loose);
	}
	return take_token(arena, in, at, param, loose);
}

enum err param_parse(struct arena *arena, struct bytes value, struct param_list *ret_list)
{
	size_t at = skip_cfws(value, 0), capacity = 0, stop = at;
	*ret_list = (struct param_list){0};
	while (stop < value.len && value.ptr[stop] != ';' && value.ptr[stop] != '(')
		stop++;
	struct bytes token = bytes_sub(value, at, stop - at);
	/* "text/html charset=x": a forgotten semicolon behind the type. */
	for (size_t i = 0; i < token.len; i++) {
		if (!ascii_is_space(token.ptr[i]))
			continue;
		size_t next = skip_blanks(value, at + i);
		if (name_follows(value, next)) {
			ret_list->loose = true;
			stop = at + i;
			token.len = i;
		}
		i = next - at - 1;
	}
	ret_list->token = bytes_trim(token);
	/* "filename=x" and nothing before it: some clients take it for a parameter all the same. */
	if (name_follows(value, at)) {
		ret_list->loose = true;
		ret_list->token = (struct bytes){0};
		stop = at;
	}
	for (at = skip_cfws(value, stop); at < value.len; at = skip_cfws(value, at)) {
		struct param param = {0};
		if (value.ptr[at] == ';') {
			at++;
			continue;
		}
		if (ret_list->count >= PARAM_MAX) {
			ret_list->limited = true;
			break;
		}
		enum err err = take_param(arena, value, &at, &param, &ret_list->loose);
		if (err == ERR_SYNTAX)
			continue;
		TRY(err);
		struct param *items = arena_grow(arena, ret_list->items, &capacity, ret_list->count, sizeof(*items));
		if (!items)
			return ERR_NOMEM;
		ret_list->items = items;
		items[ret_list->count++] = param;
	}
	return ERR_OK;
}

static void add_value(struct param_values *values, struct param_value value)
{
	if (!value.text.ptr || values->count >= PARAM_VALUES)
		return;
	for (size_t i = 0; i < values->count; i++)
		if (bytes_eq(values->items[i].text, value.text) && values->items[i].kind == value.kind)
			return;
	values->items[values->count++] = value;
}

size_t param_unescape(struct bytes in, uint8_t *out)
{
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		int hi, lo;
		if (in.ptr[i] == '%' && i + 2 < in.len && (hi = ascii_hex(in.ptr[i + 1])) >= 0 &&
		    (lo = ascii_hex(in.ptr[i + 2])) >= 0) {
			out[len++] = (uint8_t)(hi * 16 + lo);
			i += 2;
		} else {
			out[len++] = in.ptr[i];
		}
	}
	return len;
}

/* Takes charset'language' off the front of an extended value (RFC 2231, 4); false when it is not there. */
static bool take_charset(struct bytes *text, struct bytes *ret_charset)
{
	size_t first = bytes_find_byte(*text, '\'');
	if (first == BYTES_NONE)
		return false;
	size_t second = bytes_find_byte(bytes_from(*text, first + 1), '\'');
	if (second == BYTES_NONE)
		return false;
	*ret_charset = bytes_sub(*text, 0, first);
	*text = bytes_from(*text, first + 1 + second + 1);
	return true;
}

/*
 * Joins the continuations of `name` in the order of their numbers. Strict clients stop at the first gap; others go on.
 * `all`: percent escapes are decoded in the plain sections too, as some clients do once one section was extended.
 */
static enum err join(struct arena *arena, const struct param *const *sections, size_t n, bool strict, bool all,
		     struct param_value *ret_value)
{
	size_t total = 0, len = 0;
	*ret_value = (struct param_value){.kind = PARAM_PLAIN};
	for (size_t i = 0; i < n; i++)
		total += sections[i]->value.len;
	uint8_t *out = arena_alloc_raw(arena, total);
	if (!out)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct bytes text = sections[i]->value;
		if (strict && sections[i]->section != (int)i)
			break;
		if (sections[i]->extended) {
			ret_value->kind = PARAM_EXTENDED;
			if (i == 0)
				(void)take_charset(&text, &ret_value->charset);
		}
		if (sections[i]->extended || all) {
			len += param_unescape(text, out + len);
		} else if (text.len > 0) {
			memcpy(out + len, text.ptr, text.len);
			len += text.len;
		}
	}
	ret_value->text = bytes_make(len > 0 ? out : NULL, len);
	return ERR_OK;
}

/* The continuations of `name`, by number, of each number the first or the last. Returns how many; at most PARAM_MAX. */
static size_t collect(const struct param_list *list, struct bytes name, bool last, const struct param **sections,
		      bool *differ)
{
	size_t n = 0;
	for (size_t i = 0; i < list->count; i++) {
		const struct param *param = &list->items[i];
		size_t at = n;
		if (param->section < 0 || !bytes_eq(param->name, name))
			continue;
		while (at > 0 && sections[at - 1]->section > param->section)
			at--;
		if (at > 0 && sections[at - 1]->section == param->section) {
			*differ = true;
			if (last)
				sections[at - 1] = param;
			continue;
		}
		memmove(sections + at + 1, sections + at, (n - at) * sizeof(*sections));
		sections[at] = param;
		n++;
	}
	return n;
}

static enum err add_joined(struct arena *arena, const struct param_list *list, struct bytes name,
			   struct param_values *values, size_t *given)
{
	const struct param *sections[PARAM_MAX];
	struct param_value value;
	bool differ = false;
	for (unsigned last = 0; last <= (unsigned)differ; last++) { /* the last ones only where some are repeated */
		size_t n = collect(list, name, last > 0, sections, &differ);
		for (unsigned way = 0; way < 4; way++) {
			TRY(join(arena, sections, n, way % 2 == 0, way >= 2, &value));
			if (way < 2 || value.kind == PARAM_EXTENDED)
				add_value(values, value);
		}
	}
	values->differ = values->differ || differ;
	(*given)++;
	return ERR_OK;
}

static enum err add_extended(struct arena *arena, const struct param *param, struct param_values *values)
{
	struct param_value value = {.kind = PARAM_EXTENDED};
	struct bytes text = param->value;
	(void)take_charset(&text, &value.charset);
	uint8_t *out = arena_alloc_raw(arena, text.len);
	if (!out)
		return ERR_NOMEM;
	value.text = bytes_make(out, param_unescape(text, out));
	add_value(values, value);
	return ERR_OK;
}

enum err param_values(struct arena *arena, const struct param_list *list, struct bytes name,
		      struct param_values *ret_values)
{
	size_t given = 0;
	*ret_values = (struct param_values){0};
	bool continued = false;
	for (size_t i = 0; i < list->count; i++) {
		const struct param *param = &list->items[i];
		if (!bytes_eq(param->name, name))
			continue;
		continued = continued || param->section >= 0;
		if (param->section >= 0 || !param->extended)
			continue;
		given++;
		TRY(add_extended(arena, param, ret_values));
	}
	if (continued)
		TRY(add_joined(arena, list, name, ret_values, &given));
	for (size_t i = 0; i < list->count; i++) {
		const struct param *param = &list->items[i];
		if (!bytes_eq(param->name, name) || param->section >= 0 || param->extended)
			continue;
		given++;
		add_value(ret_values, (struct param_value){.text = param->value});
		for (size_t k = 0; k < ARRAY_LEN(param->others); k++)
			add_value(ret_values, (struct param_value){.text = param->others[k]});
	}
	ret_values->differ = ret_values->differ || given > 1;
	return ERR_OK;
}
