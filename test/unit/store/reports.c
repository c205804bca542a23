/* SPDX-License-Identifier: Apache-2.0 */
#include "store/reports.h"

#include <sqlite3.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "folder.h"
#include "store/private.h"
#include "unpack/deflate.h"

#include "base/banned.h"

#define DAY 20718 /* 2026-09-22 */

static const struct report_result our_dkim[] = {
	{.domain = BYTES_INIT("a.example"), .selector = BYTES_INIT("s"), .result = BYTES_INIT("pass")}};
static const struct report_result their_dkim[] = {
	{.domain = BYTES_INIT("a.example"), .selector = BYTES_INIT("s"), .result = BYTES_INIT("fail")},
	{.domain = BYTES_INIT("sender.example"), .selector = BYTES_INIT("k1"), .result = BYTES_INIT("pass")}};
static const struct report_result their_spf[] = {
	{.domain = BYTES_INIT("bounce.example"), .result = BYTES_INIT("pass")}};

static const struct report_record seen[] = {
	{.source_ip = BYTES_INIT("192.0.2.1"),
	 .count = 10,
	 .disposition = BYTES_INIT("none"),
	 .dkim = REPORT_PASS,
	 .spf = REPORT_PASS,
	 .header_from = BYTES_INIT("a.example"),
	 .dkim_results = our_dkim,
	 .n_dkim = 1},
	{.source_ip = BYTES_INIT("192.0.2.1"),
	 .count = 5,
	 .disposition = BYTES_INIT("quarantine"),
	 .dkim = REPORT_FAIL,
	 .spf = REPORT_FAIL,
	 .header_from = BYTES_INIT("news.a.example"),
	 .dkim_results = their_dkim,
	 .n_dkim = 2,
	 .spf_results = their_spf,
	 .n_spf = 1},
	{.source_ip = BYTES_INIT("192.0.2.1"),
	 .count = 2,
	 .disposition = BYTES_INIT("reject"),
	 .dkim = REPORT_FAIL,
	 .spf = REPORT_UNTOLD,
	 .header_from = BYTES_INIT("a.example")},
	{.source_ip = BYTES_INIT("2001:db8::1"),
	 .count = 7,
	 .disposition = BYTES_INIT("none"),
	 .dkim = REPORT_FAIL,
	 .spf = REPORT_PASS,
	 .header_from = BYTES_INIT("a.example")},
};

static struct report_dmarc report_of(const char *org, const char *id, const char *domain, int64_t day)
{
	return (struct report_dmarc){.org = T(org),
				     .report_id = T(id),
				     .begin = day * 86400,
				     .end = day * 86400 + 86399,
				     .policy = {.domain = T(domain), .p = BYTES_LIT("none")},
				     .records = seen,
				     .n_records = ARRAY_LEN(seen)};
}

/* Every part; the error of the first that fails. */
static enum err add_parts(struct folder *folder, const struct report *report, bool *ret_fresh, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	*ret_fresh = false;
	if (!arena)
		return ERR_NOMEM;
	for (size_t i = 0; i < report_parts(report); i++) {
		struct report_part part;
		bool fresh;
		TRY(report_part_make(arena, report, i, &part));
		TRY(store_report_add(folder->store, &part, 1, &fresh, reterr));
		*ret_fresh |= fresh;
	}
	return ERR_OK;
}

static bool add(struct folder *folder, const struct report_dmarc *report)
{
	struct error error = {0};
	bool fresh;
	folder_begin(folder);
	if (add_parts(folder, &(struct report){.kind = REPORT_DMARC, .dmarc = *report}, &fresh, &error) != ERR_OK)
		fail_msg("%s", error.text);
	folder_commit(folder);
	return fresh;
}

static bool print_source(void *ctx, const struct store_report_source *s)
{
	buf_printf(ctx, "%.*s %.*s %llu dkim %llu spf %llu pass %llu q %llu r %llu [%.*s %.*s %.*s]\n",
		   BYTES_FMT(s->domain), BYTES_FMT(s->ip), (unsigned long long)s->messages, (unsigned long long)s->dkim,
		   (unsigned long long)s->spf, (unsigned long long)s->pass, (unsigned long long)s->quarantined,
		   (unsigned long long)s->rejected, BYTES_FMT(s->failed_dkim_domain), BYTES_FMT(s->failed_spf_domain),
		   BYTES_FMT(s->failed_from));
	return true;
}

static bool print_domain(void *ctx, const struct store_report_domain *d)
{
	buf_printf(ctx, "%.*s %llu of %llu %.*s %lld\n", BYTES_FMT(d->domain), (unsigned long long)d->reports,
		   (unsigned long long)d->receivers, BYTES_FMT(d->policy), (long long)(d->end - d->begin));
	return true;
}

