/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/xml.h"

#include <expat.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

#define PIECE ((size_t)16 << 10) /* for expat at a time */

/* Expat would ask the system for a salt of its hash tables. */
static void set_salt(XML_Parser parser, uint64_t seed)
{
#ifdef EXPAT_HAS_SALT_16
	static const struct hash_key key = {0x706f737465726e78, 0x6d6c2d7365636f6e};
	uint64_t salt[2] = {seed | 1, hash_sip(key, bytes_make(&seed, sizeof(seed)))};
	(void)XML_SetHashSalt16Bytes(parser, (const uint8_t *)salt);
#else
	(void)XML_SetHashSalt(parser, (unsigned long)(seed | 1));
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

struct xml {
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
	size_t silent;      /* bytes since expat said something */
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
static void stop(struct xml *reader, const struct error *error)
{
	if (reader->error.code != ERR_OK)
		return;
	reader->error = *error;
	reader->line = current_line(reader->parser);
	(void)XML_StopParser(reader->parser, XML_FALSE);
}

static void stop_at_limit(struct xml *reader, const char *what, size_t limit)
{
	struct error error;
	(void)error_set(&error, ERR_LIMIT, 0, "%s (%zu at most)", what, limit);
	stop(reader, &error);
}

/* Expat keeps each name to the end, in a table: so not all that a document may hold can be different ones. */
static void count_name(struct xml *reader, struct bytes name)
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
	struct xml *reader = ctx;
	struct bytes name = bytes_from_cstr(tag);
	struct error error = {0};
	reader->silent = 0;
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
	struct xml *reader = ctx;
	struct error error = {0};
	reader->silent = 0;
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
	struct xml *reader = ctx;
	reader->silent = 0;
	if (reader->error.code != ERR_OK)
		return;
	buf_add(&reader->text, bytes_make(text, (size_t)len));
	if (buf_err(&reader->text) == ERR_LIMIT)
		stop_at_limit(reader, "the text of an element is too long", reader->limits->text);
	else if (buf_err(&reader->text) != ERR_OK)
		stop(reader, &(struct error){.code = ERR_NOMEM, .text = "no memory"});
}

/* What is nothing to us: blanks outside of the root, comments, instructions. */
static void on_other(void *ctx, const XML_Char *text, int len)
{
	struct xml *reader = ctx;
	(void)text;
	(void)len;
	reader->silent = 0;
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
static void take_error(struct xml *reader)
{
	enum XML_Error code = XML_GetErrorCode(reader->parser);
	enum err err = code == XML_ERROR_NO_MEMORY ? ERR_NOMEM : ERR_SYNTAX;
	if (reader->error.code != ERR_OK)
		return;
	(void)error_set(&reader->error, err, 0, "%s", XML_ErrorString(code));
	reader->line = current_line(reader->parser);
}

/* -- Reading ---- */

uint64_t xml_seed(struct bytes document)
{
	static const struct hash_key key = {0x706f737465726e78, 0x6d6c2d7265616465};
	return hash_sip(key, document);
}

enum err xml_open(uint64_t seed, const struct xml_limits *limits, const struct xml_handler *handler,
		  struct xml **ret_xml, struct error *reterr)
{
	static const XML_Memory_Handling_Suite memory = {expat_alloc, expat_realloc, mem_free};
	struct xml *reader = mem_new(struct xml, 1);
	if (!reader)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	*reader = (struct xml){.limits = limits, .handler = handler, .key = {seed, UINT64_C(0x6d6c2d6e616d6573)}};
	reader->parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!reader->parser) {
		mem_free(reader);
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	}
	buf_init(&reader->text, limits->text);
	set_salt(reader->parser, seed);
	(void)XML_SetParamEntityParsing(reader->parser, XML_PARAM_ENTITY_PARSING_NEVER);
	XML_SetUserData(reader->parser, reader);
	XML_SetElementHandler(reader->parser, on_open, on_close);
	XML_SetCharacterDataHandler(reader->parser, on_text);
	XML_SetDefaultHandler(reader->parser, on_other);
	XML_SetStartDoctypeDeclHandler(reader->parser, on_doctype);
	*ret_xml = reader;
	return ERR_OK;
}

void xml_free(struct xml **xml)
{
	if (!*xml)
		return;
	XML_ParserFree((*xml)->parser);
	buf_done(&(*xml)->text);
	mem_free(*xml);
	*xml = NULL;
}

/*
 * Expat keeps a whole tag, with all attributes, or a whole comment, before it says a word of it, and looks through it
 * again with each piece: so one that does not end is given up when it is too long.
 */
static void feed_expat(struct xml *reader, struct bytes piece, bool last)
{
	reader->silent += piece.len;
	if (XML_Parse(reader->parser, piece.len ? (const char *)piece.ptr : "", (int)piece.len, last) != XML_STATUS_OK)
		take_error(reader);
	else if (reader->silent > reader->limits->text)
		stop_at_limit(reader, "a tag is too long, or a comment", reader->limits->text);
}

enum err xml_feed(struct xml *reader, struct bytes piece, bool last, struct error *reterr)
{
	do {
		struct bytes next = bytes_sub(piece, 0, PIECE);
		piece = bytes_from(piece, next.len);
		feed_expat(reader, next, last && piece.len == 0);
	} while (piece.len > 0 && reader->error.code == ERR_OK);
	if (reader->error.code == ERR_OK)
		return ERR_OK;
	return error_set(reterr, reader->error.code, reader->line, "line %zu: %s", reader->line,
			 reader->error.text[0] ? reader->error.text : err_name(reader->error.code));
}

enum err xml_read(struct bytes document, const struct xml_limits *limits, const struct xml_handler *handler,
		  struct error *reterr)
{
	CLEANUP(xml_free) struct xml *reader = NULL;
	/* A document whose names collide under the salt that they make is not to be found. */
	TRY(xml_open(xml_seed(document), limits, handler, &reader, reterr));
	return xml_feed(reader, document, true, reterr);
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
