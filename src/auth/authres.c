/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authres.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"

#include "base/banned.h"

/* -- Words ---- */

static bool is_keyword_byte(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool is_token(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f || bytes_has(BYTES_LIT("()<>@,;:\\\"/[]?="), text.ptr[i]))
			return false;
	return text.len > 0 && utf8_valid(text);
}

/* The length of the quoted string that `text` begins with; 0 when it is none. */
static size_t quoted_length(struct bytes text)
{
	if (text.len == 0 || text.ptr[0] != '"')
		return 0;
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] == '"')
			return i + 1;
		i += text.ptr[i] == '\\';
		if (i < text.len && ascii_is_cntrl(text.ptr[i]))
			return 0;
	}
	return 0;
}

static bool is_mailbox(struct bytes text)
{
	size_t quoted = quoted_length(text), at = quoted;
	while (quoted == 0 && at < text.len && text.ptr[at] != '@') {
		uint8_t c = text.ptr[at++];
		if (c <= ' ' || c == 0x7f || bytes_has(BYTES_LIT("()<>,;:\\\"[]"), c))
			return false;
	}
	if (at == text.len || text.ptr[at] != '@' || at + 1 == text.len || !utf8_valid(text))
		return false;
	for (size_t i = at + 1; i < text.len; i++)
		if (!is_keyword_byte(text.ptr[i]) && text.ptr[i] != '.' && text.ptr[i] < 0x80)
			return false;
	return true;
}

/* -- The reader ---- */

struct reader {
	struct arena *arena;
	struct bytes text;
	size_t at;
	bool malformed; /* since somebody last looked */
	enum err err;
};

static bool at_end(const struct reader *r)
{
	return r->at == r->text.len || r->text.ptr[r->at] == ';';
}

static bool take(struct reader *r, uint8_t c)
{
	if (r->at == r->text.len || r->text.ptr[r->at] != c)
		return false;
	r->at++;
	return true;
}

static struct bytes keep(struct reader *r, struct bytes copy)
{
	if (!copy.ptr)
		r->err = ERR_NOMEM;
	return copy;
}

/* `text` without its quoted pairs and line ends. */
static struct bytes unquoted(struct reader *r, struct bytes text)
{
	uint8_t *out = arena_alloc_raw(r->arena, text.len + 1);
	size_t n = 0;
	if (!out) {
		r->err = ERR_NOMEM;
		return (struct bytes){0};
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '\\' && i + 1 < text.len)
			c = text.ptr[++i];
		if (c != '\r' && c != '\n')
			out[n++] = c;
	}
	arena_shrink(r->arena, out, text.len + 1, n + 1);
	return bytes_make(out, n);
}

/* Blanks, folds and comments, which may nest. The inside of the first comment is told where `ret_comment` is empty. */
static void skip(struct reader *r, struct bytes *ret_comment)
{
	while (r->at < r->text.len) {
		size_t from = r->at + 1, depth = 1;
		if (ascii_is_space(r->text.ptr[r->at])) {
			r->at++;
			continue;
		}
		if (!take(r, '('))
			return;
		for (; r->at < r->text.len && depth > 0; r->at++) {
			uint8_t c = r->text.ptr[r->at];
			if (c == '\\' && r->at + 1 < r->text.len)
				r->at++;
			else if (c == '(')
				depth++;
			else if (c == ')')
				depth--;
		}
		if (depth > 0)
			r->malformed = true;
		else if (ret_comment && ret_comment->len == 0)
			*ret_comment = unquoted(r, bytes_sub(r->text, from, r->at - 1 - from));
	}
}

/* In lower case; empty when there is none. */
static struct bytes take_keyword(struct reader *r)
{
	size_t from = r->at;
	while (r->at < r->text.len && is_keyword_byte(r->text.ptr[r->at]))
		r->at++;
	struct bytes word = bytes_sub(r->text, from, r->at - from);
	return word.len == 0 ? word : keep(r, arena_copy_lower(r->arena, word));
}

/* "/2", "1": 0 where no number stands. */
static unsigned take_number(struct reader *r)
{
	unsigned number = 0;
	while (r->at < r->text.len && ascii_is_digit(r->text.ptr[r->at])) {
		number = number * 10 + (unsigned)(r->text.ptr[r->at++] - '0');
		if (number > 9999) {
			number = 9999;
			r->malformed = true;
		}
	}
	return number;
}

static size_t run_length(struct bytes text)
{
	size_t n = 0;
	while (n < text.len && !ascii_is_space(text.ptr[n]) && text.ptr[n] != ';' && text.ptr[n] != '(')
		n++;
	return n;
}

/* The whole quoted string that is next, quotes included. */
static struct bytes take_quoted(struct reader *r)
{
	size_t from = r->at++;
	while (r->at < r->text.len && r->text.ptr[r->at] != '"')
		r->at += r->text.ptr[r->at] == '\\' && r->at + 1 < r->text.len ? 2 : 1;
	if (!take(r, '"'))
		r->malformed = true;
	return bytes_sub(r->text, from, r->at - from);
}

