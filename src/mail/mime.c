/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walker: a stack of tasks instead of recursion. A task is one entity (a header and a body somewhere in a source),
 * or one more reading of an entity that was read before. A node is made when its task runs, so nodes come in the order
 * of appearance: the readings of an entity lie under its children on the stack.
 */
#include "mail/mime.h"

#include "base/arena.h"
#include "base/num.h"
#include "mail/entity.h"
#include "mail/split.h"
#include "mail/transfer.h"
#include "mail/wrapped.h"

#include "base/banned.h"

/* Deeper than any mail that people send; forwarded chains reach about 30. */
const struct mime_limits mime_limits_default = {
	.parts = 10000,
	.depth = 100,
	.header = {.bytes = 1024 * 1024, .fields = 10000},
	.readings = 200,
};

#define WORK_FACTOR 8 /* other readings may walk this many times the message in all: keeps the time linear */
#define WORK_BASE   ((size_t)256 * 1024)

struct task {
	struct mime_part *parent;
	struct split_source *source;
	size_t at, end;
	size_t number;    /* among its siblings, from 1 */
	unsigned reading; /* 0: a new one */
	bool digest;
	bool guess;            /* a preamble or epilogue: no header of its own when a boundary can be guessed */
	struct entity *entity; /* of another reading */
	size_t variant;
};

struct walk {
	struct arena *arena;
	const struct mime_limits *limits;
	struct defect_list *defects;
	struct mime_tree *tree;
	size_t parts_capacity, tasks_capacity;
	struct task *tasks;
	size_t n_tasks;
	unsigned readings; /* given out so far */
	size_t work;       /* left for other readings and for decoded containers */
};

static void mark(struct walk *walk, enum defect_id id, const struct mime_part *part, size_t at, size_t len)
{
	defect_add(walk->defects, (struct defect){.id = id, .part = part, .at = at, .len = len});
}

static enum err push(struct walk *walk, struct task task)
{
	struct task *tasks = arena_grow(walk->arena, walk->tasks, &walk->tasks_capacity, walk->n_tasks, sizeof(*tasks));
	if (!tasks)
		return ERR_NOMEM;
	walk->tasks = tasks;
	tasks[walk->n_tasks++] = task;
	return ERR_OK;
}

/* Offset in the message of one in the source. */
static size_t outer(const struct split_source *source, size_t at)
{
	return source->decoded ? source->outer_at : at;
}

/* Other readings cost from a common purse; false when it is empty. */
static bool pay(struct walk *walk, size_t bytes)
{
	if (bytes > walk->work)
		return false;
	walk->work -= bytes;
	return true;
}

/* A new reading's number, or 0 when there are too many. */
static unsigned new_reading(struct walk *walk, size_t bytes)
{
	if (walk->readings > walk->limits->readings || !pay(walk, bytes))
		return 0;
	return ++walk->readings;
}

/* FORMATS.md, 1: what holds no parts is numbered from 1, a multipart root is 0, its children go on without the 0. */
static enum err set_path(struct walk *walk, struct mime_part *part, size_t number)
{
	const struct mime_part *parent = part->parent;
	bool root = !parent || parent->attached_message;
	if (root)
		number = part->multipart && !part->leaf ? 0 : 1;
	struct bytes prefix = parent ? parent->path : (struct bytes){0};
	if (parent && !parent->attached_message && (!parent->parent || parent->parent->attached_message) &&
	    parent->multipart)
		prefix = parent->parent ? parent->parent->path : (struct bytes){0};
	part->path = arena_printf(walk->arena, "%.*s%s%zu", BYTES_FMT(prefix), prefix.len ? "." : "", number);
	return part->path.ptr ? ERR_OK : ERR_NOMEM;
}

