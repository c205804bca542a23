/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lister: reads the files of lists.local for a generation of scanners, leaves the image of all lists in the memory
 * file that it was given, and ends. So a file is read once, by who can do nothing else; the scanners have one image
 * between them, and one that starts later has the lists that the others have. A list whose file cannot be read now
 * stays as it was in the generation before.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "daemon/child.h"
#include "sys/file.h"
#include "sys/log.h"
#include "wire/lists.h"

#include "base/banned.h"

#define WRONG_LINES_TOLD 10 /* of all files */

struct lister {
	struct child *child;
	struct arena *arena;
	struct bytes *texts;
	struct bytes before; /* the image of the generation before */
	size_t wrong_lines;
};

static void on_wrong(void *ctx, struct bytes file, size_t line, struct bytes text, const char *why)
{
	struct lister *lister = ctx;
	if (++lister->wrong_lines <= WRONG_LINES_TOLD)
		log_event(LOG_ERROR, "list.wrong", log_str("file", file), log_int("line", (int64_t)line),
			  log_str("text", bytes_sub(text, 0, 80)), log_cstr("why", why));
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	const struct heritage *heritage = child_heritage(child);
	struct lister *lister = mem_new(struct lister, 1);
	if (!lister || !(lister->arena = arena_create(SIZE_MAX)) ||
	    lists_read(lister->arena, heritage->settings, on_wrong, lister, &lister->texts) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for lists.local");
	if (child_map_lists(heritage->lists_before, &lister->before) != ERR_OK)
		lister->before = (struct bytes){0};
	lister->child = child;
	*ret_state = lister;
	*ret_folder = NULL;
	return ERR_OK;
}

static enum err start(struct child *child, void *state)
{
	struct lister *lister = state;
	const struct heritage *heritage = child_heritage(child);
	struct local_lists before, lists;
	struct bytes image;
	size_t entries = 0;
	TRY(local_lists_open(lister->arena, lister->before, &before));
	TRY(lists_build(lister->arena, heritage->settings, lister->texts, &before, on_wrong, lister, &image));
	TRY(local_lists_open(lister->arena, image, &lists));
	for (size_t i = 0; i < lists.count; i++)
		entries += local_list_count(lists.items[i].list);
	TRY(file_write_all(heritage->lists, image));
	log_event(LOG_NOTICE, "list.loaded", log_int("lists", (int64_t)lists.count),
		  log_int("entries", (int64_t)entries), log_int("wrong", (int64_t)lister->wrong_lines));
	_exit(0);
}

static void no_peers(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	(void)state;
	(void)role;
	(void)index;
	(void)serial;
	(void)close(socket);
}

NORETURN void lister_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = no_peers,
		.profile = SANDBOX_PARSER,
		.limits = {.descriptors = 64},
	};
	child_run(heritage, &ops);
}
