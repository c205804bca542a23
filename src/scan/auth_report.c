/* SPDX-License-Identifier: Apache-2.0 */
/* What was found out about the sender, as JSON and as Authentication-Results. */
#include <stdio.h>

#include "auth/authres.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/json.h"
#include "base/mem.h"
#include "scan/auth.h"

#include "base/banned.h"

#define RESULTS_MAX (DKIM_SIGNATURES_MAX + 4)

/* -- JSON ---- */

static void spf_json(struct json *json, const struct scan_auth *auth)
{
	if (!auth->has_spf) {
		jsonw_null(json, "spf");
		return;
	}
	jsonw_object(json, "spf");
	jsonw_cstr(json, "result", spf_code_name(auth->spf.code));
	jsonw_cstr(json, "scope", auth->spf.helo_scope ? "helo" : "mfrom");
	jsonw_string(json, "domain", auth->spf.domain);
	jsonw_string(json, "explanation", auth->spf.explanation);
	jsonw_string(json, "mechanism", auth->spf.mechanism);
	jsonw_string(json, "problem", auth->spf.problem);
	jsonw_end(json);
}

static void dkim_json(struct json *json, const struct dkim *dkim)
{
	jsonw_array(json, "dkim");
	for (size_t i = 0; dkim && i < dkim->count; i++) {
		const struct dkim_signature *signature = &dkim->signatures[i];
		jsonw_object(json, NULL);
		jsonw_string(json, "domain", signature->domain);
		jsonw_string(json, "selector", signature->selector);
		jsonw_string(json, "identity", signature->identity);
		jsonw_string(json, "algorithm", signature->algorithm);
		jsonw_cstr(json, "result", dkim_result_name(signature->result));
		jsonw_string(json, "reason", signature->reason);
		jsonw_array(json, "signed");
		for (size_t j = 0; j < signature->n_signed; j++)
			jsonw_string(json, NULL, signature->signed_names[j]);
		jsonw_end(json);
		jsonw_end(json);
	}
	jsonw_end(json);
}

static void arc_json(struct json *json, const struct arc *arc)
{
	if (!arc) {
		jsonw_null(json, "arc");
		return;
	}
	jsonw_object(json, "arc");
	jsonw_cstr(json, "result", arc_result_name(arc->result));
	jsonw_uint(json, "chain", arc->chain);
	jsonw_string(json, "reason", arc->reason);
	jsonw_end(json);
}

static void dmarc_json(struct json *json, const struct scan_auth *auth)
{
	const struct dmarc_result *dmarc = &auth->dmarc;
	if (!auth->dkim) {
		jsonw_null(json, "dmarc");
		return;
	}
	jsonw_object(json, "dmarc");
	jsonw_cstr(json, "result", dmarc_code_name(dmarc->code));
	jsonw_string_or_null(json, "domain", dmarc->domain);
	jsonw_string_or_null(json, "policy_domain", dmarc->policy_domain);
	jsonw_string_or_null(json, "organizational_domain", dmarc->organizational_domain);
	if (dmarc->policy != DMARC_POLICY_ABSENT)
		jsonw_cstr(json, "policy", dmarc_policy_name(dmarc->policy));
	jsonw_cstr(json, "disposition",
		   dmarc->disposition == DMARC_POLICY_ABSENT ? "none" : dmarc_policy_name(dmarc->disposition));
	jsonw_object(json, "aligned");
	jsonw_bool(json, "spf", dmarc->aligned.spf);
	jsonw_bool(json, "dkim", dmarc->aligned.dkim);
	jsonw_end(json);
	jsonw_string(json, "reason", dmarc->reason);
	jsonw_end(json);
}

void scan_auth_json(struct json *json, const struct scan_auth *auth, bool arc_first)
{
	spf_json(json, auth);
	dkim_json(json, auth->dkim);
	if (arc_first)
		arc_json(json, auth->arc);
	dmarc_json(json, auth);
	if (!arc_first)
		arc_json(json, auth->arc);
}

/* -- Authentication-Results ---- */

struct writer {
	struct authres_result results[RESULTS_MAX];
	struct authres_property properties[RESULTS_MAX][4];
	size_t count;
};

static struct authres_result *add(struct writer *writer, const char *method, const char *result, struct bytes reason)
{
	struct authres_result *row = &writer->results[writer->count];
	*row = (struct authres_result){.method = bytes_from_cstr(method),
				       .result = bytes_from_cstr(result),
				       .reason = reason,
				       .properties = writer->properties[writer->count]};
	writer->count++;
	return row;
}

static void property(struct authres_result *row, const char *type, const char *name, struct bytes value)
{
	if (value.len > 0)
		row->properties[row->n_properties++] = (struct authres_property){
			.type = bytes_from_cstr(type), .name = bytes_from_cstr(name), .value = value};
}

