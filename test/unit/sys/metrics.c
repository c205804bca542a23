/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "sys/metrics.h"

static void before_init_metrics_go_nowhere_and_do_no_harm(void **state)
{
	(void)state;
	metrics_use_row(5);
	metrics_clear_gauges(5);
	metrics_add(METRIC_RELOADS, 1);
}

static void rows_of_all_processes_are_summed(void **state)
{
	(void)state;
	assert_ok(metrics_init());
	assert_int_equal(metrics_sum(METRIC_RELOADS), 0);
	metrics_add(METRIC_RELOADS, 2); /* the supervisor's own row */
	for (unsigned row = 1; row <= 4; row++) {
		pid_t pid = fork();
		if (pid == 0) {
			metrics_use_row(row);
			for (int i = 0; i < 1000; i++)
				metrics_add(METRIC_SCAN_USEC, row);
			metrics_set(METRIC_SESSIONS_OPEN, 7);
			_exit(0);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(metrics_sum(METRIC_RELOADS), 2);
	assert_int_equal(metrics_sum(METRIC_SCAN_USEC), 10000);
	assert_int_equal(metrics_sum(METRIC_SESSIONS_OPEN), 28);
}

static void a_row_that_is_used_again_keeps_its_counters_and_not_its_gauges(void **state)
{
	(void)state;
	metrics_clear_gauges(4);
	assert_int_equal(metrics_sum(METRIC_SESSIONS_OPEN), 21);
	metrics_use_row(3);
	assert_int_equal(metrics_sum(METRIC_SESSIONS_OPEN), 14);
	metrics_add(METRIC_SCAN_USEC, 1);
	assert_int_equal(metrics_sum(METRIC_SCAN_USEC), 10001);
}

static bool next_line(struct bytes *rest, struct bytes *ret_line)
{
	size_t at = bytes_find_byte(*rest, '\n');
	if (at == BYTES_NONE)
		return false;
	*ret_line = bytes_sub(*rest, 0, at);
	*rest = bytes_from(*rest, at + 1);
	return true;
}

static bool has_line(struct bytes all, const char *want)
{
	struct bytes line;
	while (next_line(&all, &line))
		if (bytes_eq(line, bytes_from_cstr(want)))
			return true;
	return false;
}

static void the_text_is_what_prometheus_reads(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)1 << 16);
	size_t lines = 0, helps = 0, types = 0;
	struct bytes rest, line;
	(void)state;
	metrics_render(&buf);
	assert_ok(buf_err(&buf));
	assert_true(has_line(buf_bytes(&buf), "# HELP postern_reloads_total Configurations loaded after the first."));
	assert_true(has_line(buf_bytes(&buf), "# TYPE postern_reloads_total counter"));
	assert_true(has_line(buf_bytes(&buf), "postern_reloads_total 2"));
	assert_true(has_line(buf_bytes(&buf), "# TYPE postern_sessions_open gauge"));
	assert_true(has_line(buf_bytes(&buf), "postern_messages_total{class=\"malware\"} 0"));
	for (rest = buf_bytes(&buf); next_line(&rest, &line);) {
		helps += bytes_starts(line, BYTES_LIT("# HELP postern_"));
		types += bytes_starts(line, BYTES_LIT("# TYPE postern_"));
		lines += bytes_starts(line, BYTES_LIT("postern_"));
	}
	assert_int_equal(rest.len, 0);
	size_t of_histograms = 0;
	for (rest = buf_bytes(&buf); next_line(&rest, &line);)
		of_histograms += bytes_find(line, BYTES_LIT("_bucket{le=")) != BYTES_NONE;
	of_histograms += (size_t)2 * HISTOGRAM_COUNT; /* sum and count */
	assert_int_equal(lines, METRIC_COUNT + of_histograms);
	assert_int_equal(helps, types);
	assert_true(helps > 0 && helps < METRIC_COUNT);
}

