/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/load.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "scan/case.h"
#include "sys/file.h"
#include "sys/net.h"

#include "base/banned.h"

#define CONFIG_MAX ((size_t)1 << 20)

static void say(const char *file, size_t line, const char *text)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(8192);
	escape_plain(&buf, bytes_from_cstr(text));
	if (line > 0)
		(void)fprintf(stderr, "%s:%zu: %.*s\n", file, line, BYTES_FMT(buf_bytes(&buf)));
	else
		(void)fprintf(stderr, "%s: %.*s\n", file, BYTES_FMT(buf_bytes(&buf)));
}

bool load_file(struct arena *arena, const char *file, struct bytes *ret_text)
{
	errno = 0;
	if (file_read(arena, file, CONFIG_MAX, ret_text) == ERR_OK)
		return true;
	say(file, 0, errno ? strerror(errno) : "the file is too large");
	return false;
}

void load_say_errors(const char *file, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count && i < CONF_ERRORS_MAX; i++)
		say(file, errors->items[i].line, errors->items[i].text);
}

bool load_settings(struct arena *arena, const char *file, struct settings *ret_settings, struct settings_origin *origin)
{
	struct conf_errors errors = {0};
	struct bytes text = {0};
	if (!file && access(CONFIG_DEFAULT, R_OK) == 0)
		file = CONFIG_DEFAULT;
	if (origin) {
		*origin = (struct settings_origin){0};
		origin->file = bytes_from_cstr(file ? file : "");
	}
	if (!file)
		return settings_default(arena, ret_settings) == ERR_OK;
	if (!load_file(arena, file, &text))
		return false;
	if (settings_parse(arena, text, ret_settings, origin, &errors))
		return true;
	load_say_errors(file, &errors);
	return false;
}

bool load_become_owner(const char *folder)
{
	struct stat st;
	if (geteuid() != 0 || stat(folder, &st) != 0 || st.st_uid == 0)
		return true;
	return setgroups(1, &st.st_gid) == 0 && setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 &&
	       setresuid(st.st_uid, st.st_uid, st.st_uid) == 0;
}

bool load_check_values(const char *file, const struct settings *settings)
{
	const struct {
		const char *key;
		struct bytes value;
	} addresses[] = {{"milter.listen", settings->milter_listen}, {"smtp.listen", settings->smtp_listen},
			 {"smtp.next_hop", settings->smtp_next_hop}, {"http.listen", settings->http_listen},
			 {"spamd.listen", settings->spamd_listen},   {"quarantine.release_to", settings->release_to}};
	const struct {
		const char *key;
		const struct conf_strings *list;
	} lists[] = {{"trusted_networks", &settings->trusted_networks},
		     {"smtp.xforward_from", &settings->smtp_xforward_from}};
	bool good = true;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct net_address address;
		struct error error;
		char text[300];
		if (addresses[i].value.len == 0 || net_parse(addresses[i].value, &address, &error) == ERR_OK)
			continue;
		(void)snprintf(text, sizeof(text), "%s: %s", addresses[i].key, error.text);
		say(file, 0, text);
		good = false;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t j = 0; j < lists[i].list->count; j++) {
			struct bytes item = lists[i].list->items[j];
			struct scan_network network;
			char text[300];
			if (scan_network_parse(item, &network) == ERR_OK)
				continue;
			(void)snprintf(text, sizeof(text),
				       "%s: \"%.*s\" is no network (expected 192.0.2.0/24 or 2001:db8::/32)",
				       lists[i].key, BYTES_FMT(bytes_sub(item, 0, 60)));
			say(file, 0, text);
			good = false;
		}
	}
	return good;
}
