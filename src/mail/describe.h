/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/describe.h: a message as JSON, exactly as FORMATS.md section 2 says. SHA-256 is computed here and nowhere
 * before.
 */
#include "base/json.h"
#include "mail/message.h"

/* "path" to "defects", into the object that is open. `text`: with the text of the text leaves. */
void describe_message(struct json *json, struct bytes path, const struct message *message, bool text);
/* The array of all parts, under `key`. */
void describe_parts(struct json *json, const char *key, const struct message *message, bool text);
/* The keys of one part, into the object that is open, so that the caller may add more. */
void describe_part(struct json *json, const struct mime_part *part, bool text);
/* The array of all defects, under `key`. */
void describe_defects(struct json *json, const char *key, const struct message *message);
