/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/lists.h: the reputation lists of the configuration: checked, brought into the form that judging wants, and the
 * files of our own ones read.
 */
#include "conf/settings.h"
#include "scan/case.h"
#include "scan/local_list.h"

#define LISTS_ZONES_MAX 100

/*
 * In run_dir, how the lists of lists.zones are: lines of NAME, ZONE, STATE (unknown, on, off), since when (seconds
 * since 1970; 0: never said) and why, separated by tabs.
 */
#define LISTS_STATUS_FILE "lists.tsv"

/* Of lists.zones and lists.local, what the key tables cannot check. False: *errors tells. */
bool lists_check_values(const struct settings *settings, const struct settings_origin *origin,
			struct conf_errors *errors);
/* Into *ret_settings (values checked). */
NODISCARD enum err lists_scan_settings(struct arena *arena, const struct settings *settings,
				       struct scan_settings *ret_settings);

/*
 * The name that is asked for what a zone must list (hit) or must not; {NULL, 0}: none is. Where the configuration names
 * nothing it is what RFC 5782 5 has. ERR_SYNTAX, ERR_NOMEM.
 */
NODISCARD enum err lists_canary(struct arena *arena, const struct settings_list_zone *zone, bool hit,
				struct bytes *ret_name);

/* `line` 0: the file as a whole. `text` is foreign. */
typedef void lists_wrong(void *ctx, struct bytes file, size_t line, struct bytes text, const char *why);

/* The texts of the files of lists.local, one each; a file that cannot be read is told, and its text {NULL, 0}.
 * ERR_NOMEM. */
NODISCARD enum err lists_read(struct arena *arena, const struct settings *settings, lists_wrong *wrong, void *ctx,
			      struct bytes **ret_texts);
/*
 * The image of the lists in them (scan/local_list.h); a wrong line is told and left out. A list without a text is as it
 * is in `before` (NULL: empty), and that is told. ERR_NOMEM, ERR_LIMIT.
 */
NODISCARD enum err lists_build(struct arena *arena, const struct settings *settings, const struct bytes *texts,
			       const struct local_lists *before, lists_wrong *wrong, void *ctx,
			       struct bytes *ret_image);
/* Both, for a command that looks whether the files are right. */
bool lists_check_files(const struct settings *settings, struct conf_errors *errors);
