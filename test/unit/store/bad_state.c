/* SPDX-License-Identifier: Apache-2.0 */
/* What the store says when the disk, the file system or another process is in its way, and that it recovers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "folder.h"

#include "base/banned.h"

static void assert_open_fails(const char *folder, bool read_only, enum err want, const char *words)
{
	struct store *store = NULL;
	struct error error = {0};
	assert_int_equal(store_open(folder, read_only, &store, &error), want);
	assert_null(store);
	if (!strstr(error.text, words))
		fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void a_folder_that_is_missing_or_empty_is_said(void **state)
{
	struct folder folder;
	char path[200];
	(void)state;
	folder_make(&folder);
	(void)snprintf(path, sizeof(path), "%s/none", folder.path);
	assert_open_fails(path, false, ERR_IO, "No such file");
	assert_open_fails(path, true, ERR_IO, "have the daemons been started?");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_open_fails(path, true, ERR_IO, "have the daemons been started?");
	folder_remove(&folder);
}

/* The page that a table begins with; the first is 1. */
static off_t root_page(const char *path, const char *table)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1, &statement, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	off_t page = sqlite3_column_int(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
	return page;
}

static void a_damaged_database_is_said(void **state)
{
	static const char junk[4096] = "this is no database";
	struct folder folder;
	struct error error = {0};
	char path[200];
	(void)state;
	folder_make(&folder);
	(void)snprintf(path, sizeof(path), "%s/postern.db", folder.path);
	store_close(&folder.store);
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), (root_page(path, "trace") - 1) * 4096), sizeof(junk));
	folder_open(&folder);
	assert_int_equal(store_check(folder.store, &error), ERR_SYNTAX);
	assert_non_null(strstr(error.text, "damaged"));
	store_close(&folder.store);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
	(void)close(fd);
	assert_open_fails(folder.path, false, ERR_SYNTAX, "damaged");
	folder_remove(&folder);
}

static void a_newer_database_is_refused(void **state)
{
	struct folder folder;
	char path[200];
	sqlite3 *db = NULL;
	(void)state;
	folder_make(&folder);
	store_close(&folder.store);
	(void)snprintf(path, sizeof(path), "%s/postern.db", folder.path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	assert_open_fails(folder.path, false, ERR_UNSUPPORTED, "newer Postern (version 99)");
	folder_remove(&folder);
}

static void another_writer_is_waited_for_and_then_said(void **state)
{
	struct folder folder;
	struct store *other = NULL;
	struct error error = {0};
	(void)state;
	folder_make(&folder);
	assert_ok(store_open(folder.path, false, &other, NULL));
	assert_ok(store_begin(other, false, NULL));
	assert_int_equal(store_begin(folder.store, false, &error), ERR_IO);
	assert_non_null(strstr(error.text, "locked by another program"));
	assert_int_equal(store_probe(folder.store, &error), ERR_IO);
	store_rollback(other);
	assert_ok(store_probe(folder.store, &error));
	store_close(&other);
	folder_remove(&folder);
}

static void a_reader_changes_nothing(void **state)
{
	struct folder folder;
	struct store *reader = NULL;
	struct error error = {0};
	struct store_trace trace = {.id = T("x")};
	(void)state;
	folder_make(&folder);
	assert_ok(store_open(folder.path, true, &reader, NULL));
	if (store_begin(reader, false, NULL) == ERR_OK) {
		assert_int_equal(store_trace_add(reader, &trace, &error), ERR_IO);
		assert_non_null(strstr(error.text, "cannot be written"));
	}
	store_close(&reader);
	folder_remove(&folder);
}

/* -- A full disk, and one that cannot be written ---- */

static bool count_row(void *ctx, const struct store_trace *trace)
{
	(void)trace;
	(*(int *)ctx)++;
	return true;
}

/* Adds until the store says no; returns how many were acknowledged. */
static int fill(struct folder *folder, struct error *error)
{
	static char filler[20000];
	memset(filler, 'x', sizeof(filler));
	for (int i = 0; i < 100000; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "i%d", i);
		struct store_trace trace = {
			.id = T(id), .time_ms = 1000, .evidence = bytes_make(filler, sizeof(filler))};
		struct store_item item = {.id = T(id), .time_ms = 1000};
		enum err err = store_begin(folder->store, true, error);
		if (err == ERR_OK)
			err = store_trace_add(folder->store, &trace, error);
		if (err == ERR_OK)
			err = store_quarantine_put(folder->store, &item, bytes_make(filler, 100), error);
		if (err == ERR_OK)
			err = store_commit(folder->store, error);
		if (err != ERR_OK) {
			store_rollback(folder->store);
			return i;
		}
	}
	return -1;
}

