/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/address.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/comment.h"
#include "mail/words.h"

#include "base/banned.h"

/*
 * One pass over the value. What has been read of the mailbox at hand is in `phrase` (its words, quotes off), `bare`
 * (the same with quotes, blanks as one space) and `angle`. Searches that fail are not tried again (`no_quote`,
 * `no_comment`), and every other one consumes what it read, so time is linear.
 */
struct parser {
	struct arena *arena;
	struct bytes value, header;
	const struct charset *raw;
	size_t at;
	struct defect_list *defects;
	struct address_list *list;
	size_t capacity;

	struct buf phrase, bare, held;
	struct bytes comment, angle;
	size_t start, end;
	size_t held_start, held_end;
	bool has_angle, at_sign, blank, loose, no_quote, no_comment, full;
	enum err err;
};

/* The offset behind the quote that closes the one at `from`, or BYTES_NONE. */
static size_t close_quote(struct bytes value, size_t from)
{
	for (size_t i = from + 1; i < value.len; i++) {
		if (value.ptr[i] == '\\')
			i++;
		else if (value.ptr[i] == '"')
			return i + 1;
	}
	return BYTES_NONE;
}

/* Quoted pairs become what they quote, folds vanish. */
static void add_unquoted(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '\\' && i + 1 < text.len)
			c = text.ptr[++i];
		if (c != '\r' && c != '\n')
			buf_add_byte(out, c);
	}
}

/* Empties a scratch buffer; that it once had no memory is not forgotten. */
static void reset(struct parser *p, struct buf *buf)
{
	if (buf_err(buf) != ERR_OK)
		p->err = ERR_NOMEM;
	buf_clear(buf);
}

static struct bytes decode_words(struct parser *p, struct bytes text, size_t where)
{
	struct bytes out = words_decode(p->arena, text, p->raw, p->at + where, p->header, p->defects);
	if (!out.ptr) {
		p->err = ERR_NOMEM;
		return out;
	}
	/* The scratch buffers are reused, so what is a slice of them is copied. */
	out = arena_copy(p->arena, out);
	if (!out.ptr)
		p->err = ERR_NOMEM;
	return out;
}

static bool is_dot_atom(struct bytes text)
{
	bool dot = true;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '.' ? dot : c <= ' ' || c == 0x7f || bytes_has(BYTES_LIT("()<>[]:;@\\,\""), c))
			return false;
		dot = c == '.';
	}
	return text.len > 0 && !dot;
}

/* The last @ outside quotes, or BYTES_NONE. */
static size_t find_at(struct bytes text)
{
	size_t hit = BYTES_NONE;
	bool quoted = false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\\')
			i++;
		else if (text.ptr[i] == '"')
			quoted = !quoted;
		else if (text.ptr[i] == '@' && !quoted)
			hit = i;
	}
	return hit != BYTES_NONE || !quoted ? hit : bytes_rfind_byte(text, '@');
}

/* An addr-spec as written: comments, folds, blanks, routes and stray brackets out. */
static void clean_address(struct bytes raw, struct buf *out)
{
	bool no_quote = false, no_comment = false;
	if (raw.len > 0 && raw.ptr[0] == '@') {
		size_t colon = bytes_find_byte(raw, ':');
		if (colon != BYTES_NONE)
			raw = bytes_from(raw, colon + 1);
	}
	for (size_t i = 0; i < raw.len;) {
		uint8_t c = raw.ptr[i];
		size_t end = BYTES_NONE;
		if (c == '"' && !no_quote) {
			end = close_quote(raw, i);
			no_quote = end == BYTES_NONE;
			if (end != BYTES_NONE) {
				struct bytes quoted = bytes_sub(raw, i, end - i),
					     inner = bytes_sub(quoted, 1, quoted.len - 2);
				bool needed =
					!is_dot_atom(inner) || out->len > 0 || end == raw.len || raw.ptr[end] != '@';
				for (size_t k = 0; k < quoted.len; k++)
					if ((needed || (k > 0 && k < quoted.len - 1)) && quoted.ptr[k] != '\r' &&
					    quoted.ptr[k] != '\n')
						buf_add_byte(out, quoted.ptr[k]);
			}
		} else if (c == '(' && !no_comment) {
			end = comment_end(raw, i);
			no_comment = end == BYTES_NONE;
		}
		if (end != BYTES_NONE) {
			i = end;
			continue;
		}
		if (c > ' ' && c != 0x7f && c != '<' && c != '>')
			buf_add_byte(out, c);
		i++;
	}
}

