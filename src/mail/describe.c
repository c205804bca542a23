/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/describe.h"

#include "mail/date.h"
#include "mail/digest.h"
#include "mail/sniff.h"

#include "base/banned.h"

static void addresses(struct json *json, const char *key, const struct address_list *list)
{
	jsonw_array(json, key);
	for (size_t i = 0; i < list->count; i++) {
		jsonw_object(json, NULL);
		jsonw_string_or_null(json, "name", list->items[i].name);
		jsonw_string_or_null(json, "address", list->items[i].address);
		jsonw_end(json);
	}
	jsonw_end(json);
}

void describe_part(struct json *json, const struct mime_part *part, bool text)
{
	char hash[DIGEST_SHA256_HEX];
	jsonw_string(json, "part", part->path);
	jsonw_uint(json, "reading", part->reading);
	jsonw_bool(json, "leaf", part->leaf);
	jsonw_string(json, "type", part->type);
	jsonw_string_or_null(json, "charset", part->charset);
	jsonw_string_or_null(json, "name", part->n_names > 0 ? part->names[0].text : (struct bytes){0});
	jsonw_array(json, "names");
	for (size_t i = 0; i < part->n_names; i++)
		jsonw_string(json, NULL, part->names[i].text);
	jsonw_end(json);
	jsonw_string_or_null(json, "disposition", part->disposition);
	jsonw_string(json, "encoding", part->encoding);
	jsonw_uint(json, "size", part->content.len);
	digest_sha256_hex(part->content, hash);
	jsonw_cstr(json, "sha256", hash);
	struct sniff sniff = part->leaf ? sniff_content(part->content) : (struct sniff){.encrypted = SNIFF_UNKNOWN};
	if (sniff.type)
		jsonw_cstr(json, "true_type", sniff.type);
	else
		jsonw_null(json, "true_type");
	if (sniff.encrypted == SNIFF_UNKNOWN)
		jsonw_null(json, "encrypted");
	else
		jsonw_bool(json, "encrypted", sniff.encrypted == SNIFF_ENCRYPTED);
	if (text && part->leaf && mime_type_is(part, "text/"))
		jsonw_string(json, "text", part->text);
}

void describe_parts(struct json *json, const char *key, const struct message *message, bool text)
{
	jsonw_array(json, key);
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		jsonw_object(json, NULL);
		describe_part(json, message->tree.parts[i], text);
		jsonw_end(json);
	}
	jsonw_end(json);
}

/* True when an earlier one says the same of the same place: readings share places, and one of them is enough. */
static bool said_before(const struct defect_list *list, size_t i)
{
	const struct defect *defect = &list->items[i];
	for (size_t k = 0; k < i; k++) {
		const struct defect *other = &list->items[k];
		if (other->id == defect->id && other->at == defect->at && other->len == defect->len &&
		    !other->part == !defect->part &&
		    (!other->part || bytes_eq(other->part->path, defect->part->path)) &&
		    bytes_eq(other->header, defect->header))
			return true;
	}
	return false;
}

void describe_defects(struct json *json, const char *key, const struct message *message)
{
	jsonw_array(json, key);
	for (size_t i = 0; i < message->defects.count; i++) {
		const struct defect *defect = &message->defects.items[i];
		if (said_before(&message->defects, i))
			continue;
		jsonw_object(json, NULL);
		jsonw_cstr(json, "id", defect_name(defect->id));
		jsonw_string_or_null(json, "part", defect->part ? defect->part->path : (struct bytes){0});
		jsonw_string_or_null(json, "header", defect->header.len > 0 ? defect->header : (struct bytes){0});
		if (defect->at == DEFECT_NOWHERE) {
			jsonw_null(json, "at");
			jsonw_null(json, "len");
		} else {
			jsonw_uint(json, "at", defect->at);
			jsonw_uint(json, "len", defect->len);
		}
		jsonw_bool(json, "ambiguous", defect_ambiguous(defect->id));
		jsonw_cstr(json, "text", defect_text(defect->id));
		jsonw_end(json);
	}
	jsonw_end(json);
}

void describe_message(struct json *json, struct bytes path, const struct message *message, bool text)
{
	char hash[DIGEST_SHA256_HEX], date[21];
	jsonw_string(json, "path", path);
	jsonw_uint(json, "size", message->raw.len);
	digest_sha256_hex(message->raw, hash);
	jsonw_cstr(json, "sha256", hash);
	jsonw_string_or_null(json, "subject", message->subject);
	addresses(json, "from", &message->from);
	addresses(json, "sender", &message->sender);
	addresses(json, "reply_to", &message->reply_to);
	addresses(json, "to", &message->to);
	addresses(json, "cc", &message->cc);
	addresses(json, "bcc", &message->bcc);
	if (message->has_date) {
		date_format_rfc3339(message->date, date);
		jsonw_cstr(json, "date", date);
	} else {
		jsonw_null(json, "date");
	}
	jsonw_string_or_null(json, "message_id", message->message_id);
	describe_parts(json, "parts", message, text);
	describe_defects(json, "defects", message);
}