static bool print_tls(void *ctx, const struct store_report_tls *t)
{
	buf_printf(ctx, "%.*s %.*s %llu %llu\n", BYTES_FMT(t->domain), BYTES_FMT(t->type),
		   (unsigned long long)t->successful, (unsigned long long)t->failed);
	return true;
}

static bool print_failure(void *ctx, const struct store_report_tls_failure *f)
{
	buf_printf(ctx, "%.*s %.*s %.*s %.*s %llu\n", BYTES_FMT(f->domain), BYTES_FMT(f->type), BYTES_FMT(f->result),
		   BYTES_FMT(f->mx), (unsigned long long)f->sessions);
	return true;
}

static void assert_sources(struct folder *folder, struct store_report_query query, const char *want)
{
	CLEANUP(buf_done) struct buf got = BUF_INIT(100000);
	assert_ok(store_report_sources(folder->store, &query, print_source, &got, NULL));
	assert_bytes_str(buf_bytes(&got), want);
}

static void a_report_counts_once_and_sources_are_summed(void **state)
{
	(void)state;
	struct folder folder;
	struct report_dmarc one = report_of("big", "1", "a.example", DAY),
			    two = report_of("small", "1", "a.example", DAY + 1);
	struct report_dmarc other = report_of("big", "1", "b.example", DAY + 3);
	CLEANUP(buf_done) struct buf got = BUF_INIT(100000);
	folder_make(&folder);
	assert_true(add(&folder, &one));
	assert_false(add(&folder, &one));
	two.policy.p = BYTES_LIT("reject");
	assert_true(add(&folder, &two));
	other.n_records = 1;
	assert_true(add(&folder, &other));
	assert_sources(
		&folder, (struct store_report_query){DAY, DAY, {0}, {0}},
		"a.example 192.0.2.1 17 dkim 10 spf 10 pass 10 q 5 r 2 [sender.example bounce.example news.a.example]\n"
		"a.example 2001:db8::1 7 dkim 0 spf 7 pass 7 q 0 r 0 [  ]\n");
	assert_sources(&folder, (struct store_report_query){0, DAY + 9, BYTES_LIT("a.example"), {0}},
		       "a.example 192.0.2.1 34 dkim 20 spf 20 pass 20 q 10 r 4 [sender.example bounce.example "
		       "news.a.example]\n"
		       "a.example 2001:db8::1 14 dkim 0 spf 14 pass 14 q 0 r 0 [  ]\n");
	assert_sources(&folder, (struct store_report_query){DAY + 2, DAY + 9, {0}, {0}},
		       "b.example 192.0.2.1 10 dkim 10 spf 10 pass 10 q 0 r 0 [  ]\n");
	assert_sources(&folder, (struct store_report_query){DAY + 4, DAY + 9, {0}, {0}}, "");
	struct store_report_query all = {0, DAY + 9, {0}, {0}};
	assert_ok(store_report_domains(folder.store, &all, print_domain, &got, NULL));
	assert_bytes_str(buf_bytes(&got), "a.example 2 of 2 reject 172799\nb.example 1 of 1 none 86399\n");
	folder_remove(&folder);
}

static void reports_without_an_id_are_told_apart_by_their_time(void **state)
{
	(void)state;
	struct folder folder;
	struct report_dmarc one = report_of("big", "", "a.example", DAY),
			    two = report_of("big", "", "a.example", DAY + 1);
	folder_make(&folder);
	assert_true(add(&folder, &one));
	assert_true(add(&folder, &two));
	assert_false(add(&folder, &two));
	folder_remove(&folder);
}

static void huge_counts_saturate(void **state)
{
	(void)state;
	struct folder folder;
	struct report_record record = seen[0];
	struct report_dmarc report = report_of("o", "0", "a.example", DAY);
	char id[20], want[200];
	folder_make(&folder);
	record.count = UINT64_MAX;
	report.records = &record;
	report.n_records = 1;
	for (int i = 0; i < 3; i++) {
		(void)snprintf(id, sizeof(id), "%d", i);
		report.report_id = T(id);
		assert_true(add(&folder, &report));
	}
	(void)snprintf(want, sizeof(want), "a.example 192.0.2.1 %llu dkim %llu spf %llu pass %llu q 0 r 0 [  ]\n",
		       (unsigned long long)REPORT_COUNT_MAX, (unsigned long long)REPORT_COUNT_MAX,
		       (unsigned long long)REPORT_COUNT_MAX, (unsigned long long)REPORT_COUNT_MAX);
	assert_sources(&folder, (struct store_report_query){DAY, DAY, {0}, {0}}, want);
	folder_remove(&folder);
}

