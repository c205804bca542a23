/* SPDX-License-Identifier: Apache-2.0 */
/* postern check-config, explain-config, status, reload, drain. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/opt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "wire/lists.h"
#include "wire/load.h"

#include "base/banned.h"

static struct bytes text_or_none(const char *text)
{
	return text[0] ? bytes_from_cstr(text) : (struct bytes){0};
}

/* {"file": ..., "valid": ..., "errors": [{"line", "key", "text", "nearest"}]}; what is not there is null. */
static void report_errors(struct buf *out, const char *file, bool valid, const struct conf_errors *errors)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "file", file);
	jsonw_bool(&json, "valid", valid);
	jsonw_array(&json, "errors");
	for (size_t i = 0; i < errors->count && i < CONF_ERRORS_MAX; i++) {
		const struct conf_error *error = &errors->items[i];
		jsonw_object(&json, NULL);
		if (error->line > 0)
			jsonw_uint(&json, "line", error->line);
		else
			jsonw_null(&json, "line");
		jsonw_string_or_null(&json, "key", text_or_none(error->key));
		jsonw_cstr(&json, "text", error->text);
		jsonw_string_or_null(&json, "nearest", text_or_none(error->nearest));
		jsonw_end(&json);
	}
	jsonw_end(&json);
	jsonw_end(&json);
	buf_add_byte(out, '\n');
}

int cmd_check_config(int argc, char **argv)
{
	bool sample = false, man = false, json = false;
	const struct opt options[] = {
		{.name = "json", .help = "the result as one JSON object", .given = &json},
		{.name = "sample", .help = "print the complete commented sample instead", .given = &sample},
		{.name = "man", .help = "print the keys for the manual page instead", .given = &man},
	};
	const struct opt_set set = {"check-config",
				    "[--json] [FILE]",
				    "Checks a configuration (default " CONFIG_DEFAULT
				    "): each error with file, line and the nearest key.",
				    "postern check-config ./postern.yaml",
				    options,
				    ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)4 << 20);
	struct settings settings;
	struct conf_errors errors = {0};
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (sample)
		settings_sample(&out);
	if (man)
		settings_manual(&out);
	if (sample || man) {
		(void)fwrite(out.ptr, 1, out.len, stdout);
		return 0;
	}
	if (n > 1)
		return opt_wrong(&set, "one file is expected");
	const char *file = n == 1 ? argv[0] : CONFIG_DEFAULT;
	bool valid = arena && load_checked(arena, file, &settings, &errors) && lists_check_files(&settings, &errors);
	if (json) {
		report_errors(&out, file, valid, &errors);
		(void)fwrite(out.ptr, 1, out.len, stdout);
	} else if (valid) {
		(void)printf("%s: good\n", file);
	} else {
		load_say_errors(file, &errors);
	}
	return valid ? 0 : 2;
}

int cmd_explain_config(int argc, char **argv)
{
	bool json = false;
	const char *config = NULL;
	const struct opt options[] = {
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration (default " CONFIG_DEFAULT ")",
		 .value = &config},
		{.name = "json", .help = "as one JSON object", .given = &json},
	};
	const struct opt_set set = {
		"explain-config",
		"[--config FILE] KEY...",
		"Shows the value of a key, where it comes from, its default, its range and what it means.",
		"postern explain-config actions.quarantine_at",
		options,
		ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)4 << 20);
	struct settings settings;
	struct settings_origin origin;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which key?");
	if (!arena || !load_settings(arena, config, &settings, &origin))
		return 2;
	for (int i = 0; i < n; i++) {
		struct bytes key = bytes_from_cstr(argv[i]);
		if (settings_explain(&out, &settings, &origin, key, json) == ERR_OK)
			continue;
		const struct conf_key *nearest = conf_nearest(&settings_keys, key);
		if (nearest)
			return opt_wrong(&set, "there is no key \"%s\"; did you mean \"%s\"?", argv[i], nearest->key);
		return opt_wrong(&set, "there is no key \"%s\"; postern.yaml(5) lists them", argv[i]);
	}
	(void)fwrite(out.ptr, 1, out.len, stdout);
	return 0;
}

/* -- Daemons ---- */

/* The supervisor's id, from its file in run_dir; 0 when it does not run. */
static pid_t find_supervisor(struct arena *arena, const struct settings *settings)
{
	struct bytes path = arena_printf(arena, "%.*s/posternd.pid%c", BYTES_FMT(settings->run_dir), '\0');
	struct bytes text;
	uint64_t pid = 0;
	if (!path.ptr || file_read(arena, (const char *)path.ptr, 32, &text) != ERR_OK ||
	    num_parse(bytes_trim(text), 10, 1u << 30, &pid) != ERR_OK || pid < 2)
		return 0;
	return kill((pid_t)pid, 0) == 0 || errno == EPERM ? (pid_t)pid : 0;
}

