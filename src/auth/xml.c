/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/xml.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

/*
 * Expat would ask the system for a salt of its hash tables. One that the whole document decides does as well: a
 * document whose names collide under the salt that they make is not to be found.
 */
static void set_salt(XML_Parser parser, struct bytes document)
{
	static const struct hash_key key = {0x706f737465726e78, 0x6d6c2d7265616465};
	uint64_t salt[2] = {hash_sip(key, document) | 1, 0};
#ifdef EXPAT_HAS_SALT_16
	salt[1] = hash_sip((struct hash_key){salt[0], 0}, document);
	(void)XML_SetHashSalt16Bytes(parser, (const uint8_t *)salt);
#else
	(void)XML_SetHashSalt(parser, (unsigned long)salt[0]);
#endif
}

/* Newer releases of expat have a wider count, and a word against the old one. */
static size_t current_line(XML_Parser parser)
{
#ifdef EXPAT_HAS_LINE_64
	return (size_t)XML_GetCurrentLineNumber64(parser);
#else
	return (size_t)XML_GetCurrentLineNumber(parser);
#endif
}

#define NAME_BITS 65536 /* of a table of their hashes: of names within the limit, few are taken for another */

struct reader {
	XML_Parser parser;
	struct hash_key key;
	size_t names;
	uint8_t seen[NAME_BITS / 8];
	const struct xml_limits *limits;
	const struct xml_handler *handler;
	size_t depth, elements;
	struct buf text;
	struct error error; /* code 0: none yet */
	size_t line;        /* of it */
};

static void *expat_alloc(size_t size)
{
	return mem_alloc(size);
}

static void *expat_realloc(void *ptr, size_t size)
{
	return mem_realloc(ptr, 1, size);
}

/* The first error is the one that is told. */
static void stop(struct reader *reader, const struct error *error)
{
	if (reader->error.code != ERR_OK)
		return;
	reader->error = *error;
	reader->line = current_line(reader->parser);
	(void)XML_StopParser(reader->parser, XML_FALSE);
}

static void stop_at_limit(struct reader *reader, const char *what, size_t limit)
{
	struct error error;
	(void)error_set(&error, ERR_LIMIT, 0, "%s (%zu at most)", what, limit);
	stop(reader, &error);
}

/* Expat keeps each name to the end, in a table: so not all that a document may hold can be different ones. */
static void count_name(struct reader *reader, struct bytes name)
{
	uint64_t place = hash_sip(reader->key, name) % NAME_BITS;
	uint8_t bit = (uint8_t)(1u << (place % 8));
	if (reader->seen[place / 8] & bit)
		return;
	reader->seen[place / 8] |= bit;
	if (++reader->names > reader->limits->names)
		stop_at_limit(reader, "there are too many different names", reader->limits->names);
}

/* xmlns="..." for <name>, xmlns:p="..." for <p:name>. */
static struct bytes own_namespace(struct bytes name, const XML_Char **attributes)
{
	size_t colon = bytes_find_byte(name, ':');
	struct bytes prefix = bytes_sub(name, 0, colon == BYTES_NONE ? 0 : colon);
	for (size_t i = 0; attributes[i]; i += 2) {
		struct bytes key = bytes_from_cstr(attributes[i]);
		if (!bytes_starts(key, BYTES_LIT("xmlns")))
			continue;
		key = bytes_from(key, 5);
		if (prefix.len == 0 ? key.len == 0
				    : key.len > 1 && key.ptr[0] == ':' && bytes_eq(bytes_from(key, 1), prefix))
			return bytes_from_cstr(attributes[i + 1]);
	}
	return (struct bytes){0};
}

