/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/load.h: the configuration of a program, read from its file and checked; and the process turned into the owner of
 * the state folder, so that root leaves no files there that the daemons cannot open.
 */
#include "conf/settings.h"

#define CONFIG_DEFAULT "/etc/postern/postern.yaml"

/*
 * `file` NULL: CONFIG_DEFAULT where there is one, else the defaults. Errors are said on standard error ("FILE:LINE:
 * text"); false then. `origin` may be NULL.
 */
bool load_settings(struct arena *arena, const char *file, struct settings *ret_settings,
		   struct settings_origin *origin);
/* The two halves of it, for a program that has the text parsed elsewhere: the bytes of the file, or why not is said; */
bool load_file(struct arena *arena, const char *file, struct bytes *ret_text);
/* and what is wrong in them is said. */
void load_say_errors(const char *file, const struct conf_errors *errors);
/* Numeric addresses and networks, which the key tables cannot check. Says what is wrong. */
bool load_check_values(const char *file, const struct settings *settings);
/* As root: become the owner of `folder`. True when nothing had to be done, or it was. */
bool load_become_owner(const char *folder);
