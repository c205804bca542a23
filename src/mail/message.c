/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/message.h"

#include "base/arena.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/html.h"
#include "mail/words.h"

#include "base/banned.h"

/* CRLF becomes LF; a slice when there is none. */
static enum err normalize_lines(struct arena *arena, struct bytes in, struct bytes *ret)
{
	*ret = in;
	if (bytes_find(in, BYTES_LIT("\r\n")) == BYTES_NONE)
		return ERR_OK;
	uint8_t *out = arena_alloc_raw(arena, in.len);
	size_t len = 0;
	if (!out)
		return ERR_NOMEM;
	for (size_t at = 0; at < in.len;) {
		size_t cr = bytes_find_byte(bytes_from(in, at), '\r');
		size_t n = cr == BYTES_NONE ? in.len - at : cr;
		memcpy(out + len, in.ptr + at, n);
		len += n;
		at += n;
		if (at >= in.len)
			break;
		if (at + 1 < in.len && in.ptr[at + 1] == '\n')
			at++;
		out[len++] = in.ptr[at++];
	}
	arena_shrink(arena, out, in.len, len);
	*ret = bytes_make(out, len);
	return ERR_OK;
}

/* True when a CR stands alone within the text: neither at its end nor before another one. */
static bool has_bare_cr(struct bytes text)
{
	for (size_t at = 0; at < text.len; at++) {
		size_t cr = bytes_find_byte(bytes_from(text, at), '\r');
		if (cr == BYTES_NONE)
			return false;
		at += cr;
		if (at + 1 < text.len && text.ptr[at + 1] != '\n' && text.ptr[at + 1] != '\r')
			return true;
	}
	return false;
}

static enum err read_html(struct message *message, struct mime_part *part)
{
	TRY(html_parse(message->arena, part->text, &part->html));
	const struct html_document *html = part->html;
	for (size_t i = 0; i < html->n_links; i++) {
		const struct html_link *link = &html->links[i];
		unsigned flags = URL_FROM_HTML | (link->hidden ? (unsigned)URL_HIDDEN : 0u);
		struct bytes text = link->kind == HTML_LINK_ANCHOR ? link->text : (struct bytes){0};
		TRY(url_add(message->arena, link->url, text, part, link->at, link->len, flags, &message->urls));
	}
	size_t before = message->urls.count;
	TRY(url_find(message->arena, html->visible, part, &message->urls));
	size_t visible = message->urls.count;
	TRY(url_find(message->arena, html->hidden, part, &message->urls));
	for (size_t i = before; i < message->urls.count; i++)
		message->urls.items[i].flags |= URL_FROM_HTML | (i >= visible ? (unsigned)URL_HIDDEN : 0u);
	return ERR_OK;
}

static enum err read_text(struct message *message, struct mime_part *part)
{
	struct charset_result result;
	bool html = mime_type_is(part, "text/html") || mime_type_is(part, "application/xhtml+xml");
	if (!part->leaf || (!html && !mime_type_is(part, "text/")))
		return ERR_OK;
	TRY(charset_decode(message->arena, charset_find(part->charset), part->content, &result));
	TRY(normalize_lines(message->arena, result.text, &part->text));
	if (has_bare_cr(part->text))
		defect_add(&message->defects, (struct defect){.id = DEFECT_BODY_BARE_CR,
							      .part = part,
							      .at = part->body_at,
							      .len = part->body.len});
	if (bytes_has(part->text, 0))
		defect_add(&message->defects,
			   (struct defect){
				   .id = DEFECT_BODY_NUL, .part = part, .at = part->body_at, .len = part->body.len});
	if (html)
		return read_html(message, part);
	return url_find(message->arena, part->text, part, &message->urls);
}

/*
 * The charset of raw bytes in the header: that of the first part that declares one which says something. ASCII and
 * Latin-1 are written by default and say nothing.
 */