/* A value (RFC 2045 5.1: token or quoted string), or with `mailbox` a pvalue. */
static struct bytes take_value(struct reader *r, bool mailbox)
{
	size_t from = r->at;
	if (r->at < r->text.len && r->text.ptr[r->at] == '"') {
		struct bytes quoted = take_quoted(r);
		if (!mailbox || r->at == r->text.len || r->text.ptr[r->at] != '@') {
			bool closed = quoted.len > 1 && quoted.ptr[quoted.len - 1] == '"';
			return unquoted(r, bytes_sub(quoted, 1, quoted.len - (closed ? 2 : 1)));
		}
	}
	r->at += run_length(bytes_from(r->text, r->at));
	struct bytes value = bytes_sub(r->text, from, r->at - from);
	if (!is_token(value) && !(mailbox && is_mailbox(value)))
		r->malformed = true;
	return value;
}

static void add_property(struct reader *r, struct authres_result *result, size_t *capacity,
			 struct authres_property property)
{
	if (result->n_properties == AUTHRES_PROPERTIES_MAX) {
		r->malformed = true;
		return;
	}
	struct authres_property *properties =
		arena_grow(r->arena, result->properties, capacity, result->n_properties, sizeof(*properties));
	if (!properties) {
		r->err = ERR_NOMEM;
		return;
	}
	result->properties = properties;
	result->properties[result->n_properties++] = property;
}

/* Takes at least one byte: what is neither blank, comment nor semicolon stands there. */
static void skip_junk(struct reader *r)
{
	if (r->text.ptr[r->at] == '"')
		(void)take_quoted(r);
	else
		r->at += run_length(bytes_from(r->text, r->at));
}

/* One reasonspec or propspec; what is neither is skipped. */
static void take_clause(struct reader *r, struct authres_result *result, size_t *capacity)
{
	size_t from = r->at;
	struct authres_property property = {.type = take_keyword(r)};
	skip(r, NULL);
	if (property.type.len > 0 && take(r, '.')) {
		skip(r, NULL);
		property.name = take_keyword(r);
		skip(r, NULL);
		if (property.name.len > 0 && take(r, '=')) {
			skip(r, NULL);
			property.value = take_value(r, true);
			add_property(r, result, capacity, property);
			return;
		}
	} else if (property.type.len > 0 && take(r, '=')) {
		skip(r, NULL);
		bool reason = bytes_eq(property.type, BYTES_LIT("reason")) && !result->reason.ptr;
		property.value = take_value(r, !reason);
		if (reason && result->n_properties == 0) {
			result->reason = property.value;
			return;
		}
		r->malformed = true;
		property.name = property.type;
		property.type = (struct bytes){0};
		if (reason)
			result->reason = property.value;
		else
			add_property(r, result, capacity, property);
		return;
	}
	r->malformed = true;
	if (r->at == from)
		skip_junk(r);
}

/* One resinfo behind its semicolon. A result without method or word is none. */
static void take_result(struct reader *r, struct authres *authres, size_t *capacity)
{
	struct authres_result result = {0}, *results;
	size_t properties = 0;
	skip(r, NULL);
	result.method = take_keyword(r);
	skip(r, NULL);
	if (take(r, '/')) {
		skip(r, NULL);
		result.version = take_number(r);
		r->malformed = r->malformed || result.version == 0;
		skip(r, NULL);
	}
	if (at_end(r) && bytes_eq(result.method, BYTES_LIT("none")) && result.version == 0 && authres->n_results == 0) {
		r->malformed = r->malformed || r->at < r->text.len; /* no-result stands alone */
		return;
	}
	bool equals = take(r, '=');
	skip(r, NULL);
	if (equals)
		result.result = take_keyword(r);
	bool valid = result.method.len > 0 && result.result.len > 0;
	for (skip(r, &result.comment); !at_end(r) && r->err == ERR_OK; skip(r, NULL))
		take_clause(r, &result, &properties);
	if (!valid) {
		authres->malformed = true;
		return;
	}
	result.malformed = r->malformed;
	results = arena_grow(r->arena, authres->results, capacity, authres->n_results, sizeof(*results));
	if (!results) {
		r->err = ERR_NOMEM;
		return;
	}
	authres->results = results;
	authres->results[authres->n_results++] = result;
}

/* authserv-id and version. Some leave them out and begin with a result at once: then nothing is taken. */
static void take_head(struct reader *r, struct authres *authres)
{
	skip(r, NULL);
	size_t from = r->at;
	authres->id = take_value(r, false);
	if (from < r->text.len && r->text.ptr[from] != '"' && bytes_has(authres->id, '=')) {
		authres->id = (struct bytes){0};
		r->at = from;
		r->malformed = true;
		return;
	}
	skip(r, NULL);
	authres->version = take_number(r);
	for (skip(r, NULL); !at_end(r); skip(r, NULL)) {
		r->malformed = true;
		skip_junk(r);
	}
	r->malformed = r->malformed || authres->id.len == 0 || !take(r, ';');
}

