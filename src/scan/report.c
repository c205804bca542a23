/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report.h"

#include "base/buf.h"
#include "base/escape.h"
#include "base/json.h"
#include "mail/describe.h"
#include "mail/digest.h"
#include "scan/auth.h"

#include "base/banned.h"

static void evidence_item(struct json *json, const struct evidence *evidence)
{
	jsonw_object(json, NULL);
	jsonw_cstr(json, "id", evidence->check->symbol);
	jsonw_milli(json, "weight", evidence->weight);
	jsonw_string(json, "text", evidence->text_en);
	jsonw_string_or_null(json, "part", evidence->part);
	if (evidence->at == DEFECT_NOWHERE) {
		jsonw_null(json, "at");
		jsonw_null(json, "len");
	} else {
		jsonw_uint(json, "at", evidence->at);
		jsonw_uint(json, "len", evidence->len);
	}
	jsonw_string_or_null(json, "snippet", evidence->snippet);
	jsonw_string(json, "text_ja", evidence->text_ja);
	if (evidence->overruled)
		jsonw_bool(json, "overruled", true);
	jsonw_end(json);
}

void report_evidence(struct json *json, const char *key, const struct verdict *verdict)
{
	jsonw_array(json, key);
	for (size_t i = 0; i < verdict->n_evidence; i++)
		evidence_item(json, &verdict->evidence[i]);
	jsonw_end(json);
}

static void urls(struct json *json, const struct message *message)
{
	jsonw_array(json, "urls");
	for (size_t i = 0; i < message->urls.count; i++) {
		const struct url *url = &message->urls.items[i];
		jsonw_object(json, NULL);
		jsonw_string(json, "url", url->url);
		jsonw_string_or_null(json, "text", url->text);
		jsonw_string_or_null(json, "part", url->part ? url->part->path : (struct bytes){0});
		jsonw_end(json);
	}
	jsonw_end(json);
}

static void usec_object(struct json *json, const struct scan_usec *usec)
{
	jsonw_object(json, "usec");
	jsonw_uint(json, "parse", usec->parse);
	jsonw_uint(json, "unpack", usec->unpack);
	jsonw_uint(json, "checks", usec->checks);
	jsonw_uint(json, "total", usec->total);
	jsonw_end(json);
}

void report_json(struct buf *buf, const struct scan *scan, struct bytes path, const struct scan_usec *usec)
{
	const struct message *message = scan_message(scan);
	const struct verdict *verdict = scan_verdict(scan);
	char hash[DIGEST_SHA256_HEX];
	struct json json;
	jsonw_init(&json, buf);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "path", path);
	jsonw_uint(&json, "size", message->raw.len);
	digest_sha256_hex(message->raw, hash);
	jsonw_cstr(&json, "sha256", hash);
	jsonw_cstr(&json, "class", verdict_class_name(verdict->class));
	jsonw_double(&json, "probability", verdict->probability);
	jsonw_cstr(&json, "action", verdict_action_name(verdict->action));
	report_evidence(&json, "evidence", verdict);
	describe_defects(&json, "defects", message);
	describe_parts(&json, "parts", message, false);
	urls(&json, message);
	jsonw_object(&json, "auth");
	scan_auth_json(&json, scan_auth_result(scan), false);
	jsonw_end(&json);
	jsonw_array(&json, "genes");
	jsonw_end(&json);
	usec_object(&json, usec);
	jsonw_end(&json);
}

void report_verdict(struct buf *buf, const struct verdict *verdict)
{
	struct json json;
	jsonw_init(&json, buf);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "class", verdict_class_name(verdict->class));
	jsonw_int(&json, "log_odds", verdict->log_odds);
	jsonw_cstr(&json, "action", verdict_action_name(verdict->action));
	report_evidence(&json, "evidence", verdict);
	jsonw_end(&json);
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
