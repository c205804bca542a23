/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <unistd.h>

#include "base/err.h"
#include "cli/opt.h"

static bool json;
static const char *file, *many[OPT_REPEAT_MAX];
static size_t n_many;

static const struct opt options[] = {
	{.name = "json", .help = "JSON", .given = &json},
	{.name = "config", .value_name = "FILE", .help = "a file", .value = &file},
	{.name = "rcpt", .value_name = "ADDRESS", .help = "one of many", .values = many, .n_values = &n_many},
};
static const struct opt_set set = {"scan",  "[OPTION...] PATH...", "Judges.", "postern scan x",
				   options, ARRAY_LEN(options)};

static char said[4096];

/* Parses `argv`; what is written to `stream` is in `said`. */
static int parse(int argc, char **argv, int stream, int *ret_n)
{
	json = false;
	file = NULL;
	n_many = 0;
	(void)fflush(stdout);
	int kept = dup(stream);
	FILE *out = tmpfile();
	assert_non_null(out);
	assert_true(dup2(fileno(out), stream) == stream);
	int rc = opt_parse(&set, argc, argv, ret_n);
	(void)fflush(stdout);
	assert_true(dup2(kept, stream) == stream);
	(void)close(kept);
	ssize_t got = pread(fileno(out), said, sizeof(said) - 1, 0);
	(void)fclose(out);
	assert_true(got >= 0);
	said[got] = '\0';
	return rc;
}

#define WORDS(...)                                                                                                     \
	char words[][40] = {__VA_ARGS__};                                                                              \
	char *argv[ARRAY_LEN(words)];                                                                                  \
	int n = -1, argc = (int)ARRAY_LEN(words);                                                                      \
	for (size_t word = 0; word < ARRAY_LEN(words); word++)                                                         \
	argv[word] = words[word]

static void options_and_operands_may_be_mixed(void **state)
{
	(void)state;
	WORDS("a", "--json", "b", "--config", "c.yaml", "--rcpt=x@y", "-", "--rcpt", "", "--config=d=e", "--", "--json",
	      "-z");
	assert_int_equal(parse(argc, argv, STDERR_FILENO, &n), 0);
	assert_string_equal(said, "");
	assert_int_equal(n, 5);
	assert_string_equal(argv[0], "a");
	assert_string_equal(argv[1], "b");
	assert_string_equal(argv[2], "-");
	assert_string_equal(argv[3], "--json");
	assert_string_equal(argv[4], "-z");
	assert_true(json);
	assert_string_equal(file, "d=e"); /* the last one */
	assert_int_equal(n_many, 2);
	assert_string_equal(many[0], "x@y");
	assert_string_equal(many[1], "");
}

static void a_value_may_look_like_an_option(void **state)
{
	(void)state;
	WORDS("--config", "--json");
	assert_int_equal(parse(argc, argv, STDERR_FILENO, &n), 0);
	assert_false(json);
	assert_string_equal(file, "--json");
	assert_int_equal(n, 0);
}

static void is_wrong(const char *one, const char *two, const char *text)
{
	char words[2][40] = {"", ""};
	char *argv[] = {words[0], words[1]};
	int n = -1;
	(void)snprintf(words[0], 40, "%s", one);
	(void)snprintf(words[1], 40, "%s", two);
	assert_int_equal(parse(two[0] ? 2 : 1, argv, STDERR_FILENO, &n), 2);
	assert_string_equal(said, text);
}

