/* SPDX-License-Identifier: Apache-2.0 */
/* postern quarantine list|show|release|delete. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/history.h"
#include "cli/smtp_client.h"
#include "cli/when.h"
#include "mail/html.h"
#include "mail/message.h"
#include "scan/release.h"
#include "sys/clock.h"
#include "sys/entropy.h"

#include "base/banned.h"

#define PREVIEW_CHARACTERS 2000

struct view {
	const struct filters *filters;
	struct buf out;
	size_t rows;
};

static void print_json(struct buf *out, const struct store_item *item)
{
	struct json json;
	char when[32];
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "id", item->id);
	when_format(item->time_ms, true, when);
	when[10] = 'T';
	jsonw_cstr(&json, "time", when);
	jsonw_string(&json, "state", item->state);
	jsonw_string(&json, "class", item->class);
	jsonw_string(&json, "from", item->mail_from);
	history_recipients_json(&json, item->recipients, item->n_recipients, false);
	jsonw_string(&json, "header_from", item->from_address);
	jsonw_string(&json, "subject", item->subject);
	jsonw_string(&json, "message_id", item->message_id);
	jsonw_string(&json, "client_ip", item->client_ip);
	jsonw_uint(&json, "size", item->size);
	jsonw_string(&json, "evidence_ids", item->ids);
	jsonw_string(&json, "reason", item->reason_en);
	jsonw_string(&json, "reason_ja", item->reason_ja);
	jsonw_end(&json);
	buf_add_byte(out, '\n');
}

static void print_line(struct buf *out, const struct store_item *item, bool utc)
{
	char when[32];
	when_format(item->time_ms, utc, when);
	buf_printf(out, "%s %.*s %-8.*s %-11.*s <", when, BYTES_FMT(item->id), BYTES_FMT(item->state),
		   BYTES_FMT(item->class));
	history_text(out, item->mail_from, 40);
	buf_add_cstr(out, "> -> ");
	history_recipients(out, item->recipients, item->n_recipients, 2);
	buf_add_cstr(out, "  ");
	history_text(out, item->subject, 60);
	history_end_line(out);
}

static bool on_row(void *ctx, const struct store_item *item)
{
	struct view *view = ctx;
	view->rows++;
	buf_clear(&view->out);
	if (view->filters->json)
		print_json(&view->out, item);
	else
		print_line(&view->out, item, view->filters->utc);
	(void)fwrite(view->out.ptr, 1, view->out.len, stdout);
	return true;
}

static enum err find(struct store *store, const struct store_query *query, void *view, struct error *reterr)
{
	return store_quarantine_find(store, query, on_row, view, reterr);
}

static int list(int argc, char **argv)
{
	struct filters filters = {.statuses = "held released"};
	const struct opt options[] = {
		FILTER_OPTIONS(filters),
		{.name = "state", .value_name = "STATE", .help = "held or released", .value = &filters.status},
	};
	const struct opt_set set = {"quarantine list",
				    "[OPTION...]",
				    "Lists held messages, the newest first. Exit status 1: there are none.",
				    "postern quarantine list --subject 請求書 --since 7d",
				    options,
				    ARRAY_LEN(options)};
	struct view view = {.filters = &filters, .out = BUF_INIT((size_t)64 << 20)};
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0)
		return opt_wrong(&set, "no argument is expected");
	rc = history_find(&set, &filters, find, &view, &view.rows);
	buf_done(&view.out);
	return rc;
}

/* -- One item ---- */

/* A copy of one item in the arena; rows live only while they are told. */
struct copy {
	struct arena *arena;
	struct store_item item;
	bool found;
};

static bool copy_row(void *ctx, const struct store_item *item)
{
	struct copy *copy = ctx;
	struct store_item *to = &copy->item;
	*to = *item;
	struct bytes *const spans[] = {&to->id,         &to->mail_from, &to->from_address, &to->subject,
				       &to->message_id, &to->client_ip, &to->class,        &to->ids,
				       &to->reason_en,  &to->reason_ja, &to->state};
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		*spans[i] = arena_copy(copy->arena, *spans[i]);
	struct store_recipient *recipients = arena_new(copy->arena, struct store_recipient, item->n_recipients + 1);
	for (size_t i = 0; recipients && i < item->n_recipients; i++)
		recipients[i].address = arena_copy(copy->arena, item->recipients[i].address);
	to->recipients = recipients;
	copy->found = recipients != NULL;
	return false;
}

static int find_item(const struct opt_set *set, struct store *store, const char *id, struct copy *copy)
{
	struct store_query query = {.id = bytes_from_cstr(id), .limit = 1};
	struct error error;
	/* A query for an empty id is one for any: a variable of a script that is not set must not release a message. */
	if (query.id.len > 0 && store_quarantine_find(store, &query, copy_row, copy, &error) != ERR_OK)
		return opt_wrong(set, "%s", error.text);
	if (copy->found)
		return 0;
	(void)opt_wrong(set, "there is no item \"%s\"; `postern quarantine list` shows what there is", id);
	return 1;
}

