/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/log.h"

static void lines_have_one_form(void **state)
{
	static const struct log_field none[] = {{0}};
	const struct log_field plain[] = {
		log_cstr("id", "4Kx1"), log_int("usec", 412), log_int("offset", INT64_MIN), {0}};
	const struct log_field foreign[] = {log_str("from", BYTES_LIT("a b\"c\\d=e\r\nlevel=error")),
					    log_str("empty", BYTES_LIT("")),
					    log_str("name", BYTES_LIT("\xe6\x97\xa5\xe6\x9c\xac")),
					    log_str("broken", BYTES_LIT("x\xff\x01\x1b[31m\x7f")),
					    {0}};
	const struct {
		enum log_format format;
		enum log_level level;
		const struct log_field *fields;
		uint64_t suppressed;
		const char *line;
	} cases[] = {
		{LOG_LOGFMT, LOG_NOTICE, none, 0,
		 "time=2026-11-24T12:00:00.042Z level=notice process=gate-0 pid=7 event=a.b"},
		{LOG_LOGFMT, LOG_ERROR, plain, 3,
		 "time=2026-11-24T12:00:00.042Z level=error process=gate-0 pid=7 event=a.b id=4Kx1 usec=412 "
		 "offset=-9223372036854775808 suppressed=3"},
		{LOG_LOGFMT, LOG_DEBUG, foreign, 0,
		 "time=2026-11-24T12:00:00.042Z level=debug process=gate-0 pid=7 event=a.b "
		 "from=\"a b\\\"c\\\\d=e\\r\\nlevel=error\" empty=\"\" name=\"\xe6\x97\xa5\xe6\x9c\xac\" "
		 "broken=\"x\xef\xbf\xbd\\u0001\\u001b[31m\\u007f\""},
		{LOG_JSON, LOG_WARNING, plain, 3,
		 "{\"time\":\"2026-11-24T12:00:00.042Z\",\"level\":\"warning\",\"process\":\"gate-0\",\"pid\":7,"
		 "\"event\":\"a.b\",\"id\":\"4Kx1\",\"usec\":412,\"offset\":-9223372036854775808,\"suppressed\":3}"},
		{LOG_JSON, LOG_INFO, foreign, 0,
		 "{\"time\":\"2026-11-24T12:00:00.042Z\",\"level\":\"info\",\"process\":\"gate-0\",\"pid\":7,"
		 "\"event\":\"a.b\",\"from\":\"a b\\\"c\\\\d=e\\r\\nlevel=error\",\"empty\":\"\","
		 "\"name\":\"\xe6\x97\xa5\xe6\x9c\xac\",\"broken\":\"x\xef\xbf\xbd\\u0001\\u001b[31m\\u007f\"}"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf buf = BUF_INIT(LOG_LINE_MAX);
		log_format_line(&buf, cases[i].format, cases[i].level, "gate-0", 7, INT64_C(1795521600042), "a.b",
				cases[i].fields, cases[i].suppressed);
		assert_bytes_str(buf_bytes(&buf), cases[i].line);
	}
}

static char text[1 << 20];
static int kept_stderr, file;

/* Standard error into a file, until told(). */
static void listen_to_log(void)
{
	char path[] = "/tmp/postern-log-XXXXXX";
	file = mkstemp(path);
	assert_true(file >= 0);
	(void)unlink(path);
	kept_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
}

static size_t told(void)
{
	assert_int_equal(dup2(kept_stderr, STDERR_FILENO), STDERR_FILENO);
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	(void)close(file);
	(void)close(kept_stderr);
	return (size_t)n;
}

static size_t count(const char *what)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void events_below_the_level_are_not_told(void **state)
{
	(void)state;
	log_setup(LOG_NOTICE, LOG_LOGFMT, "test", false);
	listen_to_log();
	log_event(LOG_INFO, "quiet");
	log_event(LOG_NOTICE, "loud", log_int("n", 1));
	(void)told();
	assert_int_equal(count("event=quiet"), 0);
	assert_int_equal(count("process=test"), 1);
	assert_int_equal(count("event=loud n=1\n"), 1);
}

static void the_journal_gets_its_priority_on_each_line(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, LOG_JSON, "test", true);
	listen_to_log();
	log_event(LOG_ERROR, "e");
	log_event(LOG_DEBUG, "d");
	(void)told();
	assert_int_equal(strncmp(text, "<3>{", 4), 0);
	assert_int_equal(count("\n<7>{"), 1);
}

static void a_flood_is_held_back(void **state)
{
	(void)state;
	log_setup(LOG_NOTICE, LOG_LOGFMT, "test", false);
	listen_to_log();
	for (int i = 0; i < 1000; i++) {
		log_event(LOG_WARNING, "flood");
		log_event(LOG_NOTICE, "fate"); /* what became of a message is always told */
	}
	(void)told();
	assert_int_equal(count("event=flood"), LOG_BURST);
	assert_int_equal(count("event=fate"), 1000);
}

static void a_line_has_its_bound_and_its_end(void **state)
{
	static char long_value[3000];
	(void)state;
	memset(long_value, 'v', sizeof(long_value));
	struct bytes value = bytes_make(long_value, sizeof(long_value));
	log_setup(LOG_NOTICE, LOG_LOGFMT, "test", true);
	listen_to_log();
	log_event(LOG_NOTICE, "cut", log_str("a", value));
	size_t one = told();
	assert_true(one > 1024 && one < 1200);

	/* Escapes make it longer than a line: only its name is told. */
	memset(long_value, '\1', sizeof(long_value));
	listen_to_log();
	log_event(LOG_NOTICE, "long", log_str("a", value), log_str("b", value), log_str("c", value));
	size_t two = told();
	assert_true(two < 200);
	assert_int_equal(strncmp(text, "<5>time=", 8), 0);
	assert_int_equal(count("event=long\n"), 1);
}

static void every_length_near_the_bound_ends_with_a_line_end(void **state)
{
	static char values[8][1024];
	(void)state;
	memset(values, 'v', sizeof(values));
	log_setup(LOG_NOTICE, LOG_LOGFMT, "test", false);
	for (size_t cut = 0; cut < 300; cut++) {
		struct bytes full = bytes_make(values[0], 1024);
		listen_to_log();
		log_event(LOG_NOTICE, "n", log_str("a", full), log_str("b", full), log_str("c", full),
			  log_str("d", full), log_str("e", full), log_str("f", full), log_str("g", full),
			  log_str("h", bytes_make(values[1], 1024 - cut)));
		size_t len = told();
		assert_true(len <= LOG_LINE_MAX);
		assert_int_equal(text[len - 1], '\n');
		assert_int_equal(count("\n"), 1);
	}
}

static void levels_have_names(void **state)
{
	enum log_level level;
	(void)state;
	assert_true(log_level_find(BYTES_LIT("debug"), &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_true(log_level_find(BYTES_LIT("error"), &level));
	assert_int_equal(level, LOG_ERROR);
	assert_false(log_level_find(BYTES_LIT("Error"), &level));
	assert_false(log_level_find(BYTES_LIT(""), &level));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(lines_have_one_form),
	cmocka_unit_test(events_below_the_level_are_not_told),
	cmocka_unit_test(the_journal_gets_its_priority_on_each_line),
	cmocka_unit_test(a_flood_is_held_back),
	cmocka_unit_test(a_line_has_its_bound_and_its_end),
	cmocka_unit_test(every_length_near_the_bound_ends_with_a_line_end),
	cmocka_unit_test(levels_have_names),
};
UNIT_MAIN(tests)
