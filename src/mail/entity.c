/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/entity.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "mail/comment.h"
#include "mail/param.h"
#include "mail/transfer.h"
#include "mail/words.h"
#include "mail/wrapped.h"

#include "base/banned.h"

#define TYPES_MAX     4  /* Content-Type fields that are looked at: the first three and the last */
#define BOUNDARY_LEN  70 /* RFC 2046, 5.1.1 */
#define BOUNDARY_MAX  8
#define ANCESTORS_MAX 100

struct type_choice {
	struct bytes type;
	bool usable;
	struct param_list params;
};

struct encoding_choice {
	struct bytes token;
	enum transfer_encoding transfer;
};

/* What one view of the header (all of it, or as far as another client reads it) offers. */
struct choices {
	struct type_choice types[TYPES_MAX];
	size_t n_types;
	struct encoding_choice encodings[TYPES_MAX];
	size_t n_encodings;
};

struct analysis {
	struct arena *arena;
	const struct mime_part *part;
	struct defect_list *defects;
	struct entity *entity;
	struct choices choices;
	bool first_view;     /* defects are told once */
	size_t first_defect; /* of this part */
};

static void mark(const struct analysis *a, enum defect_id id, const struct header_field *field)
{
	struct defect defect = {.id = id, .part = a->part, .at = DEFECT_NOWHERE};
	if (!a->first_view)
		return;
	if (field) {
		defect.header = field->name;
		defect.at = field->at;
		defect.len = field->len;
	}
	for (size_t i = a->first_defect; i < a->defects->count; i++) {
		const struct defect *told = &a->defects->items[i];
		if (told->id == id && told->part == a->part && told->at == defect.at)
			return;
	}
	defect_add(a->defects, defect);
}

struct bytes entity_without_nul(struct arena *arena, struct bytes value)
{
	if (!bytes_has(value, 0))
		return value;
	uint8_t *copy = arena_alloc_raw(arena, value.len);
	size_t len = 0;
	for (size_t i = 0; copy && i < value.len; i++)
		if (value.ptr[i] != 0)
			copy[len++] = value.ptr[i];
	return bytes_make(copy, len);
}

static bool is_type_byte(uint8_t c)
{
	return c > ' ' && c < 0x7f && !memchr("()<>@,;:\\\"/[]?=", c, 15);
}

/*
 * type "/" subtype (RFC 2045, 5.1). Blanks around the slash are let through, as RFC 822 had them; quotes around all of
 * it are cut. False when there is no type to be had: the default holds (RFC 2045, 5.2). `*ret_cut`: something follows
 * it that no type may hold ("text/html, x"); then clients divide into those that stop there and those that see no type.
 */
static bool clean_type(struct arena *arena, struct bytes token, struct bytes *ret_type, bool *ret_loose, bool *ret_cut)
{
	size_t len = 0, slash = BYTES_NONE, raw = token.len;
	token = bytes_trim(token);
	if (token.len > 1 && token.ptr[0] == '"' && token.ptr[token.len - 1] == '"')
		token = bytes_trim(bytes_sub(token, 1, token.len - 2));
	uint8_t *out = arena_alloc_raw(arena, token.len);
	if (!out)
		return false;
	for (size_t i = 0; i < token.len; i++) {
		uint8_t c = token.ptr[i];
		if (ascii_is_blank(c)) {
			/* Only around the slash; anywhere else the type ends here. */
			size_t next = i;
			while (next < token.len && ascii_is_blank(token.ptr[next]))
				next++;
			if (slash != BYTES_NONE && slash + 1 != len)
				break;
			if (slash == BYTES_NONE && (next >= token.len || token.ptr[next] != '/'))
				return false;
			i = next - 1;
			continue;
		}
		if (c == '/' && slash == BYTES_NONE)
			slash = len;
		else if (!is_type_byte(c)) {
			*ret_cut = slash != BYTES_NONE && slash + 1 < len;
			if (!*ret_cut)
				return false;
			break;
		}
		out[len++] = ascii_lower(c);
	}
	*ret_loose = len != raw;
	*ret_type = bytes_make(out, len);
	return slash != BYTES_NONE && slash > 0 && slash + 1 < len;
}

/* A client that does not see the field, or no type in it, takes the default. */
static void add_default_type(struct analysis *a, const struct header_field *field)
{
	struct choices *c = &a->choices;
	mark(a, DEFECT_CONTENT_TYPE_UNSURE, field);
	if (c->n_types < TYPES_MAX)
		c->types[c->n_types++] = (struct type_choice){0};
}