/* Header and the beginning of the text, as text: nothing of it is ever rendered or fetched. */
static void print_preview(struct buf *out, struct bytes body)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 30);
	struct message *message;
	if (!arena || message_parse(arena, body, &mime_limits_default, &message) != ERR_OK)
		return;
	struct bytes rest = bytes_sub(body, message->header->at, message->header->len), line;
	buf_add_byte(out, '\n');
	while (bytes_split(&rest, '\n', &line)) {
		buf_add_cstr(out, "  | ");
		history_text(out, bytes_chomp(bytes_trim(line)), 200);
		buf_add_byte(out, '\n');
	}
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		struct bytes text = part->html ? part->html->visible : part->text;
		buf_printf(out, "  [%.*s ", BYTES_FMT(part->path));
		escape_plain(out, part->type);
		if (part->n_names > 0) {
			buf_add_byte(out, ' ');
			escape_plain(out, part->names[0].text);
		}
		buf_add_cstr(out, "]\n");
		size_t shown = 0;
		while (shown < PREVIEW_CHARACTERS && bytes_split(&text, '\n', &line)) {
			buf_add_cstr(out, "  > ");
			history_text(out, line, 200);
			buf_add_byte(out, '\n');
			shown += line.len + 1;
		}
	}
}

static int show(int argc, char **argv)
{
	struct filters filters = {0};
	bool raw = false;
	const struct opt options[] = {
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose quarantine it is",
		 .value = &filters.config},
		{.name = "raw", .help = "write the message itself", .given = &raw},
		{.name = "json", .help = "as one JSON object", .given = &filters.json},
		{.name = "utc", .help = "times in UTC", .given = &filters.utc},
	};
	const struct opt_set set = {"quarantine show",
				    "[--raw | --json] ID",
				    "Shows a held message: why it is held, its header, its text.",
				    "postern quarantine show --raw 1hq2x8b3k5m7n9p0 > held.eml",
				    options,
				    ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(store_close) struct store *store = NULL;
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)256 << 20);
	struct copy copy = {.arena = arena};
	struct settings settings;
	struct error error;
	uint8_t *body = NULL;
	size_t len = 0;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n != 1)
		return opt_wrong(&set, "one id is expected");
	rc = history_open(&set, filters.config, true, arena, &settings, &store);
	if (rc == 0)
		rc = find_item(&set, store, argv[0], &copy);
	if (rc != 0)
		return rc;
	if (!filters.json && store_quarantine_body(store, copy.item.id, &body, &len, &error) != ERR_OK)
		return opt_wrong(&set, "%s", error.text);
	if (filters.json) {
		print_json(&out, &copy.item);
	} else if (raw) {
		(void)fwrite(body, 1, len, stdout);
	} else {
		print_line(&out, &copy.item, filters.utc);
		buf_add_cstr(&out, "  why: ");
		history_text(&out, copy.item.reason_en, 300);
		buf_printf(&out, " [%.*s]\n", BYTES_FMT(bytes_sub(copy.item.ids, 0, 300)));
		print_preview(&out, bytes_make(body, len));
	}
	(void)fwrite(out.ptr, 1, out.len, stdout);
	mem_free(body);
	return 0;
}

/* -- Release and delete ---- */

