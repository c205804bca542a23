/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/tree.h"

#include <yaml.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/utf8.h"

#include "base/banned.h"

/* Where the next node goes: the open containers, and of each its last child. */
struct builder {
	struct arena *arena;
	struct error *reterr;
	struct yaml_node *open[YAML_DEPTH_MAX];
	struct yaml_node *last[YAML_DEPTH_MAX];
	size_t depth;
	struct bytes key; /* read, and waiting for its value */
	bool key_waits;
	struct yaml_node *root;
	size_t nodes;
	unsigned documents;
};

static enum err refuse(struct builder *builder, size_t line, const char *what)
{
	return error_set(builder->reterr, ERR_SYNTAX, line, "%s", what);
}

static enum err check_repeated(struct builder *builder, const struct yaml_node *map, struct bytes key, size_t line)
{
	for (const struct yaml_node *node = map->first; node; node = node->next)
		if (bytes_eq(node->key, key))
			return error_set(builder->reterr, ERR_SYNTAX, line,
					 "\"%.*s\" is given twice (first in line %zu)",
					 BYTES_FMT(bytes_sub(key, 0, 60)), node->line);
	return ERR_OK;
}

static enum err add_node(struct builder *builder, struct yaml_node node, struct yaml_node **ret_node)
{
	if (++builder->nodes > YAML_NODES_MAX)
		return refuse(builder, node.line, "the file has too many values");
	struct yaml_node *kept = arena_new(builder->arena, struct yaml_node, 1);
	if (!kept)
		return error_set(builder->reterr, ERR_NOMEM, node.line, "no memory");
	if (builder->depth > 0) {
		struct yaml_node *parent = builder->open[builder->depth - 1];
		struct yaml_node **last = &builder->last[builder->depth - 1];
		if (parent->kind == YAML_MAP) {
			TRY(check_repeated(builder, parent, builder->key, node.line));
			node.key = builder->key;
			builder->key_waits = false;
		}
		if (*last)
			(*last)->next = kept;
		else
			parent->first = kept;
		*last = kept;
	} else {
		builder->root = kept;
	}
	*kept = node;
	*ret_node = kept;
	return ERR_OK;
}

/* They have no business in a configuration: a NUL would end a path early, a line break (Unicode's own among them) would
 * begin a new header field. With the two noncharacters this is all that YAML 1.1, section 4.1, lets a file hold in an
 * escape only: what is accepted here can be written out as it is.
 */
static bool has_control(struct bytes text)
{
	while (text.len > 0) {
		uint32_t code = utf8_next(&text, NULL);
		if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
		    code == 0xfffe || code == 0xffff)
			return true;
	}
	return false;
}

static enum err on_scalar(struct builder *builder, const yaml_event_t *event, size_t line)
{
	struct bytes text = arena_copy(builder->arena, bytes_make(event->data.scalar.value, event->data.scalar.length));
	struct yaml_node *node;
	if (!text.ptr)
		return error_set(builder->reterr, ERR_NOMEM, line, "no memory");
	if (event->data.scalar.anchor || event->data.scalar.tag)
		return refuse(builder, line, "anchors and tags are not supported");
	if (has_control(text))
		return refuse(builder, line, "a value is one line, without control characters");
	bool in_map = builder->depth > 0 && builder->open[builder->depth - 1]->kind == YAML_MAP;
	if (in_map && !builder->key_waits) {
		if (bytes_eq(text, BYTES_LIT("<<")))
			return refuse(builder, line, "merge keys are not supported");
		builder->key = text;
		builder->key_waits = true;
		return ERR_OK;
	}
	bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (builder->depth == 0) {
		/* A file of nothing but comments is one empty scalar, or no document at all. */
		if (text.len == 0 && !quoted)
			return ERR_OK;
		return refuse(builder, line, "expected \"key: value\"");
	}
	return add_node(builder,
			(struct yaml_node){.kind = YAML_SCALAR, .line = line, .scalar = text, .quoted = quoted}, &node);
}

static enum err on_open(struct builder *builder, enum yaml_kind kind, bool decorated, size_t line)
{
	struct yaml_node *node = NULL;
	if (decorated)
		return refuse(builder, line, "anchors and tags are not supported");
	if (builder->depth == YAML_DEPTH_MAX)
		return refuse(builder, line, "values are nested too deep");
	if (builder->depth == 0 && kind != YAML_MAP)
		return refuse(builder, line, "expected \"key: value\"");
	if (builder->depth > 0 && builder->open[builder->depth - 1]->kind == YAML_MAP && !builder->key_waits)
		return refuse(builder, line, "a key must be a plain word");
	TRY(add_node(builder, (struct yaml_node){.kind = kind, .line = line}, &node));
	builder->open[builder->depth] = node;
	builder->last[builder->depth] = NULL;
	builder->depth++;
	return ERR_OK;
}

static enum err on_event(struct builder *builder, const yaml_event_t *event)
{
	size_t line = event->start_mark.line + 1;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(builder, event, line);
	case YAML_MAPPING_START_EVENT:
		return on_open(builder, YAML_MAP, event->data.mapping_start.anchor || event->data.mapping_start.tag,
			       line);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(builder, YAML_LIST, event->data.sequence_start.anchor || event->data.sequence_start.tag,
			       line);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		builder->depth--;
		return ERR_OK;
	case YAML_ALIAS_EVENT:
		return refuse(builder, line, "aliases are not supported");
	case YAML_DOCUMENT_START_EVENT:
		return ++builder->documents > 1 ? refuse(builder, line, "a second document is not supported") : ERR_OK;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return ERR_OK;
}