static enum err add_type(struct analysis *a, struct bytes value, const struct header_field *field)
{
	struct choices *c = &a->choices;
	/* The last one replaces what stood in the last place: some clients take it. */
	struct type_choice *choice = &c->types[MIN(c->n_types, (size_t)TYPES_MAX - 1)];
	*choice = (struct type_choice){0};
	bool loose = false, cut = false;
	TRY(param_parse(a->arena, value, &choice->params));
	choice->usable =
		clean_type(a->arena, entity_without_nul(a->arena, choice->params.token), &choice->type, &loose, &cut);
	if (!choice->usable)
		mark(a, DEFECT_CONTENT_TYPE_BAD, field);
	else if (loose)
		mark(a, DEFECT_CONTENT_TYPE_LOOSE, field);
	if (choice->params.loose)
		mark(a, DEFECT_PARAM_SYNTAX, field);
	if (c->n_types < TYPES_MAX)
		c->n_types++;
	if (cut)
		add_default_type(a, field);
	return ERR_OK;
}

/* Encoded words have no place in these fields (RFC 2047, 5); some clients decode them nevertheless. */
static struct bytes without_words(struct arena *arena, struct bytes value)
{
	return bytes_find(value, BYTES_LIT("=?")) == BYTES_NONE ? value : words_decode_name(arena, value);
}

/*
 * A type that is none as it stands: comments between its tokens are legal (RFC 2045, 5.1) and read by some, encoded
 * words are neither and read by some.
 */
static enum err add_type_in_disguise(struct analysis *a, struct bytes value, const struct header_field *field)
{
	struct bytes other = {0};
	if (bytes_has(value, '('))
		TRY(comment_cut(a->arena, value, &other));
	else if (bytes_find(value, BYTES_LIT("=?")) != BYTES_NONE)
		other = without_words(a->arena, value);
	else
		return ERR_OK;
	if (!other.ptr)
		return ERR_NOMEM;
	mark(a, DEFECT_CONTENT_TYPE_UNSURE, field);
	return add_type(a, other, field);
}

static enum err find_types(struct analysis *a, const struct header *view)
{
	struct bytes first = {0};
	for (size_t i = 0; i < view->count; i++) {
		const struct header_field *field = &view->fields[i];
		if (field->id != HEADER_CONTENT_TYPE)
			continue;
		struct bytes value = header_unfold(a->arena, field->value);
		if (!value.ptr)
			return ERR_NOMEM;
		if (first.ptr && bytes_eq_nocase(first, value))
			continue;
		if (first.ptr)
			mark(a, DEFECT_CONTENT_TYPE_DUPLICATE, field);
		else
			first = value;
		TRY(add_type(a, value, field));
		if (bytes_has(value, 0)) {
			mark(a, DEFECT_CONTENT_TYPE_UNSURE, field);
			TRY(add_type(a, entity_until_nul(value), field));
		}
		if (!a->choices.types[a->choices.n_types - 1].usable)
			TRY(add_type_in_disguise(a, value, field));
		if (field->unsure)
			add_default_type(a, field);
	}
	if (a->choices.n_types == 0)
		a->choices.types[a->choices.n_types++] = (struct type_choice){0};
	return ERR_OK;
}

static const struct {
	struct bytes name;
	enum transfer_encoding transfer;
} known_encodings[] = {
	{BYTES_INIT("7bit"), TRANSFER_IDENTITY},
	{BYTES_INIT("8bit"), TRANSFER_IDENTITY},
	{BYTES_INIT("binary"), TRANSFER_IDENTITY},
	{BYTES_INIT("base64"), TRANSFER_BASE64},
	{BYTES_INIT("quoted-printable"), TRANSFER_QUOTED_PRINTABLE},
	{BYTES_INIT("x-uuencode"), TRANSFER_UUENCODE},
	{BYTES_INIT("uuencode"), TRANSFER_UUENCODE},
	{BYTES_INIT("x-uue"), TRANSFER_UUENCODE},
	{BYTES_INIT("uue"), TRANSFER_UUENCODE},
	{BYTES_INIT("x-uu"), TRANSFER_UUENCODE},
	{BYTES_INIT("x-yencode"), TRANSFER_YENC},
	{BYTES_INIT("x-yenc"), TRANSFER_YENC},
	{BYTES_INIT("yenc"), TRANSFER_YENC},
	{BYTES_INIT("7-bit"), TRANSFER_IDENTITY},
	{BYTES_INIT("8-bit"), TRANSFER_IDENTITY},
};

