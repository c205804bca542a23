/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "store/private.h"

#include "base/banned.h"

#define BUSY_MS 2000

/*
 * The versions of the database, each made from the one before it: a later one adds a text, and never changes an old
 * one.
 *
 * 1: trace and quarantine. The evidence is the last column, so that what a search looks at lies before it.
 */
static const char schema_1[] =
	"CREATE TABLE trace ("
	" row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, frontend TEXT, client_ip TEXT,"
	" client_name TEXT, helo TEXT, user TEXT, mail_from TEXT, recipients BLOB, from_address TEXT, from_name TEXT,"
	" subject TEXT, message_id TEXT, queue_id TEXT, size INTEGER, class TEXT, log_odds INTEGER, action TEXT,"
	" status TEXT, reason_en TEXT, reason_ja TEXT, usec INTEGER, released TEXT, evidence TEXT);"
	"CREATE VIRTUAL TABLE trace_words USING fts5 (sender, recipient, subject, facts, content='', columnsize=0,"
	" tokenize='postern');"
	"CREATE TABLE quarantine ("
	" row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, mail_from TEXT, recipients BLOB,"
	" from_address TEXT, subject TEXT, message_id TEXT, client_ip TEXT, class TEXT, ids TEXT, reason_en TEXT,"
	" reason_ja TEXT, size INTEGER, state TEXT NOT NULL, changed INTEGER, file TEXT NOT NULL, disk INTEGER);"
	"CREATE VIRTUAL TABLE quarantine_words USING fts5 (sender, recipient, subject, facts, content='', columnsize=0,"
	" tokenize='postern');"
	"CREATE TABLE quarantine_disk (one INTEGER PRIMARY KEY, bytes INTEGER);"
	"INSERT INTO quarantine_disk VALUES (1, 0);"
	"CREATE TRIGGER quarantine_added AFTER INSERT ON quarantine BEGIN"
	" UPDATE quarantine_disk SET bytes = bytes + new.disk; END;"
	"CREATE TRIGGER quarantine_deleted AFTER DELETE ON quarantine BEGIN"
	" UPDATE quarantine_disk SET bytes = bytes - old.disk; END;"
	"CREATE TABLE release (id TEXT NOT NULL, token TEXT NOT NULL, body TEXT NOT NULL, time INTEGER NOT NULL,"
	" PRIMARY KEY (id, token));"
	"CREATE INDEX release_time ON release (time);"
	"CREATE TABLE probe (one INTEGER PRIMARY KEY, time INTEGER);"
	"PRAGMA user_version = 1;";

/*
 * 2: reports on mail in our name (report*), summed by day, and the tallies of those that we owe (owed*). Days are
 * counted from 1970 in UTC. An alignment is a number of enum report_aligned.
 */
static const char schema_2[] =
	"CREATE TABLE report ("
	" row INTEGER PRIMARY KEY, kind TEXT NOT NULL, org TEXT NOT NULL, report_id TEXT NOT NULL, domain TEXT NOT "
	"NULL,"
	" begin INTEGER NOT NULL, end INTEGER NOT NULL, received INTEGER NOT NULL, policy TEXT NOT NULL,"
	" UNIQUE (kind, org, report_id, domain));"
	"CREATE INDEX report_domain ON report (domain, end);"
	"CREATE TABLE report_source ("
	" day INTEGER NOT NULL, domain TEXT NOT NULL, ip TEXT NOT NULL, header_from TEXT NOT NULL, dkim INTEGER NOT "
	"NULL,"
	" spf INTEGER NOT NULL, disposition TEXT NOT NULL, dkim_domain TEXT NOT NULL, spf_domain TEXT NOT NULL,"
	" count INTEGER NOT NULL,"
	" PRIMARY KEY (day, domain, ip, header_from, dkim, spf, disposition, dkim_domain, spf_domain)) WITHOUT ROWID;"
	"CREATE TABLE report_tls ("
	" day INTEGER NOT NULL, domain TEXT NOT NULL, type TEXT NOT NULL, successful INTEGER NOT NULL,"
	" failed INTEGER NOT NULL, PRIMARY KEY (day, domain, type)) WITHOUT ROWID;"
	"CREATE TABLE report_tls_failure ("
	" day INTEGER NOT NULL, domain TEXT NOT NULL, type TEXT NOT NULL, result TEXT NOT NULL, mx TEXT NOT NULL,"
	" sessions INTEGER NOT NULL, PRIMARY KEY (day, domain, type, result, mx)) WITHOUT ROWID;"
	"CREATE TABLE owed ("
	" day INTEGER NOT NULL, domain TEXT NOT NULL, rua TEXT NOT NULL, discovery TEXT NOT NULL, p TEXT NOT NULL,"
	" sp TEXT NOT NULL, np TEXT NOT NULL, fo TEXT NOT NULL, adkim TEXT NOT NULL, aspf TEXT NOT NULL,"
	" testing TEXT NOT NULL, records INTEGER NOT NULL, sent INTEGER NOT NULL,"
	" PRIMARY KEY (day, domain)) WITHOUT ROWID;"
	"CREATE TABLE owed_record ("
	" day INTEGER NOT NULL, domain TEXT NOT NULL, ip TEXT NOT NULL, header_from TEXT NOT NULL,"
	" disposition TEXT NOT NULL, dkim INTEGER NOT NULL, spf INTEGER NOT NULL, detail BLOB NOT NULL,"
	" count INTEGER NOT NULL,"
	" PRIMARY KEY (day, domain, ip, header_from, disposition, dkim, spf, detail)) WITHOUT ROWID;"
	"PRAGMA user_version = 2;";

