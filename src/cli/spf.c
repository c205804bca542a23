/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "auth/spf.h"
#include "base/arena.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/dns.h"
#include "cli/given.h"
#include "sys/clock.h"

#include "base/banned.h"

static int check(const struct opt_set *set, const struct given *given, const struct settings *settings,
		 struct arena *arena)
{
	CLEANUP(cli_dns_free) struct cli_dns *dns = NULL;
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	struct error error;
	struct spf_query query = {.helo = bytes_from_cstr(given->helo),
				  .from = bytes_from_cstr(given->from),
				  .receiver = settings->hostname,
				  .now = clock_wall_ms() / 1000};
	int rc = given_client(set, given, query.ip);
	if (rc != 0)
		return rc;
	if (cli_dns_open(settings, given->dns, &dns, &error) != ERR_OK)
		return opt_wrong(set, "%s", error.text);
	struct dns_host host = cli_dns_host(dns);
	struct spf_result result;
	while (spf_check(arena, &host, &query, &result) == AUTH_WAIT)
		cli_dns_wait(dns);
	struct json json;
	jsonw_init(&json, &out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "result", bytes_from_cstr(spf_code_name(result.code)));
	jsonw_string(&json, "explanation", result.explanation);
	jsonw_string(&json, "mechanism", result.mechanism);
	jsonw_string(&json, "scope", result.helo_scope ? BYTES_LIT("helo") : BYTES_LIT("mfrom"));
	jsonw_string(&json, "domain", result.domain);
	jsonw_string(&json, "problem", result.problem);
	jsonw_int(&json, "lookups", (int64_t)result.lookups);
	jsonw_int(&json, "void_lookups", (int64_t)result.void_lookups);
	jsonw_end(&json);
	buf_add_byte(&out, '\n');
	if (buf_err(&out) != ERR_OK)
		return opt_wrong(set, "not enough memory");
	(void)fwrite(out.ptr, 1, out.len, stdout);
	return 0;
}

int cmd_spf(int argc, char **argv)
{
	static struct given given;
	const struct opt table[] = {
		{.name = "ip", .value_name = "ADDRESS", .help = "the client", .value = &given.ip},
		{.name = "helo", .value_name = "NAME", .help = "what it called itself", .value = &given.helo},
		{.name = "from",
		 .value_name = "ADDRESS",
		 .help = "the envelope's sender; \"\" checks the HELO name",
		 .value = &given.from},
		GIVEN_DNS(given),
		GIVEN_CONFIG(given),
	};
	const struct opt_set set = {
		"spf",
		"--ip ADDRESS --helo NAME --from ADDRESS [--dns ADDR@PORT]",
		"Says whether a host may send mail for a domain (SPF, RFC 7208), as JSON. Exit status "
		"0, whatever the\nresult is; 2: it could not be checked.",
		"postern spf --ip 192.0.2.1 --helo mx.example.com --from user@example.com",
		table,
		ARRAY_LEN(table)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct settings settings;
	int n;
	given = (struct given){0};
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0 || !given.ip || !given.helo || !given.from)
		return opt_wrong(&set, "--ip, --helo and --from are needed, and nothing else");
	if (!arena)
		return opt_wrong(&set, "not enough memory");
	rc = given_settings(&given, arena, &settings);
	return rc != 0 ? rc : check(&set, &given, &settings, arena);
}