static bool lookup_encoding(struct bytes token, enum transfer_encoding *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(known_encodings); i++) {
		if (bytes_eq(known_encodings[i].name, token)) {
			*ret = known_encodings[i].transfer;
			return true;
		}
	}
	return false;
}

/* As far as a token goes: none holds a blank (RFC 2045, 5.1). Quotes around it are cut. */
static struct bytes one_word(struct bytes text)
{
	size_t len = 0;
	while (text.len > 0 && text.ptr[0] == '"')
		text = bytes_from(text, 1);
	while (len < text.len && text.ptr[len] > ' ' && text.ptr[len] != '"')
		len++;
	return bytes_sub(text, 0, len);
}

static void add_encoding(struct analysis *a, struct bytes token, enum transfer_encoding transfer)
{
	struct choices *c = &a->choices;
	c->encodings[MIN(c->n_encodings, (size_t)TYPES_MAX - 1)] =
		(struct encoding_choice){.token = token, .transfer = transfer};
	if (c->n_encodings < TYPES_MAX)
		c->n_encodings++;
}

/*
 * The encodings whose names show through a value that is none of them by the book: quoted, with parameters, comments,
 * words before or behind it ("7bit base64", "base64/x"), or taken apart ("ba se64", "quoted printable"). Some clients
 * compare only the beginning of the value, some decode encoded words, some drop what no token may hold. In the order in
 * which they stand. ERR_NOMEM or ERR_OK.
 */
static enum err shown_encodings(struct analysis *a, struct bytes value, const struct header_field *field, bool *ret_any)
{
	static const struct {
		struct bytes bare, token;
	} shown[] = {
		{BYTES_INIT("base64"), BYTES_INIT("base64")},
		{BYTES_INIT("quotedprintable"), BYTES_INIT("quoted-printable")},
		{BYTES_INIT("uue"), BYTES_INIT("x-uuencode")}, /* x-uue, uuencode */
		{BYTES_INIT("yenc"), BYTES_INIT("x-yenc")},
		{BYTES_INIT("7bit"), BYTES_INIT("7bit")},
		{BYTES_INIT("8bit"), BYTES_INIT("8bit")},
		{BYTES_INIT("binary"), BYTES_INIT("binary")},
	};
	struct bytes text = without_words(a->arena, value);
	uint8_t *bare = text.ptr ? arena_alloc_raw(a->arena, text.len) : NULL;
	size_t len = 0, depth = 0;
	if (!bare)
		return ERR_NOMEM;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && ascii_is_alnum(c))
			bare[len++] = ascii_lower(c);
	}
	bool decoded = false;
	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < ARRAY_LEN(shown); k++) {
			enum transfer_encoding transfer = TRANSFER_IDENTITY;
			if (!bytes_starts(bytes_make(bare + i, len - i), shown[k].bare) ||
			    !lookup_encoding(shown[k].token, &transfer))
				continue;
			if (transfer == TRANSFER_IDENTITY && *ret_any)
				continue;
			if (i > 0 && !*ret_any) /* what stands before it makes it another one for most */
				add_encoding(a, BYTES_LIT("7bit"), TRANSFER_IDENTITY);
			add_encoding(a, shown[k].token, transfer);
			*ret_any = true;
			decoded = decoded || transfer != TRANSFER_IDENTITY;
		}
	}
	if (decoded) {
		mark(a, DEFECT_ENCODING_QUOTED, field);
		add_encoding(a, BYTES_LIT("7bit"), TRANSFER_IDENTITY);
	}
	return ERR_OK;
}

/*
 * One Content-Transfer-Encoding. A comment behind the token is allowed (RFC 2045, 6.1); all else is not: clients in use
 * divide into those that see a name in it and those that take it for unknown, hence 7bit.
 */
