/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upkeep: forgetting, sweeping, giving space back, each in steps that hold the loop of the vault for a few
 * milliseconds.
 *
 * Sweep: a crash between the file of a body and the row that names it leaves the file, and a crash in the middle of
 * writing leaves a temporary one. Nobody was told that these last. They are removed when they are old enough to belong
 * to no transaction that is under way. One folder of one day is looked through at a time, over several calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/private.h"
#include "sys/clock.h"

#include "base/banned.h"

#define TRACES_STEP  200
#define ITEMS_STEP   20
#define FILES_STEP   200
#define PAGES_STEP   200
#define FILE_AGE_S   3600
#define RELEASE_KEEP (INT64_C(30) * 24 * 3600 * 1000)

/* In a transaction that is rolled back when `step` fails. */
static enum err transact(struct store *store, bool durable, enum err (*step)(void *ctx, struct error *reterr),
			 void *ctx, struct error *reterr)
{
	TRY(store_begin(store, durable, reterr));
	enum err err = step(ctx, reterr);
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

struct forget {
	struct store *store;
	int64_t trace_before_ms, quarantine_before_ms;
	uint64_t bytes_max;
	bool more;
};

static enum err forget_traces(void *ctx, struct error *reterr)
{
	struct forget *forget = ctx;
	bool more;
	TRY(store_forget_traces(forget->store, forget->trace_before_ms, TRACES_STEP, &more, reterr));
	forget->more |= more;
	sqlite3_stmt *statement = store_statement(forget->store, "DELETE FROM release WHERE time < ?", reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, clock_wall_ms() - RELEASE_KEEP);
	return store_run(forget->store, statement, "retention", reterr);
}

static enum err forget_items(void *ctx, struct error *reterr)
{
	struct forget *forget = ctx;
	bool deleted = true;
	for (int i = 0; i < ITEMS_STEP && deleted; i++)
		TRY(store_forget_item(forget->store, forget->quarantine_before_ms, forget->bytes_max, &deleted,
				      reterr));
	forget->more |= deleted;
	return ERR_OK;
}

/* -- Sweeping ---- */

/* Opens the folder that comes after the last one, by name; after the last of all, none, and then the first again. */
static void open_next_day(struct store *store)
{
	char path[PATH_ROOM], next[sizeof(store->sweep_day)] = "";
	const struct dirent *entry;
	(void)snprintf(path, sizeof(path), "%s/quarantine", store->folder);
	DIR *all = opendir(path);
	while (all && (entry = readdir(all))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(next))
			continue;
		if (strcmp(entry->d_name, store->sweep_day) > 0 && (!next[0] || strcmp(entry->d_name, next) < 0))
			(void)snprintf(next, sizeof(next), "%.31s", entry->d_name);
	}
	if (all)
		(void)closedir(all);
	(void)snprintf(store->sweep_day, sizeof(store->sweep_day), "%s", next);
	(void)snprintf(path, sizeof(path), "%s/quarantine/%s", store->folder, next);
	store->sweep = next[0] ? opendir(path) : NULL;
}

static enum err sweep_file(struct store *store, const char *name, int64_t now_s, struct error *reterr)
{
	static const char ending[] = ".zst";
	struct stat st;
	char file[512];
	struct bytes all = bytes_from_cstr(name);
	bool known = false;
	int folder = dirfd(store->sweep);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    (int64_t)st.st_mtime > now_s - FILE_AGE_S)
		return ERR_OK;
	if (bytes_ends(all, bytes_from_cstr(ending))) {
		(void)snprintf(file, sizeof(file), "quarantine/%s/%s", store->sweep_day, name);
		TRY(store_knows_file(store, bytes_sub(all, 0, all.len - (sizeof(ending) - 1)), bytes_from_cstr(file),
				     &known, reterr));
	}
	if (!known)
		(void)unlinkat(folder, name, 0); /* one that stays is met again */
	return ERR_OK;
}

static enum err sweep(struct store *store, struct error *reterr)
{
	const struct dirent *entry = NULL;
	int64_t now_s = clock_wall_ms() / 1000;
	if (!store->sweep)
		open_next_day(store);
	for (int i = 0; store->sweep && i < FILES_STEP; i++) {
		entry = readdir(store->sweep);
		if (!entry)
			break;
		if (entry->d_name[0] != '.')
			TRY(sweep_file(store, entry->d_name, now_s, reterr));
	}
	if (store->sweep && !entry) {
		char path[PATH_ROOM];
		(void)closedir(store->sweep);
		store->sweep = NULL;
		(void)snprintf(path, sizeof(path), "%s/quarantine/%s", store->folder, store->sweep_day);
		(void)rmdir(path); /* when it is empty; a put makes it again */
		store->synced_day[0] = '\0';
	}
	return ERR_OK;
}

/* -- Space ---- */

/* Free pages are used again, so they go back only when they are many: a quarter of all. */
static enum err give_back(struct store *store, bool *ret_more, struct error *reterr)
{
	int64_t pages = 0, empty = 0;
	sqlite3_stmt *statement = store_statement(store, "PRAGMA page_count", reterr);
	if (!statement)
		return ERR_IO;
	TRY(store_number(store, statement, 0, &pages, reterr));
	statement = store_statement(store, "PRAGMA freelist_count", reterr);
	if (!statement)
		return ERR_IO;
	TRY(store_number(store, statement, 0, &empty, reterr));
	if (empty < PAGES_STEP || empty < pages / 4)
		return ERR_OK;
	*ret_more = true;
	return store_exec(store, "PRAGMA incremental_vacuum(200)", reterr);
}

enum err store_forget(struct store *store, int64_t trace_before_ms, int64_t quarantine_before_ms,
		      uint64_t quarantine_bytes_max, bool *ret_more, struct error *reterr)
{
	struct forget forget = {.store = store,
				.trace_before_ms = trace_before_ms,
				.quarantine_before_ms = quarantine_before_ms,
				.bytes_max = quarantine_bytes_max};
	*ret_more = false;
	TRY(transact(store, false, forget_traces, &forget, reterr));
	/* Durable, because files go with the rows. */
	TRY(transact(store, true, forget_items, &forget, reterr));
	TRY(sweep(store, reterr));
	TRY(give_back(store, &forget.more, reterr));
	*ret_more = forget.more;
	return ERR_OK;
}