/* libyaml counts lines but in its reader, which knows the byte only. */
static enum err complain_parser(const yaml_parser_t *parser, struct bytes text, struct error *reterr)
{
	size_t line = parser->problem_mark.line + 1;
	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	if (parser->error == YAML_READER_ERROR) {
		line = 1;
		for (size_t i = 0; i < text.len && i < parser->problem_offset; i++)
			line += text.ptr[i] == '\n';
	}
	return error_set(reterr, ERR_SYNTAX, line, "%s", parser->problem ? parser->problem : "this is no YAML");
}

enum err yaml_parse(struct arena *arena, struct bytes text, struct yaml_node **ret_root, struct error *reterr)
{
	struct builder builder = {.arena = arena, .reterr = reterr};
	yaml_parser_t parser;
	enum err err = ERR_OK;
	bool end = false;
	if (text.len > YAML_BYTES_MAX)
		return error_set(reterr, ERR_LIMIT, 0, "the file is larger than %zu bytes", YAML_BYTES_MAX);
	if (!yaml_parser_initialize(&parser))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	yaml_parser_set_input_string(&parser, text.ptr, text.len);
	while (err == ERR_OK && !end) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			err = complain_parser(&parser, text, reterr);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		err = on_event(&builder, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (err == ERR_OK && !builder.root) {
		builder.root = arena_new(arena, struct yaml_node, 1);
		if (!builder.root)
			return error_set(reterr, ERR_NOMEM, 0, "no memory");
		*builder.root = (struct yaml_node){.kind = YAML_MAP, .line = 1};
	}
	if (err == ERR_OK)
		*ret_root = builder.root;
	return err;
}

/* -- Packed: u8 kind and quotes, u8 depth, u32 line, u32 length and text of the key, the same of the scalar ---- */

#define PACKED_QUOTED 0x80

static void pack_text(struct buf *buf, struct bytes text)
{
	buf_add_be32(buf, (uint32_t)text.len);
	buf_add(buf, text);
}

void yaml_pack(struct buf *buf, const struct yaml_node *root)
{
	const struct yaml_node *open[YAML_DEPTH_MAX];
	const struct yaml_node *node = root;
	uint8_t depth = 0;
	while (node) {
		buf_add_byte(buf, (uint8_t)((unsigned)node->kind | (node->quoted ? PACKED_QUOTED : 0u)));
		buf_add_byte(buf, depth);
		buf_add_be32(buf, (uint32_t)node->line);
		pack_text(buf, node->key);
		pack_text(buf, node->scalar);
		if (node->first) {
			ASSERT(depth < YAML_DEPTH_MAX);
			open[depth++] = node;
			node = node->first;
			continue;
		}
		while (!node->next && depth > 0)
			node = open[--depth];
		node = node->next;
	}
}

static struct bytes unpack_text(struct cursor *cur)
{
	return cursor_take(cur, cursor_be32(cur));
}

static enum err unpack_node(struct builder *builder, struct cursor *cur)
{
	uint8_t first = cursor_u8(cur);
	uint8_t depth = cursor_u8(cur);
	struct yaml_node node = {.kind = (enum yaml_kind)(first & (uint8_t)~PACKED_QUOTED),
				 .quoted = (first & PACKED_QUOTED) != 0,
				 .line = cursor_be32(cur)};
	struct bytes key = unpack_text(cur);
	struct yaml_node *kept;
	struct bytes scalar = unpack_text(cur);
	if (cur->err != ERR_OK || node.kind > YAML_LIST || node.line == 0 || depth > builder->depth ||
	    (depth == 0) != (builder->root == NULL) || (depth == 0 && node.kind != YAML_MAP))
		return refuse(builder, 0, "this is no packed tree");
	builder->depth = depth;
	bool in_map = depth > 0 && builder->open[depth - 1]->kind == YAML_MAP;
	if ((!in_map && key.len > 0) || (node.kind != YAML_SCALAR && (scalar.len > 0 || node.quoted)) ||
	    has_control(key) || has_control(scalar) || !utf8_valid(key) || !utf8_valid(scalar))
		return refuse(builder, 0, "this is no packed tree");
	builder->key = key;
	if (node.kind == YAML_SCALAR)
		node.scalar = scalar;
	TRY(add_node(builder, node, &kept));
	if (node.kind == YAML_SCALAR)
		return ERR_OK;
	if (depth == YAML_DEPTH_MAX)
		return refuse(builder, node.line, "values are nested too deep");
	builder->open[depth] = kept;
	builder->last[depth] = NULL;
	builder->depth = (size_t)depth + 1;
	return ERR_OK;
}

enum err yaml_unpack(struct arena *arena, struct bytes packed, struct yaml_node **ret_root, struct error *reterr)
{
	struct builder builder = {.arena = arena, .reterr = reterr};
	struct cursor cur = cursor_make(packed);
	if (packed.len > YAML_PACKED_MAX)
		return refuse(&builder, 0, "this is no packed tree");
	while (!cursor_end(&cur))
		TRY(unpack_node(&builder, &cur));
	if (!builder.root)
		return refuse(&builder, 0, "this is no packed tree");
	*ret_root = builder.root;
	return ERR_OK;
}
