/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/sources.h: the messages that PATH arguments stand for: files, standard input, mbox files, Maildirs and other
 * folders.
 *
 * Order is that of the arguments; inside a folder byte order of the relative path (FORMATS.md section 1). Files are
 * found first and read one at a time later, so that a million of them costs names only.
 */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

struct source {
	const char *file;  /* to open; "-" is standard input */
	struct bytes path; /* as it is shown */
};

struct source_list {
	struct source *items;
	size_t count, capacity;
	bool failed; /* something could not be read; it was said on standard error */
};

/*
 * Expands `n` PATH arguments. What cannot be read is said on standard error, and the rest is there all the same. Below
 * a folder, hidden names, symbolic links and what is neither file nor folder are skipped; that is said once a folder
 * and is no failure.
 */
NODISCARD enum err sources_expand(struct arena *arena, char **paths, size_t n, struct source_list *ret_list);

/* A file in memory: mapped, or read where it cannot be mapped (pipes). */
struct source_file {
	struct bytes content;
	bool mapped;
};
#define SOURCE_MAX_BYTES ((size_t)1 << 31)

/* ERR_IO (errno is set), ERR_LIMIT when it is over SOURCE_MAX_BYTES. */
NODISCARD enum err source_open(const struct source *source, struct source_file *ret_file);
void source_close(struct source_file *file);

/*
 * Splits an mbox (RFC 4155, as it is found): true while there is a message; *at is 0 at first. A file that holds one
 * message only, with or without a "From " line in front, is not an mbox: mbox_count() tells 1.
 */
size_t mbox_count(struct bytes file);
bool mbox_next(struct bytes file, size_t *at, struct bytes *ret_message);

/* The messages of an open file, one after another, and the path that each is shown by (FORMATS.md section 1). */
struct source_walk {
	const struct source *source;
	struct bytes file;
	size_t at, number;
	bool mbox;
	char path[4400];
};
void source_walk_init(struct source_walk *walk, const struct source *source, struct bytes file);
/* False when there are no more. The path is valid until the next call. */
bool source_walk_next(struct source_walk *walk, struct bytes *ret_message, struct bytes *ret_path);
