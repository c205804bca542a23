/* SPDX-License-Identifier: Apache-2.0 */
/* The quarantine: rows here, bodies as files named after their item (store/body.c). */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "store/private.h"
#include "store/recipients.h"
#include "sys/clock.h"

#include "base/banned.h"

#define RELEASE_VALID_MS (INT64_C(7) * 24 * 3600 * 1000)
#define FORGET_STEPS     200
#define COLUMNS                                                                                                        \
	"q.id, q.time, q.mail_from, q.recipients, q.from_address, q.subject, q.message_id, q.client_ip, q.class, "     \
	"q.ids,"                                                                                                       \
	" q.reason_en, q.reason_ja, q.size, q.state, q.changed"

/* Ids become file names: letters, digits and hyphens only. */
static bool good_id(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.ptr[i]) && id.ptr[i] != '-')
			return false;
	return id.len > 0 && id.len <= 40;
}

enum err store_quarantine_put(struct store *store, const struct store_item *item, struct bytes body,
			      struct error *reterr)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'held', ?, ?, ?)";
	char folder[4200], name[64], day[24], file[128], path[4400];
	struct stat st = {0};
	CLEANUP(buf_done) struct buf packed = BUF_INIT(STORE_TEXT_MAX);
	if (!good_id(item->id))
		return error_set(reterr, ERR_SYNTAX, 0, "an item of the quarantine has a bad id");
	clock_format(item->time_ms / 1000, day);
	(void)snprintf(folder, sizeof(folder), "%s/quarantine/%.10s", store->folder, day);
	(void)snprintf(name, sizeof(name), "%.*s.zst", BYTES_FMT(item->id));
	(void)snprintf(file, sizeof(file), "quarantine/%.10s/%s", day, name);
	(void)snprintf(path, sizeof(path), "%s/%s", store->folder, file);
	TRY(store_body_write(folder, name, body, reterr));
	(void)stat(path, &st);
	sqlite3_stmt *statement = store_statement(store, sql, reterr);
	if (!statement)
		return ERR_IO;
	const struct bytes texts[] = {item->from_address, item->subject, item->message_id, item->client_ip,
				      item->class,        item->ids,     item->reason_en,  item->reason_ja};
	store_recipients_pack(&packed, item->recipients, item->n_recipients);
	store_bind(statement, 1, item->id);
	(void)sqlite3_bind_int64(statement, 2, item->time_ms);
	store_bind(statement, 3, item->mail_from);
	(void)sqlite3_bind_blob(statement, 4, packed.len ? (const void *)packed.ptr : "", (int)packed.len,
				SQLITE_STATIC);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		store_bind(statement, 5 + (int)i, texts[i]);
	(void)sqlite3_bind_int64(statement, 13, (sqlite3_int64)body.len);
	(void)sqlite3_bind_int64(statement, 14, item->time_ms);
	store_bind(statement, 15, bytes_from_cstr(file));
	(void)sqlite3_bind_int64(statement, 16, (sqlite3_int64)st.st_size);
	return store_run(store, statement, "quarantine", reterr);
}

static bool read_row(struct arena *arena, sqlite3_stmt *statement, struct store_item *item)
{
	*item = (struct store_item){
		.id = store_column(statement, 0),
		.time_ms = sqlite3_column_int64(statement, 1),
		.mail_from = store_column(statement, 2),
		.from_address = store_column(statement, 4),
		.subject = store_column(statement, 5),
		.message_id = store_column(statement, 6),
		.client_ip = store_column(statement, 7),
		.class = store_column(statement, 8),
		.ids = store_column(statement, 9),
		.reason_en = store_column(statement, 10),
		.reason_ja = store_column(statement, 11),
		.size = (uint64_t)sqlite3_column_int64(statement, 12),
		.state = store_column(statement, 13),
		.changed_ms = sqlite3_column_int64(statement, 14),
	};
	return store_recipients_unpack(arena, store_column(statement, 3), &item->recipients, &item->n_recipients) ==
	       ERR_OK;
}