/*
 * 3: who sent a report, as far as it was proven, and how many messages it tells of; and whose word each sum is. Two who
 * say that they are the same organization do not have the same reports.
 */
static const char schema_3[] =
	"CREATE TABLE report_3 ("
	" row INTEGER PRIMARY KEY, kind TEXT NOT NULL, org TEXT NOT NULL, report_id TEXT NOT NULL, domain TEXT NOT "
	"NULL,"
	" sender TEXT NOT NULL, begin INTEGER NOT NULL, end INTEGER NOT NULL, received INTEGER NOT NULL,"
	" policy TEXT NOT NULL, messages INTEGER NOT NULL, UNIQUE (kind, org, report_id, domain, sender));"
	"INSERT INTO report_3"
	" SELECT row, kind, org, report_id, domain, '', begin, end, received, policy, 0 FROM report;"
	"DROP TABLE report;"
	"ALTER TABLE report_3 RENAME TO report;"
	"CREATE INDEX report_domain ON report (domain, end);"
	"CREATE INDEX report_begin ON report (begin);"
	"CREATE TABLE report_source_3 ("
	" day INTEGER NOT NULL, domain TEXT NOT NULL, ip TEXT NOT NULL, sender TEXT NOT NULL, header_from TEXT NOT "
	"NULL,"
	" dkim INTEGER NOT NULL, spf INTEGER NOT NULL, disposition TEXT NOT NULL, dkim_domain TEXT NOT NULL,"
	" spf_domain TEXT NOT NULL, count INTEGER NOT NULL,"
	" PRIMARY KEY (day, domain, ip, sender, header_from, dkim, spf, disposition, dkim_domain, spf_domain))"
	" WITHOUT ROWID;"
	"INSERT INTO report_source_3 SELECT day, domain, ip, '', header_from, dkim, spf, disposition, dkim_domain,"
	" spf_domain, count FROM report_source;"
	"DROP TABLE report_source;"
	"ALTER TABLE report_source_3 RENAME TO report_source;"
	"PRAGMA user_version = 3;";

static const char *const schemas[] = {schema_1, schema_2, schema_3};

enum err store_failed(struct store *store, const char *what, struct error *reterr)
{
	int code = sqlite3_errcode(store->db);
	const char *said = sqlite3_errmsg(store->db);
	switch (code & 0xff) {
	case SQLITE_FULL:
		return error_set(reterr, ERR_IO, 0, "%s: the disk is full", what);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(reterr, ERR_IO, 0, "%s: the database is locked by another program", what);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return error_set(reterr, ERR_SYNTAX, 0, "%s: the database is damaged (%s)", what, said);
	case SQLITE_READONLY:
		return error_set(reterr, ERR_IO, 0, "%s: the database cannot be written", what);
	case SQLITE_NOMEM:
		return error_set(reterr, ERR_NOMEM, 0, "%s: no memory", what);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return error_set(reterr, ERR_IO, 0, "%s: %s (%s)", what, said,
				 strerror(sqlite3_system_errno(store->db)));
	default:
		return error_set(reterr, ERR_IO, 0, "%s: %s", what, said);
	}
}

enum err store_exec(struct store *store, const char *sql, struct error *reterr)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return store_failed(store, "database", reterr);
	return ERR_OK;
}

