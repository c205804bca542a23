/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "cli/command.h"
#include "cli/history.h"
#include "cli/when.h"
#include "scan/verdict.h"

#include "base/banned.h"

struct view {
	const struct filters *filters;
	struct buf out;
	size_t rows;
	bool japanese;
};

static void print_json(struct view *view, const struct store_trace *trace)
{
	struct json json;
	char when[32];
	jsonw_init(&json, &view->out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "id", trace->id);
	when_format(trace->time_ms, true, when);
	when[10] = 'T';
	jsonw_cstr(&json, "time", when);
	jsonw_string(&json, "status", trace->status);
	jsonw_string(&json, "class", trace->class);
	jsonw_double(&json, "probability", trace->class.len ? verdict_probability((int)trace->log_odds) : 0);
	jsonw_string(&json, "action", trace->action);
	jsonw_string(&json, "reason", trace->reason_en);
	jsonw_string(&json, "reason_ja", trace->reason_ja);
	jsonw_string(&json, "from", trace->mail_from);
	history_recipients_json(&json, trace->recipients, trace->n_recipients, true);
	jsonw_string(&json, "header_from", trace->from_address);
	jsonw_string(&json, "header_from_name", trace->from_name);
	jsonw_string(&json, "subject", trace->subject);
	jsonw_string(&json, "message_id", trace->message_id);
	jsonw_string(&json, "queue_id", trace->queue_id);
	jsonw_string(&json, "frontend", trace->frontend);
	jsonw_string(&json, "client_ip", trace->client_ip);
	jsonw_string(&json, "client_name", trace->client_name);
	jsonw_string(&json, "helo", trace->helo);
	jsonw_string(&json, "user", trace->user);
	jsonw_uint(&json, "size", trace->size);
	jsonw_uint(&json, "usec", trace->usec);
	jsonw_string(&json, "release_of", trace->released);
	jsonw_raw(&json, "evidence", trace->evidence.len ? trace->evidence : BYTES_LIT("[]"));
	jsonw_end(&json);
	buf_add_byte(&view->out, '\n');
}

static void print_line(struct view *view, const struct store_trace *trace)
{
	struct buf *out = &view->out;
	char when[32];
	when_format(trace->time_ms, view->filters->utc, when);
	buf_printf(out, "%s %.*s %-11.*s %-11.*s ", when, BYTES_FMT(trace->id), BYTES_FMT(trace->status),
		   BYTES_FMT(trace->class.len ? trace->class : BYTES_LIT("-")));
	buf_add_byte(out, '<');
	history_text(out, trace->mail_from, 40);
	buf_add_cstr(out, "> -> ");
	history_recipients(out, trace->recipients, trace->n_recipients, 2);
	buf_add_cstr(out, "  ");
	history_text(out, trace->subject, 60);
	history_end_line(out);
}

static void field(struct view *view, const char *name, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_printf(&view->out, "  %-12s ", name);
	history_text(&view->out, value, 300);
	buf_add_byte(&view->out, '\n');
}

static void print_evidence(struct view *view, struct bytes evidence)
{
	json_t *list = json_loadb((const char *)evidence.ptr, evidence.len, JSON_REJECT_DUPLICATES, NULL);
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *id = json_string_value(json_object_get(item, "id"));
		const char *text = json_string_value(json_object_get(item, view->japanese ? "text_ja" : "text"));
		buf_printf(&view->out, "    %+6.2f  ", json_number_value(json_object_get(item, "weight")));
		history_text(&view->out, bytes_from_cstr(text), 400);
		buf_printf(&view->out, " [%.60s%s]\n", id ? id : "",
			   json_is_true(json_object_get(item, "overruled")) ? ", overruled" : "");
	}
	json_decref(list);
}

/* The whole story: who, to whom, when, what happened, and why. */
static void print_story(struct view *view, const struct store_trace *trace)
{
	struct buf *out = &view->out;
	char text[160];
	print_line(view, trace);
	(void)snprintf(text, sizeof(text), "%.*s %.*s", BYTES_FMT(trace->client_ip),
		       BYTES_FMT(bytes_sub(trace->client_name, 0, 100)));
	field(view, "client", bytes_from_cstr(text));
	field(view, "helo", trace->helo);
	field(view, "user", trace->user);
	field(view, "author", trace->from_name);
	field(view, trace->from_name.len > 0 ? "" : "author", trace->from_address);
	field(view, "message-id", trace->message_id);
	field(view, "queue id", trace->queue_id);
	field(view, "release of", trace->released);
	for (size_t i = 0; i < trace->n_recipients; i++) {
		buf_printf(out, "  %-12s ", i ? "" : "to");
		escape_plain(out, trace->recipients[i].address);
		buf_printf(out, ": %.*s\n", BYTES_FMT(trace->recipients[i].fate));
	}
	(void)snprintf(text, sizeof(text), "%llu bytes by %.*s, judged in %.1f ms", (unsigned long long)trace->size,
		       BYTES_FMT(trace->frontend), (double)trace->usec / 1000);
	field(view, "size", bytes_from_cstr(text));
	if (trace->class.len > 0) {
		(void)snprintf(text, sizeof(text), "%.*s, probability %.4f", BYTES_FMT(trace->class),
			       verdict_probability((int)trace->log_odds));
		field(view, "verdict", bytes_from_cstr(text));
	}
	field(view, "why", view->japanese ? trace->reason_ja : trace->reason_en);
	print_evidence(view, trace->evidence);
	buf_add_byte(out, '\n');
}

static bool on_row(void *ctx, const struct store_trace *trace)
{
	struct view *view = ctx;
	view->rows++;
	buf_clear(&view->out);
	if (view->filters->json)
		print_json(view, trace);
	else if (view->filters->verbose || view->filters->id)
		print_story(view, trace);
	else
		print_line(view, trace);
	(void)fwrite(view->out.ptr, 1, view->out.len, stdout);
	return true;
}

static enum err find(struct store *store, const struct store_query *query, void *view, struct error *reterr)
{
	return store_trace_find(store, query, on_row, view, reterr);
}

int cmd_trace(int argc, char **argv)
{
	struct filters filters = {
		.statuses = "delivered tagged quarantined rejected discarded deferred refused aborted advised"};
	const struct opt options[] = {
		FILTER_OPTIONS(filters),
		{.name = "status", .value_name = "STATUS", .help = filters.statuses, .value = &filters.status},
		{.name = "id",
		 .value_name = "ID",
		 .help = "of the X-Postern field or the SMTP reply: the whole story",
		 .value = &filters.id},
		{.name = "verbose", .help = "the whole story of each", .given = &filters.verbose},
	};
	const struct opt_set set = {
		"trace",
		"[OPTION...] [ID]",
		"Shows what happened to messages and sessions, the newest first: who, to whom, when, what, and why.\n"
		"Exit status 0: something was found; 1: nothing was.",
		"postern trace --recipient bob@example.org --since 2h",
		options,
		ARRAY_LEN(options)};
	struct view view = {.filters = &filters, .japanese = opt_japanese(), .out = BUF_INIT((size_t)64 << 20)};
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 1)
		return opt_wrong(&set, "one id is expected, not %d", n);
	if (n == 1)
		filters.id = argv[0];
	if (filters.id && !filters.id[0])
		return opt_wrong(&set, "the id is empty");
	rc = history_find(&set, &filters, find, &view, &view.rows);
	buf_done(&view.out);
	return rc;
}
