/* SPDX-License-Identifier: Apache-2.0 */
/* One report of DMARC or TLS, as text and as JSON. */
#include <stdio.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/dmarc.h"
#include "cli/history.h"
#include "mail/date.h"

#include "base/banned.h"

static const char *aligned_word(enum report_aligned aligned)
{
	return aligned == REPORT_PASS ? "pass" : aligned == REPORT_FAIL ? "fail" : "-";
}

/* -- Text ---- */

static void field(struct buf *out, const char *name, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_printf(out, "  %-10s ", name);
	history_text(out, value, 300);
	buf_add_byte(out, '\n');
}

static void period(struct buf *out, int64_t begin, int64_t end)
{
	char from[21], to[21];
	date_format_rfc3339(begin, from);
	date_format_rfc3339(end, to);
	buf_printf(out, "  %-10s %s to %s\n", "period", from, to);
}

static void head(struct buf *out, const char *kind, struct bytes about, struct bytes org, struct bytes path)
{
	buf_add_cstr(out, kind);
	history_text(out, about, 200);
	buf_add_cstr(out, " by ");
	history_text(out, org.len ? org : BYTES_LIT("somebody unnamed"), 200);
	buf_add_cstr(out, " (");
	history_text(out, path, 300);
	buf_add_cstr(out, ")\n");
}

static void tag(struct buf *out, const char *name, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_printf(out, " %s=", name);
	history_text(out, value, 40);
}

static void results(struct buf *out, const char *kind, const struct report_result *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s%s ", i == 0 ? "; " : ", ", i == 0 ? kind : "");
		if (i > 0)
			out->len--;
		history_text(out, items[i].domain, 80);
		if (items[i].selector.len > 0) {
			buf_add_byte(out, '/');
			history_text(out, items[i].selector, 40);
		}
		buf_add_byte(out, ' ');
		history_text(out, items[i].result, 20);
	}
}

static void show_record(struct buf *out, const struct report_record *record, int width)
{
	buf_printf(out, "  %-*.*s %12llu  ", width, BYTES_FMT(record->source_ip), (unsigned long long)record->count);
	size_t at = out->len;
	history_text(out, record->disposition.len ? record->disposition : BYTES_LIT("-"), 12);
	buf_printf(out, "%*s %-5s %-5s ", (int)(12 - MIN(out->len - at, (size_t)12)), "", aligned_word(record->dkim),
		   aligned_word(record->spf));
	history_text(out, record->header_from, 80);
	if (record->envelope_from.len > 0) {
		buf_add_cstr(out, "; envelope ");
		history_text(out, record->envelope_from, 80);
	}
	results(out, "dkim", record->dkim_results, record->n_dkim);
	results(out, "spf", record->spf_results, record->n_spf);
	for (size_t i = 0; i < record->n_reasons; i++) {
		buf_add_cstr(out, "; because ");
		history_text(out, record->reasons[i].type, 40);
		if (record->reasons[i].comment.len > 0) {
			buf_add_cstr(out, ": ");
			history_text(out, record->reasons[i].comment, 100);
		}
	}
	buf_add_byte(out, '\n');
}

static void show_dmarc(struct buf *out, struct bytes path, const struct report_dmarc *report)
{
	const struct report_policy *policy = &report->policy;
	int width = 9;
	head(out, "DMARC report on ", policy->domain, report->org, path);
	period(out, report->begin, report->end);
	field(out, "id", report->report_id);
	field(out, "contact", report->email);
	field(out, "", report->contact);
	field(out, "generator", report->generator);
	field(out, "error", report->error);
	buf_printf(out, "  %-10s", "policy");
	tag(out, "p", policy->p);
	tag(out, "sp", policy->sp);
	tag(out, "np", policy->np);
	tag(out, "adkim", policy->adkim);
	tag(out, "aspf", policy->aspf);
	tag(out, "fo", policy->fo);
	tag(out, "pct", policy->pct);
	tag(out, "t", policy->testing);
	tag(out, "found-by", policy->discovery_method);
	buf_add_byte(out, '\n');
	for (size_t i = 0; i < report->n_records; i++)
		width = MAX(width, (int)report->records[i].source_ip.len);
	buf_printf(out, "  %-*s %12s  %-12s %-5s %-5s %s\n", width, "SOURCE", "MESSAGES", "DISPOSITION", "DKIM", "SPF",
		   "FROM");
	for (size_t i = 0; i < report->n_records; i++)
		show_record(out, &report->records[i], width);
}

static void show_tls(struct buf *out, struct bytes path, const struct report_tls *report)
{
	head(out, "TLS report on ", report->n_policies ? report->policies[0].domain : BYTES_LIT("nothing"), report->org,
	     path);
	period(out, report->begin, report->end);
	field(out, "id", report->report_id);
	field(out, "contact", report->contact);
	for (size_t i = 0; i < report->n_policies; i++) {
		const struct report_tls_policy *policy = &report->policies[i];
		buf_add_cstr(out, "  ");
		history_text(out, policy->domain, 100);
		buf_add_cstr(out, " (");
		history_text(out, policy->type.len ? policy->type : BYTES_LIT("policy unknown"), 30);
		buf_printf(out, "): %llu sessions with TLS, %llu failed\n", (unsigned long long)policy->successful,
			   (unsigned long long)policy->failed);
		for (size_t k = 0; k < policy->n_failures; k++) {
			const struct report_tls_failure *failure = &policy->failures[k];
			buf_printf(out, "  %12llu  ", (unsigned long long)failure->sessions);
			history_text(out, failure->result_type.len ? failure->result_type : BYTES_LIT("unknown"), 60);
			tag(out, "mx", failure->receiving_mx);
			tag(out, "to", failure->receiving_ip);
			tag(out, "from", failure->sending_ip);
			tag(out, "reason", failure->reason);
			tag(out, "see", failure->additional);
			buf_add_byte(out, '\n');
		}
	}
}