static void set_address(struct parser *p, struct address *a, struct bytes raw, size_t where)
{
	CLEANUP(buf_done) struct buf clean = BUF_INIT(SIZE_MAX / 2);
	clean_address(raw, &clean);
	if (buf_err(&clean) != ERR_OK) {
		p->err = ERR_NOMEM;
		return;
	}
	if (clean.len == 0)
		return;
	a->address = decode_words(p, buf_bytes(&clean), where);
	size_t at_sign = find_at(a->address);
	a->local = bytes_sub(a->address, 0, at_sign);
	a->domain = bytes_from(a->address, at_sign == BYTES_NONE ? a->address.len : at_sign + 1);
}

static void add_address(struct parser *p, struct address a)
{
	if (a.name.len == 0)
		a.name = (struct bytes){NULL, 0};
	if (a.address.len == 0)
		a.address = a.local = a.domain = (struct bytes){NULL, 0};
	if (!a.name.ptr && !a.address.ptr)
		return;
	if (p->list->count >= ADDRESS_MAX) {
		p->full = true;
		return;
	}
	struct address *items =
		arena_grow(p->arena, p->list->items, &p->capacity, p->list->count, sizeof(*p->list->items));
	if (!items) {
		p->err = ERR_NOMEM;
		return;
	}
	p->list->items = items;
	items[p->list->count++] = a;
}

