/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "conf/schema.h"

#include "base/banned.h"

int opt_wrong(const struct opt_set *set, const char *fmt, ...)
{
	char text[1024];
	CLEANUP(buf_done) struct buf shown = BUF_INIT(8192);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	escape_plain(&shown, bytes_from_cstr(text));
	(void)fprintf(stderr, "postern %s: %.*s\n", set->command, BYTES_FMT(buf_bytes(&shown)));
	return 2;
}

static void print_help(const struct opt_set *set)
{
	(void)printf("usage: postern %s %s\n\n%s\n", set->command, set->usage, set->about);
	if (set->n_options > 0)
		(void)printf("\n");
	for (size_t i = 0; i < set->n_options; i++) {
		char left[64];
		(void)snprintf(left, sizeof(left), "--%s%s%s", set->options[i].name,
			       set->options[i].value_name ? " " : "",
			       set->options[i].value_name ? set->options[i].value_name : "");
		(void)printf("  %-22s %s\n", left, set->options[i].help);
	}
	(void)printf("\nExample: %s\n", set->example);
}

static const struct opt *find(const struct opt_set *set, struct bytes name)
{
	for (size_t i = 0; i < set->n_options; i++)
		if (bytes_eq(name, bytes_from_cstr(set->options[i].name)))
			return &set->options[i];
	return NULL;
}

static int unknown(const struct opt_set *set, struct bytes name)
{
	const char *nearest = NULL;
	unsigned least = 4;
	for (size_t i = 0; i < set->n_options; i++) {
		unsigned distance = conf_distance(name, bytes_from_cstr(set->options[i].name));
		if (distance < least) {
			least = distance;
			nearest = set->options[i].name;
		}
	}
	if (nearest)
		return opt_wrong(set, "there is no option --%.*s; did you mean --%s?",
				 BYTES_FMT(bytes_sub(name, 0, 60)), nearest);
	return opt_wrong(set, "there is no option --%.*s; postern %s --help lists them",
			 BYTES_FMT(bytes_sub(name, 0, 60)), set->command);
}

static int take(const struct opt_set *set, const struct opt *option, const char *value)
{
	if (option->given)
		*option->given = true;
	if (option->value)
		*option->value = value;
	if (option->values) {
		if (*option->n_values == OPT_REPEAT_MAX)
			return opt_wrong(set, "--%s is given too often", option->name);
		option->values[(*option->n_values)++] = value;
	}
	return 0;
}

int opt_parse(const struct opt_set *set, int argc, char **argv, int *ret_n)
{
	int n = 0;
	bool options = true;
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		if (!options || word[0] != '-' || word[1] == '\0') {
			argv[n++] = argv[i];
			continue;
		}
		if (strcmp(word, "--") == 0) {
			options = false;
			continue;
		}
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			print_help(set);
			return -1;
		}
		if (word[1] != '-')
			return opt_wrong(set, "there is no option %s; postern %s --help lists them", word,
					 set->command);
		struct bytes name = bytes_from_cstr(word + 2);
		size_t equals = bytes_find_byte(name, '=');
		const char *value = equals != BYTES_NONE ? word + 2 + equals + 1 : NULL;
		name = bytes_sub(name, 0, equals);
		const struct opt *option = find(set, name);
		if (!option)
			return unknown(set, name);
		if (!option->value_name && value)
			return opt_wrong(set, "--%s takes no value", option->name);
		if (option->value_name && !value) {
			if (i + 1 == argc)
				return opt_wrong(set, "--%s needs %s", option->name, option->value_name);
			value = argv[++i];
		}
		int rc = take(set, option, value);
		if (rc != 0)
			return rc;
	}
	*ret_n = n;
	return 0;
}

int opt_run_verb(const char *command, const struct opt_verb *verbs, size_t n_verbs, const char *words, const char *help,
		 int argc, char **argv)
{
	char *config = NULL;
	if (argc >= 3 && strcmp(argv[0], "--config") == 0) {
		config = argv[1];
		argv += 2;
		argc -= 2;
	}
	for (size_t i = 0; argc > 0 && i < n_verbs; i++) {
		if (strcmp(argv[0], verbs[i].name) != 0)
			continue;
		if (!config)
			return verbs[i].run(argc - 1, argv + 1);
		char with[] = "--config";
		char **given = mem_new(char *, (size_t)argc + 2);
		if (!given) {
			(void)fprintf(stderr, "postern %s: not enough memory\n", command);
			return 2;
		}
		given[0] = with;
		given[1] = config;
		memcpy(given + 2, argv + 1, ((size_t)argc - 1) * sizeof(*given));
		int rc = verbs[i].run(argc + 1, given);
		mem_free(given);
		return rc;
	}
	bool asked = argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
	if (asked)
		(void)printf("%s\n", help);
	else
		(void)fprintf(stderr, "postern %s: %s?\n", command, words);
	return asked ? 0 : 2;
}

bool opt_japanese(void)
{
	const char *names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);
		if (value && value[0])
			return strncmp(value, "ja", 2) == 0;
	}
	return false;
}
