/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/servers.h"

#include "sys/net.h"

#include "base/banned.h"

static enum err wrong(struct error *reterr, struct bytes server)
{
	return error_set(reterr, ERR_SYNTAX, 0, "DNS server \"%.*s\": write ADDRESS or ADDRESS@PORT",
			 (int)(server.len < 80 ? server.len : 80), (const char *)server.ptr);
}

enum err servers_read(const struct settings *settings, struct servers *ret_servers, struct error *reterr)
{
	*ret_servers = (struct servers){
		.options = {.forward = settings->dns_servers.items, .n_forward = settings->dns_servers.count}};
	for (size_t i = 0; i < settings->dns_servers.count; i++)
		if (!net_is_dns_server(settings->dns_servers.items[i]))
			return wrong(reterr, settings->dns_servers.items[i]);
	if (settings->dns_zones.count > SERVERS_MAX)
		return error_set(reterr, ERR_LIMIT, 0, "dns.zones: %d zones at most", SERVERS_MAX);
	for (size_t i = 0; i < settings->dns_zones.count; i++) {
		const struct settings_dns_zone *zone =
			&((const struct settings_dns_zone *)settings->dns_zones.items)[i];
		if (!net_is_dns_server(zone->server))
			return wrong(reterr, zone->server);
		ret_servers->zones[i] = (struct upstream_zone){.name = zone->name, .server = zone->server};
	}
	ret_servers->options.zones = ret_servers->zones;
	ret_servers->options.n_zones = settings->dns_zones.count;
	/* Servers that were named may not pass signatures on: they are trusted as they are, unless told otherwise. */
	bool validate = settings->dns_dnssec == SET_DNSSEC_ON ||
			(settings->dns_dnssec == SET_DNSSEC_AUTO && settings->dns_servers.count == 0);
	if (validate)
		ret_servers->options.trust_anchors = settings->dns_trust_anchors;
	return ERR_OK;
}