static void assert_all_there(struct folder *folder, int acknowledged)
{
	struct store_query query = {.limit = 1000000};
	int count = 0;
	assert_ok(store_check(folder->store, NULL));
	assert_ok(store_trace_find(folder->store, &query, count_row, &count, NULL));
	assert_int_equal(count, acknowledged);
	for (int i = 0; i < acknowledged; i++) {
		char id[32];
		uint8_t *body = NULL;
		size_t len = 0;
		(void)snprintf(id, sizeof(id), "i%d", i);
		assert_ok(store_quarantine_body(folder->store, T(id), &body, &len, NULL));
		assert_int_equal(len, 100);
		mem_free(body);
	}
}

static void a_limit_on_file_size_loses_nothing_that_was_acknowledged(void **state)
{
	struct folder folder;
	struct error error = {0};
	struct rlimit old, small;
	(void)state;
	folder_make(&folder);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){1000000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int acknowledged = fill(&folder, &error);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(acknowledged > 3);
	assert_ok(store_probe(folder.store, &error));
	assert_all_there(&folder, acknowledged);
	folder_reopen(&folder);
	assert_all_there(&folder, acknowledged);
	folder_remove(&folder);
}

static void a_full_disk_is_said_and_loses_nothing_that_was_acknowledged(void **state)
{
	struct folder folder = {.path = "/tmp/postern-store-XXXXXX"};
	struct error error = {0};
	(void)state;
	assert_non_null(mkdtemp(folder.path));
	if (mount("tmpfs", folder.path, "tmpfs", 0, "size=2m") != 0) {
		(void)rmdir(folder.path);
		print_message("# a file system of its own needs root: skipped\n");
		skip();
	}
	folder_open(&folder);
	int acknowledged = fill(&folder, &error);
	bool said = strstr(error.text, "disk is full") || strstr(error.text, "No space left");
	assert_true(acknowledged > 3);
	if (!said)
		fail_msg("%s", error.text);
	assert_int_equal(mount("tmpfs", folder.path, "tmpfs", MS_REMOUNT, "size=20m"), 0);
	assert_ok(store_probe(folder.store, &error));
	assert_all_there(&folder, acknowledged);
	store_close(&folder.store);
	assert_int_equal(mount("tmpfs", folder.path, "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
	struct store *store = NULL;
	enum err err = store_open(folder.path, false, &store, &error);
	if (err == ERR_OK)
		err = store_probe(store, &error);
	assert_int_equal(err, ERR_IO);
	store_close(&store);
	assert_int_equal(umount2(folder.path, MNT_DETACH), 0);
	(void)rmdir(folder.path);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_folder_that_is_missing_or_empty_is_said),
	cmocka_unit_test(a_damaged_database_is_said),
	cmocka_unit_test(a_newer_database_is_refused),
	cmocka_unit_test(another_writer_is_waited_for_and_then_said),
	cmocka_unit_test(a_reader_changes_nothing),
	cmocka_unit_test(a_limit_on_file_size_loses_nothing_that_was_acknowledged),
	cmocka_unit_test(a_full_disk_is_said_and_loses_nothing_that_was_acknowledged),
};

UNIT_MAIN(tests)