static void a_histogram_counts_each_value_once_at_its_bound(void **state)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT((size_t)1 << 16);
	int64_t counts[HISTOGRAM_BUCKETS], sum;
	(void)state;
	metrics_use_row(6);
	metrics_observe(HISTOGRAM_ANSWER_USEC, -5);       /* the first bucket, as 0 */
	metrics_observe(HISTOGRAM_ANSWER_USEC, 500);      /* a bound belongs to its bucket */
	metrics_observe(HISTOGRAM_ANSWER_USEC, 501);      /* and what is above it to the next */
	metrics_observe(HISTOGRAM_ANSWER_USEC, 60000001); /* above the last */
	metrics_use_row(7);
	metrics_observe(HISTOGRAM_ANSWER_USEC, 1000); /* another process */
	metrics_histogram(HISTOGRAM_ANSWER_USEC, counts, &sum);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 2);
	assert_int_equal(counts[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(sum, 500 + 501 + 60000001 + 1000);
	metrics_use_row(7); /* a new process on the row: no gauge, so nothing is lost */
	metrics_render(&buf);
	static const char *const lines[] = {
		"# TYPE postern_message_answer_seconds histogram",
		"postern_message_answer_seconds_bucket{le=\"0.0005\"} 2",
		"postern_message_answer_seconds_bucket{le=\"0.001\"} 4",
		"postern_message_answer_seconds_bucket{le=\"0.0025\"} 4",
		"postern_message_answer_seconds_bucket{le=\"60\"} 4",
		"postern_message_answer_seconds_bucket{le=\"+Inf\"} 5",
		"postern_message_answer_seconds_sum 60.002002",
		"postern_message_answer_seconds_count 5",
		"postern_message_size_bytes_bucket{le=\"52428800\"} 0",
		"postern_message_size_bytes_count 0",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!has_line(buf_bytes(&buf), lines[i]))
			fail_msg("there is no line %s", lines[i]);
}

static void bounds_of_histograms_ascend(void **state)
{
	static const struct {
		const char *name;
		int64_t scale, bounds[HISTOGRAM_BUCKETS];
	} table[] = {
#define HISTOGRAM(id, name, scale, help, ...) {name, scale, {__VA_ARGS__}},
#include "sys/metrics.def"
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		size_t len = strlen(table[i].name);
		size_t n = 0;
		while (table[i].bounds[n] > (n > 0 ? table[i].bounds[n - 1] : 0))
			n++;
		assert_true(n > 1 && n < HISTOGRAM_BUCKETS);
		for (; n < HISTOGRAM_BUCKETS; n++)
			assert_int_equal(table[i].bounds[n], 0);
		assert_string_equal(table[i].name + len - (table[i].scale == 1 ? 6 : 8),
				    table[i].scale == 1 ? "_bytes" : "_seconds");
	}
}

/* Every family is in one piece and begins with its help; counters are named as such. */
static void the_table_is_sound(void **state)
{
	static const struct {
		const char *name, *kind, *labels, *help;
	} table[] = {
#define METRIC(id, name, kind, labels, help) {name, #kind, labels, help},
#include "sys/metrics.def"
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		bool goes_on = i > 0 && strcmp(table[i].name, table[i - 1].name) == 0;
		size_t len = strlen(table[i].name);
		bool total = len > 6 && strcmp(table[i].name + len - 6, "_total") == 0;
		assert_int_equal(table[i].help == NULL, goes_on);
		assert_int_equal(strcmp(table[i].kind, "counter") == 0, total);
		for (size_t j = 0; !goes_on && j < i; j++)
			assert_string_not_equal(table[i].name, table[j].name);
		if (goes_on)
			assert_string_equal(table[i].kind, table[i - 1].kind);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(before_init_metrics_go_nowhere_and_do_no_harm),
	cmocka_unit_test(rows_of_all_processes_are_summed),
	cmocka_unit_test(a_row_that_is_used_again_keeps_its_counters_and_not_its_gauges),
	cmocka_unit_test(the_text_is_what_prometheus_reads),
	cmocka_unit_test(a_histogram_counts_each_value_once_at_its_bound),
	cmocka_unit_test(bounds_of_histograms_ascend),
	cmocka_unit_test(the_table_is_sound),
};
UNIT_MAIN(tests)