static struct mime_part *new_part(struct walk *walk, struct mime_part *parent, unsigned reading)
{
	struct mime_tree *tree = walk->tree;
	struct mime_part *part = arena_new(walk->arena, struct mime_part, 1);
	struct mime_part **parts =
		arena_grow(walk->arena, tree->parts, &walk->parts_capacity, tree->n_parts, sizeof(struct mime_part *));
	if (!part || !parts)
		return NULL;
	tree->parts = parts;
	part->parent = parent;
	part->reading = reading;
	part->depth = parent ? parent->depth + 1 : 0;
	part->leaf = true;
	part->type = BYTES_LIT("text/plain");
	part->encoding = BYTES_LIT("7bit");
	part->path = BYTES_LIT("1");
	return part;
}

/* Into the tree, once all is known that its path needs. */
static void link_part(struct walk *walk, struct mime_part *part)
{
	struct mime_tree *tree = walk->tree;
	struct mime_part *parent = part->parent;
	tree->parts[tree->n_parts++] = part;
	if (!parent) {
		if (!tree->root)
			tree->root = part;
		else
			for (struct mime_part *last = tree->root; last != part; last = last->next_sibling)
				if (!last->next_sibling)
					last->next_sibling = part;
		return;
	}
	if (parent->last_child)
		parent->last_child->next_sibling = part;
	else
		parent->first_child = part;
	parent->last_child = part;
}

static void transfer_defects(struct walk *walk, const struct mime_part *part, const struct transfer_result *result)
{
	static const enum defect_id junk[] = {
		[TRANSFER_BASE64] = DEFECT_BASE64_JUNK,
		[TRANSFER_QUOTED_PRINTABLE] = DEFECT_QP_JUNK,
		[TRANSFER_UUENCODE] = DEFECT_UU_JUNK,
		[TRANSFER_YENC] = DEFECT_YENC_JUNK,
	};
	if (part->transfer == TRANSFER_IDENTITY)
		return;
	if (result->junk || result->checksum_bad || (result->truncated && part->transfer != TRANSFER_BASE64))
		mark(walk, junk[part->transfer], part, part->body_at, part->body.len);
	if (result->truncated && part->transfer == TRANSFER_BASE64)
		mark(walk, DEFECT_BASE64_TRUNCATED, part, part->body_at, part->body.len);
	if (result->inner_padding)
		mark(walk, DEFECT_BASE64_INNER_PADDING, part, part->body_at, part->body.len);
	if (result->raw_8bit)
		mark(walk, DEFECT_ENCODED_8BIT, part, part->body_at, part->body.len);
}

/* A node that holds the same body as `of`, for a client that takes another content from it. */
static enum err add_twin(struct walk *walk, struct mime_part *of, struct bytes content, struct mime_part **ret_twin)
{
	*ret_twin = NULL;
	unsigned reading = walk->tree->n_parts < walk->limits->parts ? new_reading(walk, content.len) : 0;
	if (reading == 0) {
		mark(walk, DEFECT_LIMIT_READINGS, of, DEFECT_NOWHERE, 0);
		return ERR_OK;
	}
	struct mime_part *twin = new_part(walk, of->parent, reading);
	if (!twin)
		return ERR_NOMEM;
	struct mime_part *parent = twin->parent;
	*twin = *of;
	twin->parent = parent;
	twin->next_sibling = NULL;
	twin->reading = reading;
	twin->content = content;
	link_part(walk, twin);
	*ret_twin = twin;
	return ERR_OK;
}