enum err store_quarantine_find(struct store *store, const struct store_query *query,
			       bool (*row)(void *ctx, const struct store_item *item), void *ctx, struct error *reterr)
{
#define CONDITIONS                                                                                                     \
	" q.time >= ?2 AND q.time < ?3 AND (?4 = '' OR q.id = ?4) AND (?5 = '' OR q.message_id = ?5)"                  \
	" AND (?7 = '' OR q.state = ?7) AND (?8 = '' OR q.class = ?8) ORDER BY q.time DESC LIMIT ?6"
	/* The words of an item are those of its trace. */
	static const char by_words[] = "SELECT " COLUMNS " FROM trace_words w JOIN trace t ON t.row = w.rowid"
				       " JOIN quarantine q ON q.id = t.id WHERE w.trace_words MATCH ?1 AND" CONDITIONS;
	static const char by_time[] = "SELECT " COLUMNS " FROM quarantine q WHERE" CONDITIONS;
	CLEANUP(buf_done) struct buf match = BUF_INIT(4 * STORE_TEXT_MAX);
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct store_query words = *query;
	words.status = words.class = (struct bytes){0}; /* of the item, not of its trace */
	store_match(&match, &words);
	sqlite3_stmt *statement = store_statement(store, match.len ? by_words : by_time, reterr);
	if (!statement || !arena)
		return ERR_IO;
	if (match.len > 0)
		store_bind(statement, 1, buf_bytes(&match));
	(void)sqlite3_bind_int64(statement, 2, query->since_ms);
	(void)sqlite3_bind_int64(statement, 3, query->until_ms ? query->until_ms : INT64_MAX);
	store_bind(statement, 4, query->id);
	store_bind(statement, 5, query->message_id);
	(void)sqlite3_bind_int64(statement, 6, query->limit);
	store_bind(statement, 7, query->status);
	store_bind(statement, 8, query->class);
	int rc = SQLITE_DONE;
	bool go_on = true;
	while (go_on && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_item item;
		arena_reset(arena);
		if (read_row(arena, statement, &item))
			go_on = row(ctx, &item);
	}
	enum err err = !go_on || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "search", reterr);
	(void)sqlite3_reset(statement);
	return err;
}

