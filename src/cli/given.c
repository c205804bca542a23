/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/given.h"

#include <time.h>

#include "base/arena.h"
#include "base/num.h"
#include "mail/received.h"
#include "wire/load.h"

#include "base/banned.h"

int given_settings(const struct given *given, struct arena *arena, struct settings *ret_settings)
{
	struct conf_errors errors = {0};
	if (load_checked(arena, given->config, ret_settings, &errors))
		return 0;
	load_say_errors(given->config, &errors);
	return 2;
}

int given_client(const struct opt_set *set, const struct given *given, uint8_t ret_ip[16])
{
	return received_parse_ip(bytes_from_cstr(given->ip), ret_ip)
		       ? 0
		       : opt_wrong(set, "--ip: \"%s\" is no address", given->ip);
}

static int take_envelope(const struct opt_set *set, const struct given *given, struct scan_envelope *envelope)
{
	*envelope = (struct scan_envelope){.frontend = BYTES_LIT("command"),
					   .has_client = given->ip != NULL,
					   .helo = bytes_from_cstr(given->helo),
					   .has_from = given->from != NULL,
					   .from = bytes_from_cstr(given->from)};
	return given->ip ? given_client(set, given, envelope->client_ip) : 0;
}

static int take_time(const struct opt_set *set, const struct given *given, struct arena *arena, struct fact_list *facts)
{
	uint64_t now = (uint64_t)time(NULL);
	if (given->now && num_parse(bytes_from_cstr(given->now), 10, UINT32_MAX * UINT64_C(8), &now) != ERR_OK)
		return opt_wrong(set, "--now: seconds since 1970 are expected, not \"%s\"", given->now);
	struct bytes text = arena_printf(arena, "%llu", (unsigned long long)now);
	if (!text.ptr || fact_set(arena, facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, text) != ERR_OK)
		return opt_wrong(set, "not enough memory");
	return 0;
}

int given_case(const struct opt_set *set, const struct given *given, struct arena *arena, struct settings *ret_settings,
	       struct scan_case *scan_case)
{
	int rc = given_settings(given, arena, ret_settings);
	if (rc != 0)
		return rc;
	if (load_scan_settings(arena, ret_settings, &scan_case->settings) != ERR_OK)
		return opt_wrong(set, "not enough memory");
	rc = take_envelope(set, given, &scan_case->envelope);
	return rc != 0 ? rc : take_time(set, given, arena, &scan_case->facts);
}