static enum err one_encoding(struct analysis *a, const struct header_field *field)
{
	struct param_list list;
	enum transfer_encoding transfer = TRANSFER_IDENTITY;
	struct bytes value = header_unfold(a->arena, field->value);
	if (!value.ptr)
		return ERR_NOMEM;
	TRY(param_parse(a->arena, value, &list));
	struct bytes token = arena_copy_lower(a->arena, list.token);
	if (!token.ptr)
		return ERR_NOMEM;
	if (lookup_encoding(token, &transfer) && list.count == 0) {
		add_encoding(a, token, transfer);
		if (field->unsure && transfer != TRANSFER_IDENTITY) {
			mark(a, DEFECT_ENCODING_QUOTED, field);
			add_encoding(a, BYTES_LIT("7bit"), TRANSFER_IDENTITY);
		}
		return ERR_OK;
	}
	bool any = false;
	TRY(shown_encodings(a, value, field, &any));
	if (any)
		return ERR_OK;
	struct bytes word = one_word(token);
	add_encoding(a, word.len > 0 ? word : BYTES_LIT("7bit"), TRANSFER_IDENTITY);
	if (token.len > 0 || list.count > 0)
		mark(a, DEFECT_ENCODING_UNKNOWN, field);
	return ERR_OK;
}

static enum err find_encodings(struct analysis *a, const struct header *view)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct header_field *field = &view->fields[i];
		if (field->id != HEADER_CONTENT_TRANSFER_ENCODING)
			continue;
		size_t before = a->choices.n_encodings;
		TRY(one_encoding(a, field));
		if (before > 0 &&
		    a->choices.encodings[0].transfer != a->choices.encodings[a->choices.n_encodings - 1].transfer)
			mark(a, DEFECT_ENCODING_DUPLICATE, field);
	}
	if (a->choices.n_encodings == 0)
		add_encoding(a, BYTES_LIT("7bit"), TRANSFER_IDENTITY);
	return ERR_OK;
}

/* Adds a reading unless there is one that comes to the same. */
static void add_variant(struct entity *entity, struct entity_variant variant)
{
	bool text = bytes_starts(variant.type, BYTES_LIT("text/"));
	for (size_t i = 0; i < entity->n_variants; i++) {
		const struct entity_variant *v = &entity->variants[i];
		if (bytes_eq(v->type, variant.type) && bytes_eq(v->boundary, variant.boundary) &&
		    v->transfer == variant.transfer && v->body_at == variant.body_at && v->mode == variant.mode &&
		    v->decode == variant.decode && v->inner == variant.inner &&
		    (!text || bytes_eq(v->charset, variant.charset)))
			return;
	}
	if (entity->n_variants >= ENTITY_VARIANTS)
		entity->limited = true;
	else
		entity->variants[entity->n_variants++] = variant;
}

/* Adds a boundary that could be meant, without trailing blanks (RFC 2046: it never ends in one). */
static void add_boundary(struct bytes *list, size_t *count, struct bytes boundary)
{
	while (boundary.len > 0 && ascii_is_space(boundary.ptr[boundary.len - 1]))
		boundary.len--;
	if (boundary.len == 0 || *count >= BOUNDARY_MAX)
		return;
	for (size_t i = 0; i < *count; i++)
		if (bytes_eq(list[i], boundary))
			return;
	list[(*count)++] = boundary;
}

/* True when a delimiter line has the blanks that the declared boundary ends in. */
static bool blanks_stand(const struct entity *entity, size_t body_at, struct bytes raw)
{
	struct bytes body = bytes_sub(entity->source->bytes, body_at, entity->end - body_at);
	return bytes_find(body, raw) != BYTES_NONE;
}

/*
 * A multipart must not be encoded (RFC 2045, 6.4), and most clients split it as it stands; some decode it first. The
 * decoded reading counts where it shows parts that the plain one does not.
 */
static enum err add_decoded_multipart(struct analysis *a, struct entity_variant variant, const struct bytes *list,
				      size_t count, size_t *usable)
{
	struct entity *entity = a->entity;
	struct bytes body = bytes_sub(entity->source->bytes, variant.body_at, entity->end - variant.body_at);
	struct split_source *inner = arena_new(a->arena, struct split_source, 1);
	struct transfer_result result;
	if (!inner)
		return ERR_NOMEM;
	TRY(transfer_decode(a->arena, variant.transfer, body, &result));
	inner->bytes = result.content;
	inner->decoded = true;
	inner->outer_at = entity->source->decoded ? entity->source->outer_at : variant.body_at;
	inner->outer_len = entity->source->decoded ? entity->source->outer_len : body.len;
	TRY(split_index(a->arena, inner));
	for (size_t i = 0; i < count; i++) {
		struct split_probe plain = split_probe(entity->source, variant.body_at, entity->end, list[i]);
		struct split_probe probe = split_probe(inner, 0, inner->bytes.len, list[i]);
		if (probe.open == 0 || probe.open == plain.open)
			continue;
		(*usable)++;
		mark(a, DEFECT_ENCODING_CONTAINER, header_find(&entity->header, HEADER_CONTENT_TRANSFER_ENCODING, 0));
		variant.boundary = list[i];
		variant.mode = SPLIT_LINES;
		variant.inner = inner;
		add_variant(entity, variant);
	}
	return ERR_OK;
}