static void what_is_wrong_is_said_in_one_line_with_the_nearest_option(void **state)
{
	(void)state;
	is_wrong("--jsn", "", "postern scan: there is no option --jsn; did you mean --json?\n");
	is_wrong("--confg=x", "", "postern scan: there is no option --confg; did you mean --config?\n");
	is_wrong("--nothing-like", "",
		 "postern scan: there is no option --nothing-like; postern scan --help lists them\n");
	is_wrong("-j", "", "postern scan: there is no option -j; postern scan --help lists them\n");
	is_wrong("--json=1", "", "postern scan: --json takes no value\n");
	is_wrong("x", "--config", "postern scan: --config needs FILE\n");
	/* Nothing in it can steer the terminal. */
	is_wrong("--\x1b[31m\n", "",
		 "postern scan: there is no option --\xef\xbf\xbd[31m\xef\xbf\xbd; postern scan --help lists them\n");
}

static void help_lists_every_option_and_an_example(void **state)
{
	(void)state;
	WORDS("x", "--help", "--wrong");
	assert_int_equal(parse(argc, argv, STDOUT_FILENO, &n), -1);
	assert_non_null(strstr(said, "usage: postern scan [OPTION...] PATH...\n"));
	assert_non_null(strstr(said, "\n  --json "));
	assert_non_null(strstr(said, "\n  --config FILE "));
	assert_non_null(strstr(said, "\nExample: postern scan x\n"));
}

static void an_option_can_be_repeated_so_often(void **state)
{
	static char word[] = "--rcpt=x";
	static char *argv[OPT_REPEAT_MAX + 1];
	int n;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = word;
	assert_int_equal(parse(OPT_REPEAT_MAX, argv, STDERR_FILENO, &n), 0);
	assert_int_equal(n_many, OPT_REPEAT_MAX);
	assert_int_equal(parse(OPT_REPEAT_MAX + 1, argv, STDERR_FILENO, &n), 2);
	assert_string_equal(said, "postern scan: --rcpt is given too often\n");
}

/* -- Verbs ---- */

static char seen[200];

static int note(int argc, char **argv)
{
	size_t len = 0;
	seen[0] = '\0';
	for (int i = 0; i < argc; i++)
		len += (size_t)snprintf(seen + len, sizeof(seen) - len, "[%s]", argv[i]);
	return 7;
}

static int count(int argc, char **argv)
{
	(void)argv;
	(void)snprintf(seen, sizeof(seen), "%d", argc);
	return 0;
}

static void a_verb_gets_its_words_and_the_configuration_before_it(void **state)
{
	(void)state;
	static const struct opt_verb verbs[] = {{"list", note}, {"count", count}};
	static char list[] = "list", config[] = "--config", path[] = "f.yaml", word[] = "x", counting[] = "count";
	char *plain[] = {list, word, config, path}, *before[] = {config, path, list, word}, *alone[] = {config, path};
	static char *long_one[5000];
	assert_int_equal(opt_run_verb("c", verbs, 2, "list or count", "help", 4, plain), 7);
	assert_string_equal(seen, "[x][--config][f.yaml]");
	assert_int_equal(opt_run_verb("c", verbs, 2, "list or count", "help", 4, before), 7);
	assert_string_equal(seen, "[--config][f.yaml][x]");
	for (size_t i = 0; i < ARRAY_LEN(long_one); i++)
		long_one[i] = i == 0 ? config : i == 1 ? path : i == 2 ? counting : word;
	assert_int_equal(opt_run_verb("c", verbs, 2, "list or count", "help", 5000, long_one), 0);
	assert_string_equal(seen, "4999");
	assert_int_equal(opt_run_verb("c", verbs, 2, "list or count", "help", 2, alone), 2);
	assert_int_equal(opt_run_verb("c", verbs, 2, "list or count", "help", 0, NULL), 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(options_and_operands_may_be_mixed),
	cmocka_unit_test(a_value_may_look_like_an_option),
	cmocka_unit_test(what_is_wrong_is_said_in_one_line_with_the_nearest_option),
	cmocka_unit_test(help_lists_every_option_and_an_example),
	cmocka_unit_test(an_option_can_be_repeated_so_often),
	cmocka_unit_test(a_verb_gets_its_words_and_the_configuration_before_it),
};

UNIT_MAIN(tests)
