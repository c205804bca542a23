/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_token.h"

#include "base/ascii.h"
#include "base/err.h"

#define HTML_TABLES_NAMES
#include "html_tables.h"

#include "base/banned.h"

_Static_assert(HTML_ATTR_COUNT <= 64, "attributes fit html_token.has");
_Static_assert(HTML_TAG_COUNT <= 256, "elements fit a byte");

#define V HTML_VOID
#define B HTML_BLOCK
#define F HTML_FORMATTING
#define S HTML_SPECIAL
#define C HTML_CELL
#define X HTML_SCOPE
#define N HTML_NEVER
struct name {
	uint8_t len, flags;
	char text[17];
};
static const struct name tag_names[HTML_TAG_COUNT] = {
	{0, 0, ""},
#define TAG(id, name, flags) {sizeof(name) - 1, (flags), name},
#define ATTR(id, name)
#include "mail/html_names.def"
#undef TAG
#undef ATTR
};
static const struct name attr_names[HTML_ATTR_COUNT] = {
	{0, 0, ""},
#define TAG(id, name, flags)
#define ATTR(id, name) {sizeof(name) - 1, 0, name},
#include "mail/html_names.def"
#undef TAG
#undef ATTR
};
#undef V
#undef B
#undef F
#undef S
#undef C
#undef X
#undef N

unsigned html_tag_flags(enum html_tag tag)
{
	return tag_names[tag].flags;
}

enum html_mode html_tag_mode(enum html_tag tag)
{
	static const struct {
		enum html_tag tag;
		enum html_mode mode;
	} modes[] = {
		{HTML_TAG_TITLE, HTML_MODE_RCDATA},        {HTML_TAG_TEXTAREA, HTML_MODE_RCDATA},
		{HTML_TAG_STYLE, HTML_MODE_RAWTEXT},       {HTML_TAG_XMP, HTML_MODE_RAWTEXT},
		{HTML_TAG_IFRAME, HTML_MODE_RAWTEXT},      {HTML_TAG_NOEMBED, HTML_MODE_RAWTEXT},
		{HTML_TAG_NOFRAMES, HTML_MODE_RAWTEXT},    {HTML_TAG_SCRIPT, HTML_MODE_SCRIPT},
		{HTML_TAG_PLAINTEXT, HTML_MODE_PLAINTEXT},
	};
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].tag == tag)
			return modes[i].mode;
	return HTML_MODE_DATA;
}

/* The index in `names` of the name at `at`, or 0. The hash is the one of tools/html_tables. */
static unsigned name_find(const struct name *names, const uint8_t *slots, uint64_t factor, struct bytes source,
			  size_t at, size_t len)
{
	uint8_t copy[16] = {0};
	const uint8_t *from = source.ptr + at;

	if (len == 0 || len > sizeof(copy))
		return 0;
	if (source.len - at < sizeof(copy)) {
		memcpy(copy, from, len);
		from = copy;
	}
	uint64_t low = ascii_load8(from), high = ascii_load8(from + 8);
	if (len < 8)
		low &= (1ULL << (8 * len)) - 1;
	high &= len <= 8 ? 0 : UINT64_MAX >> (8 * (16 - len));
	low = ascii_lower8(low);
	high = ascii_lower8(high);
	uint64_t key = low ^ high * 3 ^ (uint64_t)len << 56;
	const struct name *name = &names[slots[key * factor >> (64 - SLOTS_LOG2)]];
	bool same = name->len == len && low == ascii_load8(name->text) && high == ascii_load8(name->text + 8);
	return same ? (unsigned)(name - names) : 0;
}

static size_t find_byte(struct bytes source, size_t from, uint8_t byte)
{
	size_t at = bytes_find_byte(bytes_from(source, from), byte);
	return at == BYTES_NONE ? source.len : from + at;
}

/* Does "</name" stand at `at`, with a space, a slash or > behind it? */
static bool is_end_tag(struct bytes source, size_t at, enum html_tag tag)
{
	const struct name *name = &tag_names[tag];
	struct bytes rest = bytes_from(source, at);
	if (rest.len < (size_t)name->len + 3 || rest.ptr[1] != '/' ||
	    !bytes_eq_nocase(bytes_sub(rest, 2, name->len), bytes_make(name->text, name->len)))
		return false;
	uint8_t after = rest.ptr[2 + name->len];
	return ascii_is_space(after) || after == '/' || after == '>';
}