sqlite3_stmt *store_statement(struct store *store, const char *sql, struct error *reterr)
{
	for (size_t i = 0; i < store->n_cached; i++) {
		if (store->cache[i].sql == sql) {
			(void)sqlite3_reset(store->cache[i].statement);
			(void)sqlite3_clear_bindings(store->cache[i].statement);
			return store->cache[i].statement;
		}
	}
	ASSERT(store->n_cached < STATEMENTS_MAX);
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
		(void)store_failed(store, "database", reterr);
		return NULL;
	}
	store->cache[store->n_cached].sql = sql;
	store->cache[store->n_cached++].statement = statement;
	return statement;
}

enum err store_run(struct store *store, sqlite3_stmt *statement, const char *what, struct error *reterr)
{
	int rc;
	do
		rc = sqlite3_step(statement);
	while (rc == SQLITE_ROW);
	enum err err = rc == SQLITE_DONE ? ERR_OK : store_failed(store, what, reterr);
	(void)sqlite3_reset(statement);
	return err;
}

enum err store_number(struct store *store, sqlite3_stmt *statement, int64_t fallback, int64_t *ret,
		      struct error *reterr)
{
	int rc = sqlite3_step(statement);
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "database", reterr);
	if (err == ERR_OK)
		*ret = rc == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL
			       ? sqlite3_column_int64(statement, 0)
			       : fallback;
	(void)sqlite3_reset(statement);
	return err;
}

void store_bind(sqlite3_stmt *statement, int at, struct bytes text)
{
	text = utf8_prefix(text, STORE_TEXT_MAX);
	(void)sqlite3_bind_text(statement, at, text.len ? (const char *)text.ptr : "", (int)text.len, SQLITE_STATIC);
}

struct bytes store_column(sqlite3_stmt *statement, int at)
{
	const void *text = sqlite3_column_blob(statement, at);
	int len = sqlite3_column_bytes(statement, at);
	return bytes_make(text ? text : "", text && len > 0 ? (size_t)len : 0);
}

static enum err configure(struct store *store, struct error *reterr)
{
	int on = 0;
	(void)sqlite3_busy_timeout(store->db, BUSY_MS);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, &on);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
	(void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
	if (store_tokenizer_register(store->db) != ERR_OK)
		return error_set(reterr, ERR_UNSUPPORTED, 0, "this SQLite has no full-text search (FTS5)");
	if (store_find_register(store->db) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the database");
	/* Space can be given back only when the very first page was written so. A reader maps the file: looking at a
	 * million rows is mostly copying pages otherwise. Nobody cuts pages off that a snapshot still shows. */
	return store_exec(store,
			  store->read_only ? "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;"
					     "PRAGMA cache_size = -16000; PRAGMA mmap_size = 2147418112;"
					   : "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
					     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;"
					     "PRAGMA journal_size_limit = 67108864;",
			  reterr);
}

static enum err version_of(struct store *store, int64_t *ret_version, struct error *reterr)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
		return store_failed(store, "database", reterr);
	enum err err = store_number(store, statement, 0, ret_version, reterr);
	(void)sqlite3_finalize(statement);
	return err;
}

static enum err upgrade(struct store *store, struct error *reterr)
{
	TRY(store_exec(store, "BEGIN IMMEDIATE", reterr));
	enum err err = version_of(store, &store->version, reterr); /* another process may have been faster */
	while (err == ERR_OK && store->version < (int64_t)ARRAY_LEN(schemas)) {
		err = store_exec(store, schemas[store->version], reterr);
		store->version++;
	}
	if (err == ERR_OK)
		err = store_exec(store, "COMMIT", reterr);
	if (err != ERR_OK)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static enum err migrate(struct store *store, struct error *reterr)
{
	TRY(version_of(store, &store->version, reterr));
	if (store->version < 0 || store->version > (int64_t)ARRAY_LEN(schemas))
		return error_set(reterr, ERR_UNSUPPORTED, 0, "the database is of a newer Postern (version %d)",
				 (int)store->version);
	if (store->read_only && store->version == 0)
		return error_set(reterr, ERR_IO, 0, "the database is not there yet: have the daemons been started?");
	/* A reader takes an older one as it is: what was there before the upgrade can be seen before the daemons run.
	 */
	return store->read_only || store->version == (int64_t)ARRAY_LEN(schemas) ? ERR_OK : upgrade(store, reterr);
}

/* Compiled when a store is opened: undoing needs no memory then. */
static const char rollback_sql[] = "ROLLBACK";

enum err store_open(const char *folder, bool read_only, struct store **ret_store, struct error *reterr)
{
	struct store *store = mem_new(struct store, 1);
	char path[PATH_ROOM];
	if (!store || strlen(folder) >= sizeof(store->folder)) {
		mem_free(store);
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the database");
	}
	(void)snprintf(store->folder, sizeof(store->folder), "%s", folder);
	(void)snprintf(path, sizeof(path), "%s/postern.db", folder);
	store->read_only = read_only;
	buf_init(&store->gone, SIZE_MAX / 2);
	/* A reader of a database in WAL mode writes too: into the shared memory beside it. */
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_READWRITE |
		    (read_only ? 0 : SQLITE_OPEN_CREATE);
	enum err err = ERR_OK;
	if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK) {
		int why = store->db ? sqlite3_system_errno(store->db) : ENOMEM;
		if (why == ENOENT && read_only)
			err = error_set(reterr, ERR_IO, 0, "%.90s is not there: have the daemons been started?", path);
		else
			err = error_set(reterr, why == ENOMEM ? ERR_NOMEM : ERR_IO, 0, "%.100s: %s", path,
					strerror(why));
	}
	if (err == ERR_OK)
		err = configure(store, reterr);
	if (err == ERR_OK)
		err = migrate(store, reterr);
	if (err == ERR_OK && !store_statement(store, rollback_sql, reterr))
		err = ERR_NOMEM;
	if (err != ERR_OK) {
		store_close(&store);
		return err;
	}
	*ret_store = store;
	return ERR_OK;
}

