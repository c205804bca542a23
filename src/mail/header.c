/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/header.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

#define LINE_MAX_RFC 998 /* RFC 5322, 2.1.1 */

static const struct bytes id_names[] = {
#define HEADER_NAME(id, name) BYTES_INIT(name),
	HEADER_NAMES(HEADER_NAME)
#undef HEADER_NAME
};

static enum header_id find_id(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(id_names); i++)
		if (id_names[i].len == name.len && ((id_names[i].ptr[0] ^ name.ptr[0]) & 0xdf) == 0 &&
		    bytes_eq_nocase(id_names[i], name))
			return (enum header_id)i;
	return HEADER_OTHER;
}

/* What the splitting knows; one header. */
struct splitter {
	struct arena *arena;
	struct bytes message;
	const struct mime_part *part;
	struct defect_list *defects;
	struct header *header;
	size_t capacity;
	size_t lf;       /* offset of the next LF, found once; the end of the message when there is none */
	size_t crs;      /* of the CRs before it */
	bool after_junk; /* the last line was none of ours, and so are its continuations */
	size_t junk_at, junk_count, junk_others;
	size_t known_after_junk; /* fields of the mail standards behind the first junk line */
	bool bare_lf;            /* a line before ended in a bare LF */
};

static void mark(const struct splitter *s, enum defect_id id, struct bytes name, size_t at, size_t len)
{
	defect_add(s->defects, (struct defect){.id = id, .part = s->part, .header = name, .at = at, .len = len});
}

struct line {
	size_t at, len, next; /* without its end; where the next begins */
	bool cr;              /* it ends in a bare CR */
	bool lf;              /* it ends in a bare LF */
};

/* True when what stands at `at` could be a line of a header: a field, or the empty line that ends it. */
static bool looks_like_line(struct bytes message, size_t at)
{
	size_t i = at;
	if (at >= message.len)
		return true;
	if (message.ptr[at] == '\r' || message.ptr[at] == '\n')
		return true;
	while (i < message.len && i - at < 100 && message.ptr[i] > ' ' && message.ptr[i] < 0x7f &&
	       message.ptr[i] != ':')
		i++;
	return i > at && i < message.len && message.ptr[i] == ':';
}

/*
 * Lines end in LF with any number of CRs before it. A bare CR ends a line only where that line is empty or where what
 * follows makes sense as a line of a header; elsewhere it is a byte of the value, as it is for the clients that know LF
 * alone.
 */
static struct line next_line(struct splitter *s, size_t at)
{
	struct bytes message = s->message;
	struct bytes rest = bytes_from(message, at);
	if (s->lf == HEADER_NONE || s->lf < at) {
		size_t found = bytes_find_byte(rest, '\n');
		s->lf = found == BYTES_NONE ? message.len : at + found;
		s->crs = s->lf;
		while (s->crs > at && message.ptr[s->crs - 1] == '\r')
			s->crs--;
	}
	size_t lf = s->lf < message.len ? s->lf - at : BYTES_NONE;
	size_t end = lf == BYTES_NONE ? rest.len : lf;
	size_t text = s->crs > at ? s->crs - at : 0;
	if (lf == BYTES_NONE && text < end)
		text++; /* of several CRs at the very end only the first ends this line */
	for (size_t from = 0; from < text;) {
		size_t cr = bytes_find_byte(bytes_sub(rest, from, text - from), '\r');
		if (cr == BYTES_NONE)
			break;
		cr += from;
		if (cr == 0 || looks_like_line(message, at + cr + 1) || cr + 1 == end)
			return (struct line){.at = at, .len = cr, .next = at + cr + 1, .cr = true};
		from = cr + 1;
	}
	return (struct line){.at = at,
			     .len = text,
			     .next = at + (lf == BYTES_NONE ? end : lf + 1),
			     .lf = lf != BYTES_NONE && text == end};
}

static bool all_blank(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!ascii_is_blank(line.ptr[i]))
			return false;
	return true;
}