static void add_dkim(struct writer *writer, const struct dkim *dkim)
{
	for (size_t i = 0; i < dkim->count && i < DKIM_SIGNATURES_MAX; i++) {
		const struct dkim_signature *signature = &dkim->signatures[i];
		bool good = signature->result == DKIM_PASS;
		struct authres_result *row = add(writer, "dkim", dkim_result_name(signature->result),
						 good ? (struct bytes){0} : signature->reason);
		property(row, "header", "d", signature->domain);
		property(row, "header", "i", signature->identity);
		property(row, "header", "s", signature->selector);
		property(row, "header", "a", signature->algorithm);
	}
	if (dkim->count == 0)
		(void)add(writer, "dkim", "none", (struct bytes){0});
}

struct arc_texts {
	char oldest_pass[12], remote_ip[IP_TEXT_MAX];
};

/* "p=reject sp..." is what readers look for in the comment. */
static void add_dmarc(struct writer *writer, const struct scan_auth *auth, char *comment, size_t size)
{
	const struct dmarc_result *dmarc = &auth->dmarc;
	struct authres_result *row = add(writer, "dmarc", dmarc_code_name(dmarc->code),
					 dmarc->code == DMARC_PASS ? (struct bytes){0} : dmarc->reason);
	if (dmarc->policy != DMARC_POLICY_ABSENT) {
		int len = snprintf(
			comment, size, "%s=%s dis=%s", dmarc->tag ? dmarc->tag : "p", dmarc_policy_name(dmarc->policy),
			dmarc->disposition == DMARC_POLICY_ABSENT ? "none" : dmarc_policy_name(dmarc->disposition));
		row->comment = bytes_make(comment, (size_t)len);
	}
	property(row, "header", "from", dmarc->domain);
}

/* RFC 8617 6: with whom we spoke, and from which instance on the message was not changed (0: all). */
static void add_arc(struct writer *writer, const struct scan_auth *auth, struct arc_texts *texts)
{
	const struct arc *arc = auth->arc;
	struct authres_result *row = add(writer, "arc", arc_result_name(arc->result),
					 arc->result == ARC_FAIL ? arc->reason : (struct bytes){0});
	if (arc->result == ARC_PASS) {
		int len = snprintf(texts->oldest_pass, sizeof(texts->oldest_pass), "%u", arc->oldest_pass);
		property(row, "header", "oldest-pass", bytes_make(texts->oldest_pass, (size_t)len));
	}
	if (auth->has_source)
		property(row, "smtp", "remote-ip", ip_format(auth->source_ip, texts->remote_ip));
}

static bool is_dkim(const struct authres_result *row)
{
	return bytes_eq(row->method, BYTES_LIT("dkim"));
}

/* What the row takes, as the only one of a field. */
static size_t room_of(struct authres_result *row, struct bytes authserv_id)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(2 * AUTHRES_FIELD_MAX);
	struct authres field = {.id = authserv_id, .results = row, .n_results = 1};
	(void)authres_write(&buf, &field);
	return buf.len;
}

/*
 * A sender may sign as often and as long as it likes: that must not push out what is said of SPF, ARC and DMARC, nor
 * signatures that are good. Other signatures go where there is no room for them.
 */
static void make_room(struct writer *writer, struct bytes authserv_id)
{
	bool kept[RESULTS_MAX] = {0};
	size_t used = 0, n = 0;
	for (unsigned turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < writer->count; i++) {
			struct authres_result *row = &writer->results[i];
			bool good = bytes_eq(row->result, BYTES_LIT("pass"));
			if (turn != (!is_dkim(row) ? 0U : good ? 1U : 2U))
				continue;
			size_t room = room_of(row, authserv_id);
			kept[i] = used + room <= AUTHRES_FIELD_MAX;
			used += kept[i] ? room : 0;
		}
	}
	for (size_t i = 0; i < writer->count; i++)
		if (kept[i])
			writer->results[n++] = writer->results[i];
	writer->count = n;
}

void scan_auth_field(struct buf *buf, const struct scan_auth *auth, struct bytes authserv_id)
{
	struct writer *writer = mem_new(struct writer, 1);
	char dmarc_comment[64];
	struct arc_texts arc_texts;
	if (!writer) {
		buf->err = ERR_NOMEM;
		return;
	}
	if (auth->has_spf) {
		struct authres_result *row = add(writer, "spf", spf_code_name(auth->spf.code), auth->spf.problem);
		property(row, "smtp", auth->spf.helo_scope ? "helo" : "mailfrom", auth->spf.domain);
	}
	if (auth->dkim) {
		add_dkim(writer, auth->dkim);
		add_arc(writer, auth, &arc_texts);
		add_dmarc(writer, auth, dmarc_comment, sizeof(dmarc_comment));
	}
	struct authres field = {.id = authserv_id, .results = writer->results, .n_results = writer->count};
	size_t begin = buf->len;
	if (authres_write(buf, &field) < writer->count || buf_err(buf) != ERR_OK) {
		make_room(writer, authserv_id);
		field.n_results = writer->count;
		buf->len = begin;
		buf->err = ERR_OK;
		(void)authres_write(buf, &field);
	}
	mem_free(writer);
}
