/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every golden message (the folder is the argument) with the n-th allocation failing, for every n, and with arenas of
 * every size: what is returned is whole enough to be described, and says that it is not all. And every message cut off
 * at every byte keeps the invariants of the tree.
 */
#include <dirent.h>
#include <stdlib.h>

#include "unit.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mail/describe.h"

#define MESSAGES_MAX 400
#define MESSAGE_MAX  32768

static struct {
	uint8_t bytes[MESSAGE_MAX];
	size_t len;
} messages[MESSAGES_MAX];
static size_t n_messages;

static void read_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[4096];
		if (!bytes_ends(bytes_from_cstr(entry->d_name), BYTES_LIT(".eml")))
			continue;
		assert_true(n_messages < MESSAGES_MAX);
		assert_true(snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < (int)sizeof(path));
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		messages[n_messages].len = fread(messages[n_messages].bytes, 1, MESSAGE_MAX, file);
		assert_true(messages[n_messages].len < MESSAGE_MAX);
		fclose(file);
		n_messages++;
	}
	closedir(dir);
	assert_true(n_messages > 100);
}

/* What can be said of every tree, whatever the message. */
static void check_tree(const struct message *message)
{
	for (size_t i = 0; i < message->tree.n_parts; i++) {
		const struct mime_part *part = message->tree.parts[i];
		assert_true(part->type.len > 0 && part->encoding.len > 0 && part->reading > 0);
		assert_true(part->leaf || part->multipart || part->attached_message);
		assert_true(part->leaf ? !part->multipart || !part->attached_message : true);
		assert_true(utf8_valid(part->text));
		assert_true(part->body_at <= message->raw.len);
		assert_true((i == 0) == (part == message->tree.root));
		for (size_t k = 0; k < part->n_names; k++)
			assert_true(part->names[k].text.len > 0);
		for (size_t k = 0; k < i; k++)
			assert_false(part->reading == message->tree.parts[k]->reading &&
				     bytes_eq(part->path, message->tree.parts[k]->path));
	}
	for (size_t i = 0; i < message->defects.count; i++) {
		const struct defect *defect = &message->defects.items[i];
		if (defect->at != DEFECT_NOWHERE)
			assert_true(defect->at <= message->raw.len && defect->len <= message->raw.len - defect->at);
	}
}

static void check_description(const struct message *message)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 24);
	struct json json;
	jsonw_init(&json, &out);
	jsonw_object(&json, NULL);
	describe_message(&json, BYTES_LIT("-"), message, true);
	jsonw_end(&json);
	assert_ok(buf_err(&out));
	assert_true(utf8_valid(buf_bytes(&out)));
}

static void every_failed_allocation_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_messages; i++) {
		struct bytes raw = bytes_make(messages[i].bytes, messages[i].len);
		bool failed = true;
		for (uint64_t nth = 1; failed; nth++) {
			uint64_t before = mem_count();
			mem_fail_after(nth, 1);
			CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
			struct message *message = NULL;
			enum err err = arena ? message_parse(arena, raw, &mime_limits_default, &message) : ERR_NOMEM;
			failed = mem_count() - before >= nth;
			mem_fail_after(0, 0);
			assert_true(err == ERR_OK || failed);
			if (err != ERR_OK)
				continue;
			assert_true(!failed || defect_list_unexamined(&message->defects));
			check_tree(message);
			check_description(message);
		}
	}
}

static void every_budget_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_messages; i++) {
		struct bytes raw = bytes_make(messages[i].bytes, messages[i].len);
		for (size_t budget = 512; budget < 200000; budget += budget / 16) {
			CLEANUP(arena_free) struct arena *arena = arena_create(budget);
			struct message *message;
			if (!arena || message_parse(arena, raw, &mime_limits_default, &message) != ERR_OK)
				continue;
			check_tree(message);
			check_description(message);
		}
	}
}

static void every_cut_is_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_messages; i++) {
		size_t step = messages[i].len / 2000 + 1;
		for (size_t len = 0; len <= messages[i].len; len += step) {
			CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
			struct message *message;
			assert_ok(message_parse(arena, bytes_make(messages[i].bytes, len), &mime_limits_default,
						&message));
			check_tree(message);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failed_allocation_is_told),
		cmocka_unit_test(every_budget_is_kept),
		cmocka_unit_test(every_cut_is_a_message),
	};
	if (argc != 2)
		return 2;
	read_folder(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
