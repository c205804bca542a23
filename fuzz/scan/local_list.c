/* SPDX-License-Identifier: Apache-2.0 */
/* Files of lists of one's own: whatever is in them, what was taken is found, and looking anything up ends. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "scan/local_list.h"

#define LINES_MAX 4096

static void on_wrong(void *ctx, size_t number, struct bytes line, const char *why)
{
	bool *wrong = ctx;
	ASSERT(line.len > 0 && why[0] && number > 0);
	if (number < LINES_MAX)
		wrong[number] = true;
}

/* A line that was taken names itself; a network its first address, a domain with what is below it such a one. */
static void look_up(const struct local_list *list, struct arena *arena, struct bytes line, bool taken)
{
	CLEANUP(buf_done) struct buf entry = BUF_INIT(1024);
	struct bytes value = arena_copy_lower(arena, bytes_trim(bytes_sub(line, 0, bytes_find_byte(line, '#'))));
	bool plain = value.len == bytes_trim(line).len && value.len > 0 && value.ptr[0] != 0xef;
	if (!bytes_has(value, '@') && bytes_starts(value, BYTES_LIT(".")))
		value = bytes_from(value, 1);
	else if (!bytes_has(value, '@'))
		value = bytes_sub(value, 0, bytes_find_byte(value, '/'));
	bool found = local_list_find(list, value, &entry);
	ASSERT(buf_err(&entry) == ERR_OK && found == (entry.len > 0));
	if (taken && plain)
		ASSERT(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes rest = bytes_make(data, size), line;
	bool wrong[LINES_MAX] = {false};
	struct local_list *list;
	ASSERT(local_list_parse(arena, rest, on_wrong, wrong, &list) == ERR_OK);
	ASSERT(local_list_count(list) <= size);
	for (size_t number = 1; number < LINES_MAX && bytes_split(&rest, '\n', &line); number++)
		look_up(list, arena, line, !wrong[number]);
	return 0;
}
