/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 of the writer at any moment: what it acknowledged is there, whole; what it did not leaves nothing behind. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mem.h"
#include "folder.h"

#include "base/banned.h"

#define ROUNDS 25
#define MS_MAX 60

/* The body follows from the number, so that it can be compared. */
static size_t make_body(unsigned number, uint8_t body[static 20000])
{
	size_t len = 100 + number * 7919 % 19000;
	for (size_t i = 0; i < len; i++)
		body[i] = (uint8_t)(number * 31 + i * i / 7);
	return len;
}

NORETURN static void write_until_killed(const char *folder, unsigned first, int acknowledge)
{
	static uint8_t body[20000];
	struct store *store = NULL;
	if (store_open(folder, false, &store, NULL) != ERR_OK)
		_exit(2);
	for (unsigned number = first;; number += 3) {
		if (store_begin(store, true, NULL) != ERR_OK)
			_exit(3);
		for (unsigned i = number; i < number + 3; i++) {
			char id[32];
			(void)snprintf(id, sizeof(id), "n%u", i);
			struct store_item item = {
				.id = T(id), .time_ms = INT64_C(1790000000000) + i, .subject = T("subject")};
			struct store_trace trace = {.id = T(id), .time_ms = item.time_ms, .subject = T("subject")};
			if (store_trace_add(store, &trace, NULL) != ERR_OK ||
			    store_quarantine_put(store, &item, bytes_make(body, make_body(i, body)), NULL) != ERR_OK)
				_exit(4);
		}
		if (number % 2 && number > first + 6 && store_quarantine_delete(store, T("n0"), NULL) == ERR_NOMEM)
			_exit(5);
		unsigned upto = number + 3;
		if (store_commit(store, NULL) != ERR_OK || write(acknowledge, &upto, sizeof(upto)) != sizeof(upto))
			_exit(6);
	}
}

static void check_item(struct store *store, unsigned number)
{
	static uint8_t want[20000];
	char id[32];
	uint8_t *body = NULL;
	size_t len = 0;
	struct error error = {0};
	(void)snprintf(id, sizeof(id), "n%u", number);
	if (store_quarantine_body(store, T(id), &body, &len, &error) != ERR_OK)
		fail_msg("%s: %s", id, error.text);
	assert_bytes(bytes_make(body, len), bytes_make(want, make_body(number, want)));
	mem_free(body);
}

static bool count_item(void *ctx, const struct store_item *item)
{
	(void)item;
	(*(int *)ctx)++;
	return true;
}

/* All files of the quarantine, made old enough to be swept. */
static int age_files(const char *folder)
{
	char path[500];
	int count = 0;
	const struct dirent *day, *file;
	(void)snprintf(path, sizeof(path), "%s/quarantine", folder);
	DIR *days = opendir(path);
	while (days && (day = readdir(days))) {
		(void)snprintf(path, sizeof(path), "%s/quarantine/%.40s", folder, day->d_name);
		DIR *files = day->d_name[0] == '.' ? NULL : opendir(path);
		while (files && (file = readdir(files))) {
			static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
			if (file->d_name[0] == '.')
				continue;
			count++;
			(void)utimensat(dirfd(files), file->d_name, old, 0);
		}
		if (files)
			(void)closedir(files);
	}
	if (days)
		(void)closedir(days);
	return count;
}

static unsigned run_and_kill(const char *folder, unsigned first, int milliseconds)
{
	int pipes[2];
	unsigned acknowledged = first, upto;
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_until_killed(folder, first, pipes[1]);
	(void)close(pipes[1]);
	/* From the first acknowledgement on, so that each round is killed in the midst of its work. */
	if (read(pipes[0], &upto, sizeof(upto)) == sizeof(upto))
		acknowledged = upto;
	const struct timespec wait = {.tv_nsec = milliseconds * 1000000L};
	(void)nanosleep(&wait, NULL);
	(void)kill(child, SIGKILL);
	while (read(pipes[0], &upto, sizeof(upto)) == sizeof(upto))
		acknowledged = upto;
	(void)close(pipes[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return acknowledged;
}

static void what_was_acknowledged_is_there_after_each_kill(void **state)
{
	struct folder folder;
	unsigned next = 1, checked = 1;
	bool more;
	(void)state;
	folder_make(&folder);
	store_close(&folder.store);
	for (int round = 0; round < ROUNDS; round++) {
		unsigned acknowledged = run_and_kill(folder.path, next, round * 37 % MS_MAX);
		folder_open(&folder);
		for (; checked < acknowledged; checked++)
			check_item(folder.store, checked);
		assert_ok(store_check(folder.store, NULL));
		store_close(&folder.store);
		next = checked = acknowledged + 3; /* beyond what may have been committed unheard */
	}
	folder_open(&folder);
	struct store_query query = {.limit = 1000000};
	int rows = 0, files = age_files(folder.path);
	assert_ok(store_quarantine_find(folder.store, &query, count_item, &rows, NULL));
	assert_true(files >= rows);
	for (int i = 0; i < 10 + files / 50; i++)
		assert_ok(store_forget(folder.store, 0, 0, UINT64_MAX, &more, NULL));
	assert_int_equal(age_files(folder.path), rows);
	for (unsigned i = 1; i < 4; i++)
		check_item(folder.store, i);
	print_message("# %d items, %d files left by crashes\n", rows, files - rows);
	folder_remove(&folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_acknowledged_is_there_after_each_kill),
};

UNIT_MAIN(tests)
