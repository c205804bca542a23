/* SPDX-License-Identifier: Apache-2.0 */
/* postern: everything a person types. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "cli/command.h"
#include "conf/schema.h"

#include "base/banned.h"

#ifndef POSTERN_VERSION
#define POSTERN_VERSION "unknown"
#endif

static const struct {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND_ROW(id, name, summary) {name, summary, cmd_##id},
	COMMANDS(COMMAND_ROW)
#undef COMMAND_ROW
};

static void print_help(void)
{
	(void)printf("usage: postern COMMAND [OPTION...] [ARGUMENT...]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)printf("  %-16s %s\n", commands[i].name, commands[i].summary);
	(void)printf("\n`postern COMMAND --help` tells more. The daemons are posternd(8).\n"
		     "Example: postern scan message.eml\n");
}

/* What could not be written was not said: a full disk must not look like success. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "postern: standard output: %s\n", strerror(errno ? errno : EIO));
	return 2;
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_DFL);
	if (argc < 2) {
		(void)fprintf(stderr, "postern: which command? `postern --help` lists them\n");
		return 2;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help();
		return finish(0);
	}
	if (strcmp(name, "--version") == 0) {
		(void)printf("postern %s\n", POSTERN_VERSION);
		return finish(0);
	}
	const char *nearest = NULL;
	unsigned least = 4;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return finish(commands[i].run(argc - 2, argv + 2));
		unsigned distance = conf_distance(bytes_from_cstr(name), bytes_from_cstr(commands[i].name));
		if (distance < least) {
			least = distance;
			nearest = commands[i].name;
		}
	}
	if (nearest)
		(void)fprintf(stderr, "postern: there is no command \"%.60s\"; did you mean \"%s\"?\n", name, nearest);
	else
		(void)fprintf(stderr, "postern: there is no command \"%.60s\"; `postern --help` lists them\n", name);
	return 2;
}