/* Files inside plain text (uuencode, yEnc), which many clients take out and offer. */
static enum err find_inline(struct walk *walk, struct mime_part *part)
{
	enum transfer_encoding kind;
	size_t at, len;
	struct mime_part *twin;
	for (size_t from = 0, n = 1; transfer_find_inline(part->content, from, &kind, &at, &len);
	     from = at + len, n++) {
		struct transfer_result result;
		struct bytes body = bytes_sub(part->content, at, len);
		size_t where = part->content.ptr == part->body.ptr ? part->body_at + at : part->body_at;
		TRY(transfer_decode(walk->arena, kind, body, &result));
		mark(walk, DEFECT_INLINE_FILE, part, where, len);
		TRY(add_twin(walk, part, result.content, &twin));
		if (!twin)
			return ERR_OK;
		twin->type = BYTES_LIT("application/octet-stream");
		twin->charset = (struct bytes){0};
		twin->transfer = kind;
		twin->encoding = kind == TRANSFER_UUENCODE ? BYTES_LIT("x-uuencode") : BYTES_LIT("x-yenc");
		twin->body = body;
		twin->body_at = where;
		twin->disposition = (struct bytes){0};
		twin->n_names = 0;
		twin->names = arena_new(walk->arena, struct mime_name, 1);
		twin->path = arena_printf(walk->arena, "%.*s.%zu", BYTES_FMT(part->path), n);
		if (!twin->names || !twin->path.ptr)
			return ERR_NOMEM;
		twin->names[0].text = result.name;
		twin->n_names = result.name.len > 0;
		transfer_defects(walk, twin, &result);
	}
	return ERR_OK;
}

/* The same base64 for clients that skip a padding within it, and for those that take it for zeros. */
static enum err add_paddings(struct walk *walk, struct mime_part *part, struct mime_part **twins, size_t *n_twins)
{
	for (enum transfer_padding way = TRANSFER_PADDING_SKIPPED; way <= TRANSFER_PADDING_ZERO; way++) {
		struct transfer_result result;
		if (!pay(walk, part->body.len)) {
			mark(walk, DEFECT_LIMIT_READINGS, part, part->body_at, part->body.len);
			return ERR_OK;
		}
		TRY(transfer_base64(walk->arena, part->body, way, &result));
		bool known = bytes_eq(result.content, part->content);
		for (size_t i = 0; i < *n_twins; i++)
			known = known || bytes_eq(result.content, twins[i]->content);
		if (known)
			continue;
		TRY(add_twin(walk, part, result.content, &twins[*n_twins]));
		*n_twins += twins[*n_twins] != NULL;
	}
	return ERR_OK;
}

/* A source made of bytes that were decoded from the body of the part. */
static enum err decoded_source(struct walk *walk, const struct split_source *source, const struct mime_part *part,
			       struct bytes bytes, struct split_source **ret_source)
{
	struct split_source *inner = arena_new(walk->arena, struct split_source, 1);
	if (!inner)
		return ERR_NOMEM;
	inner->bytes = bytes;
	inner->decoded = true;
	inner->outer_at = source->decoded ? source->outer_at : part->body_at;
	inner->outer_len = source->decoded ? source->outer_len : part->body.len;
	*ret_source = inner;
	return split_index(walk->arena, inner);
}

/* A file that holds an entity is a container like an attached message: its content is read in its place. */
static enum err read_wrapped(struct walk *walk, const struct split_source *source, struct mime_part *part)
{
	struct bytes entity;
	struct split_source *inner;
	TRY(wrapped_entity(walk->arena, part, &entity));
	if (entity.len == 0)
		return ERR_OK;
	if (part->depth + 1 > walk->limits->depth || !pay(walk, entity.len)) {
		mark(walk, part->depth + 1 > walk->limits->depth ? DEFECT_LIMIT_DEPTH : DEFECT_LIMIT_READINGS, part,
		     part->body_at, part->body.len);
		return ERR_OK;
	}
	/* A fragment is one to those who wait for the others, a message to those who show what is there. */
	unsigned reading = mime_type_is(part, "message/partial") ? new_reading(walk, 0) : part->reading;
	if (reading == 0) {
		mark(walk, DEFECT_LIMIT_READINGS, part, part->body_at, part->body.len);
		return ERR_OK;
	}
	TRY(decoded_source(walk, source, part, entity, &inner));
	part->attached_message = true; /* and a leaf all the same: it is saved as it is */
	return push(walk,
		    (struct task){.parent = part, .source = inner, .end = entity.len, .number = 1, .reading = reading});
}

