/* SPDX-License-Identifier: Apache-2.0 */
/* A query as one statement, for the trace and the quarantine alike; and keys for new rows. */
#include "base/arena.h"
#include "base/num.h"
#include "store/private.h"

#include "base/banned.h"

/* The span of keys that since, until and before leave; its end is not in it. */
static enum err span_of(struct store *store, const struct store_table *table, const struct store_query *query,
			sqlite3_int64 *ret_begin, sqlite3_int64 *ret_end, struct error *reterr)
{
	*ret_begin = MIN(MAX(query->since_ms, 0), TIME_MAX) << ROW_SHIFT;
	*ret_end = query->until_ms > 0 ? MIN(query->until_ms, TIME_MAX) << ROW_SHIFT : INT64_MAX;
	if (query->before.len == 0)
		return ERR_OK;
	CLEANUP(buf_done) struct buf sql = BUF_INIT(200);
	sqlite3_stmt *statement = NULL;
	int64_t row = 0;
	buf_printf(&sql, "SELECT row FROM %s WHERE id = ?", table->name);
	if (buf_err(&sql) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the search");
	if (sqlite3_prepare_v2(store->db, (const char *)sql.ptr, (int)sql.len, &statement, NULL) != SQLITE_OK)
		return store_failed(store, "search", reterr);
	store_bind(statement, 1, query->before);
	enum err err = store_number(store, statement, -1, &row, reterr);
	(void)sqlite3_finalize(statement);
	if (err == ERR_OK && row < 0)
		err = error_set(reterr, ERR_UNSUPPORTED, 0, "there is no row %.*s to go on before",
				BYTES_FMT(bytes_sub(query->before, 0, 40)));
	if (err == ERR_OK)
		*ret_end = MIN(*ret_end, row);
	return err;
}

/*
 * An id finds one row, whose words are then looked at; otherwise the index of words, and without words the table
 * itself, is walked from the end of the span down.
 */
static void write_sql(struct buf *sql, const struct store_table *table, const struct store_query *query, bool words)
{
	bool keyed = query->id.len > 0;
	const char *walked = words && !keyed ? "w.rowid" : "t.row";
	buf_printf(sql, "SELECT %s FROM ", table->columns);
	if (words && keyed)
		buf_printf(sql, "%s t CROSS JOIN %s_words w ON w.rowid = t.row", table->name, table->name);
	else if (words)
		buf_printf(sql, "%s_words w CROSS JOIN %s t ON t.row = w.rowid", table->name, table->name);
	else
		buf_printf(sql, "%s t", table->name);
	buf_printf(sql, " WHERE %s >= ?1 AND %s < ?2", walked, walked);
	if (words)
		buf_printf(sql, " AND w.%s_words MATCH ?3", table->name);
	if (!store_words_suffice(query))
		buf_add_cstr(sql,
			     " AND fits(?6, t.mail_from, t.recipients, t.from_address, t.message_id, t.client_ip)");
	buf_add_cstr(sql, keyed ? " AND t.id = ?4" : "");
	buf_add_cstr(sql, table->status_is_state && query->status.len ? " AND t.state = ?5" : "");
	buf_printf(sql, " ORDER BY %s DESC", walked);
}

/*
 * fits(QUERY, ...): looks again at a row, from inside the statement: a row that does not fit is left before the rest of
 * it, which is most of it, was read. One function for all queries: to bring in a new one would have every compiled
 * statement compiled again, also that which undoes where there is no memory.
 */
struct fits {
	const struct store_query *query;
	struct arena *arena; /* of one row */
};

#define FITS_TYPE "store_query"

static struct bytes value_of(sqlite3_value *value)
{
	const void *text = sqlite3_value_blob(value);
	int len = sqlite3_value_bytes(value);
	return bytes_make(text ? text : "", text && len > 0 ? (size_t)len : 0);
}

static void on_fits(sqlite3_context *call, int n, sqlite3_value **values)
{
	struct fits *fits = sqlite3_value_pointer(values[0], FITS_TYPE);
	(void)n;
	if (!fits)
		return; /* somebody else asks: NULL */
	struct store_words words = {.mail_from = value_of(values[1]),
				    .from_address = value_of(values[3]),
				    .message_id = value_of(values[4]),
				    .client_ip = value_of(values[5])};
	arena_reset(fits->arena);
	if (store_recipients_unpack(fits->arena, value_of(values[2]), &words.recipients, &words.n_recipients) != ERR_OK)
		sqlite3_result_error_nomem(call);
	else
		sqlite3_result_int(call, store_words_fit(fits->query, &words));
}

enum err store_find_register(sqlite3 *db)
{
	return sqlite3_create_function_v2(db, "fits", 6, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, on_fits, NULL, NULL,
					  NULL) == SQLITE_OK
		       ? ERR_OK
		       : ERR_NOMEM;
}

static enum err walk(struct store *store, sqlite3_stmt *statement, int64_t limit,
		     enum store_told (*row)(void *ctx, sqlite3_stmt *statement), void *ctx, struct error *reterr)
{
	for (int64_t n = 0; n < limit;) {
		int rc = sqlite3_step(statement);
		if (rc == SQLITE_DONE)
			return ERR_OK;
		if (rc != SQLITE_ROW)
			return store_failed(store, "search", reterr);
		switch (row(ctx, statement)) {
		case STORE_TOLD:
			n++;
			break;
		case STORE_ENOUGH:
			return ERR_OK;
		case STORE_NOMEM:
			return error_set(reterr, ERR_NOMEM, 0, "no memory for the search");
		}
	}
	return ERR_OK;
}

enum err store_find(struct store *store, const struct store_table *table, const struct store_query *query,
		    enum store_told (*row)(void *ctx, sqlite3_stmt *statement), void *ctx, struct error *reterr)
{
	CLEANUP(buf_done) struct buf match = BUF_INIT(4 * STORE_TEXT_MAX);
	CLEANUP(buf_done) struct buf sql = BUF_INIT(4000);
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct fits fits = {query, arena};
	sqlite3_stmt *statement = NULL;
	sqlite3_int64 begin, end;
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the search");
	TRY(store_words_match(&match, query, !table->status_is_state, reterr));
	TRY(span_of(store, table, query, &begin, &end, reterr));
	write_sql(&sql, table, query, match.len > 0);
	if (buf_err(&sql) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the search");
	if (sqlite3_prepare_v2(store->db, (const char *)sql.ptr, (int)sql.len, &statement, NULL) != SQLITE_OK)
		return store_failed(store, "search", reterr);
	(void)sqlite3_bind_int64(statement, 1, begin);
	(void)sqlite3_bind_int64(statement, 2, end);
	/* Parameters that the statement does not have are refused, which is as it should be. */
	store_bind(statement, 3, buf_bytes(&match));
	store_bind(statement, 4, query->id);
	store_bind(statement, 5, query->status);
	(void)sqlite3_bind_pointer(statement, 6, &fits, FITS_TYPE, NULL);
	enum err err = walk(store, statement, query->limit, row, ctx, reterr);
	(void)sqlite3_finalize(statement);
	return err;
}

enum err store_new_row(struct store *store, const char *sql, int64_t time_ms, sqlite3_int64 *ret_row,
		       struct error *reterr)
{
	int64_t time = MIN(MAX(time_ms, 0), TIME_MAX);
	for (;; time++) {
		sqlite3_stmt *statement = store_statement(store, sql, reterr);
		int64_t begin = time << ROW_SHIFT, last = begin + (1 << ROW_SHIFT) - 1, highest;
		if (!statement)
			return ERR_IO;
		(void)sqlite3_bind_int64(statement, 1, begin);
		(void)sqlite3_bind_int64(statement, 2, last);
		TRY(store_number(store, statement, begin - 1, &highest, reterr));
		if (highest < last) { /* else this millisecond is full: the next one */
			*ret_row = highest + 1;
			return ERR_OK;
		}
	}
}
