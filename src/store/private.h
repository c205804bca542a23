/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/private.h: what the files of store/ share: the connection and its cached statements.
 */
#include <sqlite3.h>

#include "store/store.h"

#define STATEMENTS_MAX 48

struct store {
	sqlite3 *db;
	char folder[4096];
	bool read_only, in_transaction;
	struct {
		const char *sql; /* by pointer: literals only */
		sqlite3_stmt *statement;
	} cache[STATEMENTS_MAX];
	size_t n_cached;
};

/* A prepared statement, reset and without bindings; NULL with *reterr. */
sqlite3_stmt *store_statement(struct store *store, const char *sql, struct error *reterr);
/* What SQLite said, as ours; names what to do. */
enum err store_failed(struct store *store, const char *what, struct error *reterr);
/* Runs to the end. */
enum err store_run(struct store *store, sqlite3_stmt *statement, const char *what, struct error *reterr);
enum err store_exec(struct store *store, const char *sql, struct error *reterr);
/* Cut at STORE_TEXT_MAX; an empty span is the empty text. */
void store_bind(sqlite3_stmt *statement, int at, struct bytes text);
struct bytes store_column(sqlite3_stmt *statement, int at);

/* -- tokenizer.c ----------------------------------------------------------------------------------------------------
 */
enum err store_tokenizer_register(sqlite3 *db);
/* Calls word() for each token of `text`, as it is indexed. False when memory is short. */
bool store_tokenize(struct bytes text, int (*word)(void *ctx, struct bytes token), void *ctx);

/* -- body.c ---------------------------------------------------------------------------------------------------------
 */
/* Compresses and writes durably. */
enum err store_body_write(const char *folder, const char *name, struct bytes body, struct error *reterr);
enum err store_body_read(const char *path, uint64_t size, uint8_t **ret_body, size_t *ret_len, struct error *reterr);
