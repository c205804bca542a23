/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/canon.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "mail/header.h"

#include "base/banned.h"

/* -- The message in lines ---- */

struct line {
	struct bytes text; /* without CRLF or LF */
	size_t next;       /* where the next begins */
};

static struct line line_at(struct bytes all, size_t at)
{
	struct bytes rest = bytes_from(all, at);
	size_t lf = bytes_find_byte(rest, '\n');
	if (lf == BYTES_NONE)
		return (struct line){rest, all.len};
	size_t len = lf > 0 && rest.ptr[lf - 1] == '\r' ? lf - 1 : lf;
	return (struct line){bytes_sub(rest, 0, len), at + lf + 1};
}

/* Whether it is a field that relays and signers put on top of a message, as they find it: an mbox's first line too. */
static bool is_put_on_top(struct bytes name)
{
	static const struct bytes names[] = {BYTES_INIT("dkim-signature"), BYTES_INIT("authentication-results"),
					     BYTES_INIT("received"), BYTES_INIT("received-spf"),
					     BYTES_INIT("return-path")};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bytes_eq_nocase(name, names[i]))
			return true;
	return bytes_starts_nocase(name, BYTES_LIT("arc-"));
}

/* What continues a field that is none is left out with it. */
static enum err split(struct canon_message *message)
{
	struct bytes raw = message->raw;
	size_t capacity = 0, at = 0, colon = 0;
	bool in_field = false, only_put_on_top = true;
	message->body = bytes_from(raw, raw.len);
	while (at < raw.len) {
		struct line line = line_at(raw, at);
		if (line.text.len == 0) {
			message->body = bytes_from(raw, line.next);
			break;
		}
		if (line.next > CANON_HEADER_MAX || message->n_fields == CANON_FIELDS_MAX) {
			message->too_large = true;
			message->left_at = at;
			break;
		}
		size_t name_len;
		if (ascii_is_blank(line.text.ptr[0])) {
			message->junk = message->junk || !in_field;
			if (in_field) {
				struct canon_field *field = &message->fields[message->n_fields - 1];
				size_t end = at + line.text.len;
				field->raw.len = end - field->at;
				field->value.len = (size_t)(raw.ptr + end - field->value.ptr);
			}
		} else if ((name_len = header_name_length(line.text, &colon)) > 0) {
			struct canon_field *fields = arena_grow(message->arena, message->fields, &capacity,
								message->n_fields, sizeof(*fields));
			if (!fields)
				return ERR_NOMEM;
			message->fields = fields;
			fields[message->n_fields++] = (struct canon_field){
				.raw = line.text,
				.name = bytes_sub(line.text, 0, name_len),
				.value = bytes_from(line.text, colon + 1),
				.at = at,
			};
			in_field = true;
			only_put_on_top = only_put_on_top && is_put_on_top(fields[message->n_fields - 1].name);
		} else {
			in_field = false;
			message->junk =
				message->junk || !only_put_on_top || !bytes_starts(line.text, BYTES_LIT("From "));
		}
		at = line.next;
	}
	return ERR_OK;
}