/*
 * What clients make of a multipart that its boundary does not divide: some take the empty string for one, some guess,
 * some show the body as text.
 */
static void add_undivided(struct entity *entity, struct entity_variant variant, bool empty)
{
	struct entity_variant text = variant;
	if (empty && split_probe(entity->source, variant.body_at, entity->end, (struct bytes){0}).open > 0) {
		variant.mode = SPLIT_EMPTY;
		add_variant(entity, variant);
	} else {
		variant.boundary = split_guess(entity->source, variant.body_at, entity->end);
		if (variant.boundary.len > 0 &&
		    split_probe(entity->source, variant.body_at, entity->end, variant.boundary).open > 0)
			add_variant(entity, variant);
	}
	text.type = BYTES_LIT("text/plain");
	add_variant(entity, text);
}

/* True when a multipart around the part has that boundary: its delimiters then are those of either. */
static bool is_repeated(const struct mime_part *part, struct bytes boundary)
{
	size_t steps = 0;
	for (const struct mime_part *up = part->parent; up && steps < ANCESTORS_MAX; up = up->parent, steps++)
		if (up->multipart && bytes_eq(up->boundary, boundary))
			return true;
	return false;
}

/* The readings of a multipart: one for each boundary that has delimiters, and for each way to look for them. */
static enum err add_multipart(struct analysis *a, struct entity_variant variant, const struct param_list *params)
{
	struct entity *entity = a->entity;
	struct param_values values;
	struct bytes list[BOUNDARY_MAX];
	size_t count = 0, usable = 0;
	bool closed = false;
	const struct header_field *field = header_find(&entity->header, HEADER_CONTENT_TYPE, 0);
	bool blank =
		variant.body_at >= entity->end ||
		bytes_trim(bytes_sub(entity->source->bytes, variant.body_at, entity->end - variant.body_at)).len == 0;
	TRY(param_values(a->arena, params, BYTES_LIT("boundary"), &values));
	for (unsigned pass = 0; pass < 2; pass++) { /* plain ones first: RFC 2231 is rare for boundaries */
		for (size_t i = 0; i < values.count; i++) {
			struct bytes text = values.items[i].text;
			if ((values.items[i].kind == PARAM_PLAIN) != (pass == 0))
				continue;
			if (bytes_has(text, 0))
				mark(a, DEFECT_BOUNDARY_NUL, field);
			struct bytes whole = entity_without_nul(a->arena, text);
			struct bytes decoded = without_words(a->arena, text);
			if (text.ptr && (!whole.ptr || !decoded.ptr))
				return ERR_NOMEM;
			add_boundary(list, &count, text);
			add_boundary(list, &count, whole);
			add_boundary(list, &count, entity_until_nul(text));
			add_boundary(list, &count, decoded);
		}
	}
	if (count == 0 && !blank)
		mark(a, DEFECT_BOUNDARY_MISSING, field);
	for (size_t i = 0; i < count; i++)
		if (is_repeated(a->part, list[i]))
			mark(a, DEFECT_BOUNDARY_REPEATED, field);
	if (count > 0 && list[0].len > BOUNDARY_LEN)
		mark(a, DEFECT_BOUNDARY_LONG, field);
	for (size_t i = 0; i < count; i++) {
		struct split_probe probe = split_probe(entity->source, variant.body_at, entity->end, list[i]);
		entity->limited = entity->limited || probe.limited;
		closed = closed || probe.closed;
		bool exact = probe.open + probe.open_cr > 0;
		if (!exact && probe.prefix_at == BYTES_NONE)
			continue;
		if (++usable > 1 || i > 0)
			mark(a, DEFECT_BOUNDARY_DUPLICATE, field);
		variant.boundary = list[i];
		variant.mode = probe.open > 0 ? SPLIT_LINES : SPLIT_BARE_CR;
		if (exact)
			add_variant(entity, variant);
		if (probe.open_cr > 0)
			mark(a, DEFECT_BOUNDARY_BARE_CR, field);
		if (probe.open > 0 && probe.open_cr > 0) {
			variant.mode = SPLIT_BARE_CR;
			add_variant(entity, variant);
		}
		if (probe.prefix_at != BYTES_NONE) {
			mark(a, DEFECT_BOUNDARY_PREFIX, field);
			variant.mode = SPLIT_PREFIX;
			add_variant(entity, variant);
		}
	}
	if (usable > 0 && usable < count && values.differ)
		mark(a, DEFECT_BOUNDARY_DUPLICATE, field);
	if (usable > 0 && values.count > 0 &&
	    (ascii_is_blank(list[0].ptr[0]) ||
	     (values.items[0].text.len > list[0].len && !blanks_stand(entity, variant.body_at, values.items[0].text))))
		mark(a, DEFECT_BOUNDARY_BLANK, field);
	if (count > 0 && variant.transfer != TRANSFER_IDENTITY)
		TRY(add_decoded_multipart(a, variant, list, count, &usable));
	if (usable > 0)
		return ERR_OK;
	add_variant(entity, variant); /* one leaf */
	if (blank || closed)          /* the closing delimiter alone: no parts, for everybody */
		return ERR_OK;
	if (count > 0)
		mark(a, DEFECT_BOUNDARY_UNUSED, field);
	add_undivided(entity, variant, count == 0 && values.count > 0);
	return ERR_OK;
}

