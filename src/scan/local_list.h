/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/local_list.h: reputation lists of one's own: the lines of a file as a sorted image, in which a value is found by
 * halving. An image holds no pointer: one process makes it, all that judge look into the same memory.
 *
 *     192.0.2.1            an address            192.0.2.0/24  2001:db8::/32  a network
 *     example.com          a domain by itself    .example.com                 with all below it
 *     someone@example.com  a mail address        # and behind a blank         a comment
 *
 * Owns:   images, in the arena given; nothing of the text is kept. What is open points into its image.
 * Bounds: LOCAL_LIST_MAX bytes of text. Building takes two passes and a sort; what is written twice is kept once. An
 *         image is of the machine that made it, and never kept on disk; one that was made by somebody else finds
 *         something or nothing, and nothing is read beyond its end.
 * Fails:  a line that is none of these is told, and left out; ERR_NOMEM, ERR_LIMIT; ERR_SYNTAX for what is no image.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct buf;
struct local_list;

#define LOCAL_LIST_MAX ((size_t)512 << 20)

/* Lines count from 1; `line` is a slice of the text, and foreign. */
typedef void local_list_wrong(void *ctx, size_t number, struct bytes line, const char *why);

/* An image begins at an address that eight divides, as what an arena gives does. */
NODISCARD enum err local_list_build(struct arena *arena, struct bytes text, local_list_wrong *wrong, void *ctx,
				    struct bytes *ret_image);
NODISCARD enum err local_list_open(struct arena *arena, struct bytes image, const struct local_list **ret_list);
size_t local_list_count(const struct local_list *list);

/*
 * Whether the list has the value: the text of an address, a domain in A-labels, or local@domain; lower case. Of several
 * entries that fit, the narrowest; it is written to `entry` as it would stand in the file.
 */
bool local_list_find(const struct local_list *list, struct bytes value, struct buf *entry);

/* -- Those of a process, by their names ---- */

struct local_lists {
	struct local_lists_item {
		struct bytes name, image;
		const struct local_list *list;
	} * items;
	size_t count;
};

/* One image of all, of which each has name and image; `list` is not looked at. */
NODISCARD enum err local_lists_pack(struct arena *arena, const struct local_lists *lists, struct bytes *ret_image);
NODISCARD enum err local_lists_open(struct arena *arena, struct bytes image, struct local_lists *ret_lists);
/* The image of the list of that name, or {NULL, 0}. */
struct bytes local_lists_image(const struct local_lists *lists, struct bytes name);

/* The answer to a fact of kind FACT_LIST (scan/fact.h): a line a list; false: no list has the value. */
bool local_lists_answer(const struct local_lists *lists, struct bytes value, struct buf *answer);
