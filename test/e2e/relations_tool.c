/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the ledger:
 *
 *     relations_tool fill FILE              writes a snapshot of an organisation, example.org, with some history
 *     relations_tool known FOLDER ADDRESS.. on how many days each author is known there, proven or from 127.0.0.0/24,
 * by the snapshot and the journals in the folder
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"
#include "profile/journal.h"
#include "sys/file.h"

#include "base/banned.h"

#define BUDGET ((size_t)8 << 20)
#define DAY    86400

static struct relations_query make(const char *author, const char *domain, const char *name, bool proven)
{
	struct relations_query query = {
		.org = BYTES_LIT("example.org"),
		.author = bytes_from_cstr(author),
		.domain = bytes_from_cstr(domain),
		.name = bytes_from_cstr(name),
		.proven = proven,
		.has_client = true,
		.client = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1},
	};
	relations_list_add(&query.recipients, BYTES_LIT("bob@example.org"));
	return query;
}

/* What came by a list on ten days: as its authors signed it, or sealed by who runs it, whoever is named as the author.
 */
static void pass_on(struct relations *relations, const char *list, enum forwarder_state state, int64_t now)
{
	char author[60], domain[40];
	for (int day = 10; day > 0; day--) {
		for (int i = 0; i < 6; i++) {
			(void)snprintf(domain, sizeof(domain), "author%d.example", i);
			(void)snprintf(author, sizeof(author), "a@%s", domain);
			struct relations_query query = make(author, domain, "", state == FORWARDER_INTACT);
			query.list = bytes_from_cstr(list);
			query.forwarded = state;
			relations_learn(relations, &query, RELATIONS_WANTED, now - day * DAY);
		}
	}
}

static int fill(const char *path, int64_t now)
{
	struct relations *relations;
	if (relations_create(BUDGET, (struct hash_key){11, 12}, &relations) != ERR_OK)
		return 1;
	for (int day = 60; day > 0; day -= 5) {
		struct relations_query friend = make("friend@firm.example", "firm.example", "Fred Friend", false);
		struct relations_query chief = make("carol@firm.example", "firm.example", "Carol Chief", true);
		struct relations_query sent = {.org = BYTES_LIT("example.org"),
					       .outgoing = true,
					       .proven = true,
					       .author = BYTES_LIT("bob@example.org"),
					       .domain = BYTES_LIT("example.org"),
					       .message_id = BYTES_LIT("ours-1@example.org")};
		relations_list_add(&sent.recipients, BYTES_LIT("friend@firm.example"));
		relations_learn(relations, &friend, RELATIONS_WANTED, now - day * DAY);
		relations_learn(relations, &chief, RELATIONS_WANTED, now - day * DAY);
		relations_learn(relations, &sent, RELATIONS_WANTED, now - day * DAY);
	}
	pass_on(relations, "talk.honest.example via honest.example", FORWARDER_INTACT, now);
	pass_on(relations, "talk.evil.example via evil.example", FORWARDER_SEALED, now);
	CLEANUP(buf_done) struct buf file = BUF_INIT((size_t)64 << 20);
	struct relations_writer writer;
	relations_snapshot_begin(relations, now, &writer);
	while (relations_snapshot_next(&writer, &file))
		;
	relations_free(&relations);
	return buf_err(&file) != ERR_OK || file_write_atomic(path, buf_bytes(&file), 0600) != ERR_OK;
}

/* In the order in which they were begun. */
static bool replay(const char *folder, struct arena *arena, struct relations *relations)
{
	char pattern[4200];
	glob_t found = {0};
	struct bytes file;
	struct journal_result result;
	bool good = true;
	(void)snprintf(pattern, sizeof(pattern), "%s/journal-*[0-9]", folder);
	if (glob(pattern, 0, NULL, &found) != 0)
		return true;
	for (size_t i = 0; good && i < found.gl_pathc; i++)
		good = file_read(arena, found.gl_pathv[i], (size_t)1 << 30, &file) == ERR_OK &&
		       journal_replay(file, relations, &result) == ERR_OK;
	globfree(&found);
	return good;
}

static int known(const char *folder, char **authors, int64_t now)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(relations_free) struct relations *relations = NULL;
	char path[4200];
	struct bytes file;
	struct error error = {0};
	(void)snprintf(path, sizeof(path), "%s/snapshot", folder);
	if (file_read(arena, path, (size_t)1 << 30, &file) != ERR_OK ||
	    relations_snapshot_read(file, BUDGET, &relations, &error) != ERR_OK || !replay(folder, arena, relations)) {
		printf("%s\n", error.text);
		return 1;
	}
	for (; *authors; authors++) {
		const char *at = strchr(*authors, '@');
		struct relations_query query = make(*authors, at ? at + 1 : "", "", false);
		struct relations_answer answer;
		relations_ask(relations, &query, now, &answer);
		printf("%s %u\n", *authors, (unsigned)MAX(answer.address.days, answer.proven.days));
	}
	return 0;
}

int main(int argc, char **argv)
{
	int64_t now = (int64_t)time(NULL);
	if (argc == 3 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], now);
	if (argc > 3 && strcmp(argv[1], "known") == 0)
		return known(argv[2], argv + 3, now);
	(void)fprintf(stderr, "usage: relations_tool fill FILE | known FOLDER ADDRESS...\n");
	return 2;
}