static void tls_reports_are_summed_by_policy_and_reason(void **state)
{
	(void)state;
	static const struct report_tls_failure failures[] = {
		{.result_type = BYTES_INIT("certificate-expired"), .receiving_mx = BYTES_INIT("mx1"), .sessions = 3},
		{.result_type = BYTES_INIT("starttls-not-supported"), .sessions = 9},
		{.result_type = BYTES_INIT("certificate-expired"), .receiving_mx = BYTES_INIT("mx1"), .sessions = 4}};
	static const struct report_tls_policy policies[] = {
		{.type = BYTES_INIT("sts"),
		 .domain = BYTES_INIT("a.example"),
		 .successful = 100,
		 .failed = 16,
		 .failures = failures,
		 .n_failures = 3},
		{.type = BYTES_INIT("no-policy-found"), .domain = BYTES_INIT("b.example"), .successful = 1}};
	struct report_tls report = {.org = BYTES_LIT("big"),
				    .report_id = BYTES_LIT("1"),
				    .begin = DAY * 86400,
				    .end = DAY * 86400 + 1,
				    .policies = policies,
				    .n_policies = 2};
	struct folder folder;
	struct store_report_query query = {DAY, DAY, {0}, {0}};
	CLEANUP(buf_done) struct buf got = BUF_INIT(100000);
	folder_make(&folder);
	for (int i = 0; i < 3; i++) {
		bool fresh;
		report.report_id = i == 2 ? BYTES_LIT("2") : BYTES_LIT("1");
		folder_begin(&folder);
		assert_ok(add_parts(&folder, &(struct report){.kind = REPORT_TLS, .tls = report}, &fresh, NULL));
		folder_commit(&folder);
		assert_int_equal(fresh, i != 1);
	}
	assert_ok(store_report_tls(folder.store, &query, print_tls, &got, NULL));
	assert_ok(store_report_tls_failures(folder.store, &query, print_failure, &got, NULL));
	assert_bytes_str(buf_bytes(&got),
			 "a.example sts 200 32\nb.example no-policy-found 2 0\n"
			 "a.example sts starttls-not-supported  18\na.example sts certificate-expired mx1 14\n");
	folder_remove(&folder);
}

/* -- Owed ---- */

static const struct report_policy policy = {.domain = BYTES_INIT("a.example"),
					    .p = BYTES_INIT("reject"),
					    .np = BYTES_INIT("none"),
					    .adkim = BYTES_INIT("s"),
					    .discovery_method = BYTES_INIT("treewalk"),
					    .testing = BYTES_INIT("n")};
static const struct owed_reporter reporter = {.org = BYTES_INIT("Receiver"),
					      .email = BYTES_INIT("dmarc@mx.example"),
					      .generator = BYTES_INIT("Postern"),
					      .receiver = BYTES_INIT("mx.example"),
					      .host = BYTES_INIT("one.mx.example")};

static void owe(struct folder *folder, const struct report_policy *its, const struct report_record *record)
{
	struct error error = {0};
	if (store_owed_add(folder->store, DAY, its, BYTES_LIT("mailto:rua@a.example, mailto:x@b.example"), record,
			   &error) != ERR_OK)
		fail_msg("%s", error.text);
}

struct made {
	struct buf names, first, xml;
};

/* "receiver!domain!begin!end to address and others, records (damaged)" of each, and the XML of the first. */
static enum err make_all(struct folder *folder, struct made *made, bool send, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)4 << 20);
	CLEANUP(buf_done) struct buf after = BUF_INIT(1000);
	if (!arena)
		return ERR_NOMEM;
	for (;;) {
		CLEANUP(owed_report_done) struct owed_report report = {0};
		CLEANUP(buf_done) struct buf gzip = BUF_INIT((size_t)64 << 20);
		struct store_owed owed;
		arena_reset(arena);
		TRY(store_owed_next(folder->store, arena, DAY, buf_bytes(&after), &owed, reterr));
		if (owed.policy.domain.len == 0)
			return ERR_OK;
		buf_clear(&after);
		buf_add(&after, owed.policy.domain);
		TRY(store_owed_make(folder->store, arena, DAY, &owed, &reporter, &report, &gzip, reterr));
		buf_printf(&made->names, "%.*s to %.*s and %zu, %zu records",
			   BYTES_FMT(bytes_sub(report.filename, 0, bytes_rfind_byte(report.filename, '!'))),
			   BYTES_FMT(report.targets[0].address), report.n_targets - 1, report.report.n_records);
		if (report.damaged > 0)
			buf_printf(&made->names, " (%zu damaged)", report.damaged);
		buf_add_byte(&made->names, '\n');
		if (made->xml.len == 0) {
			TRY(deflate_gzip_read(buf_bytes(&gzip), 1000, &made->xml, reterr));
			buf_add(&made->first, buf_bytes(&gzip));
		}
		if (send)
			TRY(store_owed_sent(folder->store, DAY, owed.policy.domain, reterr));
	}
}

