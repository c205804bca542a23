/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/message.h"

#include "base/arena.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/text.h"
#include "mail/words.h"

#include "base/banned.h"

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
		TRY(text_read(message, message->tree.parts[i]));
	if (message->urls.limited)
		defect_add(&message->defects, (struct defect){.id = DEFECT_LIMIT_URLS, .at = DEFECT_NOWHERE});
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