static void set_comment_name(struct parser *p, struct address *a)
{
	if (a->name.len > 0 || p->comment.len == 0)
		return;
	CLEANUP(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	add_unquoted(&text, p->comment);
	if (buf_err(&text) != ERR_OK)
		p->err = ERR_NOMEM;
	else
		a->name = decode_words(p, buf_bytes(&text), p->start);
}

/* A mailbox without <>: an address, or a name, or words with an address among them. */
static void read_bare(struct parser *p, struct address *a)
{
	struct bytes bare = bytes_trim(buf_bytes(&p->bare));
	if (bytes_find(bare, BYTES_LIT("=?")) != BYTES_NONE) {
		/* Some encode all of it, address and brackets too. */
		struct bytes text = decode_words(p, buf_bytes(&p->phrase), p->start);
		size_t open = bytes_rfind_byte(text, '<'), sign = find_at(text);
		p->loose = true;
		if (open != BYTES_NONE && sign != BYTES_NONE && sign > open) {
			a->name = bytes_trim(bytes_sub(text, 0, open));
			set_address(p, a, bytes_from(text, open), p->start);
		} else if (sign != BYTES_NONE && !bytes_has(text, ' ')) {
			set_address(p, a, text, p->start);
		} else {
			a->name = text;
		}
		return;
	}
	size_t sign = find_at(bare);
	if (sign == BYTES_NONE) {
		if (bytes_has(bare, ' '))
			a->name = decode_words(p, buf_bytes(&p->phrase), p->start);
		else
			set_address(p, a, bare, p->start);
		p->loose = true;
		return;
	}
	/* The blanks nearest to the @ cut the address out of the words around it; quotes hold theirs together. */
	size_t from = 0, to = bare.len;
	bool quoted = false;
	for (size_t i = 0; i < bare.len; i++) {
		if (bare.ptr[i] == '\\' && i + 1 < bare.len)
			i++;
		else if (bare.ptr[i] == '"')
			quoted = !quoted;
		else if (bare.ptr[i] == ' ' && !quoted && i < sign)
			from = i + 1;
		else if (bare.ptr[i] == ' ' && !quoted && to == bare.len && i > sign)
			to = i;
	}
	set_address(p, a, bytes_sub(bare, from, to - from), p->start);
	struct bytes name = bytes_trim(from > 0 ? bytes_sub(bare, 0, from) : bytes_from(bare, to));
	if (name.len > 0) {
		CLEANUP(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
		p->loose = true;
		for (size_t i = 0; i < name.len; i++)
			if (name.ptr[i] != '"')
				buf_add_byte(&text, name.ptr[i]);
		if (buf_err(&text) != ERR_OK)
			p->err = ERR_NOMEM;
		else
			a->name = decode_words(p, buf_bytes(&text), p->start);
	}
}

static void flush_held(struct parser *p)
{
	if (p->held.len == 0)
		return;
	struct address a = {.at = p->held_start, .len = p->held_end - p->held_start};
	if (bytes_has(buf_bytes(&p->held), ' '))
		a.name = decode_words(p, buf_bytes(&p->held), p->held_start);
	else
		set_address(p, &a, buf_bytes(&p->held), p->held_start);
	add_address(p, a);
	reset(p, &p->held);
}

static void clear(struct parser *p, size_t next)
{
	reset(p, &p->phrase);
	reset(p, &p->bare);
	p->comment = p->angle = (struct bytes){NULL, 0};
	p->has_angle = p->at_sign = p->blank = false;
	p->start = p->end = next;
}

/* Ends the mailbox at hand. `comma`: words alone may be the first half of "Last, First <a@b>", so they are held. */
static void finish(struct parser *p, size_t next, bool comma)
{
	struct bytes phrase = bytes_trim(buf_bytes(&p->phrase));
	if (p->has_angle && phrase.len > 0 && p->held.len > 0) {
		CLEANUP(buf_done) struct buf whole = BUF_INIT(SIZE_MAX / 2);
		buf_add(&whole, buf_bytes(&p->held));
		buf_add_cstr(&whole, ", ");
		buf_add(&whole, phrase);
		reset(p, &p->held);
		reset(p, &p->phrase);
		buf_add(&p->phrase, buf_bytes(&whole));
		p->start = p->held_start;
		p->loose = true;
		if (buf_err(&whole) != ERR_OK)
			p->err = ERR_NOMEM;
	}
	flush_held(p);
	if (comma && !p->has_angle && !p->at_sign && phrase.len > 0 && p->comment.len == 0 &&
	    bytes_find(phrase, BYTES_LIT("=?")) == BYTES_NONE) {
		buf_add(&p->held, phrase);
		p->held_start = p->start;
		p->held_end = p->end;
		p->loose = true;
		clear(p, next);
		return;
	}
	struct address a = {.at = p->start, .len = p->end - p->start};
	if (p->has_angle) {
		set_address(p, &a, p->angle, p->start);
		if (phrase.len > 0)
			a.name = decode_words(p, buf_bytes(&p->phrase), p->start);
	} else if (phrase.len > 0) {
		read_bare(p, &a);
	}
	if (a.address.len > 0 || a.name.len > 0) {
		set_comment_name(p, &a);
		add_address(p, a);
	}
	clear(p, next);
}

/* Blanks become one space, and none around a dot or an @ of an address without <>. */
static void add_word(struct parser *p, struct bytes bare, bool quoted)
{
	if (p->phrase.len + p->bare.len == 0)
		p->start = (size_t)(bare.ptr - p->value.ptr);
	if (p->blank && p->bare.len > 0) {
		uint8_t before = p->bare.ptr[p->bare.len - 1], after = bare.ptr[0];
		buf_add_byte(&p->phrase, ' ');
		if (before != '@' && after != '@' && !(p->at_sign && (before == '.' || after == '.')))
			buf_add_byte(&p->bare, ' ');
	}
	p->blank = false;
	buf_add(&p->bare, bare);
	if (quoted)
		add_unquoted(&p->phrase, bytes_sub(bare, 1, bare.len - 2));
	else
		buf_add(&p->phrase, bare);
	p->end = (size_t)(bare.ptr - p->value.ptr) + bare.len;
}

/* "<...>" from `from` on; without the ">" it ends at the next comma, "<" or at the end. Returns what follows. */
static size_t read_angle(struct parser *p, size_t from)
{
	struct bytes v = p->value;
	size_t i = from, comma = BYTES_NONE;
	while (i < v.len && v.ptr[i] == '<')
		i++;
	p->loose = p->loose || i - from > 1;
	size_t begin = i;
	while (i < v.len && v.ptr[i] != '>' && v.ptr[i] != '<') {
		if (v.ptr[i] == '"' && !p->no_quote) {
			size_t end = close_quote(v, i);
			p->no_quote = end == BYTES_NONE;
			i = end == BYTES_NONE ? i + 1 : end;
			continue;
		}
		if (comma == BYTES_NONE && (v.ptr[i] == ',' || v.ptr[i] == ';'))
			comma = i;
		i += v.ptr[i] == '\\' && i + 1 < v.len ? 2 : 1;
	}
	bool closed = i < v.len && v.ptr[i] == '>';
	size_t end = closed || comma == BYTES_NONE ? i : comma;
	p->loose = p->loose || !closed;
	if (p->phrase.len == 0)
		p->start = from;
	p->angle = bytes_sub(v, begin, end - begin);
	p->has_angle = true;
	p->end = end + closed;
	while (closed && p->end < v.len && v.ptr[p->end] == '>') {
		p->end++;
		p->loose = true;
	}
	return p->end;
}

/* The end of an encoded word at `from`, whose text may hold commas and the like although it must not; 0: none. */
static size_t skip_encoded(struct bytes v, size_t from)
{
	unsigned marks = 0;
	for (size_t i = from + 2; i < v.len && i - from < 200 && !ascii_is_space(v.ptr[i]); i++) {
		if (v.ptr[i] != '?')
			continue;
		if (++marks >= 3 && i + 1 < v.len && v.ptr[i + 1] == '=')
			return i + 2;
	}
	return 0;
}

static size_t read_special(struct parser *p, size_t i)
{
	struct bytes v = p->value;
	size_t end;
	switch (v.ptr[i]) {
	case ',':
	case ';':
		finish(p, i + 1, v.ptr[i] == ',');
		return i + 1;
	case ':':
		if (p->has_angle || p->at_sign || p->phrase.len == 0)
			break;
		flush_held(p);
		clear(p, i + 1);
		p->list->group = true;
		return i + 1;
	case '<':
		if (p->has_angle && bytes_trim(p->angle).len > 0) {
			p->loose = true;
			finish(p, i, false);
		}
		return read_angle(p, i);
	case '(':
		end = p->no_comment ? BYTES_NONE : comment_end(v, i);
		if (end != BYTES_NONE) {
			struct bytes comment = bytes_trim(bytes_sub(v, i + 1, end - i - 2));
			if (comment.len > 0)
				p->comment = comment;
			p->blank = true;
			return end;
		}
		p->no_comment = p->loose = true;
		break;
	case '"':
		end = p->no_quote ? BYTES_NONE : close_quote(v, i);
		if (end != BYTES_NONE) {
			add_word(p, bytes_sub(v, i, end - i), true);
			return end;
		}
		p->no_quote = p->loose = true;
		return i + 1;
	default:
		break;
	}
	p->at_sign = p->at_sign || v.ptr[i] == '@';
	add_word(p, bytes_sub(v, i, 1), false);
	return i + 1;
}

static bool is_special(uint8_t c)
{
	switch (c) {
	case ',':
	case ';':
	case ':':
	case '<':
	case '(':
	case '"':
	case '@':
		return true;
	default:
		return ascii_is_space(c) || c == 0;
	}
}

static void read_list(struct parser *p)
{
	struct bytes v = p->value;
	for (size_t i = 0; i < v.len && p->err == ERR_OK && !p->full;) {
		uint8_t c = v.ptr[i];
		if (ascii_is_space(c) || c == 0) {
			p->blank = true;
			i++;
		} else if (is_special(c)) {
			i = read_special(p, i);
		} else {
			size_t end = i;
			while (end < v.len && !is_special(v.ptr[end])) {
				size_t word = v.ptr[end] == '=' && end + 1 < v.len && v.ptr[end + 1] == '?'
						      ? skip_encoded(v, end)
						      : 0;
				end = word ? word : end + 1;
			}
			add_word(p, bytes_sub(v, i, end - i), false);
			i = end;
		}
	}
	finish(p, v.len, false);
	flush_held(p);
}

/* A list grows here alone, so that its length tells its room: arena_grow() begins with 8 and doubles. */
static size_t room_of(const struct address_list *list)
{
	size_t room = list->count > 0 ? 8 : 0;
	while (room < list->count)
		room *= 2;
	return room;
}

enum err address_parse(struct arena *arena, struct bytes value, const struct charset *raw, size_t at,
		       struct bytes header, struct defect_list *defects, struct address_list *list)
{
	struct parser p = {.arena = arena,
			   .value = value,
			   .raw = raw,
			   .header = header,
			   .at = at,
			   .defects = defects,
			   .list = list,
			   .capacity = room_of(list),
			   .phrase = BUF_INIT(SIZE_MAX / 2),
			   .bare = BUF_INIT(SIZE_MAX / 2),
			   .held = BUF_INIT(SIZE_MAX / 2)};
	list->present = true;
	read_list(&p);
	if (buf_err(&p.phrase) != ERR_OK || buf_err(&p.bare) != ERR_OK || buf_err(&p.held) != ERR_OK)
		p.err = ERR_NOMEM;
	buf_done(&p.phrase);
	buf_done(&p.bare);
	buf_done(&p.held);
	if (defects && p.loose)
		defect_add(defects, (struct defect){DEFECT_ADDRESS_SYNTAX, NULL, header, at, value.len});
	if (defects && p.full)
		defect_add(defects, (struct defect){DEFECT_LIMIT_ADDRESSES, NULL, header, at, value.len});
	return p.err;
}

bool address_from_path(struct bytes path, struct bytes *ret_address)
{
	path = bytes_trim(path);
	if (path.len > 0 && path.ptr[0] == '<') {
		if (path.len < 2 || path.ptr[path.len - 1] != '>')
			return false;
		path = bytes_sub(path, 1, path.len - 2);
	}
	if (path.len > 0 && path.ptr[0] == '@') {
		size_t colon = bytes_find_byte(path, ':');
		if (colon == BYTES_NONE)
			return false;
		path = bytes_from(path, colon + 1);
	}
	bool quoted = false;
	for (size_t i = 0; i < path.len; i++) {
		if (quoted && path.ptr[i] == '\\')
			i++;
		else if (path.ptr[i] == '"')
			quoted = !quoted;
		else if (path.ptr[i] <= ' ' ? !quoted : path.ptr[i] == '<' || path.ptr[i] == '>')
			return false;
	}
	if (quoted)
		return false;
	*ret_address = path;
	return true;
}