static bool make_token(char out[static 33])
{
	uint8_t raw[16];
	if (entropy_fill(raw, sizeof(raw)) != ERR_OK)
		return false;
	for (size_t i = 0; i < sizeof(raw); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", raw[i]);
	return true;
}

static enum err remember(struct store *store, struct bytes id, const char *token, const char *hash,
			 struct error *reterr)
{
	TRY(store_begin(store, true, reterr));
	enum err err =
		store_release_add(store, id, bytes_from_cstr(token), bytes_from_cstr(hash), clock_wall_ms(), reterr);
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

static enum err mark_released(struct store *store, struct bytes id, struct error *reterr)
{
	TRY(store_begin(store, true, reterr));
	enum err err = store_quarantine_set_state(store, id, "released", reterr);
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

/* Delivers with the mark; the token is remembered first, or the message would be caught again. */
static enum err release_item(struct arena *arena, struct store *store, const struct store_item *item,
			     const struct settings *settings, const char *to, struct error *reterr)
{
	uint8_t *body = NULL;
	size_t len = 0;
	char token[33], hash[DIGEST_SHA256_HEX];
	struct bytes one = bytes_from_cstr(to);
	struct bytes *recipients = arena_new(arena, struct bytes, item->n_recipients + 1);
	if (!recipients)
		return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	for (size_t i = 0; i < item->n_recipients; i++)
		recipients[i] = item->recipients[i].address;
	TRY(store_quarantine_body(store, item->id, &body, &len, reterr));
	struct bytes message = bytes_make(body, len);
	CLEANUP(arena_free) struct arena *scratch = arena_create(SIZE_MAX);
	enum err err = ERR_OK;
	if (!scratch || !make_token(token) || !release_body_hash(scratch, message, hash))
		err = error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	struct bytes head =
		err == ERR_OK ? arena_printf(scratch, "X-Postern-Release: v1 %.*s %s\r\n", BYTES_FMT(item->id), token)
			      : (struct bytes){0};
	if (err == ERR_OK)
		err = remember(store, item->id, token, hash, reterr);
	const struct smtp_delivery delivery = {
		.server = settings->release_to,
		.helo = settings->hostname.len ? settings->hostname : BYTES_LIT("localhost"),
		.from = item->mail_from,
		.recipients = to ? &one : recipients,
		.n_recipients = to ? 1 : item->n_recipients,
		.head = head,
		.body = message,
	};
	if (err == ERR_OK)
		err = smtp_deliver(&delivery, reterr);
	if (err == ERR_OK)
		err = mark_released(store, item->id, reterr);
	mem_free(body);
	return err;
}

static int release(int argc, char **argv)
{
	const char *config = NULL, *to = NULL;
	bool again = false;
	const struct opt options[] = {
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose quarantine it is",
		 .value = &config},
		{.name = "to",
		 .value_name = "ADDRESS",
		 .help = "to this recipient instead of those it was for",
		 .value = &to},
		{.name = "again", .help = "also what was released before", .given = &again},
	};
	const struct opt_set set = {"quarantine release",
				    "[--to ADDRESS] [--again] ID...",
				    "Gives held messages back to quarantine.release_to by SMTP; the evidence they were "
				    "held for does not count\n"
				    "again. Exit status 2: at least one could not be delivered, and stays held.",
				    "postern quarantine release 1hq2x8b3k5m7n9p0",
				    options,
				    ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(store_close) struct store *store = NULL;
	struct settings settings;
	struct error error;
	int n, worst = 0;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which message? `postern quarantine list` shows what there is");
	rc = history_open(&set, config, false, arena, &settings, &store);
	for (int i = 0; rc == 0 && i < n; i++) {
		struct copy copy = {.arena = arena};
		int one = find_item(&set, store, argv[i], &copy);
		if (one == 0 && !again && bytes_eq(copy.item.state, BYTES_LIT("released")))
			one = opt_wrong(&set, "%s was released before; --again delivers it once more", argv[i]);
		if (one == 0 && release_item(arena, store, &copy.item, &settings, to, &error) != ERR_OK)
			one = opt_wrong(&set, "%s: %s", argv[i], error.text);
		if (one == 0)
			(void)printf("%s: released\n", argv[i]);
		worst = one > worst ? one : worst;
	}
	return rc != 0 ? rc : worst;
}

static bool confirmed(int n)
{
	char answer[16];
	if (!isatty(STDIN_FILENO))
		return false;
	(void)printf("Delete %d message%s for good? [y/N] ", n, n == 1 ? "" : "s");
	(void)fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static enum err delete_item(struct store *store, struct bytes id, struct error *reterr)
{
	TRY(store_begin(store, true, reterr));
	enum err err = store_quarantine_delete(store, id, reterr);
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

static int delete (int argc, char **argv)
{
	const char *config = NULL;
	bool yes = false;
	const struct opt options[] = {
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose quarantine it is",
		 .value = &config},
		{.name = "yes", .help = "do not ask", .given = &yes},
	};
	const struct opt_set set = {"quarantine delete",
				    "[--yes] ID...",
				    "Deletes held messages for good.",
				    "postern quarantine delete --yes 1hq2x8b3k5m7n9p0",
				    options,
				    ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(store_close) struct store *store = NULL;
	struct settings settings;
	struct error error;
	int n, worst = 0;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which message? `postern quarantine list` shows what there is");
	if (!yes && !confirmed(n))
		return opt_wrong(&set, "nothing was deleted (--yes deletes without asking)");
	rc = history_open(&set, config, false, arena, &settings, &store);
	for (int i = 0; rc == 0 && i < n; i++) {
		enum err err = delete_item(store, bytes_from_cstr(argv[i]), &error);
		int one = err == ERR_OK ? 0 : opt_wrong(&set, "%s", error.text);
		if (err == ERR_UNSUPPORTED)
			one = 1;
		if (one == 0)
			(void)printf("%s: deleted\n", argv[i]);
		worst = one > worst ? one : worst;
	}
	return rc != 0 ? rc : worst;
}

int cmd_quarantine(int argc, char **argv)
{
	static const struct opt_verb verbs[] = {
		{"list", list}, {"show", show}, {"release", release}, {"delete", delete}};
	return opt_run_verb("quarantine", verbs, ARRAY_LEN(verbs), "list, show, release or delete",
			    "usage: postern quarantine list|show|release|delete [OPTION...] [ID...]\n\n"
			    "Each has its own --help.\nExample: postern quarantine list --since 2d",
			    argc, argv);
}