static bool is_script_start(struct bytes source, size_t at)
{
	struct bytes rest = bytes_from(source, at);
	return rest.len > 7 && bytes_starts_nocase(rest, BYTES_LIT("<script")) &&
	       (ascii_is_space(rest.ptr[7]) || rest.ptr[7] == '/' || rest.ptr[7] == '>');
}

/*
 * Where the text of a mode other than data ends. Script has three states (13.2.5.15 and on): plain; escaped, after
 * "<!--"; double escaped, after "<script" in that, where </script> leads back to escaped only. "-->" leads back to
 * plain.
 */
static size_t raw_end(const struct html_tokenizer *tok)
{
	struct bytes source = tok->source;
	unsigned escaped = 0;
	size_t looked = tok->at;

	if (tok->mode == HTML_MODE_PLAINTEXT)
		return source.len;
	for (size_t at = tok->at; (at = find_byte(source, at, '<')) < source.len; at++) {
		if (tok->mode == HTML_MODE_SCRIPT) {
			if (escaped &&
			    bytes_find(bytes_sub(source, looked, at - looked), BYTES_LIT("-->")) != BYTES_NONE)
				escaped = 0;
			looked = at;
			if (!escaped && bytes_starts(bytes_from(source, at), BYTES_LIT("<!--"))) {
				escaped = 1;
				looked = at + 2; /* "<!-->" is both */
			} else if (escaped == 1 && is_script_start(source, at)) {
				escaped = 2;
			} else if (escaped == 2 && is_end_tag(source, at, HTML_TAG_SCRIPT)) {
				escaped = 1;
				continue;
			}
		}
		if (escaped < 2 && is_end_tag(source, at, tok->mode_tag))
			return at;
	}
	return source.len;
}

/* Comments (13.2.5.43 to 52): "<!-->" and "<!--->" are empty ones, "--!>" ends as well, the end of the source too. */
static void read_comment(struct html_tokenizer *tok, struct html_token *token)
{
	struct bytes source = tok->source;
	size_t from = tok->at + 4;
	size_t end = source.len, next = source.len;

	for (size_t at = from; (at = find_byte(source, at, '>')) < source.len; at++) {
		size_t dashes = 0;
		size_t before = at;
		bool bang = before > from && source.ptr[before - 1] == '!';
		if (bang)
			before--;
		while (dashes < 2 && before > tok->at + 2 && source.ptr[before - 1] == '-') {
			before--;
			dashes++;
		}
		/* The two dashes that begin it may end it, but not one of "--!>". */
		if (dashes == 2 && (before >= from || !bang)) {
			end = before < from ? from : before;
			next = at + 1;
			break;
		}
	}
	token->kind = HTML_TOKEN_COMMENT;
	token->text = bytes_sub(source, from, end > from ? end - from : 0);
	tok->at = next;
}

/* "<!", "<?" or "</" and what is no tag: up to the next >. */
static void read_bogus(struct html_tokenizer *tok, struct html_token *token)
{
	size_t end = find_byte(tok->source, tok->at + 2, '>');
	token->kind = HTML_TOKEN_OTHER;
	tok->at = end < tok->source.len ? end + 1 : end;
}

static void read_markup(struct html_tokenizer *tok, struct html_token *token)
{
	struct bytes rest = bytes_from(tok->source, tok->at);
	if (bytes_starts(rest, BYTES_LIT("<!--"))) {
		read_comment(tok, token);
	} else if (tok->foreign && bytes_starts(rest, BYTES_LIT("<![CDATA["))) {
		size_t end = bytes_find(bytes_from(rest, 9), BYTES_LIT("]]>"));
		token->kind = HTML_TOKEN_TEXT;
		token->literal = true;
		token->text = bytes_sub(rest, 9, end);
		tok->at = end == BYTES_NONE ? tok->source.len : tok->at + 9 + end + 3;
	} else {
		read_bogus(tok, token);
	}
}

static size_t skip_spaces(struct bytes source, size_t at)
{
	while (at < source.len && ascii_is_space(source.ptr[at]))
		at++;
	return at;
}

