/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/load.h: the configuration of a program, read from its file and checked; and the process turned into the owner of
 * the state folder, so that root leaves no files there that the daemons cannot open.
 */
#include "conf/settings.h"
#include "scan/case.h"

#define CONFIG_DEFAULT "/etc/postern/postern.yaml"

/*
 * `file` NULL: CONFIG_DEFAULT where there is one, else the defaults. Errors are said on standard error ("FILE:LINE:
 * text"); false then. `origin` may be NULL.
 */
bool load_settings(struct arena *arena, const char *file, struct settings *ret_settings,
		   struct settings_origin *origin);
/* The same, load_check_values() included; what is wrong, or that the file cannot be read, goes to *errors unsaid. */
bool load_checked(struct arena *arena, const char *file, struct settings *ret_settings, struct conf_errors *errors);
/* On standard error, as load_settings() does. */
void load_say_errors(const char *file, const struct conf_errors *errors);
/* Its parts, for a program that has the text parsed elsewhere: the bytes of the file; */
bool load_file(struct arena *arena, const char *file, struct bytes *ret_text, struct conf_errors *errors);
/* numeric addresses and networks, which the key tables cannot check. */
bool load_check_values(const struct settings *settings, const struct settings_origin *origin,
		       struct conf_errors *errors);
/* What of the configuration judging depends on (values checked). ERR_NOMEM, ERR_SYNTAX. */
NODISCARD enum err load_scan_settings(struct arena *arena, const struct settings *settings,
				      struct scan_settings *ret_settings);
/* As root: become the owner of `folder`. True when nothing had to be done, or it was. */
bool load_become_owner(const char *folder);