/* The readings that one Content-Type and one encoding give. */
static enum err add_readings(struct analysis *a, const struct type_choice *choice,
			     const struct encoding_choice *encoding, size_t body_at)
{
	struct entity *entity = a->entity;
	struct param_values charsets;
	struct entity_variant variant = {
		.type = choice->usable   ? choice->type
			: entity->digest ? BYTES_LIT("message/rfc822")
					 : BYTES_LIT("text/plain"),
		.encoding = encoding->token,
		.transfer = encoding->transfer,
		.body_at = body_at,
	};
	TRY(param_values(a->arena, &choice->params, BYTES_LIT("charset"), &charsets));
	if (charsets.count > 0) {
		variant.charset =
			arena_copy_lower(a->arena, bytes_trim(entity_without_nul(a->arena, charsets.items[0].text)));
		if (!variant.charset.ptr)
			return ERR_NOMEM;
		if (variant.charset.len == 0)
			variant.charset = (struct bytes){0};
	}
	if (entity_is_multipart(&variant))
		return add_multipart(a, variant, &choice->params);
	if (entity_is_message(&variant) && variant.transfer != TRANSFER_IDENTITY) {
		/* RFC 2046, 5.2.1 forbids it; most clients decode, some read the body as it stands. */
		mark(a, DEFECT_ENCODING_CONTAINER, header_find(&entity->header, HEADER_CONTENT_TRANSFER_ENCODING, 0));
		variant.decode = true;
		add_variant(entity, variant);
		variant.decode = false;
	}
	if (variant.transfer == TRANSFER_IDENTITY || !entity_is_message(&variant) ||
	    wrapped_starts_with_field(bytes_sub(entity->source->bytes, body_at, entity->end - body_at)))
		add_variant(entity, variant);
	if (charsets.differ && charsets.count > 1 && bytes_starts(variant.type, BYTES_LIT("text/"))) {
		mark(a, DEFECT_CHARSET_DUPLICATE, header_find(&entity->header, HEADER_CONTENT_TYPE, 0));
		variant.charset = arena_copy_lower(a->arena, bytes_trim(charsets.items[charsets.count - 1].text));
		add_variant(entity, variant);
	}
	if (bytes_eq_nocase(choice->params.token, BYTES_LIT("x-sun-attachment"))) {
		/* The parts of MailTool stand between lines of ten dashes; Thunderbird reads them to this day. */
		variant.type = BYTES_LIT("multipart/mixed");
		variant.boundary = BYTES_LIT("--------");
		if (split_probe(entity->source, body_at, entity->end, variant.boundary).open > 0) {
			mark(a, DEFECT_CONTENT_TYPE_UNSURE, header_find(&entity->header, HEADER_CONTENT_TYPE, 0));
			add_variant(entity, variant);
		}
	} else if (!choice->usable && choice->params.count > 0) {
		/* A type that nobody can read, with a boundary that works: some client will try. */
		size_t before = entity->n_variants;
		struct param_values boundaries;
		TRY(param_values(a->arena, &choice->params, BYTES_LIT("boundary"), &boundaries));
		for (size_t i = 0; i < boundaries.count; i++) {
			struct bytes boundary = bytes_trim(boundaries.items[i].text);
			if (boundary.len == 0 || split_probe(entity->source, body_at, entity->end, boundary).open == 0)
				continue;
			variant.type = BYTES_LIT("multipart/mixed");
			variant.boundary = boundary;
			add_variant(entity, variant);
		}
		if (entity->n_variants > before)
			mark(a, DEFECT_CONTENT_TYPE_UNSURE, header_find(&entity->header, HEADER_CONTENT_TYPE, 0));
	}
	return ERR_OK;
}