size_t header_name_length(struct bytes line, size_t *ret_colon)
{
	size_t colon = bytes_find_byte(line, ':');
	if (colon == BYTES_NONE || colon == 0)
		return 0;
	size_t len = colon;
	while (len > 0 && ascii_is_blank(line.ptr[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		if (ascii_is_blank(line.ptr[i]))
			return 0;
	*ret_colon = colon;
	return len;
}

/* The name without NULs and other controls, which some clients drop and some stop at. */
static struct bytes clean_name(struct splitter *s, struct bytes name, bool *ret_odd)
{
	bool odd = false;
	for (size_t i = 0; i < name.len && !odd; i++)
		odd = ascii_is_cntrl(name.ptr[i]) || name.ptr[i] > 0x7f;
	*ret_odd = odd;
	if (!odd)
		return name;
	uint8_t *copy = arena_alloc_raw(s->arena, name.len);
	size_t len = 0;
	for (size_t i = 0; copy && i < name.len; i++)
		if (!ascii_is_cntrl(name.ptr[i]))
			copy[len++] = name.ptr[i];
	return bytes_make(copy, len);
}

/* ERR_SYNTAX when the line is no field. */
static enum err add_field(struct splitter *s, const struct line *line, size_t skip, bool unsure)
{
	struct header *header = s->header;
	struct bytes text = bytes_sub(s->message, line->at + skip, line->len - skip);
	size_t colon = 0;
	size_t name_len = header_name_length(text, &colon);
	if (name_len == 0)
		return ERR_SYNTAX;
	bool odd;
	struct bytes name = bytes_sub(text, 0, name_len);
	struct bytes clean = clean_name(s, name, &odd);
	struct header_field *fields =
		arena_grow(s->arena, header->fields, &s->capacity, header->count, sizeof(*fields));
	if (!fields)
		return ERR_NOMEM;
	header->fields = fields;
	enum header_id id = clean.len > 0 ? find_id(clean) : HEADER_OTHER;
	if (odd)
		mark(s, HEADER_OTHER == id ? DEFECT_HEADER_NAME : DEFECT_HEADER_NUL, name, line->at, line->len);
	if (colon > name_len)
		mark(s, DEFECT_HEADER_BLANK_COLON, name, line->at, line->len);
	fields[header->count++] = (struct header_field){
		.id = id,
		.name = name,
		.value = bytes_from(text, colon + 1),
		.at = line->at,
		.len = line->next - line->at,
		.unsure = unsure || odd || colon > name_len,
	};
	s->after_junk = false;
	if (s->junk_at != HEADER_NONE && id != HEADER_OTHER)
		s->known_after_junk++;
	return ERR_OK;
}

static void extend_field(struct splitter *s, const struct line *line)
{
	if (s->after_junk || s->header->count == 0)
		return;
	struct header_field *field = &s->header->fields[s->header->count - 1];
	field->value.len = (size_t)(s->message.ptr + line->at + line->len - field->value.ptr);
	field->len = line->next - field->at;
}

/* Another client would end the header here. Beyond HEADER_ENDS the last one replaces the one before. */
static void other_end(struct header *header, size_t body, size_t count)
{
	header->others[MIN(header->n_others, (size_t)HEADER_ENDS - 1)] =
		(struct header_end){.body = body, .count = count};
	if (header->n_others < HEADER_ENDS)
		header->n_others++;
}

static void add_junk(struct splitter *s, const struct line *line)
{
	s->after_junk = true;
	if (s->junk_at != HEADER_NONE)
		return;
	s->junk_at = line->at;
	s->junk_count = s->header->count;
	s->junk_others = s->header->n_others;
	other_end(s->header, line->at, s->junk_count);
	mark(s, DEFECT_HEADER_JUNK, (struct bytes){0}, line->at, line->len);
}

/* Offset behind the empty line that ends a header too large to be split. */
static size_t skip_header(struct bytes message, size_t at)
{
	while (at < message.len) {
		size_t lf = bytes_find_byte(bytes_from(message, at), '\n');
		if (lf == BYTES_NONE)
			return message.len;
		at += lf + 1;
		if (at < message.len && message.ptr[at] == '\n')
			return at + 1;
		if (at + 1 < message.len && message.ptr[at] == '\r' && message.ptr[at + 1] == '\n')
			return at + 2;
	}
	return message.len;
}

/*
 * Behind the first junk line there were fields of the mail standards: then it is the junk that is odd, the header goes
 * on, and another client ends it there. Were there none, the empty line is missing and the body has begun; another
 * client goes on to the empty line.
 */
static void weigh_junk(struct splitter *s, size_t *body, size_t *end)
{
	struct header *header = s->header;
	if (s->junk_at == HEADER_NONE)
		return;
	if (s->known_after_junk > 0)
		return;
	header->n_others = s->junk_others;
	if (*body < s->message.len)
		other_end(header, *body, header->count);
	header->count = s->junk_count;
	*body = s->junk_at;
	*end = s->junk_at;
}

static bool is_mbox_from(struct bytes line)
{
	return bytes_starts(line, BYTES_LIT("From ")) || bytes_starts(line, BYTES_LIT(">From "));
}

/* Defects that need a look at every byte; done once over the header as a whole. */
static void check_bytes(struct splitter *s)
{
	struct bytes all = bytes_sub(s->message, s->header->at, s->header->len);
	if (bytes_has(all, 0))
		mark(s, DEFECT_HEADER_NUL, (struct bytes){0}, all.len ? s->header->at + bytes_find_byte(all, 0) : 0, 1);
	if (utf8_is_ascii(all))
		return;
	for (size_t i = 0; i < s->header->count; i++) {
		const struct header_field *field = &s->header->fields[i];
		if (!utf8_valid(field->value))
			mark(s, DEFECT_HEADER_8BIT, field->name, field->at, field->len);
	}
}

/* One line of the header. ERR_CLOSED: the line was empty and ends the header. */
static enum err take_line(struct splitter *s, const struct line *line, bool after_cr)
{
	struct header *header = s->header;
	struct bytes text = bytes_sub(s->message, line->at, line->len);
	bool at_start = header->count == 0 && s->junk_at == HEADER_NONE;
	if (line->len == 0)
		return ERR_CLOSED;
	if (line->len > LINE_MAX_RFC)
		mark(s, DEFECT_HEADER_LINE_LONG, (struct bytes){0}, line->at, line->len);
	if (ascii_is_blank(text.ptr[0])) {
		if (all_blank(text)) {
			struct line next = next_line(s, line->next);
			if (at_start && (next.len == 0 || !looks_like_line(s->message, line->next)))
				return ERR_CLOSED;
			if (next.len > 0) {
				mark(s, DEFECT_HEADER_BLANK_LINE, (struct bytes){0}, line->at, line->len);
				other_end(header, line->next, header->count);
			}
		} else if (at_start) {
			size_t skip = 0;
			while (ascii_is_blank(text.ptr[skip]))
				skip++;
			enum err err = add_field(s, line, skip, true);
			if (err == ERR_SYNTAX)
				add_junk(s, line);
			return err == ERR_NOMEM ? err : ERR_OK;
		}
		extend_field(s, line);
		return ERR_OK;
	}
	if (line->at == header->at && is_mbox_from(text)) {
		mark(s, DEFECT_HEADER_MBOX_FROM, (struct bytes){0}, line->at, line->len);
		s->after_junk = true;
		return ERR_OK;
	}
	enum err err = add_field(s, line, 0, after_cr);
	if (err == ERR_SYNTAX)
		add_junk(s, line);
	return err == ERR_NOMEM ? err : ERR_OK;
}

/*
 * Where all lines end in CRLF but the empty one in a bare LF, it ends the header for most; for clients that know CRLF
 * alone it is nothing, and they read on. That matters where a field follows.
 */
static bool reads_on(struct splitter *s, const struct line *line, bool already)
{
	if (already || s->bare_lf || !line->lf || s->header->count == 0 || s->junk_at != HEADER_NONE ||
	    line->next >= s->message.len || s->message.ptr[line->next] == '\r' || s->message.ptr[line->next] == '\n' ||
	    !looks_like_line(s->message, line->next))
		return false;
	mark(s, DEFECT_HEADER_BARE_LF, (struct bytes){0}, line->at, 1);
	return true;
}

enum err header_parse(struct arena *arena, struct bytes message, size_t at, const struct header_limits *limits,
		      const struct mime_part *part, struct defect_list *defects, struct header *ret_header,
		      size_t *ret_body)
{
	struct splitter s = {
		.arena = arena,
		.message = message,
		.part = part,
		.defects = defects,
		.header = ret_header,
		.junk_at = HEADER_NONE,
		.lf = HEADER_NONE,
	};
	bool after_cr = false, seen_lf = false;
	size_t pos = at, body = message.len, end = message.len;
	size_t lf_body = HEADER_NONE, lf_count = 0, lf_end = 0;
	*ret_header = (struct header){.at = at};
	while (pos < message.len) {
		if (pos - at >= limits->bytes || ret_header->count >= limits->fields) {
			mark(&s, pos - at >= limits->bytes ? DEFECT_LIMIT_HEADER : DEFECT_LIMIT_FIELDS,
			     (struct bytes){0}, pos, 0);
			end = pos;
			body = skip_header(message, pos ? pos - 1 : 0);
			break;
		}
		struct line line = next_line(&s, pos);
		bool empty_by_cr = line.len == 0 && (after_cr || line.cr);
		enum err err = ERR_OK;
		if (line.cr && s.defects->seen[DEFECT_HEADER_BARE_CR] < DEFECT_MAX_EACH)
			mark(&s, DEFECT_HEADER_BARE_CR, (struct bytes){0}, line.at + line.len, 1);
		if (empty_by_cr && seen_lf && line.next < message.len) /* the end for those who know bare CR */
			other_end(ret_header, line.next, ret_header->count);
		else
			err = take_line(&s, &line, after_cr);
		if (err == ERR_CLOSED && reads_on(&s, &line, lf_body != HEADER_NONE)) {
			lf_body = line.next;
			lf_count = ret_header->count;
			lf_end = pos;
			err = ERR_OK;
		}
		if (err == ERR_CLOSED) {
			end = pos;
			body = line.next;
			break;
		}
		if (err != ERR_OK)
			return err;
		after_cr = line.cr;
		seen_lf = seen_lf || !line.cr;
		s.bare_lf = s.bare_lf || line.lf;
		pos = line.next;
	}
	weigh_junk(&s, &body, &end);
	if (lf_body != HEADER_NONE) {
		other_end(ret_header, body, ret_header->count);
		ret_header->count = lf_count;
		body = lf_body;
		end = lf_end;
	}
	ret_header->len = end - at;
	check_bytes(&s);
	*ret_body = body;
	return ERR_OK;
}

const struct header_field *header_find(const struct header *header, enum header_id id, size_t n)
{
	for (size_t i = 0; i < header->count; i++)
		if (header->fields[i].id == id && n-- == 0)
			return &header->fields[i];
	return NULL;
}

size_t header_count(const struct header *header, enum header_id id)
{
	size_t count = 0;
	for (size_t i = 0; i < header->count; i++)
		count += header->fields[i].id == id;
	return count;
}

const struct header_field *header_find_name(const struct header *header, struct bytes name, size_t n)
{
	for (size_t i = 0; i < header->count; i++)
		if (bytes_eq_nocase(header->fields[i].name, name) && n-- == 0)
			return &header->fields[i];
	return NULL;
}

const char *header_id_name(enum header_id id)
{
	return id < HEADER_OTHER ? (const char *)id_names[id].ptr : "";
}

struct bytes header_unfold(struct arena *arena, struct bytes value)
{
	value = bytes_trim(value);
	if (!bytes_has(value, '\n') && !bytes_has(value, '\r'))
		return value;
	uint8_t *copy = arena_alloc_raw(arena, value.len);
	size_t len = 0;
	for (size_t i = 0; copy && i < value.len; i++)
		if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
			copy[len++] = value.ptr[i];
	return bytes_make(copy, len);
}