/* What the decoded content of a leaf holds. */
static enum err read_content(struct walk *walk, const struct split_source *source, struct mime_part *part)
{
	if (mime_type_is(part, "text/plain"))
		return find_inline(walk, part);
	return mime_type_is(part, "text/") ? ERR_OK : read_wrapped(walk, source, part);
}

static enum err read_leaf(struct walk *walk, const struct split_source *source, struct mime_part *part)
{
	struct transfer_result result;
	struct mime_part *twins[3] = {0};
	size_t n_twins = 0;
	TRY(transfer_decode(walk->arena, part->transfer, part->body, &result));
	part->content = result.content;
	transfer_defects(walk, part, &result);
	if (mime_type_is(part, "message/partial"))
		mark(walk, DEFECT_MESSAGE_PARTIAL, part, part->body_at, part->body.len);
	if (result.name.len > 0 && part->n_names == 0) { /* uuencode and yEnc bring one */
		part->names = arena_new(walk->arena, struct mime_name, 1);
		if (!part->names)
			return ERR_NOMEM;
		part->names[0].text = result.name;
		part->n_names = 1;
	}
	if (result.inner_padding) {
		/* What goes on in form is content; a text that someone hung on is not, though some decode it. */
		bool hung_on = result.junk || result.truncated;
		struct bytes first = bytes_sub(result.content, 0, result.first_end);
		part->content = hung_on ? first : result.content;
		TRY(add_twin(walk, part, hung_on ? result.content : first, &twins[0]));
		n_twins = twins[0] != NULL;
	}
	if (result.padding_odd)
		TRY(add_paddings(walk, part, twins, &n_twins));
	TRY(read_content(walk, source, part));
	for (size_t i = 0; i < n_twins; i++)
		TRY(read_content(walk, source, twins[i]));
	return ERR_OK;
}

static enum err read_message(struct walk *walk, struct split_source *source, struct mime_part *part,
			     const struct entity *entity, const struct entity_variant *variant)
{
	struct transfer_result result;
	struct task task = {.parent = part,
			    .source = source,
			    .at = variant->body_at,
			    .end = entity->end,
			    .number = 1,
			    .reading = part->reading};
	part->content = part->body;
	if (part->depth + 1 > walk->limits->depth) {
		mark(walk, DEFECT_LIMIT_DEPTH, part, part->body_at, part->body.len);
		return ERR_OK;
	}
	if (variant->decode) {
		struct split_source *inner;
		if (!pay(walk, part->body.len)) {
			mark(walk, DEFECT_LIMIT_READINGS, part, part->body_at, part->body.len);
			return ERR_OK;
		}
		TRY(transfer_decode(walk->arena, part->transfer, part->body, &result));
		part->content = result.content;
		transfer_defects(walk, part, &result);
		TRY(decoded_source(walk, source, part, part->content, &inner));
		task.source = inner;
		task.at = 0;
		task.end = inner->bytes.len;
	}
	part->leaf = false;
	part->attached_message = true;
	return push(walk, task);
}

/* What stands outside the delimiters is read only when it looks like a part: a line that begins with Content-Type. */
static enum err push_outside(struct walk *walk, struct split_source *source, struct mime_part *part, size_t at,
			     size_t end, size_t number, enum defect_id id)
{
	struct bytes range = bytes_sub(source->bytes, at, end > at ? end - at : 0);
	size_t hit = bytes_starts_nocase(range, BYTES_LIT("Content-Type:"))
			     ? 0
			     : bytes_find_nocase(range, BYTES_LIT("\nContent-Type:"));
	if (hit == BYTES_NONE)
		return ERR_OK;
	mark(walk, id, part, outer(source, at), range.len);
	bool guess = split_guess(source, at, end).len > 0;
	size_t from = guess ? at : at + hit + (range.ptr[hit] == '\n');
	return push(
		walk,
		(struct task){
			.parent = part, .source = source, .at = from, .end = end, .number = number, .guess = guess});
}