static void make(struct folder *folder, struct made *made, bool send)
{
	struct error error = {0};
	*made = (struct made){0};
	buf_init(&made->names, 10000);
	buf_init(&made->first, (size_t)64 << 20);
	buf_init(&made->xml, (size_t)64 << 20);
	folder_begin(folder);
	if (make_all(folder, made, send, &error) != ERR_OK)
		fail_msg("%s", error.text);
	folder_commit(folder);
}

static void made_done(struct made *made)
{
	buf_done(&made->names);
	buf_done(&made->first);
	buf_done(&made->xml);
}

static void what_was_seen_becomes_one_report_a_domain(void **state)
{
	(void)state;
	struct folder folder;
	struct made one, two;
	struct report_dmarc report;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)4 << 20);
	struct report_policy other = policy;
	struct report_record record = seen[1];
	other.domain = BYTES_LIT("b.example");
	record.count = 1;
	record.envelope_from = BYTES_LIT("");
	folder_make(&folder);
	folder_begin(&folder);
	owe(&folder, &other, &seen[0]);
	for (int i = 0; i < 3; i++)
		owe(&folder, &policy, &record);
	record.envelope_from = (struct bytes){0}; /* another record than an empty one */
	owe(&folder, &policy, &record);
	owe(&folder, &policy, &seen[0]);
	folder_commit(&folder);

	make(&folder, &one, false);
	assert_bytes_str(buf_bytes(&one.names),
			 "mx.example!a.example!1790035200!1790121599 to rua@a.example and 1, 3 records\n"
			 "mx.example!b.example!1790035200!1790121599 to rua@a.example and 1, 1 records\n");
	assert_ok(report_dmarc_read(arena, buf_bytes(&one.xml), &report, NULL));
	assert_int_equal(report.report_id.len, 32);
	assert_bytes_str(report.org, "Receiver");
	assert_bytes_str(report.policy.np, "none");
	assert_bytes_str(report.policy.adkim, "s");
	assert_null(report.policy.sp.ptr);
	const struct report_record *first = &report.records[0];
	assert_bytes_str(first->header_from, "a.example");
	assert_int_equal(first->count, 10);
	assert_int_equal(report.records[1].count + report.records[2].count, 4);
	for (size_t i = 1; i < 3; i++) {
		const struct report_record *r = &report.records[i];
		assert_int_equal(r->count, r->envelope_from.ptr ? 3 : 1);
		assert_bytes_str(r->disposition, "quarantine");
		assert_int_equal(r->n_dkim, 2);
		assert_bytes_str(r->dkim_results[1].selector, "k1");
		assert_int_equal(r->n_spf, 1);
		assert_bytes_str(r->spf_results[0].domain, "bounce.example");
	}
	folder_reopen(&folder);
	make(&folder, &two, true);
	assert_bytes(buf_bytes(&two.first), buf_bytes(&one.first));
	made_done(&two);
	make(&folder, &two, false); /* all were sent */
	assert_int_equal(two.names.len, 0);
	made_done(&one);
	made_done(&two);
	folder_remove(&folder);
}

static void what_cannot_be_written_is_refused_at_once(void **state)
{
	(void)state;
	struct folder folder;
	struct report_policy bad = policy;
	struct report_record record = seen[0];
	struct bytes rua = BYTES_LIT("mailto:a@a.example");
	struct made made;
	folder_make(&folder);
	folder_begin(&folder);
	bad.domain = BYTES_LIT("a b/../c");
	assert_int_equal(store_owed_add(folder.store, DAY, &bad, rua, &record, NULL), ERR_SYNTAX);
	bad = policy;
	bad.p = BYTES_LIT("maybe");
	assert_int_equal(store_owed_add(folder.store, DAY, &bad, rua, &record, NULL), ERR_SYNTAX);
	record.disposition = BYTES_LIT("lost");
	assert_int_equal(store_owed_add(folder.store, DAY, &policy, rua, &record, NULL), ERR_SYNTAX);
	assert_ok(store_owed_add(folder.store, DAY, &policy, BYTES_LIT(""), &record, NULL)); /* nobody asks */
	folder_commit(&folder);
	make(&folder, &made, false);
	assert_int_equal(made.names.len, 0);
	made_done(&made);
	folder_remove(&folder);
}

