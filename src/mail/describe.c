/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/describe.h"

#include "mail/date.h"
#include "mail/digest.h"
#include "mail/sniff.h"

#include "base/banned.h"

static void addresses(struct json *json, const char *key, const struct address_list *list)
{
	json_array(json, key);
	for (size_t i = 0; i < list->count; i++) {
		json_object(json, NULL);
		json_string_or_null(json, "name", list->items[i].name);
		json_string_or_null(json, "address", list->items[i].address);
		json_end(json);
	}
	json_end(json);
}

void describe_part(struct json *json, const struct mime_part *part, bool text)
{
	char hash[DIGEST_SHA256_HEX];
	json_string(json, "part", part->path);
	json_uint(json, "reading", part->reading);
	json_bool(json, "leaf", part->leaf);
	json_string(json, "type", part->type);
	json_string_or_null(json, "charset", part->charset);
	json_string_or_null(json, "name", part->n_names > 0 ? part->names[0].text : (struct bytes){0});
	json_array(json, "names");
	for (size_t i = 0; i < part->n_names; i++)
		json_string(json, NULL, part->names[i].text);
	json_end(json);
	json_string_or_null(json, "disposition", part->disposition);
	json_string(json, "encoding", part->encoding);
	json_uint(json, "size", part->content.len);
	digest_sha256_hex(part->content, hash);
	json_cstr(json, "sha256", hash);
	struct sniff sniff = part->leaf ? sniff_content(part->content) : (struct sniff){.encrypted = SNIFF_UNKNOWN};
	if (sniff.type)
		json_cstr(json, "true_type", sniff.type);
	else
		json_null(json, "true_type");
	if (sniff.encrypted == SNIFF_UNKNOWN)
		json_null(json, "encrypted");
	else
		json_bool(json, "encrypted", sniff.encrypted == SNIFF_ENCRYPTED);
	if (text && part->leaf && mime_type_is(part, "text/"))
		json_string(json, "text", part->text);
}

void describe_parts(struct json *json, const char *key, const struct message *message, bool text)
{
	json_array(json, key);
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		json_object(json, NULL);
		describe_part(json, message->tree.parts[i], text);
		json_end(json);
	}
	json_end(json);
}

void describe_defects(struct json *json, const char *key, const struct message *message)
{
	json_array(json, key);
	for (size_t i = 0; i < message->defects.count; i++) {
		const struct defect *defect = &message->defects.items[i];
		json_object(json, NULL);
		json_cstr(json, "id", defect_name(defect->id));
		json_string_or_null(json, "part", defect->part ? defect->part->path : (struct bytes){0});
		json_string_or_null(json, "header", defect->header.len > 0 ? defect->header : (struct bytes){0});
		if (defect->at == DEFECT_NOWHERE) {
			json_null(json, "at");
			json_null(json, "len");
		} else {
			json_uint(json, "at", defect->at);
			json_uint(json, "len", defect->len);
		}
		json_bool(json, "ambiguous", defect_ambiguous(defect->id));
		json_cstr(json, "text", defect_text(defect->id));
		json_end(json);
	}
	json_end(json);
}

void describe_message(struct json *json, struct bytes path, const struct message *message, bool text)
{
	char hash[DIGEST_SHA256_HEX], date[21];
	json_string(json, "path", path);
	json_uint(json, "size", message->raw.len);
	digest_sha256_hex(message->raw, hash);
	json_cstr(json, "sha256", hash);
	json_string_or_null(json, "subject", message->subject);
	addresses(json, "from", &message->from);
	addresses(json, "sender", &message->sender);
	addresses(json, "reply_to", &message->reply_to);
	addresses(json, "to", &message->to);
	addresses(json, "cc", &message->cc);
	addresses(json, "bcc", &message->bcc);
	if (message->has_date) {
		date_format_rfc3339(message->date, date);
		json_cstr(json, "date", date);
	} else {
		json_null(json, "date");
	}
	json_string_or_null(json, "message_id", message->message_id);
	describe_parts(json, "parts", message, text);
	describe_defects(json, "defects", message);
}