static enum err read_multipart(struct walk *walk, struct split_source *source, struct mime_part *part,
			       const struct entity *entity, const struct entity_variant *variant)
{
	struct split_result split;
	part->content = part->body;
	if (variant->boundary.len == 0 && variant->mode != SPLIT_EMPTY) {
		struct transfer_result result;
		TRY(transfer_decode(walk->arena, part->transfer, part->body, &result));
		part->content = result.content;
		return ERR_OK;
	}
	if (part->depth + 1 > walk->limits->depth) {
		mark(walk, DEFECT_LIMIT_DEPTH, part, part->body_at, part->body.len);
		return ERR_OK;
	}
	size_t at = variant->body_at, end = entity->end;
	if (variant->inner) {
		source = variant->inner;
		part->content = source->bytes;
		at = 0;
		end = source->bytes.len;
	}
	size_t made = walk->tree->n_parts + walk->n_tasks;
	size_t room = made < walk->limits->parts ? walk->limits->parts - made : 0;
	TRY(split_parts(walk->arena, source, at, end, variant->boundary, variant->mode, room, &split));
	part->leaf = false;
	if (split.limited)
		mark(walk, DEFECT_LIMIT_PARTS, part, part->body_at, part->body.len);
	else if (!split.closed)
		mark(walk, DEFECT_BOUNDARY_UNCLOSED, part, part->body_at, part->body.len);
	size_t first_late = split.count;
	while (first_late > 0 && split.parts[first_late - 1].after_end)
		first_late--;
	if (first_late < split.count)
		mark(walk, DEFECT_BOUNDARY_AFTER_END, part, outer(source, split.parts[first_late].at),
		     source->decoded ? source->outer_len : end - split.parts[first_late].at);
	else if (!split.limited)
		TRY(push_outside(walk, source, part, split.epilogue_at, end, split.count + 2, DEFECT_EPILOGUE_PART));
	TRY(push_outside(walk, source, part, at, split.preamble_end, split.count + 1, DEFECT_PREAMBLE_PART));
	for (size_t i = split.count; i-- > 0;)
		TRY(push(walk, (struct task){
				       .parent = part,
				       .source = source,
				       .at = split.parts[i].at,
				       .end = split.parts[i].end,
				       .number = i + 1,
				       .reading = i >= first_late ? 0 : part->reading,
				       .digest = bytes_eq(part->type, BYTES_LIT("multipart/digest")),
			       }));
	return ERR_OK;
}

/* Makes the node of one reading whole, and sends what it holds to the stack. */
static enum err read_variant(struct walk *walk, struct mime_part *part, struct entity *entity, size_t index,
			     size_t number)
{
	const struct entity_variant *variant = &entity->variants[index];
	struct split_source *source = entity->source;
	part->header = entity->header;
	part->type = variant->type;
	part->charset = variant->charset;
	part->disposition = entity->disposition;
	part->encoding = variant->encoding;
	part->transfer = variant->transfer;
	part->boundary = variant->boundary.len > 0 ? variant->boundary : (struct bytes){0};
	part->names = entity->names;
	part->n_names = entity->n_names;
	part->multipart = entity_is_multipart(variant);
	part->body = bytes_sub(source->bytes, variant->body_at, entity->end - variant->body_at);
	part->body_at = outer(source, variant->body_at);
	enum err err;
	size_t n_before = walk->tree->n_parts;
	if (part->multipart)
		err = read_multipart(walk, source, part, entity, variant);
	else if (entity_is_message(variant))
		err = read_message(walk, source, part, entity, variant);
	else
		err = ERR_OK;
	ASSERT(n_before == walk->tree->n_parts);
	if (set_path(walk, part, number) != ERR_OK)
		return ERR_NOMEM;
	link_part(walk, part);
	if (err == ERR_OK && !part->multipart && !entity_is_message(variant))
		err = read_leaf(walk, source, part);
	return err;
}

