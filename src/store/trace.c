/* SPDX-License-Identifier: Apache-2.0 */
/* The trace: one row a session or message, and its words. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"
#include "store/private.h"

#include "base/banned.h"

#define COLUMNS                                                                                                        \
	"t.id, t.time, t.frontend, t.client_ip, t.client_name, t.helo, t.user, t.mail_from, t.recipients,"             \
	" t.from_address, t.from_name, t.subject, t.message_id, t.queue_id, t.size, t.class, t.log_odds, t.action,"    \
	" t.status, t.reason_en, t.reason_ja, t.usec, t.released, t.evidence"
#define COLUMN_ROW 24 /* where it is asked for, behind those */

static const struct store_table table = {.name = "trace", .columns = COLUMNS};

static struct store_words words_of(const struct store_trace *trace)
{
	return (struct store_words){
		.mail_from = trace->mail_from,
		.from_address = trace->from_address,
		.from_name = trace->from_name,
		.subject = trace->subject,
		.client_ip = trace->client_ip,
		.message_id = trace->message_id,
		.status = trace->status,
		.class = trace->class,
		.recipients = trace->recipients,
		.n_recipients = trace->n_recipients,
	};
}

static enum err insert(struct store *store, const struct store_trace *trace, sqlite3_int64 row, struct bytes recipients,
		       struct error *reterr)
{
	static const char sql[] =
		"INSERT OR IGNORE INTO trace (row, id, time, frontend, client_ip, client_name, helo, user, mail_from,"
		" recipients, from_address, from_name, subject, message_id, queue_id, size, class, log_odds, action,"
		" status, reason_en, reason_ja, usec, released, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"?,"
		" ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	/* JSON that is cut is none. */
	struct bytes evidence = trace->evidence.len <= STORE_TEXT_MAX ? trace->evidence : (struct bytes){0};
	const struct {
		int at;
		struct bytes text;
	} texts[] = {{2, trace->id},         {4, trace->frontend},  {5, trace->client_ip},   {6, trace->client_name},
		     {7, trace->helo},       {8, trace->user},      {9, trace->mail_from},   {11, trace->from_address},
		     {12, trace->from_name}, {13, trace->subject},  {14, trace->message_id}, {15, trace->queue_id},
		     {17, trace->class},     {19, trace->action},   {20, trace->status},     {21, trace->reason_en},
		     {22, trace->reason_ja}, {24, trace->released}, {25, evidence}};
	sqlite3_stmt *statement = store_statement(store, sql, reterr);
	if (!statement)
		return ERR_IO;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		store_bind(statement, texts[i].at, texts[i].text);
	(void)sqlite3_bind_int64(statement, 1, row);
	(void)sqlite3_bind_int64(statement, 3, trace->time_ms);
	(void)sqlite3_bind_blob(statement, 10, recipients.len ? (const void *)recipients.ptr : "", (int)recipients.len,
				SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 16, (sqlite3_int64)trace->size);
	(void)sqlite3_bind_int64(statement, 18, trace->log_odds);
	(void)sqlite3_bind_int64(statement, 23, (sqlite3_int64)trace->usec);
	return store_run(store, statement, "trace", reterr);
}

