/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "folder.h"

#include "base/banned.h"

#define DAY   INT64_C(86400000)
#define BEGIN INT64_C(1790000000000) /* 2026-09-21 */

static const struct store_recipient bob[] = {{BYTES_INIT("bob@example.org"), BYTES_INIT("")},
					     {BYTES_INIT("carol@example.net"), BYTES_INIT("")}};

static struct store_item item_of(const char *id, int64_t day)
{
	return (struct store_item){
		.time_ms = BEGIN + day * DAY,
		.id = T(id),
		.mail_from = T("x@evil.example.com"),
		.from_address = T("bank@example.com"),
		.subject = T("お支払いの請求書"),
		.message_id = T("m@example.com"),
		.client_ip = T("192.0.2.7"),
		.class = T("phish"),
		.ids = T("FROM_NAME URL_SHAPE"),
		.reason_en = T("Because of that."),
		.reason_ja = T("それだから。"),
		.recipients = bob,
		.n_recipients = 2,
	};
}

static void put(struct folder *folder, const char *id, int64_t day, struct bytes body)
{
	struct store_item item = item_of(id, day);
	struct error error = {0};
	folder_begin(folder);
	if (store_quarantine_put(folder->store, &item, body, &error) != ERR_OK)
		fail_msg("%s", error.text);
	folder_commit(folder);
}

static bool on_row(void *ctx, const struct store_item *item)
{
	char *ids = ctx;
	size_t len = strlen(ids);
	(void)snprintf(ids + len, 200 - len, "%s%.*s", len ? " " : "", BYTES_FMT(item->id));
	return true;
}

static void assert_found(struct folder *folder, struct store_query query, const char *want)
{
	char ids[200] = "";
	query.limit = 100;
	assert_ok(store_quarantine_find(folder->store, &query, on_row, ids, NULL));
	assert_string_equal(ids, want);
}

static void assert_body(struct folder *folder, const char *id, struct bytes want)
{
	uint8_t *body = NULL;
	size_t len = 0;
	struct error error = {0};
	if (store_quarantine_body(folder->store, T(id), &body, &len, &error) != ERR_OK)
		fail_msg("%s: %s", id, error.text);
	assert_bytes(bytes_make(body, len), want);
	mem_free(body);
}

static void a_body_comes_back_byte_for_byte(void **state)
{
	enum { BIG = 3000000 };
	uint8_t *big = malloc(BIG);
	struct folder folder;
	(void)state;
	assert_non_null(big);
	for (size_t i = 0, x = 1; i < BIG; i++) {
		x = x * 1103515245u + 12345u;
		big[i] = (uint8_t)(x >> 16);
	}
	folder_make(&folder);
	put(&folder, "empty", 0, (struct bytes){0});
	put(&folder, "small", 0, BYTES_LIT("a\0b\r\n"));
	put(&folder, "big", 0, bytes_make(big, BIG));
	folder_reopen(&folder);
	assert_body(&folder, "empty", (struct bytes){0});
	assert_body(&folder, "small", BYTES_LIT("a\0b\r\n"));
	assert_body(&folder, "big", bytes_make(big, BIG));
	assert_int_equal(store_quarantine_body(folder.store, T("none"), &big, &(size_t){0}, NULL), ERR_UNSUPPORTED);
	folder_remove(&folder);
	free(big);
}

static void every_filter_finds_its_items_though_no_trace_is_there(void **state)
{
	static const struct {
		struct store_query query;
		const char *ids;
	} cases[] = {
		{{0}, "q3 q2 q1"},
		{{.before = BYTES_INIT("q2")}, "q1"},
		{{.since_ms = BEGIN + 2 * DAY, .until_ms = BEGIN + 3 * DAY}, "q2"},
		{{.id = BYTES_INIT("q1")}, "q1"},
		{{.subject = BYTES_INIT("請求")}, "q3 q2 q1"},
		{{.address = BYTES_INIT("carol@example.net")}, "q3 q2 q1"},
		{{.sender = BYTES_INIT("*@evil.example.com")}, "q3 q2 q1"},
		{{.recipient = BYTES_INIT("bank")}, ""},
		{{.ip = BYTES_INIT("192.0.2.0/28")}, "q3 q2 q1"},
		{{.class = BYTES_INIT("spam")}, ""},
		{{.class = BYTES_INIT("phish"), .status = BYTES_INIT("released")}, "q2"},
		{{.status = BYTES_INIT("held")}, "q3 q1"},
		{{.message_id = BYTES_INIT("m@example.com"), .status = BYTES_INIT("held")}, "q3 q1"},
	};
	struct folder folder;
	(void)state;
	folder_make(&folder);
	put(&folder, "q1", 1, BYTES_LIT("1"));
	put(&folder, "q2", 2, BYTES_LIT("2"));
	put(&folder, "q3", 3, BYTES_LIT("3"));
	folder_begin(&folder);
	assert_ok(store_quarantine_set_state(folder.store, T("q2"), "released", NULL));
	assert_int_equal(store_quarantine_set_state(folder.store, T("q9"), "released", NULL), ERR_UNSUPPORTED);
	folder_commit(&folder);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_found(&folder, cases[i].query, cases[i].ids);
	folder_remove(&folder);
}