void dmarc_show_text(struct buf *out, struct bytes path, const struct report *report)
{
	if (report->kind == REPORT_DMARC)
		show_dmarc(out, path, &report->dmarc);
	else
		show_tls(out, path, &report->tls);
}

/* -- JSON ---- */

static void string_if(struct json *json, const char *key, struct bytes value)
{
	if (value.ptr)
		jsonw_string(json, key, value);
}

static void json_results(struct json *json, const char *key, const struct report_result *items, size_t n)
{
	jsonw_array(json, key);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(json, NULL);
		string_if(json, "domain", items[i].domain);
		string_if(json, "selector", items[i].selector);
		string_if(json, "scope", items[i].scope);
		string_if(json, "result", items[i].result);
		string_if(json, "human_result", items[i].human);
		jsonw_end(json);
	}
	jsonw_end(json);
}

static void json_aligned(struct json *json, const char *key, enum report_aligned aligned)
{
	if (aligned == REPORT_UNTOLD)
		jsonw_null(json, key);
	else
		jsonw_cstr(json, key, aligned_word(aligned));
}

static void json_record(struct json *json, const struct report_record *record)
{
	jsonw_object(json, NULL);
	jsonw_string(json, "source_ip", record->source_ip);
	jsonw_uint(json, "count", record->count);
	string_if(json, "disposition", record->disposition);
	json_aligned(json, "dkim", record->dkim);
	json_aligned(json, "spf", record->spf);
	jsonw_array(json, "reasons");
	for (size_t i = 0; i < record->n_reasons; i++) {
		jsonw_object(json, NULL);
		string_if(json, "type", record->reasons[i].type);
		string_if(json, "comment", record->reasons[i].comment);
		jsonw_end(json);
	}
	jsonw_end(json);
	jsonw_string(json, "header_from", record->header_from);
	string_if(json, "envelope_from", record->envelope_from);
	string_if(json, "envelope_to", record->envelope_to);
	jsonw_object(json, "auth_results");
	json_results(json, "dkim", record->dkim_results, record->n_dkim);
	json_results(json, "spf", record->spf_results, record->n_spf);
	jsonw_end(json);
	jsonw_end(json);
}

static void json_period(struct json *json, int64_t begin, int64_t end)
{
	char from[21], to[21];
	date_format_rfc3339(begin, from);
	date_format_rfc3339(end, to);
	jsonw_cstr(json, "begin", from);
	jsonw_cstr(json, "end", to);
}

static void json_dmarc(struct json *json, const struct report_dmarc *report)
{
	const struct report_policy *policy = &report->policy;
	string_if(json, "org", report->org);
	string_if(json, "email", report->email);
	string_if(json, "extra_contact_info", report->contact);
	string_if(json, "report_id", report->report_id);
	json_period(json, report->begin, report->end);
	string_if(json, "error", report->error);
	string_if(json, "generator", report->generator);
	jsonw_object(json, "policy_published");
	string_if(json, "domain", policy->domain);
	string_if(json, "discovery_method", policy->discovery_method);
	string_if(json, "p", policy->p);
	string_if(json, "sp", policy->sp);
	string_if(json, "np", policy->np);
	string_if(json, "fo", policy->fo);
	string_if(json, "adkim", policy->adkim);
	string_if(json, "aspf", policy->aspf);
	string_if(json, "testing", policy->testing);
	string_if(json, "pct", policy->pct);
	jsonw_end(json);
	jsonw_array(json, "records");
	for (size_t i = 0; i < report->n_records; i++)
		json_record(json, &report->records[i]);
	jsonw_end(json);
}

static void json_tls(struct json *json, const struct report_tls *report)
{
	string_if(json, "org", report->org);
	string_if(json, "contact", report->contact);
	string_if(json, "report_id", report->report_id);
	json_period(json, report->begin, report->end);
	jsonw_array(json, "policies");
	for (size_t i = 0; i < report->n_policies; i++) {
		const struct report_tls_policy *policy = &report->policies[i];
		jsonw_object(json, NULL);
		string_if(json, "type", policy->type);
		string_if(json, "domain", policy->domain);
		jsonw_array(json, "mx_hosts");
		for (size_t k = 0; k < policy->n_mx_hosts; k++)
			jsonw_string(json, NULL, policy->mx_hosts[k]);
		jsonw_end(json);
		jsonw_uint(json, "successful", policy->successful);
		jsonw_uint(json, "failed", policy->failed);
		jsonw_array(json, "failures");
		for (size_t k = 0; k < policy->n_failures; k++) {
			const struct report_tls_failure *failure = &policy->failures[k];
			jsonw_object(json, NULL);
			string_if(json, "result", failure->result_type);
			string_if(json, "sending_ip", failure->sending_ip);
			string_if(json, "receiving_ip", failure->receiving_ip);
			string_if(json, "receiving_mx", failure->receiving_mx);
			string_if(json, "receiving_helo", failure->receiving_helo);
			string_if(json, "additional", failure->additional);
			string_if(json, "reason", failure->reason);
			jsonw_uint(json, "sessions", failure->sessions);
			jsonw_end(json);
		}
		jsonw_end(json);
		jsonw_end(json);
	}
	jsonw_end(json);
}

void dmarc_show_json(struct buf *out, struct bytes path, const struct report *report)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "path", path);
	jsonw_cstr(&json, "kind", report->kind == REPORT_DMARC ? "dmarc" : "tls");
	if (report->kind == REPORT_DMARC)
		json_dmarc(&json, &report->dmarc);
	else
		json_tls(&json, &report->tls);
	jsonw_end(&json);
	buf_add_byte(out, '\n');
}