enum err authres_parse(struct arena *arena, struct bytes value, struct authres *ret_authres)
{
	struct authres authres = {0};
	struct reader r = {.arena = arena, .text = value};
	size_t capacity = 0;
	take_head(&r, &authres);
	authres.malformed = r.malformed;
	for (size_t n = 0; n == 0 || (r.err == ERR_OK && take(&r, ';')); n++) {
		if (n == AUTHRES_RESULTS_MAX) {
			authres.malformed = true;
			break;
		}
		r.malformed = false;
		take_result(&r, &authres, &capacity);
		authres.malformed = authres.malformed || r.malformed;
	}
	*ret_authres = authres;
	return r.err;
}

struct bytes authres_property(const struct authres_result *result, struct bytes type, struct bytes name)
{
	for (size_t i = 0; i < result->n_properties; i++)
		if (bytes_eq(result->properties[i].type, type) && bytes_eq(result->properties[i].name, name))
			return result->properties[i].value;
	return (struct bytes){0};
}

/* -- The writer ---- */

/* `text` cut to its limit, without what must not be in a header field: UTF-8 without controls. */
static void clean(struct buf *out, struct bytes text)
{
	while (text.len > 0) {
		uint8_t code[4];
		uint32_t c = utf8_next(&text, NULL);
		size_t n = utf8_encode(c < 0x20 || (c >= 0x7f && c < 0xa0) ? '?' : c, code);
		if (out->len + n > AUTHRES_VALUE_MAX)
			break;
		buf_add(out, bytes_make(code, n));
	}
}

static void add_escaped(struct buf *buf, struct bytes text, struct bytes specials)
{
	for (size_t i = 0; i < text.len; i++) {
		if (bytes_has(specials, text.ptr[i]))
			buf_add_byte(buf, '\\');
		buf_add_byte(buf, text.ptr[i]);
	}
}

static void add_value(struct buf *buf, struct bytes value, bool mailbox)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(AUTHRES_VALUE_MAX);
	clean(&text, value);
	if (buf_err(&text) != ERR_OK) {
		buf->err = buf_err(&text);
	} else if (is_token(buf_bytes(&text)) || (mailbox && is_mailbox(buf_bytes(&text)))) {
		buf_add(buf, buf_bytes(&text));
	} else {
		buf_add_byte(buf, '"');
		add_escaped(buf, buf_bytes(&text), BYTES_LIT("\\\""));
		buf_add_byte(buf, '"');
	}
}

static void add_comment(struct buf *buf, struct bytes comment)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(AUTHRES_VALUE_MAX);
	clean(&text, comment);
	if (buf_err(&text) != ERR_OK)
		buf->err = buf_err(&text);
	buf_add_cstr(buf, " (");
	add_escaped(buf, buf_bytes(&text), BYTES_LIT("\\()"));
	buf_add_byte(buf, ')');
}

static bool is_keyword(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!is_keyword_byte(word.ptr[i]))
			return false;
	return word.len > 0 && word.len <= AUTHRES_WORD_MAX;
}

static void add_result(struct buf *buf, const struct authres_result *result)
{
	buf_add_cstr(buf, "; ");
	buf_add(buf, result->method);
	if (result->version > 1)
		buf_printf(buf, "/%u", result->version);
	buf_add_byte(buf, '=');
	buf_add(buf, result->result);
	if (result->comment.len > 0)
		add_comment(buf, result->comment);
	if (result->reason.len > 0) {
		buf_add_cstr(buf, " reason=");
		add_value(buf, result->reason, false);
	}
	for (size_t i = 0; i < result->n_properties && i < AUTHRES_PROPERTIES_MAX; i++) {
		const struct authres_property *property = &result->properties[i];
		if (!is_keyword(property->type) || !is_keyword(property->name))
			continue;
		buf_add_byte(buf, ' ');
		buf_add(buf, property->type);
		buf_add_byte(buf, '.');
		buf_add(buf, property->name);
		buf_add_byte(buf, '=');
		add_value(buf, property->value, true);
	}
}

size_t authres_write(struct buf *buf, const struct authres *authres)
{
	size_t start = buf->len, n = 0;
	bool none = true;
	add_value(buf, authres->id, false);
	if (authres->version > 1)
		buf_printf(buf, " %u", authres->version);
	for (; n < authres->n_results && n < AUTHRES_RESULTS_MAX && buf_err(buf) == ERR_OK; n++) {
		size_t before = buf->len;
		const struct authres_result *result = &authres->results[n];
		if (!is_keyword(result->method) || !is_keyword(result->result))
			continue;
		add_result(buf, result);
		if (buf->len - start > AUTHRES_FIELD_MAX) {
			buf->len = before;
			break;
		}
		none = false;
	}
	if (none)
		buf_add_cstr(buf, "; none");
	return n;
}
