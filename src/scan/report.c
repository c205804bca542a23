/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report.h"

#include "base/buf.h"
#include "base/escape.h"
#include "base/json.h"
#include "mail/describe.h"
#include "mail/digest.h"

#include "base/banned.h"

static void evidence_item(struct json *json, const struct evidence *evidence)
{
	json_object(json, NULL);
	json_cstr(json, "id", evidence->check->symbol);
	json_milli(json, "weight", evidence->weight);
	json_string(json, "text", evidence->text_en);
	json_string_or_null(json, "part", evidence->part);
	if (evidence->at == DEFECT_NOWHERE) {
		json_null(json, "at");
		json_null(json, "len");
	} else {
		json_uint(json, "at", evidence->at);
		json_uint(json, "len", evidence->len);
	}
	json_string_or_null(json, "snippet", evidence->snippet);
	json_string(json, "text_ja", evidence->text_ja);
	if (evidence->overruled)
		json_bool(json, "overruled", true);
	json_end(json);
}

void report_evidence(struct json *json, const char *key, const struct verdict *verdict)
{
	json_array(json, key);
	for (size_t i = 0; i < verdict->n_evidence; i++)
		evidence_item(json, &verdict->evidence[i]);
	json_end(json);
}

static void urls(struct json *json, const struct message *message)
{
	json_array(json, "urls");
	for (size_t i = 0; i < message->urls.count; i++) {
		const struct url *url = &message->urls.items[i];
		json_object(json, NULL);
		json_string(json, "url", url->url);
		json_string_or_null(json, "text", url->text);
		json_string_or_null(json, "part", url->part ? url->part->path : (struct bytes){0});
		json_end(json);
	}
	json_end(json);
}

/* Nobody has looked at authentication yet: every result is absent. */
static void auth(struct json *json)
{
	json_object(json, "auth");
	json_null(json, "spf");
	json_array(json, "dkim");
	json_end(json);
	json_null(json, "dmarc");
	json_null(json, "arc");
	json_end(json);
}

static void usec_object(struct json *json, const struct scan_usec *usec)
{
	json_object(json, "usec");
	json_uint(json, "parse", usec->parse);
	json_uint(json, "unpack", usec->unpack);
	json_uint(json, "checks", usec->checks);
	json_uint(json, "total", usec->total);
	json_end(json);
}

void report_json(struct buf *buf, const struct scan *scan, struct bytes path, const struct scan_usec *usec)
{
	const struct message *message = scan_message(scan);
	const struct verdict *verdict = scan_verdict(scan);
	char hash[DIGEST_SHA256_HEX];
	struct json json;
	json_init(&json, buf);
	json_object(&json, NULL);
	json_string(&json, "path", path);
	json_uint(&json, "size", message->raw.len);
	digest_sha256_hex(message->raw, hash);
	json_cstr(&json, "sha256", hash);
	json_cstr(&json, "class", verdict_class_name(verdict->class));
	json_double(&json, "probability", verdict->probability);
	json_cstr(&json, "action", verdict_action_name(verdict->action));
	report_evidence(&json, "evidence", verdict);
	describe_defects(&json, "defects", message);
	describe_parts(&json, "parts", message, false);
	urls(&json, message);
	auth(&json);
	json_array(&json, "genes");
	json_end(&json);
	usec_object(&json, usec);
	json_end(&json);
}

void report_verdict(struct buf *buf, const struct verdict *verdict)
{
	struct json json;
	json_init(&json, buf);
	json_object(&json, NULL);
	json_cstr(&json, "class", verdict_class_name(verdict->class));
	json_int(&json, "log_odds", verdict->log_odds);
	json_cstr(&json, "action", verdict_action_name(verdict->action));
	report_evidence(&json, "evidence", verdict);
	json_end(&json);
}

void report_text(struct buf *buf, const struct scan *scan, struct bytes path, bool why, bool japanese)
{
	const struct verdict *verdict = scan_verdict(scan);
	escape_plain(buf, path);
	buf_printf(buf, ": %s (%.3f), %s\n", verdict_class_name(verdict->class), verdict->probability,
		   verdict_action_name(verdict->action));
	for (size_t i = 0; why && i < verdict->n_evidence; i++) {
		const struct evidence *evidence = &verdict->evidence[i];
		buf_printf(buf, "  %+6.2f  ", (double)evidence->weight / 1000);
		escape_plain(buf, japanese ? evidence->text_ja : evidence->text_en);
		buf_printf(buf, " [%s%s]\n", evidence->check->symbol, evidence->overruled ? ", overruled" : "");
	}
}
