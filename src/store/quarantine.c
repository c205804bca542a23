/* SPDX-License-Identifier: Apache-2.0 */
/* The quarantine: rows here, bodies as files named after their item (store/body.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "store/private.h"
#include "sys/clock.h"
#include "sys/file.h"

#include "base/banned.h"

#define RELEASE_VALID_MS (INT64_C(7) * 24 * 3600 * 1000)
#define COLUMNS                                                                                                        \
	"t.id, t.time, t.mail_from, t.recipients, t.from_address, t.subject, t.message_id, t.client_ip, t.class,"      \
	" t.ids, t.reason_en, t.reason_ja, t.size, t.state, t.changed"
#define COLUMN_ROW  15 /* where they are asked for, behind those */
#define COLUMN_FILE 16

static const struct store_table table = {.name = "quarantine", .columns = COLUMNS, .status_is_state = true};

static struct store_words words_of(const struct store_item *item)
{
	return (struct store_words){
		.mail_from = item->mail_from,
		.from_address = item->from_address,
		.subject = item->subject,
		.client_ip = item->client_ip,
		.message_id = item->message_id,
		.class = item->class,
		.recipients = item->recipients,
		.n_recipients = item->n_recipients,
	};
}

/* Ids become file names: letters, digits and hyphens only. */
static bool good_id(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.ptr[i]) && id.ptr[i] != '-')
			return false;
	return id.len > 0 && id.len <= 40;
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

/* -- Deleting ---- */

static enum err delete_row(struct store *store, sqlite3_stmt *found, struct arena *arena, struct error *reterr)
{
	static const char words_sql[] =
		"INSERT INTO quarantine_words (quarantine_words, rowid, sender, recipient, subject, facts)"
		" VALUES ('delete', ?, ?, ?, ?, ?)";
	sqlite3_stmt *forget = store_statement(store, words_sql, reterr);
	sqlite3_stmt *delete = store_statement(store, "DELETE FROM quarantine WHERE row = ?", reterr);
	sqlite3_stmt *releases = store_statement(store, "DELETE FROM release WHERE id = ?", reterr);
	struct store_item item;
	if (!forget || !delete || !releases)
		return ERR_IO;
	if (!read_row(arena, found, &item))
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the quarantine");
	struct store_words words = words_of(&item);
	sqlite3_int64 row = sqlite3_column_int64(found, COLUMN_ROW);
	TRY(store_words_run(store, forget, row, &words, reterr));
	store_bind(releases, 1, item.id);
	TRY(store_run(store, releases, "quarantine", reterr));
	(void)sqlite3_bind_int64(delete, 1, row);
	TRY(store_run(store, delete, "quarantine", reterr));
	/* The row first, the file when that lasts: a file without a row is swept, a row without its file would be a
	 * promise broken. */
	buf_printf(&store->gone, "%s/%.*s", store->folder, BYTES_FMT(store_column(found, COLUMN_FILE)));
	buf_add_byte(&store->gone, '\0');
	return buf_err(&store->gone) == ERR_OK ? ERR_OK
					       : error_set(reterr, ERR_NOMEM, 0, "no memory for the quarantine");
}

/* Deletes the row that `statement` finds, if it does. */
static enum err delete_found(struct store *store, sqlite3_stmt *statement, bool *ret_deleted, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	enum err err = ERR_OK;
	*ret_deleted = false;
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the quarantine");
	int rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		err = delete_row(store, statement, arena, reterr);
	else if (rc != SQLITE_DONE)
		err = store_failed(store, "quarantine", reterr);
	*ret_deleted = rc == SQLITE_ROW && err == ERR_OK;
	(void)sqlite3_reset(statement);
	return err;
}

