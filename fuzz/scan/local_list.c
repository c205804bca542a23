/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of lists of one's own: whatever is in them, what was taken is found, and looking anything up ends. An image
 * that somebody else made is refused, or may be looked into.
 */
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

static void try_as_image(struct arena *arena, struct bytes data)
{
	CLEANUP(buf_done) struct buf entry = BUF_INIT((size_t)1 << 16);
	struct local_lists lists;
	uint8_t *copy = arena_alloc_raw(arena, data.len + 1);
	if (data.len > 0)
		memcpy(copy, data.ptr, data.len);
	if (local_lists_open(arena, bytes_make(copy, data.len), &lists) != ERR_OK)
		return;
	(void)local_lists_answer(&lists, BYTES_LIT("192.0.2.1"), &entry);
	(void)local_lists_answer(&lists, BYTES_LIT("someone@www.example.com"), &entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes rest = bytes_make(data, size), line;
	bool wrong[LINES_MAX] = {false};
	const struct local_list *list;
	struct bytes image;
	try_as_image(arena, rest);
	ASSERT(local_list_build(arena, rest, on_wrong, wrong, &image) == ERR_OK);
	ASSERT(local_list_open(arena, image, &list) == ERR_OK);
	ASSERT(local_list_count(list) <= size);
	for (size_t number = 1; number < LINES_MAX && bytes_split(&rest, '\n', &line); number++)
		look_up(list, arena, line, !wrong[number]);
	return 0;
}