/* What the supervisor has written of the reputation lists. A list that is off is told with its reason. */
static void say_lists(struct arena *arena, const struct settings *settings)
{
	struct bytes path = arena_printf(arena, "%.*s/" LISTS_STATUS_FILE "%c", BYTES_FMT(settings->run_dir), '\0');
	struct bytes text, line, name, zone, state, seconds;
	if (!path.ptr || file_read(arena, (const char *)path.ptr, (size_t)1 << 20, &text) != ERR_OK)
		return;
	while (bytes_split(&text, '\n', &line)) {
		struct bytes reason = line;
		uint64_t since = 0;
		char when[24] = "";
		if (!bytes_split(&reason, '\t', &name) || !bytes_split(&reason, '\t', &zone) ||
		    !bytes_split(&reason, '\t', &state) || !bytes_split(&reason, '\t', &seconds) ||
		    num_parse(seconds, 10, UINT32_MAX, &since) != ERR_OK)
			continue;
		clock_format((int64_t)since, when);
		(void)printf("list %.*s (%.*s): ", BYTES_FMT(name), BYTES_FMT(zone));
		if (bytes_eq(state, BYTES_LIT("on")))
			(void)printf("on\n");
		else if (bytes_eq(state, BYTES_LIT("off")))
			(void)printf("SWITCHED OFF since %s: %.*s; see REPUTATION LISTS in postern.yaml(5)\n", when,
				     BYTES_FMT(reason));
		else
			(void)printf("not looked at yet%s\n", settings->dns_enabled ? "" : " (dns.enabled is false)");
	}
}

static int with_supervisor(const struct opt_set *set, int argc, char **argv, int signal_number)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct settings settings;
	struct conf_errors errors = {0};
	int n;
	const char *file = NULL;
	struct opt options[] = {
		{.name = "config", .value_name = "FILE", .help = "the configuration they run with", .value = &file}};
	struct opt_set with = *set;
	with.options = options;
	with.n_options = ARRAY_LEN(options);
	int rc = opt_parse(&with, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0)
		return opt_wrong(&with, "no argument is expected");
	if (!arena)
		return 2;
	/* For a reload the whole of it must be good; to find the process, run_dir is enough. */
	if (signal_number == SIGHUP &&
	    (!load_checked(arena, file, &settings, &errors) || !lists_check_files(&settings, &errors))) {
		load_say_errors(file, &errors);
		return 2;
	}
	if (signal_number != SIGHUP && !load_settings(arena, file, &settings, NULL))
		return 2;
	pid_t pid = find_supervisor(arena, &settings);
	if (pid == 0) {
		(void)printf("posternd does not run (no process behind %.*s/posternd.pid)\n",
			     BYTES_FMT(settings.run_dir));
		return 1;
	}
	if (signal_number == 0) {
		(void)printf("posternd runs (process %d)\n", (int)pid);
		say_lists(arena, &settings);
		return 0;
	}
	if (kill(pid, signal_number) != 0)
		return opt_wrong(&with, "process %d: %s", (int)pid, strerror(errno));
	for (int i = 0; signal_number == SIGTERM && i < 300; i++) {
		const struct timespec pause = {.tv_nsec = 100000000};
		if (kill(pid, 0) != 0)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return signal_number == SIGTERM ? opt_wrong(&with, "process %d has not ended after 30 s", (int)pid) : 0;
}

int cmd_status(int argc, char **argv)
{
	const struct opt_set set = {
		"status",
		"[--config FILE]",
		"Tells whether the daemons run, and how the reputation lists are. Exit status 0: they "
		"do run; 1: they do not.",
		"postern status",
		NULL,
		0};
	return with_supervisor(&set, argc, argv, 0);
}

int cmd_reload(int argc, char **argv)
{
	const struct opt_set set = {"reload",
				    "[--config FILE]",
				    "Checks the configuration, then has the daemons read it. No connection is lost; "
				    "the log tells when it is in force.",
				    "postern reload",
				    NULL,
				    0};
	return with_supervisor(&set, argc, argv, SIGHUP);
}

int cmd_drain(int argc, char **argv)
{
	const struct opt_set set = {
		"drain",
		"[--config FILE]",
		"Has the daemons take nothing new, finish what they have, and end; waits until they did.",
		"postern drain",
		NULL,
		0};
	return with_supervisor(&set, argc, argv, SIGTERM);
}
