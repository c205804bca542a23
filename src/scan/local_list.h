/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/local_list.h: a reputation list of one's own: the lines of a file as a sorted image, in which a value is found
 * by halving.
 *
 *     192.0.2.1            an address            192.0.2.0/24  2001:db8::/32  a network
 *     example.com          a domain by itself    .example.com                 with all below it
 *     someone@example.com  a mail address        # and behind a blank         a comment
 *
 * Owns:   the image, in the arena given; nothing of the text is kept.
 * Bounds: LOCAL_LIST_MAX bytes of text. Building takes two passes and a sort; what is written twice is kept once.
 * Fails:  a line that is none of these is told, and left out; ERR_NOMEM, ERR_LIMIT.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct buf;
struct local_list;

#define LOCAL_LIST_MAX ((size_t)512 << 20)

/* Lines count from 1; `line` is a slice of the text, and foreign. */
typedef void local_list_wrong(void *ctx, size_t number, struct bytes line, const char *why);

NODISCARD enum err local_list_parse(struct arena *arena, struct bytes text, local_list_wrong *wrong, void *ctx,
				    struct local_list **ret_list);
size_t local_list_count(const struct local_list *list);

/*
 * Whether the list has the value: the text of an address, a domain in A-labels, or local@domain; lower case. Of several
 * entries that fit, the narrowest; it is written to `entry` as it would stand in the file.
 */
bool local_list_find(const struct local_list *list, struct bytes value, struct buf *entry);

/* The lists of a process, by their names. */
struct local_lists {
	struct {
		struct bytes name;
		const struct local_list *list;
	} * items;
	size_t count;
};

/* The answer to a fact of kind FACT_LIST (scan/fact.h): a line a list; false: no list has the value. */
bool local_lists_answer(const struct local_lists *lists, struct bytes value, struct buf *answer);
