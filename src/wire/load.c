/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/load.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/sign_names.h"
#include "base/buf.h"
#include "base/escape.h"
#include "scan/verdict.h"
#include "sys/file.h"
#include "sys/net.h"
#include "wire/lists.h"

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

bool load_file(struct arena *arena, const char *file, struct bytes *ret_text, struct conf_errors *errors)
{
	errno = 0;
	if (file_read(arena, file, CONFIG_MAX, ret_text) == ERR_OK)
		return true;
	conf_error_add(errors, 0, "%s", errno ? strerror(errno) : "the file is too large");
	return false;
}

void load_say_errors(const char *file, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count && i < CONF_ERRORS_MAX; i++)
		say(file ? file : CONFIG_DEFAULT, errors->items[i].line, errors->items[i].text);
}

static bool load(struct arena *arena, const char *file, struct settings *ret_settings, struct settings_origin *origin,
		 struct conf_errors *errors)
{
	struct bytes text = {0};
	if (!file && access(CONFIG_DEFAULT, R_OK) == 0)
		file = CONFIG_DEFAULT;
	*origin = (struct settings_origin){.file = bytes_from_cstr(file ? file : "")};
	if (!file)
		return settings_default(arena, ret_settings) == ERR_OK;
	return load_file(arena, file, &text, errors) && settings_parse(arena, text, ret_settings, origin, errors);
}

bool load_settings(struct arena *arena, const char *file, struct settings *ret_settings, struct settings_origin *origin)
{
	struct conf_errors errors = {0};
	struct settings_origin local;
	bool good = load(arena, file, ret_settings, origin ? origin : &local, &errors);
	load_say_errors(file, &errors);
	return good;
}

bool load_checked(struct arena *arena, const char *file, struct settings *ret_settings, struct conf_errors *errors)
{
	struct settings_origin origin;
	return load(arena, file, ret_settings, &origin, errors) && load_check_values(ret_settings, &origin, errors);
}

bool load_become_owner(const char *folder)
{
	struct stat st;
	if (geteuid() != 0 || stat(folder, &st) != 0 || st.st_uid == 0)
		return true;
	return setgroups(1, &st.st_gid) == 0 && setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 &&
	       setresuid(st.st_uid, st.st_uid, st.st_uid) == 0;
}

static void complain(struct conf_errors *errors, const struct settings_origin *origin, const char *key,
		     const char *text)
{
	struct bytes name = bytes_from_cstr(key);
	size_t index = 0;
	bool known = conf_find(&settings_keys, name, &index) != NULL;
	conf_error_add_key(errors, known ? origin->lines[index] : 0, name, "%s: %s", key, text);
}

bool load_check_values(const struct settings *settings, const struct settings_origin *origin,
		       struct conf_errors *errors)
{
	const struct {
		const char *key;
		struct bytes value;
	} addresses[] = {
		{"milter.listen", settings->milter_listen},     {"smtp.listen", settings->smtp_listen},
		{"smtp.next_hop", settings->smtp_next_hop},     {"http.listen", settings->http_listen},
		{"spamd.listen", settings->spamd_listen},       {"quarantine.release_to", settings->release_to},
		{"reports.next_hop", settings->report_next_hop}};
	struct net_address listeners[ARRAY_LEN(addresses)];
	size_t n_listeners = 0;
	const char *keys[ARRAY_LEN(addresses)];
	const struct {
		const char *key;
		const struct conf_strings *list;
	} lists[] = {{"trusted_networks", &settings->trusted_networks},
		     {"smtp.xforward_from", &settings->smtp_xforward_from},
		     {"signing.networks", &settings->signing_networks}};
	const size_t before = errors->count;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct net_address address;
		struct error error;
		if (addresses[i].value.len == 0)
			continue;
		if (net_parse(addresses[i].value, &address, &error) != ERR_OK) {
			complain(errors, origin, addresses[i].key, error.text);
			continue;
		}
		if (!bytes_ends(bytes_from_cstr(addresses[i].key), BYTES_LIT(".listen")))
			continue;
		for (size_t j = 0; j < n_listeners; j++) {
			char text[160];
			(void)snprintf(text, sizeof(text), "%s has this address already", keys[j]);
			if (net_equal(&address, &listeners[j]))
				complain(errors, origin, addresses[i].key, text);
		}
		keys[n_listeners] = addresses[i].key;
		listeners[n_listeners++] = address;
	}
	const struct settings_dns_zone *zones = settings->dns_zones.items;
	enum settings_place place;
	if (!settings_place(settings, &place))
		complain(errors, origin, "quarantine.place",
			 "is not vault, queue or an address such as spam@example.org");
	for (size_t i = 0; i < settings->dns_servers.count + settings->dns_zones.count; i++) {
		bool listed = i < settings->dns_servers.count;
		struct bytes server =
			listed ? settings->dns_servers.items[i] : zones[i - settings->dns_servers.count].server;
		char text[160];
		if (net_is_dns_server(server))
			continue;
		(void)snprintf(text, sizeof(text), "\"%.*s\" is no DNS server (expected ADDRESS or ADDRESS@PORT)",
			       BYTES_FMT(bytes_sub(server, 0, 60)));
		complain(errors, origin, listed ? "dns.servers" : "dns.zones", text);
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t j = 0; j < lists[i].list->count; j++) {
			struct bytes item = lists[i].list->items[j];
			struct scan_network network;
			char text[160];
			if (scan_network_parse(item, &network) == ERR_OK)
				continue;
			(void)snprintf(text, sizeof(text),
				       "\"%.*s\" is no network (expected 192.0.2.0/24 or 2001:db8::/32)",
				       BYTES_FMT(bytes_sub(item, 0, 60)));
			complain(errors, origin, lists[i].key, text);
		}
	}
	if (settings->signing_arc_domain.len > 0 && !sign_domain_valid(settings->signing_arc_domain))
		complain(errors, origin, "signing.arc_domain", "this is no domain name");
	return lists_check_values(settings, origin, errors) && errors->count == before;
}

enum err load_scan_settings(struct arena *arena, const struct settings *settings, struct scan_settings *ret_settings)
{
	struct scan_settings *out = ret_settings;
	*out = (struct scan_settings){
		.tag_at = verdict_log_odds(settings->tag_at),
		.quarantine_at = verdict_log_odds(settings->quarantine_at),
		.max_parts = (size_t)settings->parts,
		.max_depth = (size_t)settings->depth,
		.max_header_bytes = (size_t)settings->header_size,
		.max_memory = (size_t)settings->memory,
		.dns = settings->dns_enabled,
		.dmarc_mode = settings->dmarc_mode == DMARC_RFC7489 ? DMARC_RFC7489 : DMARC_RFC9989,
		.authserv_id = settings->authserv_id.len > 0 ? settings->authserv_id : settings->hostname,
		.sealers = settings->trusted_sealers.items,
		.n_sealers = settings->trusted_sealers.count,
		.relays = settings->trusted_relays.items,
		.n_relays = settings->trusted_relays.count,
	};
	out->trusted = arena_new(arena, struct scan_network, settings->trusted_networks.count + 1);
	if (!out->trusted)
		return ERR_NOMEM;
	for (; out->n_trusted < settings->trusted_networks.count; out->n_trusted++)
		TRY(scan_network_parse(settings->trusted_networks.items[out->n_trusted],
				       &out->trusted[out->n_trusted]));
	return lists_scan_settings(arena, settings, out);
}