static void the_same_id_again_replaces_the_item(void **state)
{
	struct folder folder;
	(void)state;
	folder_make(&folder);
	put(&folder, "q1", 1, BYTES_LIT("first"));
	put(&folder, "q1", 1, BYTES_LIT("second"));
	assert_found(&folder, (struct store_query){0}, "q1");
	assert_found(&folder, (struct store_query){.subject = T("請求")}, "q1");
	assert_body(&folder, "q1", BYTES_LIT("second"));
	folder_remove(&folder);
}

static void a_deleted_item_keeps_its_body_until_the_commit(void **state)
{
	struct folder folder;
	(void)state;
	folder_make(&folder);
	put(&folder, "q1", 1, BYTES_LIT("body"));
	folder_begin(&folder);
	assert_ok(store_quarantine_delete(folder.store, T("q1"), NULL));
	store_rollback(folder.store);
	assert_body(&folder, "q1", BYTES_LIT("body"));
	folder_begin(&folder);
	assert_ok(store_quarantine_delete(folder.store, T("q1"), NULL));
	assert_int_equal(store_quarantine_delete(folder.store, T("q1"), NULL), ERR_UNSUPPORTED);
	folder_commit(&folder);
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/quarantine/2026-09-22/q1.zst", folder.path);
	assert_int_equal(access(path, F_OK), -1);
	assert_found(&folder, (struct store_query){.subject = T("請求")}, "");
	folder_remove(&folder);
}

static void ids_that_are_no_file_names_are_refused(void **state)
{
	static const char *const ids[] = {
		"", "../x", "a/b", "a.b", "a b", "x\xff", "12345678901234567890123456789012345678901"};
	struct folder folder;
	(void)state;
	folder_make(&folder);
	folder_begin(&folder);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct store_item item = item_of(ids[i], 0);
		assert_int_equal(store_quarantine_put(folder.store, &item, BYTES_LIT("x"), NULL), ERR_UNSUPPORTED);
	}
	folder_commit(&folder);
	folder_remove(&folder);
}

static void a_release_holds_for_its_token_its_body_and_seven_days(void **state)
{
	static const struct {
		const char *id, *token, *hash;
		int64_t day;
		enum err err;
	} cases[] = {
		{"q1", "token", "hash", 0, ERR_OK},     {"q1", "token", "hash", 6, ERR_OK},
		{"q1", "token", "hash", 8, ERR_DENIED}, {"q2", "token", "hash", 0, ERR_DENIED},
		{"q1", "other", "hash", 0, ERR_DENIED}, {"q1", "token", "other", 0, ERR_DENIED},
		{"q1", "", "", 0, ERR_DENIED},
	};
	struct folder folder;
	char ids[100];
	(void)state;
	folder_make(&folder);
	put(&folder, "q1", 0, BYTES_LIT("1"));
	put(&folder, "q2", 0, BYTES_LIT("2"));
	folder_begin(&folder);
	assert_ok(store_release_add(folder.store, T("q1"), T("token"), T("hash"), BEGIN, NULL));
	folder_commit(&folder);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(store_release_find(folder.store, T(cases[i].id), T(cases[i].token), T(cases[i].hash),
						    BEGIN + cases[i].day * DAY, ids, sizeof(ids), NULL),
				 cases[i].err);
		if (cases[i].err == ERR_OK)
			assert_string_equal(ids, "FROM_NAME URL_SHAPE");
	}
	folder_begin(&folder);
	assert_ok(store_quarantine_delete(folder.store, T("q1"), NULL));
	folder_commit(&folder);
	assert_int_equal(
		store_release_find(folder.store, T("q1"), T("token"), T("hash"), BEGIN, ids, sizeof(ids), NULL),
		ERR_DENIED);
	folder_remove(&folder);
}

static void forget(struct folder *folder, int64_t before_day, uint64_t bytes_max)
{
	bool more = true;
	for (int i = 0; more || i < 5; i++)
		assert_ok(store_forget(folder->store, 0, BEGIN + before_day * DAY, bytes_max, &more, NULL));
}

