/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/private.h: what the files of store/ share: the connection and its cached statements, the words of a row, and
 * the search.
 *
 * Rows: the key of a row of `trace` and `quarantine` is its time in milliseconds, shifted by ROW_SHIFT, plus a number
 * that tells rows of one millisecond apart. So the newest first is the order of the table and of its full-text index
 * alike, and a span of time is a span of both: no search looks at rows outside it, and none sorts.
 */
#include <dirent.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "store/store.h"

struct arena;

#define STATEMENTS_MAX 80
#define PATH_ROOM      4400
#define ROW_SHIFT      12
#define TIME_MAX       ((INT64_C(1) << 50) - 1)

struct store {
	sqlite3 *db;
	char folder[4096];
	bool read_only, in_transaction;
	int64_t version; /* of the database */
	int synchronous; /* of the last transaction: 1 NORMAL, 2 FULL; 0 not known */
	struct {
		const char *sql; /* by pointer: literals only */
		sqlite3_stmt *statement;
	} cache[STATEMENTS_MAX];
	size_t n_cached;
	struct buf gone;     /* paths, each with its NUL, that go when the transaction is committed */
	char synced_day[32]; /* whose folder is known to last */
	DIR *sweep;          /* the folder that is being swept */
	char sweep_day[32];
};

/* A prepared statement, reset and without bindings; NULL with *reterr. */
sqlite3_stmt *store_statement(struct store *store, const char *sql, struct error *reterr);
/* What SQLite said, as ours; names what to do. */
enum err store_failed(struct store *store, const char *what, struct error *reterr);
/* Runs to the end. */
NODISCARD enum err store_run(struct store *store, sqlite3_stmt *statement, const char *what, struct error *reterr);
NODISCARD enum err store_exec(struct store *store, const char *sql, struct error *reterr);
/* The first column of the only row, or `fallback` when there is none. */
NODISCARD enum err store_number(struct store *store, sqlite3_stmt *statement, int64_t fallback, int64_t *ret,
				struct error *reterr);
/* Cut at STORE_TEXT_MAX; an empty span is the empty text. */
void store_bind(sqlite3_stmt *statement, int at, struct bytes text);
struct bytes store_column(sqlite3_stmt *statement, int at);

/* -- recipients.c: a list of recipients as one value of a row ---- */
/* Returns how many fit. */
size_t store_recipients_pack(struct buf *buf, const struct store_recipient *recipients, size_t n);
NODISCARD enum err store_recipients_unpack(struct arena *arena, struct bytes packed,
					   const struct store_recipient **ret_recipients, size_t *ret_n);

/* -- tokenizer.c ---- */
NODISCARD enum err store_tokenizer_register(sqlite3 *db);
/* Calls word() for each token of `text`, as it is indexed. False when memory is short or word() is not 0. */
bool store_tokenize(struct bytes text, int (*word)(void *ctx, struct bytes token), void *ctx);

/* -- words.c: a row as the full-text index and a search see it ---- */
struct store_words {
	struct bytes mail_from, from_address, from_name, subject, client_ip, message_id, status, class;
	const struct store_recipient *recipients;
	size_t n_recipients;
};

/* Binds row, sender, recipient, subject, facts as parameters 1 to 5 of `statement`, and runs it. */
NODISCARD enum err store_words_run(struct store *store, sqlite3_stmt *statement, sqlite3_int64 row,
				   const struct store_words *words, struct error *reterr);
/* The query as an expression of the index, with `facts` such as its class; ERR_UNSUPPORTED when it has no word. */
NODISCARD enum err store_words_match(struct buf *match, const struct store_query *query, bool status,
				     struct error *reterr);
/* Whether the index alone answers; else store_words_fit() tells what words cannot say exactly: whole addresses, message
 * ids and networks. It asks the addresses, the client and the message id of a row, and nothing else. */
bool store_words_suffice(const struct store_query *query);
bool store_words_fit(const struct store_query *query, const struct store_words *words);

/* -- find.c ---- */
enum store_told { STORE_TOLD, STORE_ENOUGH, STORE_NOMEM };

struct store_table {
	const char *name, *columns; /* columns of t */
	bool status_is_state;       /* status is the column `state`, not a word */
};

/* What the statements of store_find() call. */
NODISCARD enum err store_find_register(sqlite3 *db);
NODISCARD enum err store_find(struct store *store, const struct store_table *table, const struct store_query *query,
			      enum store_told (*row)(void *ctx, sqlite3_stmt *statement), void *ctx,
			      struct error *reterr);
/* A key for a new row of that time; `sql` tells the highest key from ?1 to ?2. */
NODISCARD enum err store_new_row(struct store *store, const char *sql, int64_t time_ms, sqlite3_int64 *ret_row,
				 struct error *reterr);

/* -- body.c ---- */
/* Compresses and writes durably; tells the size on disk. */
NODISCARD enum err store_body_write(const char *path, struct bytes body, uint64_t *ret_disk, struct error *reterr);
NODISCARD enum err store_body_read(const char *path, uint64_t size, uint8_t **ret_body, size_t *ret_len,
				   struct error *reterr);

/* -- reports.c ---- */
/* As store_statement(), for the tables of reports: NULL also where the database is older than these. */
sqlite3_stmt *store_report_statement(struct store *store, const char *sql, struct error *reterr);

/* -- Upkeep ---- */
NODISCARD enum err store_forget_traces(struct store *store, int64_t before_ms, int steps, bool *ret_more,
				       struct error *reterr);
/* The oldest item, when it is older than that or all together take more than that: it is deleted. */
NODISCARD enum err store_forget_item(struct store *store, int64_t before_ms, uint64_t bytes_max, bool *ret_deleted,
				     struct error *reterr);
/* Whether the quarantine has an item of that id whose body is that file. */
NODISCARD enum err store_knows_file(struct store *store, struct bytes id, struct bytes file, bool *ret_known,
				    struct error *reterr);
