/* SPDX-License-Identifier: Apache-2.0 */
/* posternd: the daemons. */
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor.h"

#include "base/banned.h"

#ifndef POSTERN_CONFIG
#define POSTERN_CONFIG "/etc/postern/postern.yaml"
#endif
#ifndef POSTERN_VERSION
#define POSTERN_VERSION "unknown"
#endif

static const char usage[] = "usage: posternd [--config FILE] [--check] [--version] [--help]\n"
			    "\n"
			    "Runs Postern's daemons in the foreground; the log goes to standard error.\n"
			    "  --config FILE   the configuration (default " POSTERN_CONFIG ")\n"
			    "  --check         check the configuration and end: 0 it is good, 2 it is not\n"
			    "SIGTERM drains and ends, SIGHUP reads the configuration again.\n"
			    "Example: posternd --config ./postern.yaml\n";

int main(int argc, char **argv)
{
	const char *config = POSTERN_CONFIG;
	int check = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
			config = argv[++i];
		} else if (strncmp(argv[i], "--config=", 9) == 0) {
			config = argv[i] + 9;
		} else if (strcmp(argv[i], "--check") == 0) {
			check = 1;
		} else if (strcmp(argv[i], "--version") == 0) {
			(void)printf("posternd %s\n", POSTERN_VERSION);
			return 0;
		} else if (strcmp(argv[i], "--help") == 0) {
			(void)fputs(usage, stdout);
			return 0;
		} else {
			(void)fprintf(stderr, "posternd: what is \"%s\"? posternd --help tells what there is\n",
				      argv[i]);
			return 2;
		}
	}
	if (check)
		return supervisor_check(config) ? 0 : 2;
	return supervisor_run(config);
}