static enum err read_entity(struct walk *walk, const struct task *task)
{
	unsigned reading = task->reading ? task->reading : new_reading(walk, task->end - task->at);
	if (reading == 0 || walk->tree->n_parts >= walk->limits->parts) {
		mark(walk, reading == 0 ? DEFECT_LIMIT_READINGS : DEFECT_LIMIT_PARTS, task->parent,
		     outer(task->source, task->at), task->end - task->at);
		return ERR_OK;
	}
	struct mime_part *part = new_part(walk, task->parent, reading);
	struct entity *entity = arena_new(walk->arena, struct entity, 1);
	if (!part || !entity)
		return ERR_NOMEM;
	entity->source = task->source;
	entity->at = task->at;
	entity->end = task->end;
	entity->digest = task->digest;
	if (task->guess) {
		entity->header = (struct header){.at = outer(task->source, task->at)};
		entity->variants[0] = (struct entity_variant){
			.type = BYTES_LIT("multipart/mixed"),
			.encoding = BYTES_LIT("7bit"),
			.boundary = split_guess(task->source, task->at, task->end),
			.body_at = task->at,
		};
		entity->n_variants = 1;
	} else {
		enum err err = entity_parse(walk->arena, &walk->limits->header, part, walk->defects, entity);
		if (err != ERR_OK) { /* what is known of the message's own header stays */
			part->header = entity->header;
			if (!part->parent)
				link_part(walk, part);
			return err;
		}
	}
	if (entity->limited)
		mark(walk, DEFECT_LIMIT_READINGS, part, DEFECT_NOWHERE, 0);
	struct task other = *task;
	other.entity = entity;
	for (other.variant = entity->n_variants; --other.variant > 0;)
		TRY(push(walk, other));
	return read_variant(walk, part, entity, 0, task->number);
}

static enum err read_other(struct walk *walk, const struct task *task)
{
	unsigned reading = walk->tree->n_parts < walk->limits->parts ? new_reading(walk, task->end - task->at) : 0;
	if (reading == 0) {
		mark(walk, DEFECT_LIMIT_READINGS, task->parent, outer(task->source, task->at), 0);
		return ERR_OK;
	}
	struct mime_part *part = new_part(walk, task->parent, reading);
	return part ? read_variant(walk, part, task->entity, task->variant, task->number) : ERR_NOMEM;
}

enum err mime_parse(struct arena *arena, struct bytes message, const struct mime_limits *limits,
		    struct defect_list *defects, struct mime_tree *ret_tree)
{
	struct walk walk = {.arena = arena, .limits = limits, .defects = defects, .tree = ret_tree, .readings = 1};
	struct split_source *source = arena_new(arena, struct split_source, 1);
	*ret_tree = (struct mime_tree){0};
	if (!source || ckd_mul(&walk.work, message.len, (size_t)WORK_FACTOR) ||
	    ckd_add(&walk.work, walk.work, WORK_BASE))
		return ERR_NOMEM;
	source->bytes = message;
	if (bytes_trim(message).len == 0)
		mark(&walk, DEFECT_EMPTY_MESSAGE, NULL, 0, message.len);
	if (message.len > UINT32_MAX)
		mark(&walk, DEFECT_LIMIT_SIZE, NULL, UINT32_MAX, message.len - UINT32_MAX);
	TRY(split_index(arena, source));
	TRY(push(&walk, (struct task){.source = source, .end = message.len, .number = 1, .reading = 1}));
	while (walk.n_tasks > 0) {
		struct task task = walk.tasks[--walk.n_tasks];
		TRY(task.entity ? read_other(&walk, &task) : read_entity(&walk, &task));
	}
	return ERR_OK;
}