static void on_open(void *ctx, const XML_Char *tag, const XML_Char **attributes)
{
	struct reader *reader = ctx;
	struct bytes name = bytes_from_cstr(tag);
	struct error error = {0};
	if (reader->error.code != ERR_OK)
		return;
	if (++reader->depth > reader->limits->depth) {
		stop_at_limit(reader, "elements lie too deep in each other", reader->limits->depth);
		return;
	}
	if (++reader->elements > reader->limits->elements) {
		stop_at_limit(reader, "there are too many elements", reader->limits->elements);
		return;
	}
	count_name(reader, name);
	for (size_t i = 0; attributes[i]; i += 2)
		count_name(reader, bytes_from_cstr(attributes[i]));
	if (reader->error.code != ERR_OK)
		return;
	buf_clear(&reader->text);
	error.code = reader->handler->begin(reader->handler->ctx, name, own_namespace(name, attributes), &error);
	if (error.code != ERR_OK)
		stop(reader, &error);
}

static void on_close(void *ctx, const XML_Char *tag)
{
	struct reader *reader = ctx;
	struct error error = {0};
	if (reader->error.code != ERR_OK)
		return;
	reader->depth--;
	error.code = reader->handler->end(reader->handler->ctx, bytes_from_cstr(tag), buf_bytes(&reader->text), &error);
	buf_clear(&reader->text);
	if (error.code != ERR_OK)
		stop(reader, &error);
}

static void on_text(void *ctx, const XML_Char *text, int len)
{
	struct reader *reader = ctx;
	if (reader->error.code != ERR_OK)
		return;
	buf_add(&reader->text, bytes_make(text, (size_t)len));
	if (buf_err(&reader->text) == ERR_LIMIT)
		stop_at_limit(reader, "the text of an element is too long", reader->limits->text);
	else if (buf_err(&reader->text) != ERR_OK)
		stop(reader, &(struct error){.code = ERR_NOMEM, .text = "no memory"});
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system, const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(ctx, &(struct error){.code = ERR_SYNTAX, .text = "a DOCTYPE is refused"});
}

/* What expat itself found wrong. */
static void take_error(struct reader *reader)
{
	enum XML_Error code = XML_GetErrorCode(reader->parser);
	enum err err = code == XML_ERROR_NO_MEMORY ? ERR_NOMEM : ERR_SYNTAX;
	if (reader->error.code != ERR_OK)
		return;
	(void)error_set(&reader->error, err, 0, "%s", XML_ErrorString(code));
	reader->line = current_line(reader->parser);
}

/* -- Tags ---- */

/* The characters of a document, of which only those of ASCII matter here; UTF-16 is known as expat knows it. */
struct characters {
	struct bytes bytes;
	size_t n, step, low; /* bytes of one, and which of these is the low one */
};

static struct characters characters_of(struct bytes document)
{
	struct characters c = {.bytes = document, .n = document.len, .step = 1};
	if (document.len < 2)
		return c;
	uint8_t first = document.ptr[0], second = document.ptr[1];
	if (first == 0 || second == 0 || (first == 0xfe && second == 0xff) || (first == 0xff && second == 0xfe)) {
		c.step = 2;
		c.n = document.len / 2;
		c.low = first == 0 || first == 0xfe ? 1 : 0;
	}
	return c;
}

static uint8_t character(const struct characters *c, size_t i)
{
	if (i >= c->n)
		return 0;
	if (c->step == 1)
		return c->bytes.ptr[i];
	return c->bytes.ptr[2 * i + 1 - c->low] == 0 ? c->bytes.ptr[2 * i + c->low] : 'x';
}

static bool stands_at(const struct characters *c, size_t i, const char *word)
{
	for (; *word; word++, i++)
		if (character(c, i) != (uint8_t)*word)
			return false;
	return true;
}

/* Behind the next `word`, or the end. */
static size_t behind(const struct characters *c, size_t i, const char *word)
{
	while (i < c->n && !stands_at(c, i, word))
		i++;
	return MIN(i + strlen(word), c->n);
}

/* Behind the tag that begins at `i`; SIZE_MAX when it is longer than `max`. */
static size_t behind_tag(const struct characters *c, size_t i, size_t max)
{
	uint8_t quote = 0;
	for (size_t begin = i++; i < c->n; i++) {
		uint8_t its = character(c, i);
		if (i - begin > max)
			return SIZE_MAX;
		if (quote)
			quote = its == quote ? 0 : quote;
		else if (its == '"' || its == '\'')
			quote = its;
		else if (its == '>')
			return i + 1;
	}
	return i;
}