void store_close(struct store **store)
{
	if (!*store)
		return;
	for (size_t i = 0; i < (*store)->n_cached; i++)
		(void)sqlite3_finalize((*store)->cache[i].statement);
	(void)sqlite3_close_v2((*store)->db);
	if ((*store)->sweep)
		(void)closedir((*store)->sweep);
	buf_done(&(*store)->gone);
	mem_free(*store);
	*store = NULL;
}

enum err store_begin(struct store *store, bool durable, struct error *reterr)
{
	ASSERT(!store->in_transaction);
	if (!sqlite3_get_autocommit(store->db)) /* a rollback that had no memory */
		store_rollback(store);
	/* In WAL mode FULL (2) syncs the log at each commit, NORMAL (1) at checkpoints only. It cannot change inside a
	 * transaction. */
	int synchronous = durable ? 2 : 1;
	if (store->synchronous != synchronous)
		TRY(store_exec(store, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", reterr));
	store->synchronous = synchronous;
	sqlite3_stmt *statement = store_statement(store, "BEGIN IMMEDIATE", reterr);
	if (!statement)
		return ERR_IO;
	TRY(store_run(store, statement, "begin", reterr));
	buf_clear(&store->gone);
	store->in_transaction = true;
	return ERR_OK;
}

/* What was deleted is gone for good now, and so are its files; one that stays is swept later. */
static void remove_gone(struct store *store)
{
	struct bytes rest = buf_bytes(&store->gone), path;
	while (rest.len > 0 && bytes_split(&rest, '\0', &path))
		(void)unlink((const char *)path.ptr);
	buf_clear(&store->gone);
}

enum err store_commit(struct store *store, struct error *reterr)
{
	sqlite3_stmt *statement = store_statement(store, "COMMIT", reterr);
	if (!statement)
		return ERR_IO;
	TRY(store_run(store, statement, "commit", reterr));
	store->in_transaction = false;
	remove_gone(store);
	return ERR_OK;
}

void store_rollback(struct store *store)
{
	sqlite3_stmt *statement = store_statement(store, rollback_sql, NULL);
	if (statement && !sqlite3_get_autocommit(store->db)) {
		(void)sqlite3_step(statement);
		(void)sqlite3_reset(statement);
	}
	store->in_transaction = false;
	buf_clear(&store->gone);
}

enum err store_probe(struct store *store, struct error *reterr)
{
	TRY(store_begin(store, true, reterr));
	sqlite3_stmt *statement = store_statement(
		store, "INSERT OR REPLACE INTO probe VALUES (1, COALESCE((SELECT time FROM probe), 0) + 1)", reterr);
	enum err err = statement ? store_run(store, statement, "probe", reterr) : ERR_IO;
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

enum err store_check(struct store *store, struct error *reterr)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL) != SQLITE_OK)
		return store_failed(store, "check", reterr);
	enum err err = sqlite3_step(statement) == SQLITE_ROW ? ERR_OK : store_failed(store, "check", reterr);
	if (err == ERR_OK && !bytes_eq(store_column(statement, 0), BYTES_LIT("ok")))
		err = error_set(reterr, ERR_SYNTAX, 0, "the database is damaged (%.*s)",
				BYTES_FMT(bytes_sub(store_column(statement, 0), 0, 100)));
	(void)sqlite3_finalize(statement);
	return err;
}
