/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_tls.h"

#include <string.h>

#include "base/buf.h"
#include "fixture.h"

#include "base/banned.h"

static struct report_tls read_good(struct bytes json)
{
	struct report_tls report;
	struct error error = {0};
	if (report_tls_read(arena, json, &report, &error) != ERR_OK)
		fail_msg("%s", error.text);
	return report;
}

static void a_report_of_rfc_8460_is_read_whole(void **state)
{
	(void)state;
	struct report_tls report = read_good(sample("report_tls/full.json"));
	assert_bytes_str(report.org, "Receiver Ltd.");
	assert_bytes_str(report.contact, "smtp-tls@receiver.example");
	assert_bytes_str(report.report_id, "2026-09-22T00:00:00Z_sender.example");
	assert_int_equal(report.begin, 1790035200);
	assert_int_equal(report.end, 1790121599);
	assert_int_equal(report.n_policies, 2);
	const struct report_tls_policy *sts = &report.policies[0];
	assert_bytes_str(sts->type, "sts");
	assert_bytes_str(sts->domain, "sender.example");
	assert_int_equal(sts->n_mx_hosts, 2);
	assert_bytes_str(sts->mx_hosts[1], "mx.sender.example");
	assert_int_equal(sts->successful, 5326);
	assert_int_equal(sts->failed, 303);
	assert_int_equal(sts->n_failures, 3);
	assert_bytes_str(sts->failures[0].result_type, "certificate-expired");
	assert_bytes_str(sts->failures[0].sending_ip, "2001:db8:abcd:12::1");
	assert_int_equal(sts->failures[1].sessions, 200);
	assert_bytes_str(sts->failures[1].additional, "https://reports.receiver.example/1");
	assert_bytes_str(sts->failures[2].reason, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
	assert_bytes_str(report.policies[1].type, "no-policy-found");
	assert_int_equal(report.policies[1].n_failures, 0);
}

static void what_is_written_loosely_is_read(void **state)
{
	(void)state;
	struct report_tls report = read_good(sample("report_tls/loose.json"));
	assert_int_equal(report.begin, 1790035200);
	assert_int_equal(report.end, 1790121600);
	assert_null(report.org.ptr);
	assert_bytes_str(report.policies[0].type, "tlsa");
	assert_bytes_str(report.policies[0].domain, "a.example");
	assert_int_equal(report.policies[0].n_mx_hosts, 1);
	assert_int_equal(report.policies[0].successful, 17);
	assert_int_equal(report.policies[0].failed, REPORT_COUNT_MAX);
	assert_bytes_str(report.policies[0].failures[0].result_type, "starttls-not-supported");
	assert_int_equal(report.policies[0].failures[0].sessions, 0);
}

#define DATES(begin, end)                                                                                              \
	"{\"policies\":[],\"date-range\":{\"start-datetime\":\"" begin "\",\"end-datetime\":\"" end "\"}}"

static void times_are_those_of_rfc_3339(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		int64_t begin; /* -1: refused */
	} cases[] = {
		{DATES("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"), 0},
		{DATES("2024-02-29T12:00:00z", "9999-12-31T23:59:59Z"), 1709208000},
		{DATES("2000-03-01 00:00:00", "9999-12-31"), 951868800},
		{DATES("2026-09-22T00:00:00-05:30", "9999-12-31"), 1790055000},
		{DATES("2026-09-22T00:00:00+0530", "9999-12-31"), 1790015400},
		{DATES("1969-12-31T00:00:00Z", "9999-12-31"), -1},
		{DATES("2026-13-01T00:00:00Z", "9999-12-31"), -1},
		{DATES("2026-09-22T24:00:00Z", "9999-12-31"), -1},
		{DATES("2026-09-22T00:00", "9999-12-31"), -1},
		{DATES("2026-09-22T00:00:00Zx", "9999-12-31"), -1},
		{DATES("2026-9-22", "9999-12-31"), -1},
		{DATES("", "9999-12-31"), -1},
		{DATES("2026-09-23", "2026-09-22"), -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_tls report;
		enum err err = report_tls_read(arena, bytes_from_cstr(cases[i].json), &report, NULL);
		assert_int_equal(err, cases[i].begin < 0 ? ERR_SYNTAX : ERR_OK);
		if (err == ERR_OK)
			assert_int_equal(report.begin, cases[i].begin);
	}
}

static void what_is_wrong_is_told(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		enum err err;
		const char *text;
	} cases[] = {
		{"", ERR_SYNTAX, "line 1: "},
		{"{\n\"policies\":\n", ERR_SYNTAX, "line 3: "},
		{"[1]", ERR_SYNTAX, "no TLS report"},
		{"{\"policies\":{}}", ERR_SYNTAX, "no TLS report"},
		{"{\"policies\":[]}", ERR_SYNTAX, "of which time"},
		{"{\"policies\":[{}],\"date-range\":{\"start-datetime\":\"2026-01-01\",\"end-datetime\":\"2026-01-01\"}"
		 "}",
		 ERR_SYNTAX, "policy 1 of the TLS report names no domain"},
		{"{\"a\":\"\xff\"}", ERR_SYNTAX, "line 1: "},
		{"[[[[[[[[[[[[[[[[\n[", ERR_LIMIT, "line 2: lists lie too deep"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_tls report;
		struct error error = {0};
		assert_int_equal(report_tls_read(arena, bytes_from_cstr(cases[i].json), &report, &error), cases[i].err);
		if (!strstr(error.text, cases[i].text))
			fail_msg("case %zu says \"%s\"", i, error.text);
	}
}

static void limits_are_counted_before_anything_is_built(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf json = BUF_INIT((size_t)64 << 20);
	struct report_tls report;
	struct error error = {0};
	buf_add_cstr(&json, "[\"a string with [[[[ and \\\"[[[ inside\"");
	for (size_t i = 0; i < REPORT_TLS_VALUES; i++)
		buf_add_cstr(&json, ",1");
	assert_int_equal(report_tls_read(arena, buf_bytes(&json), &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "too many values"));
	assert_int_equal(arena_used(arena), 0);
	assert_non_null(buf_reserve(&json, REPORT_TLS_MAX));
	memset(json.ptr + json.len, ' ', REPORT_TLS_MAX);
	buf_commit(&json, REPORT_TLS_MAX);
	assert_int_equal(report_tls_read(arena, buf_bytes(&json), &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "larger than"));
}

static void an_object_with_many_members_is_refused_and_a_long_list_is_not(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf json = BUF_INIT((size_t)1 << 20);
	CLEANUP(buf_done) struct buf list = BUF_INIT((size_t)1 << 20);
	struct report_tls report;
	struct error error = {0};
	buf_add_cstr(&json, "{\"policies\":[],\"in\":{\"a\":1");
	buf_add_cstr(&list, "{\"date-range\":{\"start-datetime\":\"2026-09-22\",\"end-datetime\":\"2026-09-22\"},"
			    "\"policies\":[],\"in\":[1");
	for (size_t i = 0; i < REPORT_TLS_MEMBERS; i++) {
		buf_printf(&json, ",\"k%zu\":{}", i);
		buf_printf(&list, ",%zu", i);
	}
	buf_add_cstr(&json, "}}");
	buf_add_cstr(&list, "]}");
	assert_int_equal(report_tls_read(arena, buf_bytes(&json), &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "too many members"));
	if (report_tls_read(arena, buf_bytes(&list), &report, &error) != ERR_OK)
		fail_msg("%s", error.text);
}

static void a_small_arena_ends_in_an_error(void **state)
{
	(void)state;
	struct bytes json = sample("report_tls/full.json");
	for (size_t budget = 0; budget < 4000; budget += 61) {
		CLEANUP(arena_free) struct arena *small = arena_create(budget);
		struct report_tls report;
		enum err err = report_tls_read(small, json, &report, NULL);
		assert_true(err == ERR_OK ? budget > 500 : err == ERR_NOMEM || err == ERR_SYNTAX);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(a_report_of_rfc_8460_is_read_whole),
	TEST(what_is_written_loosely_is_read),
	TEST(times_are_those_of_rfc_3339),
	TEST(what_is_wrong_is_told),
	TEST(limits_are_counted_before_anything_is_built),
	TEST(an_object_with_many_members_is_refused_and_a_long_list_is_not),
	TEST(a_small_arena_ends_in_an_error),
};
UNIT_MAIN(tests)