/*
 * Expat takes a whole tag, with all attributes, before it says a word of it: so the longest is looked for first. What
 * it calls not well-formed may be measured wrongly here.
 */
static bool tags_fit(struct bytes document, size_t max)
{
	struct characters c = characters_of(document);
	for (size_t i = 0; i < c.n;) {
		if (character(&c, i) != '<')
			i++;
		else if (stands_at(&c, i, "<!--"))
			i = behind(&c, i + 4, "-->");
		else if (stands_at(&c, i, "<![CDATA["))
			i = behind(&c, i + 9, "]]>");
		else if (stands_at(&c, i, "<?"))
			i = behind(&c, i + 2, "?>");
		else if (stands_at(&c, i, "<!"))
			return true; /* a DOCTYPE: the reading ends there */
		else if ((i = behind_tag(&c, i, max)) == SIZE_MAX)
			return false;
	}
	return true;
}

/* -- Reading ---- */

enum err xml_read(struct bytes document, const struct xml_limits *limits, const struct xml_handler *handler,
		  struct error *reterr)
{
	static const XML_Memory_Handling_Suite memory = {expat_alloc, expat_realloc, mem_free};
	static const struct hash_key key = {0x706f737465726e78, 0x6d6c2d6e616d6573};
	struct reader reader = {.limits = limits, .handler = handler};
	if (document.len > INT_MAX / 2)
		return error_set(reterr, ERR_LIMIT, 0, "the document is too large");
	if (!tags_fit(document, limits->text))
		return error_set(reterr, ERR_LIMIT, 0, "a tag is too long (%zu characters at most)", limits->text);
	reader.key = (struct hash_key){hash_sip(key, document), key.k1};
	reader.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!reader.parser)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	buf_init(&reader.text, limits->text);
	set_salt(reader.parser, document);
	(void)XML_SetParamEntityParsing(reader.parser, XML_PARAM_ENTITY_PARSING_NEVER);
	XML_SetUserData(reader.parser, &reader);
	XML_SetElementHandler(reader.parser, on_open, on_close);
	XML_SetCharacterDataHandler(reader.parser, on_text);
	XML_SetStartDoctypeDeclHandler(reader.parser, on_doctype);
	if (XML_Parse(reader.parser, document.len ? (const char *)document.ptr : "", (int)document.len, XML_TRUE) !=
	    XML_STATUS_OK)
		take_error(&reader);
	XML_ParserFree(reader.parser);
	buf_done(&reader.text);
	if (reader.error.code == ERR_OK)
		return ERR_OK;
	return error_set(reterr, reader.error.code, reader.line, "line %zu: %s", reader.line,
			 reader.error.text[0] ? reader.error.text : err_name(reader.error.code));
}

/* Characters that steer a terminal, or turn the direction of writing: XML has another way to write them. */
static bool is_steering(uint32_t code)
{
	return (code >= 0x7f && code <= 0x9f) || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

void xml_add_text(struct buf *buf, struct bytes text)
{
	while (text.len > 0) {
		uint8_t encoded[4];
		uint32_t code = utf8_next(&text, NULL);
		if ((code < 0x20 && code != '\t' && code != '\n') || code == 0xfffe || code == 0xffff)
			code = UTF8_REPLACEMENT; /* XML 1.0, 2.2; a CR would come back as LF */
		if (code == '&')
			buf_add_cstr(buf, "&amp;");
		else if (code == '<')
			buf_add_cstr(buf, "&lt;");
		else if (code == '>')
			buf_add_cstr(buf, "&gt;");
		else if (is_steering(code))
			buf_printf(buf, "&#x%X;", (unsigned)code);
		else
			buf_add(buf, bytes_make(encoded, utf8_encode(code, encoded)));
	}
}