static void a_flood_of_sources_is_reported_up_to_the_limit(void **state)
{
	(void)state;
	struct folder folder;
	struct made made;
	struct report_record record = seen[0];
	char ip[40];
	folder_make(&folder);
	folder_begin(&folder);
	for (int i = 0; i < STORE_OWED_RECORDS_MAX + 10; i++) {
		(void)snprintf(ip, sizeof(ip), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		record.source_ip = T(ip);
		owe(&folder, &policy, &record);
	}
	record.source_ip = BYTES_LIT("10.0.0.0");
	owe(&folder, &policy, &record); /* a known one still counts */
	folder_commit(&folder);
	make(&folder, &made, false);
	assert_bytes_str(buf_bytes(&made.names),
			 "mx.example!a.example!1790035200!1790121599 to rua@a.example and 1, 20000 records\n");
	assert_non_null(strstr((const char *)made.xml.ptr, "<count>20</count>"));
	made_done(&made);
	folder_remove(&folder);
}

/* Runs `sql` on the database beside the store. */
static void damage(struct folder *folder, const char *sql)
{
	char path[100], *why = NULL;
	sqlite3 *db;
	store_close(&folder->store);
	(void)snprintf(path, sizeof(path), "%s/postern.db", folder->path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	folder_open(folder);
}

static void what_is_damaged_is_left_out_and_nothing_else(void **state)
{
	(void)state;
	static const char *const ways[] = {
		"UPDATE owed_record SET detail = x'ffff' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET detail = x'' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET detail = detail || x'00' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET detail = x'ffffffff00020000' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET detail = x'fffffffffffe' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET detail = 'text' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET detail = zeroblob(100000) WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET count = -1 WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET count = 'many' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET dkim = 7 WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET spf = 1000 WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET spf = 'x' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET disposition = 'lost' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET header_from = '' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET header_from = x'00ff' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET ip = '192.0.2.' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET ip = x'0000' WHERE ip = '192.0.2.9'",
		"UPDATE owed_record SET ip = zeroblob(2000000) WHERE ip = '192.0.2.9'",
	};
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct folder folder;
		struct made made;
		struct report_record record = seen[0];
		folder_make(&folder);
		folder_begin(&folder);
		owe(&folder, &policy, &seen[0]);
		owe(&folder, &policy, &seen[3]);
		record.source_ip = BYTES_LIT("192.0.2.9");
		owe(&folder, &policy, &record);
		folder_commit(&folder);
		damage(&folder, ways[i]);
		make(&folder, &made, false);
		if (strstr((const char *)made.names.ptr, "2 records (1 damaged)\n") == NULL)
			fail_msg("%s: %.*s", ways[i], BYTES_FMT(buf_bytes(&made.names)));
		made_done(&made);
		folder_remove(&folder);
	}
}

static void a_domain_that_no_report_can_be_named_after_does_not_hide_the_next(void **state)
{
	(void)state;
	static const char sql[] =
		"INSERT INTO owed SELECT day, x'61', rua, discovery, p, sp, np, fo, adkim, aspf, testing, 1, 0"
		" FROM owed WHERE domain = 'a.example';"
		"INSERT INTO owed SELECT day, replace(hex(zeroblob(5000)), '0', 'a'), rua, discovery, p, sp, np, fo, "
		"adkim,"
		" aspf, testing, 1, 0 FROM owed WHERE domain = 'a.example'";
	struct folder folder;
	struct made made;
	struct report_policy other = policy;
	other.domain = BYTES_LIT("b.example");
	folder_make(&folder);
	folder_begin(&folder);
	owe(&folder, &policy, &seen[0]);
	owe(&folder, &other, &seen[0]);
	folder_commit(&folder);
	damage(&folder, sql);
	make(&folder, &made, false);
	assert_bytes_str(buf_bytes(&made.names), "mx.example!a.example!1790035200!1790121599 to rua@a.example and 1, 1 "
						 "records\n"
						 "mx.example!b.example!1790035200!1790121599 to rua@a.example and 1, 1 "
						 "records\n");
	made_done(&made);
	folder_remove(&folder);
}

struct listed {
	struct buf text;
};

static bool list_owed(void *ctx, int64_t day, const struct store_owed *owed)
{
	struct listed *listed = ctx;
	buf_printf(&listed->text, "%d %.*s %llu records %llu messages%s\n", (int)(day - DAY),
		   BYTES_FMT(owed->policy.domain), (unsigned long long)owed->records,
		   (unsigned long long)owed->messages, owed->sent ? " sent" : "");
	return true;
}

static void what_is_owed_can_be_listed(void **state)
{
	(void)state;
	struct folder folder;
	struct report_policy other = policy;
	struct store_report_query query = {DAY, DAY + 1, {0}, {0}};
	struct listed listed = {.text = BUF_INIT(10000)};
	other.domain = BYTES_LIT("b.example");
	folder_make(&folder);
	folder_begin(&folder);
	owe(&folder, &other, &seen[0]);
	owe(&folder, &policy, &seen[1]);
	owe(&folder, &policy, &seen[3]);
	assert_ok(store_owed_add(folder.store, DAY + 1, &policy, BYTES_LIT("mailto:a@a.example"), &seen[0], NULL));
	assert_ok(store_owed_sent(folder.store, DAY, other.domain, NULL));
	folder_commit(&folder);
	assert_ok(store_owed_find(folder.store, &query, list_owed, &listed, NULL));
	assert_bytes_str(buf_bytes(&listed.text), "0 a.example 2 records 12 messages\n"
						  "0 b.example 1 records 10 messages sent\n"
						  "1 a.example 1 records 10 messages\n");
	buf_clear(&listed.text);
	query = (struct store_report_query){DAY, DAY, BYTES_LIT("b.example"), {0}};
	assert_ok(store_owed_find(folder.store, &query, list_owed, &listed, NULL));
	assert_bytes_str(buf_bytes(&listed.text), "0 b.example 1 records 10 messages sent\n");
	buf_done(&listed.text);
	folder_remove(&folder);
}

/* -- Upkeep and upgrade ---- */

static void old_days_are_forgotten_and_no_others(void **state)
{
	(void)state;
	struct folder folder;
	bool more = true;
	int steps = 0;
	struct made made;
	folder_make(&folder);
	for (int64_t day = DAY; day < DAY + 4; day++) {
		char id[20];
		(void)snprintf(id, sizeof(id), "%d", (int)day);
		struct report_dmarc report = report_of("o", id, "a.example", day);
		assert_true(add(&folder, &report));
	}
	folder_begin(&folder);
	owe(&folder, &policy, &seen[0]);
	while (more && steps++ < 20)
		assert_ok(store_report_forget(folder.store, DAY + 3, DAY, &more, NULL));
	folder_commit(&folder);
	assert_int_equal(steps, 2);
	assert_sources(&folder, (struct store_report_query){0, DAY + 2, {0}, {0}}, "");
	CLEANUP(buf_done) struct buf got = BUF_INIT(1000);
	struct store_report_query all = {0, DAY + 9, {0}, {0}};
	assert_ok(store_report_domains(folder.store, &all, print_domain, &got, NULL));
	assert_bytes_str(buf_bytes(&got), "a.example 1 of 1 none 86399\n");
	make(&folder, &made, false);
	assert_true(made.names.len > 0);
	made_done(&made);
	folder_begin(&folder);
	assert_ok(store_report_forget(folder.store, 0, DAY + 1, &more, NULL));
	folder_commit(&folder);
	make(&folder, &made, false);
	assert_int_equal(made.names.len, 0);
	made_done(&made);
	folder_remove(&folder);
}

static int count_steps(void *ctx)
{
	++*(int *)ctx;
	return 0;
}

/* How many thousands of steps of the database's machine it takes to forget some. */
static int forgetting_takes(struct folder *folder, int64_t before)
{
	int n = 0;
	bool more;
	folder_begin(folder);
	sqlite3_progress_handler(folder->store->db, 1000, count_steps, &n);
	assert_ok(store_report_forget(folder->store, before, before, &more, NULL));
	sqlite3_progress_handler(folder->store->db, 0, NULL, NULL);
	folder_commit(folder);
	return n;
}

static void forgetting_takes_no_longer_where_there_is_more(void **state)
{
	(void)state;
	static const char fill[] =
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
		" INSERT INTO report (kind, org, report_id, domain, sender, begin, end, received, policy, messages)"
		" SELECT 'dmarc', 'o', i, 'a.example', 'o.example', (20718 + i / 10000) * 86400, 0, 0, 'none', 1 FROM "
		"n";
	struct folder folder;
	folder_make(&folder);
	int none = forgetting_takes(&folder, DAY);
	assert_int_equal(sqlite3_exec(folder.store->db, fill, NULL, NULL, NULL), SQLITE_OK);
	assert_true(forgetting_takes(&folder, DAY) <= none + 1); /* nothing is old */
	assert_true(forgetting_takes(&folder, DAY + 1) < 50);    /* 200 of them are forgotten */
	folder_remove(&folder);
}

static void an_older_database_is_upgraded_and_can_be_read_before(void **state)
{
	(void)state;
	static const char back[] =
		"DROP TABLE report; DROP TABLE report_source; DROP TABLE report_tls;"
		"DROP TABLE report_tls_failure; DROP TABLE owed; DROP TABLE owed_record; PRAGMA user_version = 1";
	struct folder folder;
	struct store_trace trace = {.id = BYTES_LIT("kept"), .time_ms = 1};
	struct store_report_query query = {0, DAY, {0}, {0}};
	struct error error = {0};
	char path[100];
	sqlite3 *db;
	folder_make(&folder);
	folder_begin(&folder);
	assert_ok(store_trace_add(folder.store, &trace, NULL));
	folder_commit(&folder);
	store_close(&folder.store);
	(void)snprintf(path, sizeof(path), "%s/postern.db", folder.path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);

	assert_ok(store_open(folder.path, true, &folder.store, &error));
	assert_int_equal(store_report_sources(folder.store, &query, print_source, NULL, &error), ERR_UNSUPPORTED);
	assert_non_null(strstr(error.text, "older"));
	folder_reopen(&folder);
	assert_sources(&folder, query, "");
	folder_begin(&folder);
	assert_ok(store_trace_add(folder.store, &trace, NULL)); /* it is there: nothing changes */
	folder_commit(&folder);
	folder_remove(&folder);
}

/* Adds the only part of the report as of that sender; true: it was new. */
static bool add_from(struct folder *folder, const char *sender, const struct report_dmarc *report)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
	struct report_part part;
	bool fresh;
	assert_ok(report_part_make(arena, &(struct report){.kind = REPORT_DMARC, .dmarc = *report}, 0, &part));
	part.sender = T(sender);
	folder_begin(folder);
	assert_ok(store_report_add(folder->store, &part, 1, &fresh, NULL));
	folder_commit(folder);
	return fresh;
}