/*
 * All readings of one view. Clients take the first or the last of repeated fields; so the first ones together are the
 * likeliest, then each other type, each other encoding, and the last ones together.
 */
static enum err add_view(struct analysis *a, const struct header *view, size_t body_at)
{
	struct choices *c = &a->choices;
	c->n_types = 0;
	c->n_encodings = 0;
	TRY(find_types(a, view));
	TRY(find_encodings(a, view));
	for (size_t i = 0; i < c->n_types; i++)
		TRY(add_readings(a, &c->types[i], &c->encodings[0], body_at));
	for (size_t i = 1; i < c->n_encodings; i++) {
		TRY(add_readings(a, &c->types[0], &c->encodings[i], body_at));
		if (c->n_types > 1)
			TRY(add_readings(a, &c->types[c->n_types - 1], &c->encodings[i], body_at));
	}
	return ERR_OK;
}

static enum err find_disposition(struct analysis *a)
{
	const struct header_field *field = header_find(&a->entity->header, HEADER_CONTENT_DISPOSITION, 0);
	struct param_list list;
	if (!field)
		return ERR_OK;
	struct bytes value = header_unfold(a->arena, field->value);
	if (!value.ptr)
		return ERR_NOMEM;
	TRY(param_parse(a->arena, entity_without_nul(a->arena, value), &list));
	struct bytes token = one_word(list.token);
	if (token.len > 0)
		a->entity->disposition = arena_copy_lower(a->arena, token);
	return token.len > 0 && !a->entity->disposition.ptr ? ERR_NOMEM : ERR_OK;
}

/* Offsets within a decoded container mean nothing to who reads the message: those of the container stand for them. */
static void set_outer_offsets(const struct split_source *source, struct header *header, size_t n_fields)
{
	if (!source->decoded)
		return;
	header->at = source->outer_at;
	header->len = source->outer_len;
	for (size_t i = 0; i < n_fields; i++) {
		header->fields[i].at = source->outer_at;
		header->fields[i].len = source->outer_len;
	}
}

enum err entity_parse(struct arena *arena, const struct header_limits *limits, const struct mime_part *part,
		      struct defect_list *defects, struct entity *entity)
{
	struct analysis a = {.arena = arena,
			     .part = part,
			     .defects = defects,
			     .entity = entity,
			     .first_view = true,
			     .first_defect = defects->count};
	struct header *header = &entity->header;
	struct bytes source = bytes_sub(entity->source->bytes, 0, entity->end);
	size_t body;
	TRY(header_parse(arena, source, entity->at, limits, part, defects, header, &body));
	size_t n_fields = header->count;
	for (size_t i = 0; i < header->n_others; i++)
		n_fields = MAX(n_fields, header->others[i].count);
	set_outer_offsets(entity->source, header, n_fields);
	TRY(find_disposition(&a));
	TRY(entity_names(arena, part, defects, entity));
	TRY(add_view(&a, header, body));
	a.first_view = false;
	for (size_t i = 0; i < header->n_others; i++) {
		struct header view = *header;
		view.count = header->others[i].count;
		TRY(add_view(&a, &view, header->others[i].body));
	}
	for (size_t i = a.first_defect; entity->source->decoded && i < defects->count; i++) {
		if (defects->items[i].at != DEFECT_NOWHERE) {
			defects->items[i].at = entity->source->outer_at;
			defects->items[i].len = entity->source->outer_len;
		}
	}
	return ERR_OK;
}