static int name_cmp(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	for (size_t i = 0; i < a.len; i++) {
		uint8_t x = ascii_lower(a.ptr[i]), y = ascii_lower(b.ptr[i]);
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

struct indexed {
	struct bytes name;
	size_t field;
};

static int by_name_bottom_first(const void *a, const void *b)
{
	const struct indexed *x = a, *y = b;
	int cmp = name_cmp(x->name, y->name);
	return cmp != 0 ? cmp : x->field > y->field ? -1 : 1;
}

static enum err group(struct canon_message *message)
{
	size_t n = message->n_fields;
	if (n == 0)
		return ERR_OK;
	struct indexed *sorted = arena_new(message->arena, struct indexed, n);
	size_t *fields = arena_new(message->arena, size_t, n);
	message->names = arena_new(message->arena, struct canon_name, n);
	if (!sorted || !fields || !message->names)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct indexed){message->fields[i].name, i};
	qsort(sorted, n, sizeof(sorted[0]), by_name_bottom_first);
	for (size_t i = 0; i < n; i++) {
		fields[i] = sorted[i].field;
		if (i == 0 || name_cmp(sorted[i].name, sorted[i - 1].name) != 0)
			message->names[message->n_names++] =
				(struct canon_name){.name = sorted[i].name, .fields = &fields[i]};
		message->names[message->n_names - 1].count++;
	}
	return ERR_OK;
}

enum err canon_message_read(struct arena *arena, struct bytes raw, struct canon_message **ret_message)
{
	struct canon_message *message = arena_new(arena, struct canon_message, 1);
	if (!message)
		return ERR_NOMEM;
	message->arena = arena;
	message->raw = raw;
	size_t lf = bytes_find_byte(raw, '\n');
	message->crlf = lf == BYTES_NONE || (lf > 0 && raw.ptr[lf - 1] == '\r');
	TRY(split(message));
	TRY(group(message));
	*ret_message = message;
	return ERR_OK;
}

static int compare_name(const void *key, const void *element)
{
	const struct bytes *name = key;
	const struct canon_name *other = element;
	return name_cmp(*name, other->name);
}

const struct canon_name *canon_message_name(const struct canon_message *message, struct bytes name)
{
	if (message->n_names == 0)
		return NULL;
	return bsearch(&name, message->names, message->n_names, sizeof(message->names[0]), compare_name);
}

size_t canon_message_beyond(const struct canon_message *message, struct bytes name)
{
	size_t n = 0, colon = 0;
	for (size_t at = message->left_at; message->too_large && at < message->raw.len;) {
		struct line line = line_at(message->raw, at);
		if (line.text.len == 0)
			break;
		size_t len = ascii_is_blank(line.text.ptr[0]) ? 0 : header_name_length(line.text, &colon);
		n += len > 0 && bytes_eq_nocase(bytes_sub(line.text, 0, len), name);
		at = line.next;
	}
	return n;
}

/* -- A buffer before the hash, which takes large pieces faster than many small ones ---- */

struct snapshot {
	uint64_t at; /* bytes hashed */
	uint8_t digest[CRYPTO_SHA256_LEN];
};

struct sink {
	struct crypto_hash *hash;
	struct snapshot *snapshots; /* ascending */
	size_t n_snapshots, taken;
	uint64_t done; /* bytes given to the hash */
	enum err err;
	size_t len;
	uint8_t buf[2048];
};

static void sink_hash(struct sink *sink, struct bytes data)
{
	for (;;) {
		struct snapshot *next = sink->taken < sink->n_snapshots ? &sink->snapshots[sink->taken] : NULL;
		size_t n = next && next->at - sink->done < data.len ? (size_t)(next->at - sink->done) : data.len;
		crypto_hash_add(sink->hash, bytes_sub(data, 0, n));
		sink->done += n;
		data = bytes_from(data, n);
		if (!next || next->at != sink->done)
			return;
		struct crypto_hash *copy = crypto_hash_clone(sink->hash);
		if (copy)
			crypto_hash_finish(copy, next->digest);
		else
			sink->err = ERR_NOMEM;
		crypto_hash_free(&copy);
		sink->taken++;
	}
}

static void sink_flush(struct sink *sink)
{
	sink_hash(sink, bytes_make(sink->buf, sink->len));
	sink->len = 0;
}

static void sink_add(struct sink *sink, struct bytes data)
{
	if (data.len > sizeof(sink->buf) - sink->len)
		sink_flush(sink);
	if (data.len > sizeof(sink->buf)) {
		sink_hash(sink, data);
	} else if (data.len > 0) {
		memcpy(sink->buf + sink->len, data.ptr, data.len);
		sink->len += data.len;
	}
}

static inline void sink_byte(struct sink *sink, uint8_t byte)
{
	if (sink->len == sizeof(sink->buf))
		sink_flush(sink);
	sink->buf[sink->len++] = byte;
}

static void sink_crlf(struct sink *sink)
{
	sink_byte(sink, '\r');
	sink_byte(sink, '\n');
}

/* -- Header fields ---- */

/* RFC 6376 3.4.1, with the line ends of SMTP. */
static void simple_field(struct sink *sink, struct bytes raw)
{
	for (size_t at = 0; at < raw.len;) {
		struct line line = line_at(raw, at);
		sink_add(sink, line.text);
		if (raw.ptr[line.next - 1] == '\n')
			sink_crlf(sink);
		at = line.next;
	}
}

struct relaxed {
	bool any;   /* something of the value was written */
	bool blank; /* and then there were blanks */
};

/* RFC 6376 3.4.2: line ends go, runs of blanks become one space, those around the value go. */
static void relaxed_text(struct sink *sink, struct relaxed *state, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '\n' || (c == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n'))
			continue;
		if (ascii_is_blank(c)) {
			state->blank = true;
			continue;
		}
		if (state->blank && state->any)
			sink_byte(sink, ' ');
		sink_byte(sink, c);
		*state = (struct relaxed){.any = true};
	}
}

static void relaxed_field(struct sink *sink, struct bytes raw, size_t from, size_t to)
{
	struct relaxed state = {0};
	size_t colon = 0;
	size_t name_len = header_name_length(raw, &colon);
	for (size_t i = 0; i < name_len; i++)
		sink_byte(sink, ascii_lower(raw.ptr[i]));
	sink_byte(sink, ':');
	relaxed_text(sink, &state, bytes_sub(raw, colon + 1, from - colon - 1));
	relaxed_text(sink, &state, bytes_from(raw, to));
}

void canon_signature_hash(struct crypto_hash *hash, enum canon canon, struct bytes raw, size_t from, size_t to)
{
	struct sink sink = {.hash = hash};
	if (canon == CANON_RELAXED) {
		relaxed_field(&sink, raw, from, to);
	} else {
		simple_field(&sink, bytes_sub(raw, 0, from));
		simple_field(&sink, bytes_from(raw, to));
	}
	sink_flush(&sink);
}

static void add_field(struct sink *sink, enum canon canon, struct bytes raw)
{
	if (canon == CANON_RELAXED)
		relaxed_field(sink, raw, raw.len, raw.len);
	else
		simple_field(sink, raw);
	sink_crlf(sink);
}

void canon_field_hash(struct crypto_hash *hash, enum canon canon, struct bytes raw)
{
	struct sink sink = {.hash = hash};
	add_field(&sink, canon, raw);
	sink_flush(&sink);
}

enum err canon_header_hash(const struct canon_message *message, struct crypto_hash *hash, enum canon canon,
			   const struct bytes *names, size_t n_names, size_t skip)
{
	struct sink sink = {.hash = hash};
	struct arena_mark mark = arena_mark(message->arena);
	size_t *taken = arena_new(message->arena, size_t, message->n_names + 1);
	if (!taken)
		return ERR_NOMEM;
	for (size_t i = 0; i < n_names; i++) {
		const struct canon_name *name = canon_message_name(message, names[i]);
		if (!name)
			continue;
		size_t *next = &taken[name - message->names];
		if (*next < name->count && name->fields[*next] == skip)
			++*next;
		if (*next < name->count)
			add_field(&sink, canon, message->fields[name->fields[(*next)++]].raw);
	}
	sink_flush(&sink);
	arena_rewind(message->arena, mark);
	return ERR_OK;
}

/* -- The body ---- */

/* A line of RFC 6376 3.4.4; true when something was written. `*empty` are the empty lines before it that wait. */
static bool relaxed_line(struct sink *sink, struct bytes text, uint64_t empty)
{
	size_t end = text.len;
	while (end > 0 && ascii_is_blank(text.ptr[end - 1]))
		end--;
	if (end == 0)
		return false;
	while (empty-- > 0)
		sink_crlf(sink);
	for (size_t i = 0; i < end;) {
		size_t start = i;
		/* A single space stays as it is; the last byte is no blank, so there is always a next one. */
		while (i < end &&
		       (!ascii_is_blank(text.ptr[i]) || (text.ptr[i] == ' ' && !ascii_is_blank(text.ptr[i + 1]))))
			i++;
		sink_add(sink, bytes_sub(text, start, i - start));
		if (i == end)
			break;
		sink_byte(sink, ' ');
		while (i < end && ascii_is_blank(text.ptr[i]))
			i++;
	}
	return true;
}

/* Empty lines at the end do not count (RFC 6376 3.4.3); the last line gets the end that it lacks. */
static void hash_body(struct sink *sink, enum canon canon, struct bytes body)
{
	uint64_t empty = 0;
	bool any = false;
	for (size_t at = 0; at < body.len;) {
		struct line line = line_at(body, at);
		at = line.next;
		if (canon == CANON_RELAXED) {
			if (!relaxed_line(sink, line.text, empty)) {
				empty++;
				continue;
			}
		} else {
			if (line.text.len == 0) {
				empty++;
				continue;
			}
			while (empty-- > 0)
				sink_crlf(sink);
			sink_add(sink, line.text);
		}
		sink_crlf(sink);
		empty = 0;
		any = true;
	}
	if (!any && canon == CANON_SIMPLE)
		sink_crlf(sink);
}

struct canon_body_hash {
	struct canon_body_hash *next;
	struct canon_want want;
	struct canon_body body;
};

static const struct canon_body *find_body(const struct canon_message *message, struct canon_want want)
{
	for (const struct canon_body_hash *hash = message->bodies; hash; hash = hash->next)
		if (hash->want.canon == want.canon && hash->want.length == want.length)
			return &hash->body;
	return NULL;
}

static enum err keep_body(struct canon_message *message, enum canon canon, const struct snapshot *snapshot,
			  uint64_t length)
{
	struct canon_body_hash *hash = arena_new(message->arena, struct canon_body_hash, 1);
	if (!hash)
		return ERR_NOMEM;
	hash->want = (struct canon_want){canon, snapshot->at};
	hash->body.length = length;
	memcpy(hash->body.digest, snapshot->digest, sizeof(hash->body.digest));
	hash->next = message->bodies;
	message->bodies = hash;
	return ERR_OK;
}

static int by_position(const void *a, const void *b)
{
	const struct snapshot *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Hashes the body once, taking a digest at each length that is wanted and not known. */
static enum err hash_lengths(struct canon_message *message, enum canon canon, const struct canon_want *wants, size_t n)
{
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = NULL;
	struct snapshot *snapshots = arena_new(message->arena, struct snapshot, n);
	size_t found = 0, distinct = 0;
	if (!snapshots)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (wants[i].canon == canon && !find_body(message, wants[i]))
			snapshots[found++].at = wants[i].length;
	if (found == 0)
		return ERR_OK;
	qsort(snapshots, found, sizeof(snapshots[0]), by_position);
	for (size_t i = 0; i < found; i++)
		if (i == 0 || snapshots[i].at != snapshots[distinct - 1].at)
			snapshots[distinct++] = snapshots[i];
	hash = crypto_hash_new();
	if (!hash)
		return ERR_NOMEM;
	struct sink sink = {.hash = hash, .snapshots = snapshots, .n_snapshots = distinct};
	hash_body(&sink, canon, message->body);
	sink_flush(&sink);
	TRY(sink.err);
	uint8_t whole[CRYPTO_SHA256_LEN];
	crypto_hash_finish(hash, whole);
	for (size_t i = sink.taken; i < distinct; i++)
		memcpy(snapshots[i].digest, whole, sizeof(whole));
	for (size_t i = 0; i < distinct; i++)
		TRY(keep_body(message, canon, &snapshots[i], sink.done));
	return ERR_OK;
}

enum err canon_body_hash(struct canon_message *message, const struct canon_want *wants, size_t n,
			 struct canon_body *ret)
{
	if (n == 0)
		return ERR_OK;
	TRY(hash_lengths(message, CANON_SIMPLE, wants, n));
	TRY(hash_lengths(message, CANON_RELAXED, wants, n));
	for (size_t i = 0; i < n; i++)
		ret[i] = *find_body(message, wants[i]);
	return ERR_OK;
}