static enum err delete_id(struct store *store, struct bytes id, bool *ret_deleted, struct error *reterr)
{
	sqlite3_stmt *statement =
		store_statement(store, "SELECT " COLUMNS ", t.row, t.file FROM quarantine t WHERE t.id = ?", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	return delete_found(store, statement, ret_deleted, reterr);
}

static enum err no_such(struct bytes id, struct error *reterr)
{
	return error_set(reterr, ERR_UNSUPPORTED, 0, "there is no item %.*s in the quarantine",
			 BYTES_FMT(bytes_sub(id, 0, 40)));
}

enum err store_quarantine_delete(struct store *store, struct bytes id, struct error *reterr)
{
	bool deleted;
	TRY(delete_id(store, id, &deleted, reterr));
	return deleted ? ERR_OK : no_such(id, reterr);
}

enum err store_forget_item(struct store *store, int64_t before_ms, uint64_t bytes_max, bool *ret_deleted,
			   struct error *reterr)
{
	sqlite3_stmt *statement =
		store_statement(store,
				"SELECT " COLUMNS ", t.row, t.file FROM quarantine t"
				" WHERE t.row < ?1 OR (SELECT bytes FROM quarantine_disk) > ?2 ORDER BY t.row LIMIT 1",
				reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, MIN(MAX(before_ms, 0), TIME_MAX) << ROW_SHIFT);
	(void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)MIN(bytes_max, (uint64_t)INT64_MAX));
	return delete_found(store, statement, ret_deleted, reterr);
}

/* -- Adding ---- */

/* Makes the folder of a day, and has it last. */
static enum err make_day(struct store *store, const char *day, struct error *reterr)
{
	char folder[PATH_ROOM];
	(void)snprintf(folder, sizeof(folder), "%s/quarantine/%s", store->folder, day);
	enum err err = file_make_folder(folder, 0700);
	if (err == ERR_OK && strcmp(store->synced_day, day) != 0) {
		err = file_sync_folder_of(folder);
		(void)snprintf(folder, sizeof(folder), "%s/quarantine", store->folder);
		if (err == ERR_OK)
			err = file_sync_folder_of(folder);
	}
	if (err != ERR_OK)
		return error_set(reterr, err, 0, "the folder of the quarantine cannot be made: %s", strerror(errno));
	(void)snprintf(store->synced_day, sizeof(store->synced_day), "%s", day);
	return ERR_OK;
}

static enum err insert(struct store *store, const struct store_item *item, const char *file, uint64_t size,
		       uint64_t disk, struct error *reterr)
{
	static const char sql[] = "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
				  " 'held', ?3, ?, ?)";
	static const char words_sql[] =
		"INSERT INTO quarantine_words (rowid, sender, recipient, subject, facts) VALUES (?, ?, ?, ?, ?)";
	CLEANUP(buf_done) struct buf packed = BUF_INIT(STORE_TEXT_MAX);
	const struct bytes texts[] = {item->from_address, item->subject, item->message_id, item->client_ip,
				      item->class,        item->ids,     item->reason_en,  item->reason_ja};
	struct store_words words = words_of(item);
	sqlite3_int64 row;
	words.n_recipients = store_recipients_pack(&packed, item->recipients, item->n_recipients);
	TRY(store_new_row(store, "SELECT MAX(row) FROM quarantine WHERE row BETWEEN ?1 AND ?2", item->time_ms, &row,
			  reterr));
	sqlite3_stmt *statement = store_statement(store, sql, reterr);
	sqlite3_stmt *words_statement = store_statement(store, words_sql, reterr);
	if (!statement || !words_statement)
		return ERR_IO;
	if (words.n_recipients < item->n_recipients) /* a release would forget the others */
		return error_set(reterr, ERR_LIMIT, 0, "a message has too many recipients for the quarantine");
	(void)sqlite3_bind_int64(statement, 1, row);
	store_bind(statement, 2, item->id);
	(void)sqlite3_bind_int64(statement, 3, item->time_ms);
	store_bind(statement, 4, item->mail_from);
	(void)sqlite3_bind_blob(statement, 5, packed.len ? (const void *)packed.ptr : "", (int)packed.len,
				SQLITE_STATIC);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		store_bind(statement, 6 + (int)i, texts[i]);
	(void)sqlite3_bind_int64(statement, 14, (sqlite3_int64)size);
	store_bind(statement, 15, bytes_from_cstr(file));
	(void)sqlite3_bind_int64(statement, 16, (sqlite3_int64)disk);
	TRY(store_run(store, statement, "quarantine", reterr));
	return store_words_run(store, words_statement, row, &words, reterr);
}