static bool print_reporter(void *ctx, const struct store_report_reporter *r)
{
	buf_printf(ctx, "%.*s [%.*s] %.*s %llu %llu\n", BYTES_FMT(r->domain), BYTES_FMT(r->sender), BYTES_FMT(r->org),
		   (unsigned long long)r->reports, (unsigned long long)r->messages);
	return true;
}

static void assert_reporters(struct folder *folder, const char *want)
{
	CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
	assert_ok(store_report_reporters(folder->store, &(struct store_report_query){0, DAY + 9, {0}, {0}},
					 print_reporter, &got, NULL));
	assert_bytes_str(buf_bytes(&got), want);
}

static void nobody_takes_the_place_of_a_report_of_another(void **state)
{
	(void)state;
	struct folder folder;
	struct report_dmarc report = report_of("big", "1", "a.example", DAY), forged = report;
	struct report_record lies = seen[0];
	lies.count = 1000;
	forged.records = &lies;
	forged.n_records = 1;
	folder_make(&folder);
	assert_true(add_from(&folder, "evil.example", &forged)); /* who foresaw the id */
	assert_true(add_from(&folder, "big.example", &report));
	assert_false(add_from(&folder, "big.example", &forged));
	assert_false(add_from(&folder, "evil.example", &report));
	assert_false(add_from(&folder, "", &report)); /* brought by hand from a mailbox */
	assert_reporters(&folder, "a.example [evil.example] big 1 1000\na.example [big.example] big 1 24\n");
	report.report_id = BYTES_LIT("2");
	assert_true(add_from(&folder, "", &report));
	assert_false(add_from(&folder, "big.example", &report));
	assert_reporters(&folder, "a.example [evil.example] big 1 1000\na.example [] big 1 24\n"
				  "a.example [big.example] big 1 24\n");
	/* Whom nobody believes is left out of all sums, and told nevertheless. */
	struct store_report_query believed = {0, DAY + 9, {0}, BYTES_LIT(",x.example,evil.example,")};
	CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
	assert_sources(&folder, believed,
		       "a.example 192.0.2.1 34 dkim 20 spf 20 pass 20 q 10 r 4 [sender.example bounce.example "
		       "news.a.example]\n"
		       "a.example 2001:db8::1 14 dkim 0 spf 14 pass 14 q 0 r 0 [  ]\n");
	assert_ok(store_report_domains(folder.store, &believed, print_domain, &got, NULL));
	assert_bytes_str(buf_bytes(&got), "a.example 2 of 2 none 86399\n");
	believed.except = BYTES_LIT(",big.example,");
	assert_sources(&folder, believed,
		       "a.example 192.0.2.1 1017 dkim 1010 spf 1010 pass 1010 q 5 r 2 [sender.example bounce.example "
		       "news.a.example]\n"
		       "a.example 2001:db8::1 7 dkim 0 spf 7 pass 7 q 0 r 0 [  ]\n");
	folder_remove(&folder);
}

