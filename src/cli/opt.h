/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/opt.h: options of a subcommand: --name, --name VALUE, --name=VALUE, "--" ends them, "-" is an operand. What is
 * wrong is said in one line on standard error, with the nearest option.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPT_REPEAT_MAX 1000

struct opt {
	const char *name;       /* without dashes */
	const char *value_name; /* NULL: a switch */
	const char *help;
	bool *given;         /* may be NULL */
	const char **value;  /* of the last one; NULL for switches and repeated ones */
	const char **values; /* OPT_REPEAT_MAX places, when it may be repeated */
	size_t *n_values;
};

struct opt_set {
	const char *command; /* "scan" */
	const char *usage;   /* "[--json] PATH..." */
	const char *about;   /* what it does, whole sentences */
	const char *example; /* one command line and what it is for */
	const struct opt *options;
	size_t n_options;
};

/*
 * Operands stay in argv (from 0 on); *ret_n counts them. 0: go on; 2: it was wrong and has been said; -1: --help was
 * asked for and printed.
 */
int opt_parse(const struct opt_set *set, int argc, char **argv, int *ret_n);
/* Says "postern COMMAND: text" and returns 2. */
__attribute__((format(printf, 2, 3))) int opt_wrong(const struct opt_set *set, const char *fmt, ...);

/* A command that consists of verbs, each with options of its own: `postern quarantine list`. */
struct opt_verb {
	const char *name;
	int (*run)(int argc, char **argv);
};
/*
 * Runs the verb that argv begins with; `postern COMMAND --config F VERB` reads as well as `postern COMMAND VERB
 * --config F`. Without one that is known, says which there are: `words` ("list, show or delete"), or `help` on --help.
 */
int opt_run_verb(const char *command, const struct opt_verb *verbs, size_t n_verbs, const char *words, const char *help,
		 int argc, char **argv);
/* Whether the person reads Japanese, by the locale's variables. */
bool opt_japanese(void);