enum err store_trace_add(struct store *store, const struct store_trace *trace, struct error *reterr)
{
	static const char words_sql[] =
		"INSERT INTO trace_words (rowid, sender, recipient, subject, facts) VALUES (?, ?, ?, ?, ?)";
	CLEANUP(buf_done) struct buf packed = BUF_INIT(STORE_TEXT_MAX);
	struct store_words words = words_of(trace);
	sqlite3_int64 row;
	/* What is forgotten later is what the row holds: the words are those of the recipients that fitted. */
	words.n_recipients = store_recipients_pack(&packed, trace->recipients, trace->n_recipients);
	if (buf_err(&packed) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for a record");
	TRY(store_new_row(store, "SELECT MAX(row) FROM trace WHERE row BETWEEN ?1 AND ?2", trace->time_ms, &row,
			  reterr));
	TRY(insert(store, trace, row, buf_bytes(&packed), reterr));
	if (sqlite3_changes(store->db) == 0)
		return ERR_OK; /* it was there already */
	sqlite3_stmt *statement = store_statement(store, words_sql, reterr);
	return statement ? store_words_run(store, statement, row, &words, reterr) : ERR_IO;
}

bool store_trace_was_new(const struct store *store)
{
	return sqlite3_changes(store->db) > 0;
}

/* -- Finding ---- */

static bool read_row(struct arena *arena, sqlite3_stmt *statement, struct store_trace *trace)
{
	*trace = (struct store_trace){
		.id = store_column(statement, 0),
		.time_ms = sqlite3_column_int64(statement, 1),
		.frontend = store_column(statement, 2),
		.client_ip = store_column(statement, 3),
		.client_name = store_column(statement, 4),
		.helo = store_column(statement, 5),
		.user = store_column(statement, 6),
		.mail_from = store_column(statement, 7),
		.from_address = store_column(statement, 9),
		.from_name = store_column(statement, 10),
		.subject = store_column(statement, 11),
		.message_id = store_column(statement, 12),
		.queue_id = store_column(statement, 13),
		.size = (uint64_t)sqlite3_column_int64(statement, 14),
		.class = store_column(statement, 15),
		.log_odds = sqlite3_column_int64(statement, 16),
		.action = store_column(statement, 17),
		.status = store_column(statement, 18),
		.reason_en = store_column(statement, 19),
		.reason_ja = store_column(statement, 20),
		.usec = (uint64_t)sqlite3_column_int64(statement, 21),
		.released = store_column(statement, 22),
		.evidence = store_column(statement, 23),
	};
	return store_recipients_unpack(arena, store_column(statement, 8), &trace->recipients, &trace->n_recipients) ==
	       ERR_OK;
}

struct find {
	struct arena *arena; /* of one row */
	bool (*row)(void *ctx, const struct store_trace *trace);
	void *ctx;
};

static enum store_told on_found(void *ctx, sqlite3_stmt *statement)
{
	struct find *find = ctx;
	struct store_trace trace;
	arena_reset(find->arena);
	if (!read_row(find->arena, statement, &trace))
		return STORE_NOMEM;
	return find->row(find->ctx, &trace) ? STORE_TOLD : STORE_ENOUGH;
}

enum err store_trace_find(struct store *store, const struct store_query *query,
			  bool (*row)(void *ctx, const struct store_trace *trace), void *ctx, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct find find = {arena, row, ctx};
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the search");
	return store_find(store, &table, query, on_found, &find, reterr);
}

/* -- Forgetting ---- */

static enum err forget_row(struct store *store, sqlite3_int64 row, const struct store_trace *trace,
			   struct error *reterr)
{
	/* An index without content forgets a row when it is told what was in it. */
	static const char words_sql[] =
		"INSERT INTO trace_words (trace_words, rowid, sender, recipient, subject, facts)"
		" VALUES ('delete', ?, ?, ?, ?, ?)";
	struct store_words words = words_of(trace);
	sqlite3_stmt *forget = store_statement(store, words_sql, reterr);
	if (!forget)
		return ERR_IO;
	TRY(store_words_run(store, forget, row, &words, reterr));
	sqlite3_stmt *delete = store_statement(store, "DELETE FROM trace WHERE row = ?", reterr);
	if (!delete)
		return ERR_IO;
	(void)sqlite3_bind_int64(delete, 1, row);
	return store_run(store, delete, "retention", reterr);
}

enum err store_forget_traces(struct store *store, int64_t before_ms, int steps, bool *ret_more, struct error *reterr)
{
	static const char sql[] = "SELECT " COLUMNS ", t.row FROM trace t WHERE t.row < ? ORDER BY t.row LIMIT 1";
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	sqlite3_int64 end = MIN(MAX(before_ms, 0), TIME_MAX) << ROW_SHIFT;
	*ret_more = false;
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the retention");
	for (int i = 0; i < steps; i++) {
		struct store_trace trace;
		sqlite3_stmt *oldest = store_statement(store, sql, reterr);
		if (!oldest)
			return ERR_IO;
		(void)sqlite3_bind_int64(oldest, 1, end);
		int rc = sqlite3_step(oldest);
		arena_reset(arena);
		enum err err = ERR_OK;
		if (rc == SQLITE_ROW && !read_row(arena, oldest, &trace))
			err = error_set(reterr, ERR_NOMEM, 0, "no memory for the retention");
		else if (rc == SQLITE_ROW)
			err = forget_row(store, sqlite3_column_int64(oldest, COLUMN_ROW), &trace, reterr);
		else if (rc != SQLITE_DONE)
			err = store_failed(store, "retention", reterr);
		(void)sqlite3_reset(oldest);
		if (err != ERR_OK || rc == SQLITE_DONE)
			return err;
	}
	*ret_more = true;
	return ERR_OK;
}