static void retention_goes_by_age_and_by_size_the_oldest_first(void **state)
{
	struct folder folder;
	uint8_t noise[5000];
	(void)state;
	for (size_t i = 0, x = 7; i < sizeof(noise); i++) {
		x = x * 1103515245u + 12345u;
		noise[i] = (uint8_t)(x >> 16);
	}
	folder_make(&folder);
	put(&folder, "q1", 1, bytes_make(noise, sizeof(noise)));
	put(&folder, "q2", 2, bytes_make(noise, sizeof(noise)));
	put(&folder, "q3", 3, bytes_make(noise, sizeof(noise)));
	put(&folder, "q4", 4, bytes_make(noise, sizeof(noise)));
	forget(&folder, 0, UINT64_MAX);
	assert_found(&folder, (struct store_query){0}, "q4 q3 q2 q1");
	forget(&folder, 2, UINT64_MAX);
	assert_found(&folder, (struct store_query){0}, "q4 q3 q2");
	forget(&folder, 0, 12000);
	assert_found(&folder, (struct store_query){0}, "q4 q3");
	assert_body(&folder, "q3", bytes_make(noise, sizeof(noise)));
	put(&folder, "q4", 4, bytes_make(noise, 10)); /* replacing counts once */
	forget(&folder, 0, 6000);
	assert_found(&folder, (struct store_query){0}, "q4 q3");
	forget(&folder, 0, 0);
	assert_found(&folder, (struct store_query){0}, "");
	folder_remove(&folder);
}

static void make_file(const char *folder, const char *name, bool old)
{
	char path[300];
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	(void)snprintf(path, sizeof(path), "%s/quarantine/2026-09-21/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	if (old)
		times[0].tv_sec = times[1].tv_sec = times[0].tv_nsec = times[1].tv_nsec = 1000;
	assert_int_equal(futimens(fd, times), 0);
	(void)close(fd);
}

static void files_that_no_row_knows_are_swept_when_they_are_old(void **state)
{
	static const struct {
		const char *name;
		bool old, stays;
	} files[] = {{"known.zst", true, true},
		     {"orphan.zst", true, false},
		     {"fresh.zst", false, true},
		     {"known.zst.123.new", true, false},
		     {"fresh.zst.123.new", false, true}};
	struct folder folder;
	(void)state;
	folder_make(&folder);
	put(&folder, "known", 0, BYTES_LIT("body"));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		make_file(folder.path, files[i].name, files[i].old);
	forget(&folder, 0, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[300];
		(void)snprintf(path, sizeof(path), "%s/quarantine/2026-09-21/%s", folder.path, files[i].name);
		if ((access(path, F_OK) == 0) != files[i].stays)
			fail_msg("%s", files[i].name);
	}
	assert_body(&folder, "known", BYTES_LIT("body"));
	folder_remove(&folder);
}

static void a_body_that_is_damaged_or_gone_is_an_error(void **state)
{
	struct folder folder;
	char path[300];
	uint8_t *body;
	size_t len;
	(void)state;
	folder_make(&folder);
	put(&folder, "q1", 0, BYTES_LIT("a body that is long enough to be hit in its middle"));
	(void)snprintf(path, sizeof(path), "%s/quarantine/2026-09-21/q1.zst", folder.path);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "X", 1, 20), 1);
	(void)close(fd);
	assert_int_equal(store_quarantine_body(folder.store, T("q1"), &body, &len, NULL), ERR_SYNTAX);
	assert_int_equal(truncate(path, 7), 0);
	assert_int_equal(store_quarantine_body(folder.store, T("q1"), &body, &len, NULL), ERR_SYNTAX);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_quarantine_body(folder.store, T("q1"), &body, &len, NULL), ERR_IO);
	folder_remove(&folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_body_comes_back_byte_for_byte),
	cmocka_unit_test(every_filter_finds_its_items_though_no_trace_is_there),
	cmocka_unit_test(the_same_id_again_replaces_the_item),
	cmocka_unit_test(a_deleted_item_keeps_its_body_until_the_commit),
	cmocka_unit_test(ids_that_are_no_file_names_are_refused),
	cmocka_unit_test(a_release_holds_for_its_token_its_body_and_seven_days),
	cmocka_unit_test(retention_goes_by_age_and_by_size_the_oldest_first),
	cmocka_unit_test(files_that_no_row_knows_are_swept_when_they_are_old),
	cmocka_unit_test(a_body_that_is_damaged_or_gone_is_an_error),
};

UNIT_MAIN(tests)
