/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/dns.h"
#include "cli/given.h"
#include "cli/judge.h"
#include "cli/opt.h"
#include "cli/sources.h"
#include "scan/auth.h"

#include "base/banned.h"

#define OUTPUT_MAX ((size_t)64 << 20)

struct options {
	bool json;
	struct given given;
};

struct command {
	const struct opt_set *set;
	const struct options *options;
	struct arena *arena;
	struct settings settings;
	struct scan_case scan_case;
	char hostname[256];
};

static int take(struct command *command)
{
	struct scan_case *scan_case = &command->scan_case;
	int rc = given_case(command->set, &command->options->given, command->arena, &command->settings, scan_case);
	if (rc != 0)
		return rc;
	scan_case->settings.dns = true;
	if (scan_case->settings.authserv_id.len == 0 &&
	    gethostname(command->hostname, sizeof(command->hostname) - 1) == 0)
		scan_case->settings.authserv_id = bytes_from_cstr(command->hostname);
	scan_case->envelope.hostname = scan_case->settings.authserv_id;
	return 0;
}

static int print(struct command *command, const struct scan_auth *auth)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX), field = BUF_INIT((size_t)1 << 20);
	scan_auth_field(&field, auth, command->scan_case.settings.authserv_id);
	if (command->options->json) {
		struct json json;
		jsonw_init(&json, &out);
		jsonw_object(&json, NULL);
		scan_auth_json(&json, auth, true);
		jsonw_string(&json, "authentication_results", buf_bytes(&field));
		jsonw_end(&json);
	} else {
		buf_add_cstr(&out, "Authentication-Results: ");
		buf_add(&out, buf_bytes(&field));
	}
	buf_add_byte(&out, '\n');
	if (buf_err(&out) != ERR_OK || buf_err(&field) != ERR_OK || auth == &scan_auth_unknown)
		return opt_wrong(command->set, "not enough memory");
	(void)fwrite(out.ptr, 1, out.len, stdout);
	return 0;
}

static int find_out(struct command *command, struct bytes message)
{
	CLEANUP(cli_dns_free) struct cli_dns *dns = NULL;
	CLEANUP(judge_free) struct judge *judge = NULL;
	struct error error;
	struct scan *scan;
	const struct scan_auth *auth;
	command->scan_case.message = message;
	if (judge_new(&judge, &error) != ERR_OK ||
	    cli_dns_open(&command->settings, command->options->given.dns, &dns, &error) != ERR_OK)
		return opt_wrong(command->set, "%s", error.text);
	if (scan_new(command->arena, judge_plan(judge), &command->scan_case, &scan) != ERR_OK ||
	    scan_parse(scan) != ERR_OK)
		return opt_wrong(command->set, "not enough memory");
	while (!(auth = scan_auth(scan)))
		if (cli_dns_answer(dns, scan) != ERR_OK)
			return opt_wrong(command->set, "not enough memory");
	return print(command, auth);
}

static int run(struct command *command, const char *path)
{
	struct source source = {path, bytes_from_cstr(path)};
	struct source_file file;
	int rc = take(command);
	if (rc != 0)
		return rc;
	errno = 0;
	enum err err = source_open(&source, &file);
	if (err != ERR_OK)
		return opt_wrong(command->set, "%s: %s", path, errno ? strerror(errno) : err_name(err));
	rc = find_out(command, file.content);
	source_close(&file);
	return rc;
}

int cmd_auth(int argc, char **argv)
{
	static struct options options;
	const struct opt table[] = {
		{.name = "json", .help = "one JSON object", .given = &options.json},
		GIVEN_DNS(options.given),
		GIVEN_ENVELOPE(options.given),
		GIVEN_NOW(options.given),
		GIVEN_CONFIG(options.given),
	};
	const struct opt_set set = {
		"auth",
		"[OPTION...] [FILE]",
		"Says who really sent a message: SPF (with --ip), DKIM, ARC and DMARC. Without FILE, or "
		"with \"-\", the\nmessage comes from standard input. Exit status 0, whatever the results "
		"are; 2: it could not be read.",
		"postern auth --json --ip 192.0.2.1 --helo mx.example.com --from a@example.com message.eml",
		table,
		ARRAY_LEN(table)};
	static struct command command;
	int n;
	options = (struct options){0};
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 1)
		return opt_wrong(&set, "one message is expected");
	command = (struct command){.set = &set, .options = &options, .arena = arena_create(SIZE_MAX)};
	rc = command.arena ? run(&command, n == 1 ? argv[0] : "-") : opt_wrong(&set, "not enough memory");
	arena_free(&command.arena);
	return rc;
}
