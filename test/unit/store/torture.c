/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation fails in turn, those of SQLite too: an error comes back, nothing leaks, nothing is half done. */
#include <sqlite3.h>

#include "base/mem.h"
#include "folder.h"

#include "base/banned.h"

/* SQLite's memory from the same door, with the size kept before each block. */
union block {
	size_t size;
	max_align_t align;
};

static int live;
static struct error last;

static void *sql_malloc(int n)
{
	union block *block = mem_alloc(sizeof(*block) + (size_t)n);
	if (!block)
		return NULL;
	block->size = (size_t)n;
	live++;
	return block + 1;
}

static void sql_free(void *ptr)
{
	if (!ptr)
		return;
	live--;
	mem_free((union block *)ptr - 1);
}

static void *sql_realloc(void *ptr, int n)
{
	union block *block = mem_realloc((union block *)ptr - 1, 1, sizeof(*block) + (size_t)n);
	if (!block)
		return NULL;
	block->size = (size_t)n;
	return block + 1;
}

static int sql_size(void *ptr)
{
	return ptr ? (int)((union block *)ptr - 1)->size : 0;
}

static int sql_roundup(int n)
{
	return (n + 7) & ~7;
}

static int sql_init(void *ctx)
{
	(void)ctx;
	return SQLITE_OK;
}

static void sql_shutdown(void *ctx)
{
	(void)ctx;
}

static const struct store_recipient bob[] = {{BYTES_INIT("bob@example.org"), BYTES_INIT("quarantined")}};

static bool on_trace(void *ctx, const struct store_trace *trace)
{
	(void)trace;
	(*(int *)ctx)++;
	return true;
}

static bool on_item(void *ctx, const struct store_item *item)
{
	(void)item;
	(*(int *)ctx)++;
	return true;
}

static enum err add(struct store *store, const char *id)
{
	struct store_trace trace = {.id = T(id),
				    .time_ms = 1000,
				    .subject = T("請求書"),
				    .mail_from = T("a@example.com"),
				    .recipients = bob,
				    .n_recipients = 1};
	struct store_item item = {
		.id = T(id), .time_ms = 1000, .subject = T("請求書"), .recipients = bob, .n_recipients = 1};
	TRY(store_begin(store, true, &last));
	TRY(store_trace_add(store, &trace, &last));
	TRY(store_quarantine_put(store, &item, BYTES_LIT("the body"), &last));
	TRY(store_release_add(store, T(id), T("token"), T("hash"), 1000, &last));
	return store_commit(store, &last);
}

static enum err use(struct store *store, const char *id)
{
	struct store_query query = {.limit = 1, .address = T("*@example.com"), .subject = T("請求"), .since_ms = 1};
	struct store_query items = {.limit = 1, .recipient = T("bob"), .status = T("held")};
	char ids[100];
	int count = 0;
	bool more;
	uint8_t *body = NULL;
	size_t len;
	enum err err = add(store, id);
	if (err != ERR_OK) {
		store_rollback(store);
		return err;
	}
	TRY(store_trace_find(store, &query, on_trace, &count, &last));
	TRY(store_quarantine_find(store, &items, on_item, &count, &last));
	assert_int_equal(count, 2);
	TRY(store_quarantine_body(store, T(id), &body, &len, &last));
	mem_free(body);
	assert_int_equal(len, 8);
	TRY(store_release_find(store, T(id), T("token"), T("hash"), 1000, ids, sizeof(ids), &last));
	return store_forget(store, 1, 1, UINT64_MAX, &more, &last);
}

/* How many traces and items are there, which must be as many. */
static int count_both(struct store *store)
{
	struct store_query query = {.limit = 1000000};
	int traces = 0, items = 0;
	assert_ok(store_trace_find(store, &query, on_trace, &traces, NULL));
	assert_ok(store_quarantine_find(store, &query, on_item, &items, NULL));
	assert_int_equal(traces, items);
	return traces;
}

static void each_allocation_of_using_the_store_may_fail(void **state)
{
	struct folder folder;
	int failures = 0;
	(void)state;
	folder_make(&folder);
	for (int sticky = 0; sticky < 2; sticky++) {
		bool done = false;
		for (uint64_t n = 1; !done; n += 1 + n / 50) {
			char id[32];
			(void)snprintf(id, sizeof(id), "s%dn%d", sticky, (int)n);
			if (failures % 10 == 0)
				folder_reopen(&folder); /* statements are compiled again */
			int before = count_both(folder.store);
			uint64_t asked = mem_count();
			mem_fail_after(n, sticky);
			enum err err = use(folder.store, id);
			mem_fail_after(0, 0);
			done = mem_count() - asked < n;
			failures += err != ERR_OK;
			if (done && err != ERR_OK)
				fail_msg("%s", last.text);
			int after = count_both(folder.store);
			assert_true(after == before + 1 || (err != ERR_OK && after == before));
		}
	}
	assert_ok(store_check(folder.store, NULL));
	assert_true(failures > 100);
	folder_remove(&folder);
	assert_int_equal(live, 0);
}

static void each_allocation_of_opening_a_store_may_fail(void **state)
{
	struct folder folder;
	(void)state;
	folder_make(&folder);
	store_close(&folder.store);
	int before = live, failures = 0;
	bool done = false;
	for (uint64_t n = 1; !done; n += 1 + n / 20) {
		struct store *store = NULL;
		uint64_t asked = mem_count();
		mem_fail_after(n, n % 2);
		enum err err = store_open(folder.path, false, &store, NULL);
		mem_fail_after(0, 0);
		done = mem_count() - asked < n;
		failures += err != ERR_OK;
		assert_true((err == ERR_OK) == (store != NULL));
		store_close(&store);
		assert_int_equal(live, before);
	}
	assert_true(failures > 10);
	folder_remove(&folder);
}

int main(void)
{
	static const sqlite3_mem_methods methods = {sql_malloc,  sql_free, sql_realloc,  sql_size,
						    sql_roundup, sql_init, sql_shutdown, NULL};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_of_opening_a_store_may_fail),
		cmocka_unit_test(each_allocation_of_using_the_store_may_fail),
	};
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