static const struct charset *raw_charset(const struct message *message)
{
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct charset *charset = charset_find(message->tree.parts[i]->charset);
		struct bytes name = bytes_from_cstr(charset ? charset_name(charset) : "us-ascii");
		if (!bytes_eq(name, BYTES_LIT("us-ascii")) && !bytes_eq(name, BYTES_LIT("iso-8859-1")) &&
		    !bytes_eq(name, BYTES_LIT("windows-1252")) && !charset_is_utf7(charset))
			return charset;
	}
	return NULL;
}

static enum err read_addresses(struct message *message, const struct charset *raw)
{
	const struct {
		enum header_id id;
		struct address_list *list;
	} lists[] = {
		{HEADER_FROM, &message->from}, {HEADER_SENDER, &message->sender}, {HEADER_REPLY_TO, &message->reply_to},
		{HEADER_TO, &message->to},     {HEADER_CC, &message->cc},         {HEADER_BCC, &message->bcc},
	};
	for (size_t i = 0; i < message->header->count; i++) {
		const struct header_field *field = &message->header->fields[i];
		for (size_t k = 0; k < ARRAY_LEN(lists); k++)
			if (field->id == lists[k].id)
				TRY(address_parse(message->arena, field->value, raw,
						  field->at + (size_t)(field->value.ptr - field->name.ptr), field->name,
						  &message->defects, lists[k].list));
	}
	return ERR_OK;
}

static enum err read_header(struct message *message)
{
	const struct header_field *field = header_find(message->header, HEADER_SUBJECT, 0);
	const struct charset *raw = raw_charset(message);
	struct date date;
	if (field) {
		message->subject = words_decode(message->arena, field->value, raw,
						field->at + (size_t)(field->value.ptr - field->name.ptr), field->name,
						&message->defects);
		if (!message->subject.ptr)
			return ERR_NOMEM;
		message->subject = bytes_trim(message->subject);
	}
	TRY(read_addresses(message, raw));
	field = header_find(message->header, HEADER_DATE, 0);
	if (field && date_parse(field->value, &date) == ERR_OK) {
		message->has_date = true;
		message->date = date.time;
	}
	field = header_find(message->header, HEADER_MESSAGE_ID, 0);
	if (field) {
		struct bytes id = header_unfold(message->arena, field->value);
		size_t open = bytes_find_byte(id, '<');
		if (open != BYTES_NONE) {
			id = bytes_from(id, open + 1);
			size_t close = bytes_find_byte(id, '>');
			id = close == BYTES_NONE ? id : bytes_sub(id, 0, close);
		}
		id = bytes_trim(id);
		if (id.len > 0)
			message->message_id = id;
	}
	return received_parse(message->arena, message->header, &message->received);
}

/* All that needs memory; what was read before it ran out stays. */
static enum err read_all(struct message *message, const struct mime_limits *limits)
{
	enum err err = mime_parse(message->arena, message->raw, limits, &message->defects, &message->tree);
	if (message->tree.root)
		message->header = &message->tree.root->header;
	TRY(err);
	TRY(read_header(message));
	for (size_t i = 0; i < message->tree.n_parts; i++)
		TRY(read_text(message, message->tree.parts[i]));
	return ERR_OK;
}

enum err message_parse(struct arena *arena, struct bytes raw, const struct mime_limits *limits,
		       struct message **ret_message)
{
	static const struct header no_header = {0};
	struct message *message = arena_new(arena, struct message, 1);
	if (!message)
		return ERR_NOMEM;
	message->arena = arena;
	message->raw = raw;
	message->header = &no_header;
	defect_list_init(&message->defects, arena);
	/* Room for the defect that says that there was no more room. */
	message->defects.items = arena_new(arena, struct defect, DEFECT_MAX_EACH);
	if (!message->defects.items)
		return ERR_NOMEM;
	message->defects.capacity = DEFECT_MAX_EACH;
	if (read_all(message, limits) != ERR_OK)
		defect_add(&message->defects, (struct defect){.id = DEFECT_LIMIT_MEMORY, .at = DEFECT_NOWHERE});
	*ret_message = message;
	return ERR_OK;
}