enum err store_quarantine_put(struct store *store, const struct store_item *item, struct bytes body,
			      struct error *reterr)
{
	char day[24], file[128], path[PATH_ROOM + 128];
	uint64_t disk;
	bool replaced;
	if (!good_id(item->id))
		return error_set(reterr, ERR_UNSUPPORTED, 0, "an item of the quarantine has a bad id");
	clock_format(item->time_ms / 1000, day);
	day[10] = '\0';
	(void)snprintf(file, sizeof(file), "quarantine/%s/%.*s.zst", day, BYTES_FMT(item->id));
	(void)snprintf(path, sizeof(path), "%s/%s", store->folder, file);
	TRY(make_day(store, day, reterr));
	size_t gone = store->gone.len;
	TRY(delete_id(store, item->id, &replaced, reterr));
	store->gone.len = gone; /* its file is written anew; of another day, it is swept */
	TRY(store_body_write(path, body, &disk, reterr));
	return insert(store, item, file, body.len, disk, reterr);
}

/* -- Finding ---- */

struct find {
	struct arena *arena; /* of one row */
	bool (*row)(void *ctx, const struct store_item *item);
	void *ctx;
};

static enum store_told on_found(void *ctx, sqlite3_stmt *statement)
{
	struct find *find = ctx;
	struct store_item item;
	arena_reset(find->arena);
	if (!read_row(find->arena, statement, &item))
		return STORE_NOMEM;
	return find->row(find->ctx, &item) ? STORE_TOLD : STORE_ENOUGH;
}

enum err store_quarantine_find(struct store *store, const struct store_query *query,
			       bool (*row)(void *ctx, const struct store_item *item), void *ctx, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct find find = {arena, row, ctx};
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the search");
	return store_find(store, &table, query, on_found, &find, reterr);
}

/* The file and size of an item; ERR_UNSUPPORTED when there is none such. */
static enum err find_file(struct store *store, struct bytes id, char path[static PATH_ROOM], uint64_t *ret_size,
			  struct error *reterr)
{
	sqlite3_stmt *statement = store_statement(store, "SELECT file, size FROM quarantine WHERE id = ?", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	int rc = sqlite3_step(statement);
	enum err err = ERR_OK;
	if (rc == SQLITE_ROW) {
		(void)snprintf(path, PATH_ROOM, "%s/%.*s", store->folder, BYTES_FMT(store_column(statement, 0)));
		*ret_size = (uint64_t)sqlite3_column_int64(statement, 1);
	} else if (rc == SQLITE_DONE) {
		err = no_such(id, reterr);
	} else {
		err = store_failed(store, "quarantine", reterr);
	}
	(void)sqlite3_reset(statement);
	return err;
}

enum err store_quarantine_body(struct store *store, struct bytes id, uint8_t **ret_body, size_t *ret_len,
			       struct error *reterr)
{
	char path[PATH_ROOM];
	uint64_t size = 0;
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
	TRY(store_run(store, statement, "quarantine", reterr));
	return sqlite3_changes(store->db) > 0 ? ERR_OK : no_such(id, reterr);
}

/* -- Releases ---- */

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

enum err store_knows_file(struct store *store, struct bytes id, struct bytes file, bool *ret_known,
			  struct error *reterr)
{
	int64_t count;
	sqlite3_stmt *statement =
		store_statement(store, "SELECT COUNT(*) FROM quarantine WHERE id = ? AND file = ?", reterr);
	if (!statement)
		return ERR_IO;
	store_bind(statement, 1, id);
	store_bind(statement, 2, file);
	TRY(store_number(store, statement, 0, &count, reterr));
	*ret_known = count > 0;
	return ERR_OK;
}