/* One attribute from `at` on, which is neither space nor > (13.2.5.32 to 39). Gives where it ends. */
static size_t read_attribute(struct bytes source, size_t at, struct html_token *token)
{
	size_t name_at = at++; /* an = at the front is part of the name */
	while (at < source.len && source.ptr[at] != '=' && source.ptr[at] != '>' && source.ptr[at] != '/' &&
	       !ascii_is_space(source.ptr[at]))
		at++;
	struct bytes name = bytes_sub(source, name_at, at - name_at);
	struct bytes value = {source.ptr + at, 0};
	size_t after = skip_spaces(source, at);
	if (after < source.len && source.ptr[after] == '=') {
		after = skip_spaces(source, after + 1);
		uint8_t quote = after < source.len ? source.ptr[after] : 0;
		if (quote == '"' || quote == '\'') {
			size_t end = find_byte(source, after + 1, quote);
			value = bytes_sub(source, after + 1, end - after - 1);
			at = end < source.len ? end + 1 : end;
			if (end == source.len)
				token->unfinished = true;
		} else {
			at = after;
			while (at < source.len && source.ptr[at] != '>' && !ascii_is_space(source.ptr[at]))
				at++;
			value = bytes_sub(source, after, at - after);
		}
	}
	unsigned id = name_find(attr_names, attr_slots, ATTR_FACTOR, source, name_at, name.len);
	if (id && !html_token_has(token, id)) {
		token->has |= 1ULL << id;
		token->attr[id] = value;
	} else if (!id && name.len > 3 && (name.ptr[0] | 0x20) == 'o' && (name.ptr[1] | 0x20) == 'n') {
		token->event_handler = true;
	}
	return at;
}

/* A start or end tag; `at` is at its name. */
static void read_tag(struct html_tokenizer *tok, struct html_token *token, size_t at)
{
	struct bytes source = tok->source;
	size_t name_at = at;

	while (at < source.len && source.ptr[at] != '>' && source.ptr[at] != '/' && !ascii_is_space(source.ptr[at]))
		at++;
	token->name = bytes_sub(source, name_at, at - name_at);
	token->tag = name_find(tag_names, tag_slots, TAG_FACTOR, source, name_at, token->name.len);
	for (;;) {
		at = skip_spaces(source, at);
		if (at >= source.len) {
			token->unfinished = true;
			break;
		}
		if (source.ptr[at] == '>') {
			at++;
			break;
		}
		if (source.ptr[at] == '/') {
			at++;
			token->self_closing = at < source.len && source.ptr[at] == '>';
			continue;
		}
		at = read_attribute(source, at, token);
	}
	tok->at = at;
}

void html_token_next(struct html_tokenizer *tok, struct html_token *ret_token)
{
	struct html_token *token = ret_token;
	struct bytes source = tok->source;
	size_t from = tok->at;

	token->kind = HTML_TOKEN_END;
	token->tag = HTML_TAG_UNKNOWN;
	token->self_closing = token->unfinished = token->event_handler = token->literal = false;
	token->has = 0;
	token->at = from;
	token->len = 0;
	if (from >= source.len)
		return;
	if (tok->mode != HTML_MODE_DATA) {
		size_t end = raw_end(tok);
		token->literal = tok->mode != HTML_MODE_RCDATA;
		tok->mode = HTML_MODE_DATA;
		if (end > from) {
			token->kind = HTML_TOKEN_TEXT;
			token->text = bytes_sub(source, from, end - from);
			token->len = end - from;
			tok->at = end;
			return;
		}
	}
	/* Text goes to the next < that begins a tag or a comment. */
	size_t at = from;
	uint8_t next = 0;
	for (; (at = find_byte(source, at, '<')) < source.len; at++) {
		next = at + 1 < source.len ? source.ptr[at + 1] : 0;
		if (ascii_is_alpha(next) || next == '!' || next == '?' || (next == '/' && at + 2 < source.len))
			break;
	}
	if (at > from) {
		token->kind = HTML_TOKEN_TEXT;
		token->text = bytes_sub(source, from, at - from);
		tok->at = at;
	} else if (next == '!') {
		read_markup(tok, token);
	} else if (ascii_is_alpha(next)) {
		token->kind = HTML_TOKEN_START;
		read_tag(tok, token, at + 1);
	} else if (next == '/' && ascii_is_alpha(source.ptr[at + 2])) {
		token->kind = HTML_TOKEN_CLOSE;
		read_tag(tok, token, at + 2);
	} else {
		read_bogus(tok, token);
	}
	token->len = tok->at - from;
}