static void what_was_known_before_senders_were_stays_known(void **state)
{
	(void)state;
	static const char back[] =
		"CREATE TABLE report_2 (row INTEGER PRIMARY KEY, kind TEXT NOT NULL, org TEXT NOT NULL, report_id TEXT "
		"NOT NULL, domain TEXT NOT NULL, begin INTEGER NOT NULL, end INTEGER NOT NULL, received INTEGER NOT "
		"NULL, policy TEXT NOT NULL, UNIQUE (kind, org, report_id, domain));"
		"INSERT INTO report_2 SELECT row, kind, org, report_id, domain, begin, end, received, policy FROM "
		"report;"
		"DROP TABLE report; ALTER TABLE report_2 RENAME TO report;"
		"CREATE TABLE source_2 (day INTEGER NOT NULL, domain TEXT NOT NULL, ip TEXT NOT NULL, header_from TEXT "
		"NOT "
		"NULL, dkim INTEGER NOT NULL, spf INTEGER NOT NULL, disposition TEXT NOT NULL, dkim_domain TEXT NOT "
		"NULL, "
		"spf_domain TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, domain, ip, header_from, dkim, "
		"spf, "
		"disposition, dkim_domain, spf_domain)) WITHOUT ROWID;"
		"INSERT INTO source_2 SELECT day, domain, ip, header_from, dkim, spf, disposition, dkim_domain, "
		"spf_domain, "
		"count FROM report_source; DROP TABLE report_source; ALTER TABLE source_2 RENAME TO report_source;"
		"PRAGMA user_version = 2";
	struct folder folder;
	struct report_dmarc report = report_of("big", "1", "a.example", DAY);
	struct error error = {0};
	char path[100];
	sqlite3 *db;
	folder_make(&folder);
	assert_true(add(&folder, &report));
	store_close(&folder.store);
	(void)snprintf(path, sizeof(path), "%s/postern.db", folder.path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, back, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);

	assert_ok(store_open(folder.path, true, &folder.store, &error));
	assert_int_equal(store_report_sources(folder.store, &(struct store_report_query){0, DAY, {0}, {0}},
					      print_source, NULL, &error),
			 ERR_UNSUPPORTED);
	folder_reopen(&folder);
	assert_sources(&folder, (struct store_report_query){DAY, DAY, {0}, {0}},
		       "a.example 192.0.2.1 17 dkim 10 spf 10 pass 10 q 5 r 2 [sender.example bounce.example "
		       "news.a.example]\n"
		       "a.example 2001:db8::1 7 dkim 0 spf 7 pass 7 q 0 r 0 [  ]\n");
	assert_reporters(&folder, "a.example [] big 1 0\n");
	assert_false(add_from(&folder, "big.example", &report));
	folder_remove(&folder);
}