/* The file and size of an item; ERR_UNSUPPORTED when there is none such. */
static enum err find_file(struct store *store, struct bytes id, char path[static 4400], uint64_t *ret_size,
			  struct error *reterr)
{
	sqlite3_stmt *statement = store_statement(store, "SELECT file, size FROM quarantine WHERE id = ?", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	int rc = sqlite3_step(statement);
	enum err err = ERR_OK;
	if (rc == SQLITE_ROW) {
		(void)snprintf(path, 4400, "%s/%.*s", store->folder, BYTES_FMT(store_column(statement, 0)));
		*ret_size = (uint64_t)sqlite3_column_int64(statement, 1);
	} else if (rc == SQLITE_DONE) {
		err = error_set(reterr, ERR_UNSUPPORTED, 0, "there is no item %.*s in the quarantine",
				BYTES_FMT(bytes_sub(id, 0, 40)));
	} else {
		err = store_failed(store, "quarantine", reterr);
	}
	(void)sqlite3_reset(statement);
	return err;
}

enum err store_quarantine_body(struct store *store, struct bytes id, uint8_t **ret_body, size_t *ret_len,
			       struct error *reterr)
{
	char path[4400];
	uint64_t size;
	TRY(find_file(store, id, path, &size, reterr));
	return store_body_read(path, size, ret_body, ret_len, reterr);
}

enum err store_quarantine_set_state(struct store *store, struct bytes id, const char *state, struct error *reterr)
{
	sqlite3_stmt *statement =
		store_statement(store, "UPDATE quarantine SET state = ?, changed = ? WHERE id = ?", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, bytes_from_cstr(state));
	(void)sqlite3_bind_int64(statement, 2, clock_wall_ms());
	store_bind(statement, 3, id);
	return store_run(store, statement, "quarantine", reterr);
}

enum err store_quarantine_delete(struct store *store, struct bytes id, struct error *reterr)
{
	char path[4400];
	uint64_t size;
	TRY(find_file(store, id, path, &size, reterr));
	sqlite3_stmt *statement = store_statement(store, "DELETE FROM quarantine WHERE id = ?", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	TRY(store_run(store, statement, "quarantine", reterr));
	/* The row first: a file without a row is swept, a row without its file would be a promise broken. */
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set(reterr, ERR_IO, 0, "the body could not be removed: %s", strerror(errno));
	return ERR_OK;
}

enum err store_release_add(struct store *store, struct bytes id, struct bytes token, struct bytes body_hash,
			   int64_t now_ms, struct error *reterr)
{
	sqlite3_stmt *statement = store_statement(store, "INSERT INTO release VALUES (?, ?, ?, ?)", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	store_bind(statement, 2, token);
	store_bind(statement, 3, body_hash);
	(void)sqlite3_bind_int64(statement, 4, now_ms);
	return store_run(store, statement, "release", reterr);
}

enum err store_release_find(struct store *store, struct bytes id, struct bytes token, struct bytes body_hash,
			    int64_t now_ms, char *ids, size_t ids_size, struct error *reterr)
{
	sqlite3_stmt *statement = store_statement(store,
						  "SELECT q.ids FROM release r JOIN quarantine q ON q.id = r.id"
						  " WHERE r.id = ? AND r.token = ? AND r.body = ? AND r.time > ?",
						  reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	store_bind(statement, 2, token);
	store_bind(statement, 3, body_hash);
	(void)sqlite3_bind_int64(statement, 4, now_ms - RELEASE_VALID_MS);
	int rc = sqlite3_step(statement);
	enum err err = rc == SQLITE_DONE ? ERR_DENIED : ERR_OK;
	if (rc == SQLITE_ROW)
		(void)snprintf(ids, ids_size, "%.*s", BYTES_FMT(store_column(statement, 0)));
	else if (rc != SQLITE_DONE)
		err = store_failed(store, "release", reterr);
	(void)sqlite3_reset(statement);
	return err;
}

/* -- Upkeep ----------------------------------------------------------------------------------------------------------
 */

static bool oldest_to_go(struct store *store, int64_t before_ms, uint64_t bytes_max, char id[static 64],
			 struct error *reterr)
{
	sqlite3_stmt *statement = store_statement(store,
						  "SELECT id FROM quarantine WHERE time < ?1 OR"
						  " (SELECT SUM(disk) FROM quarantine) > ?2 ORDER BY time LIMIT 1",
						  reterr);
	if (!statement)
		return false;
	(void)sqlite3_bind_int64(statement, 1, before_ms);
	(void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)bytes_max);
	bool found = sqlite3_step(statement) == SQLITE_ROW;
	if (found)
		(void)snprintf(id, 64, "%.*s", BYTES_FMT(store_column(statement, 0)));
	(void)sqlite3_reset(statement);
	return found;
}

static enum err forget(struct store *store, int64_t trace_before_ms, int64_t quarantine_before_ms, uint64_t bytes_max,
		       bool *ret_more, struct error *reterr)
{
	char id[64];
	TRY(store_forget_traces(store, trace_before_ms, FORGET_STEPS, ret_more, reterr));
	for (int i = 0; i < FORGET_STEPS / 10; i++) {
		if (!oldest_to_go(store, quarantine_before_ms, bytes_max, id, reterr))
			return ERR_OK;
		TRY(store_quarantine_delete(store, bytes_from_cstr(id), reterr));
	}
	*ret_more = true;
	return ERR_OK;
}

enum err store_forget(struct store *store, int64_t trace_before_ms, int64_t quarantine_before_ms,
		      uint64_t quarantine_bytes_max, bool *ret_more, struct error *reterr)
{
	*ret_more = false;
	TRY(store_begin(store, false, reterr));
	enum err err = forget(store, trace_before_ms, quarantine_before_ms, quarantine_bytes_max, ret_more, reterr);
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}
