/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report_part.h"

#include "base/arena.h"
#include "base/buf.h"
#include "unit.h"

#define N_RECORDS 250

static struct report_record records[N_RECORDS];
static const struct report_result dkim[] = {{.domain = BYTES_INIT("no.example"), .result = BYTES_INIT("fail")},
					    {.domain = BYTES_INIT("list.example"), .result = BYTES_INIT("pass")},
					    {.domain = BYTES_INIT("two.example"), .result = BYTES_INIT("pass")}};

static struct report dmarc_report(void)
{
	for (size_t i = 0; i < N_RECORDS; i++)
		records[i] = (struct report_record){.source_ip = BYTES_LIT("192.0.2.1"),
						    .count = i + 1,
						    .disposition = BYTES_LIT("none"),
						    .dkim = i % 2 ? REPORT_PASS : REPORT_FAIL,
						    .spf = REPORT_FAIL,
						    .header_from = BYTES_LIT("a.example"),
						    .dkim_results = dkim,
						    .n_dkim = 3};
	return (struct report){.kind = REPORT_DMARC,
			       .dmarc = {.org = BYTES_LIT("Receiver"),
					 .report_id = BYTES_LIT("7"),
					 .begin = 86400,
					 .end = 172799,
					 .policy = {.domain = BYTES_LIT("a.example"), .p = BYTES_LIT("reject")},
					 .records = records,
					 .n_records = N_RECORDS}};
}

/* As it is after its way through two processes. */
static struct report_part passed_on(struct arena *arena, const struct report *report, size_t number)
{
	CLEANUP(buf_done) struct buf packed = BUF_INIT(REPORT_PART_MAX);
	struct report_part made, read;
	assert_ok(report_part_make(arena, report, number, &made));
	report_part_pack(&packed, &made);
	assert_ok(buf_err(&packed));
	struct bytes kept = arena_copy(arena, buf_bytes(&packed));
	assert_ok(report_part_unpack(arena, kept, &read));
	return read;
}

static void every_record_is_in_one_part(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct report report = dmarc_report();
	uint64_t next = 1;
	assert_int_equal(report_parts(&report), 3);
	for (size_t i = 0; i < 3; i++) {
		struct report_part part = passed_on(arena, &report, i);
		assert_int_equal(part.number, i);
		assert_bytes_str(part.org, "Receiver");
		assert_bytes_str(part.report_id, "7");
		assert_bytes_str(part.domain, "a.example");
		assert_bytes_str(part.policy, "reject");
		assert_true(part.begin == 86400 && part.end == 172799);
		for (size_t j = 0; j < part.n_records; j++)
			assert_true(part.records[j].count == next++);
	}
	assert_true(next == N_RECORDS + 1);
	struct report_part none = passed_on(arena, &report, 3);
	assert_int_equal(none.n_records, 0);
}

static void of_a_failure_is_kept_whom_it_passed_for(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct report report = dmarc_report();
	struct report_part part = passed_on(arena, &report, 0);
	assert_int_equal(part.records[0].n_dkim, 1);
	assert_bytes_str(part.records[0].dkim_results[0].domain, "list.example");
	assert_bytes_str(part.records[0].dkim_results[0].result, "pass");
	assert_int_equal(part.records[1].n_dkim, 0);
	assert_int_equal(part.records[0].n_spf, 0);
	assert_int_equal(part.records[1].dkim, REPORT_PASS);
}

static void a_report_of_nothing_is_a_part(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct report report = dmarc_report(), tls = {.kind = REPORT_TLS};
	report.dmarc.n_records = 0;
	assert_int_equal(report_parts(&report), 1);
	assert_int_equal(report_parts(&tls), 1);
	assert_int_equal(passed_on(arena, &report, 0).n_records, 0);
	assert_int_equal(passed_on(arena, &tls, 0).n_policies, 0);
}

static void sums_of_tls_stand_once_and_failures_each_for_itself(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	static struct report_tls_failure failures[130];
	struct report_tls_policy policies[] = {
		{.type = BYTES_LIT("sts"),
		 .domain = BYTES_LIT("a.example"),
		 .successful = 90,
		 .failed = 130,
		 .failures = failures,
		 .n_failures = 130},
		{.type = BYTES_LIT("tlsa"), .domain = BYTES_LIT("b.example"), .successful = 5}};
	struct report report = {.kind = REPORT_TLS,
				.tls = {.org = BYTES_LIT("o"), .policies = policies, .n_policies = 2}};
	uint64_t successful = 0, failed = 0, sessions = 0;
	for (size_t i = 0; i < 130; i++)
		failures[i] = (struct report_tls_failure){.result_type = BYTES_LIT("starttls-not-supported"),
							  .receiving_mx = BYTES_LIT("mx"),
							  .sessions = 1};
	assert_int_equal(report_parts(&report), 2);
	for (size_t i = 0; i < 2; i++) {
		struct report_part part = passed_on(arena, &report, i);
		assert_bytes_str(part.domain, "a.example");
		for (size_t j = 0; j < part.n_policies; j++) {
			successful += part.policies[j].successful;
			failed += part.policies[j].failed;
			sessions += part.policies[j].n_failures ? part.policies[j].failures[0].sessions : 0;
		}
	}
	assert_true(successful == 95 && failed == 130 && sessions == 130);
}

static void the_longest_texts_fit(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct report report = dmarc_report();
	static uint8_t text[REPORT_TEXT_MAX];
	memset(text, 'x', sizeof(text));
	struct bytes longest = bytes_make(text, sizeof(text));
	const struct report_result result = {.domain = longest, .result = BYTES_LIT("pass")};
	report.dmarc.org = report.dmarc.report_id = report.dmarc.policy.domain = longest;
	for (size_t i = 0; i < N_RECORDS; i++)
		records[i] = (struct report_record){.source_ip = longest,
						    .disposition = longest,
						    .header_from = longest,
						    .dkim_results = &result,
						    .n_dkim = 1,
						    .spf_results = &result,
						    .n_spf = 1};
	struct report_part part = passed_on(arena, &report, 0);
	assert_int_equal(part.org.len, REPORT_PART_TEXT);
	assert_int_equal(part.n_records, REPORT_PART_UNITS);
}

static void what_is_cut_or_too_long_is_refused(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	CLEANUP(buf_done) struct buf packed = BUF_INIT(REPORT_PART_MAX);
	struct report report = dmarc_report();
	struct report_part part;
	report.dmarc.n_records = 3;
	assert_ok(report_part_make(arena, &report, 0, &part));
	report_part_pack(&packed, &part);
	for (size_t n = 0; n < packed.len; n++)
		assert_int_equal(report_part_unpack(arena, bytes_sub(buf_bytes(&packed), 0, n), &part), ERR_SYNTAX);
	buf_add_byte(&packed, 0);
	assert_int_equal(report_part_unpack(arena, buf_bytes(&packed), &part), ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_record_is_in_one_part),
	cmocka_unit_test(of_a_failure_is_kept_whom_it_passed_for),
	cmocka_unit_test(a_report_of_nothing_is_a_part),
	cmocka_unit_test(sums_of_tls_stand_once_and_failures_each_for_itself),
	cmocka_unit_test(the_longest_texts_fit),
	cmocka_unit_test(what_is_cut_or_too_long_is_refused),
};
UNIT_MAIN(tests)