static void no_memory_leaves_nothing_half_done(void **state)
{
	(void)state;
	struct folder folder;
	struct report_dmarc report = report_of("o", "1", "a.example", DAY);
	folder_make(&folder);
	for (uint64_t nth = 1; nth < 30; nth++) {
		struct made made;
		bool fresh;
		folder_begin(&folder);
		mem_fail_after(nth, 1);
		enum err err =
			add_parts(&folder, &(struct report){.kind = REPORT_DMARC, .dmarc = report}, &fresh, NULL);
		if (err == ERR_OK)
			err = store_owed_add(folder.store, DAY, &policy, BYTES_LIT("mailto:a@a.example"), &seen[1],
					     NULL);
		mem_fail_after(0, 0);
		store_rollback(folder.store);
		assert_true(err == ERR_OK || err == ERR_NOMEM);
		folder_begin(&folder);
		owe(&folder, &policy, &seen[1]);
		made = (struct made){0};
		buf_init(&made.names, 10000);
		buf_init(&made.first, 1000000);
		buf_init(&made.xml, 1000000);
		assert_non_null(buf_reserve(&made.names, 5000));
		assert_non_null(buf_reserve(&made.first, 100000));
		assert_non_null(buf_reserve(&made.xml, 100000));
		mem_fail_after(nth, 1);
		buf_add_byte(&made.xml, '.'); /* nothing is unpacked */
		err = make_all(&folder, &made, false, NULL);
		mem_fail_after(0, 0);
		made_done(&made);
		store_rollback(folder.store);
		assert_true(err == ERR_OK || err == ERR_NOMEM || err == ERR_LIMIT);
	}
	folder_remove(&folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_report_counts_once_and_sources_are_summed),
	cmocka_unit_test(reports_without_an_id_are_told_apart_by_their_time),
	cmocka_unit_test(huge_counts_saturate),
	cmocka_unit_test(tls_reports_are_summed_by_policy_and_reason),
	cmocka_unit_test(what_was_seen_becomes_one_report_a_domain),
	cmocka_unit_test(what_cannot_be_written_is_refused_at_once),
	cmocka_unit_test(a_flood_of_sources_is_reported_up_to_the_limit),
	cmocka_unit_test(what_is_damaged_is_left_out_and_nothing_else),
	cmocka_unit_test(a_domain_that_no_report_can_be_named_after_does_not_hide_the_next),
	cmocka_unit_test(what_is_owed_can_be_listed),
	cmocka_unit_test(old_days_are_forgotten_and_no_others),
	cmocka_unit_test(forgetting_takes_no_longer_where_there_is_more),
	cmocka_unit_test(an_older_database_is_upgraded_and_can_be_read_before),
	cmocka_unit_test(nobody_takes_the_place_of_a_report_of_another),
	cmocka_unit_test(what_was_known_before_senders_were_stays_known),
	cmocka_unit_test(no_memory_leaves_nothing_half_done),
};
UNIT_MAIN(tests)
