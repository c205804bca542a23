/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports that we owe: tallies of what was judged, and the reports made of them.
 *
 * Detail: what a record has beside its columns (envelope, reasons, results) is one value of its row, in which equal
 *         things are equal bytes: a number of 16 bits before each text (ABSENT for none) and each list.
 */
#include "base/arena.h"
#include "base/cursor.h"
#include "base/num.h"
#include "store/private.h"
#include "store/reports.h"
#include "unpack/deflate.h"

#include "base/banned.h"

#define ABSENT     0xffffu
#define DETAIL_MAX ((size_t)64 << 10)
#define XML_MAX    ((size_t)64 << 20)

/* -- Detail ---- */

static void pack_text(struct buf *buf, struct bytes text)
{
	text = bytes_sub(text, 0, REPORT_TEXT_MAX);
	buf_add_be16(buf, text.ptr ? (uint16_t)text.len : ABSENT);
	buf_add(buf, text);
}

static void pack_results(struct buf *buf, const struct report_result *results, size_t n)
{
	buf_add_be16(buf, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_text(buf, results[i].domain);
		pack_text(buf, results[i].selector);
		pack_text(buf, results[i].scope);
		pack_text(buf, results[i].result);
		pack_text(buf, results[i].human);
	}
}

/* The record was written as XML, so its lists are within their limits. */
static void pack_detail(struct buf *buf, const struct report_record *record)
{
	pack_text(buf, record->envelope_from);
	pack_text(buf, record->envelope_to);
	buf_add_be16(buf, (uint16_t)record->n_reasons);
	for (size_t i = 0; i < record->n_reasons; i++) {
		pack_text(buf, record->reasons[i].type);
		pack_text(buf, record->reasons[i].comment);
	}
	pack_results(buf, record->dkim_results, record->n_dkim);
	pack_results(buf, record->spf_results, record->n_spf);
}

static struct bytes unpack_text(struct cursor *cur)
{
	uint16_t len = cursor_be16(cur);
	return len == ABSENT ? (struct bytes){0} : cursor_take(cur, len);
}

static const struct report_result *unpack_results(struct arena *arena, struct cursor *cur, size_t *ret_n)
{
	size_t n = cursor_be16(cur);
	struct report_result *results = arena_new(arena, struct report_result, n);
	*ret_n = 0;
	if (!results)
		cursor_fail(cur, ERR_NOMEM);
	for (size_t i = 0; results && i < n; i++) {
		results[i].domain = unpack_text(cur);
		results[i].selector = unpack_text(cur);
		results[i].scope = unpack_text(cur);
		results[i].result = unpack_text(cur);
		results[i].human = unpack_text(cur);
		*ret_n = i + 1;
	}
	return results;
}

static enum err unpack_detail(struct arena *arena, struct bytes detail, struct report_record *record)
{
	struct cursor cur = cursor_make(detail);
	record->envelope_from = unpack_text(&cur);
	record->envelope_to = unpack_text(&cur);
	size_t n = cursor_be16(&cur);
	struct report_reason *reasons = arena_new(arena, struct report_reason, n);
	if (!reasons)
		cursor_fail(&cur, ERR_NOMEM);
	for (size_t i = 0; reasons && i < n; i++) {
		reasons[i].type = unpack_text(&cur);
		reasons[i].comment = unpack_text(&cur);
		record->n_reasons = i + 1;
	}
	record->reasons = reasons;
	record->dkim_results = unpack_results(arena, &cur, &record->n_dkim);
	record->spf_results = unpack_results(arena, &cur, &record->n_spf);
	return cur.err;
}

/* -- Tallies ---- */

/* What cannot be written later is refused now: it would keep back the report of the whole domain. */
static enum err check(const struct report_policy *policy, const struct report_record *record, struct error *reterr)
{
	CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)1 << 20);
	struct report_dmarc report = {.org = BYTES_LIT("-"),
				      .email = BYTES_LIT("-"),
				      .report_id = BYTES_LIT("-"),
				      .policy = *policy,
				      .records = record,
				      .n_records = 1};
	if (!report_domain_plain(policy->domain))
		return error_set(reterr, ERR_SYNTAX, 0, "no report can be named after that domain");
	return report_dmarc_write(&report, &xml, reterr);
}

static sqlite3_stmt *policy_statement(struct store *store, const char *sql, int64_t day,
				      const struct report_policy *policy, struct bytes rua, struct error *reterr)
{
	const struct bytes texts[] = {
		policy->domain, rua,          policy->discovery_method, policy->p, policy->sp, policy->np, policy->fo,
		policy->adkim,  policy->aspf, policy->testing};
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return NULL;
	(void)sqlite3_bind_int64(statement, 1, day);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		store_bind(statement, (int)i + 2, texts[i]);
	return statement;
}

/* Whether the day's row of the domain says exactly this: then it was checked when it was written. */
static enum err policy_stands(struct store *store, int64_t day, const struct report_policy *policy, struct bytes rua,
			      bool *ret_stands, struct error *reterr)
{
	static const char sql[] =
		"SELECT 1 FROM owed WHERE day = ? AND domain = ? AND rua = ? AND discovery = ? AND p = ?"
		" AND sp = ? AND np = ? AND fo = ? AND adkim = ? AND aspf = ? AND testing = ?";
	sqlite3_stmt *statement = policy_statement(store, sql, day, policy, rua, reterr);
	if (!statement)
		return ERR_UNSUPPORTED;
	int rc = sqlite3_step(statement);
	*ret_stands = rc == SQLITE_ROW;
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "tally", reterr);
	(void)sqlite3_reset(statement);
	return err;
}

/* The day's row of the domain, with the policy as it is now. */
static enum err add_policy(struct store *store, int64_t day, const struct report_policy *policy, struct bytes rua,
			   struct error *reterr)
{
	static const char sql[] =
		"INSERT INTO owed (day, domain, rua, discovery, p, sp, np, fo, adkim, aspf, testing, records, sent)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT DO UPDATE SET rua = excluded.rua,"
		" discovery = excluded.discovery, p = excluded.p, sp = excluded.sp, np = excluded.np, fo = excluded.fo,"
		" adkim = excluded.adkim, aspf = excluded.aspf, testing = excluded.testing";
	sqlite3_stmt *statement = policy_statement(store, sql, day, policy, rua, reterr);
	return statement ? store_run(store, statement, "tally", reterr) : ERR_UNSUPPORTED;
}

static sqlite3_stmt *record_statement(struct store *store, const char *sql, int64_t day, struct bytes domain,
				      const struct report_record *record, struct bytes detail, struct error *reterr)
{
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return NULL;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, domain);
	store_bind(statement, 3, record->source_ip);
	store_bind(statement, 4, record->header_from);
	store_bind(statement, 5, record->disposition);
	(void)sqlite3_bind_int(statement, 6, (int)record->dkim);
	(void)sqlite3_bind_int(statement, 7, (int)record->spf);
	(void)sqlite3_bind_blob(statement, 8, detail.ptr, (int)detail.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(statement, 9, (sqlite3_int64)MIN(record->count, REPORT_COUNT_MAX));
	return statement;
}

enum err store_owed_add(struct store *store, int64_t day, const struct report_policy *policy, struct bytes rua,
			const struct report_record *record, struct error *reterr)
{
	static const char update_sql[] =
		"UPDATE owed_record SET count = MIN(count + ?9, 1000000000000) WHERE day = ?1 AND domain = ?2 AND ip = "
		"?3"
		" AND header_from = ?4 AND disposition = ?5 AND dkim = ?6 AND spf = ?7 AND detail = ?8";
	static const char room_sql[] =
		"UPDATE owed SET records = records + 1 WHERE day = ?1 AND domain = ?2 AND records < ?3";
	static const char insert_sql[] =
		"INSERT INTO owed_record (day, domain, ip, header_from, disposition, dkim, spf, detail, count)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
	CLEANUP(buf_done) struct buf detail = BUF_INIT(DETAIL_MAX);
	bool stands;
	if (rua.len == 0)
		return ERR_OK; /* nobody asks */
	if (record->n_dkim > REPORT_RESULTS_MAX || record->n_spf > 1 || record->n_reasons > REPORT_REASONS_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "the results of one message are too many to report");
	pack_detail(&detail, record);
	if (buf_err(&detail) != ERR_OK)
		return error_set(reterr, buf_err(&detail), 0, "the results of one message are too many to report");
	/* Most mail is of a kind that was seen that day already: it is counted, and no more. */
	TRY(policy_stands(store, day, policy, rua, &stands, reterr));
	if (!stands) {
		TRY(check(policy, record, reterr));
		TRY(add_policy(store, day, policy, rua, reterr));
	}
	sqlite3_stmt *statement =
		record_statement(store, update_sql, day, policy->domain, record, buf_bytes(&detail), reterr);
	if (!statement)
		return ERR_IO;
	TRY(store_run(store, statement, "tally", reterr));
	if (sqlite3_changes(store->db) > 0)
		return ERR_OK;
	if (stands)
		TRY(check(policy, record, reterr));
	statement = store_report_statement(store, room_sql, reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, policy->domain);
	(void)sqlite3_bind_int64(statement, 3, STORE_OWED_RECORDS_MAX);
	TRY(store_run(store, statement, "tally", reterr));
	if (sqlite3_changes(store->db) == 0)
		return ERR_OK; /* no room for another source today */
	statement = record_statement(store, insert_sql, day, policy->domain, record, buf_bytes(&detail), reterr);
	return statement ? store_run(store, statement, "tally", reterr) : ERR_IO;
}

enum err store_owed_sent(struct store *store, int64_t day, struct bytes domain, struct error *reterr)
{
	sqlite3_stmt *statement =
		store_report_statement(store, "UPDATE owed SET sent = 1 WHERE day = ? AND domain = ?", reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, domain);
	return store_run(store, statement, "tally", reterr);
}

/* -- Reports ---- */

/* An empty text is one that is absent. */
static struct bytes copy_column(struct arena *arena, sqlite3_stmt *statement, int at, bool *nomem)
{
	struct bytes copy = arena_copy(arena, store_column(statement, at));
	*nomem |= !copy.ptr;
	return copy.len > 0 ? copy : (struct bytes){0};
}

/* The first unsent domain behind `after`; its name is empty when there is none. */
static enum err next_domain(struct store *store, struct arena *arena, int64_t day, struct bytes after,
			    struct report_policy *ret_policy, struct bytes *ret_rua, struct error *reterr)
{
	static const char sql[] = "SELECT domain, rua, discovery, p, sp, np, fo, adkim, aspf, testing FROM owed"
				  " WHERE day = ? AND domain > ? AND sent = 0 ORDER BY domain LIMIT 1";
	bool nomem = false;
	*ret_policy = (struct report_policy){0};
	struct bytes *const texts[] = {&ret_policy->domain,
				       ret_rua,
				       &ret_policy->discovery_method,
				       &ret_policy->p,
				       &ret_policy->sp,
				       &ret_policy->np,
				       &ret_policy->fo,
				       &ret_policy->adkim,
				       &ret_policy->aspf,
				       &ret_policy->testing};
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, after);
	int rc = sqlite3_step(statement);
	for (size_t i = 0; rc == SQLITE_ROW && i < ARRAY_LEN(texts); i++)
		*texts[i] = copy_column(arena, statement, (int)i, &nomem);
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "reports", reterr);
	(void)sqlite3_reset(statement);
	return nomem ? error_set(reterr, ERR_NOMEM, 0, "no memory for the report") : err;
}

static enum err read_records(struct store *store, struct arena *arena, int64_t day, struct report_dmarc *report,
			     struct error *reterr)
{
	static const char sql[] =
		"SELECT ip, header_from, disposition, dkim, spf, detail, count FROM owed_record"
		" WHERE day = ? AND domain = ? ORDER BY ip, header_from, disposition, dkim, spf, detail";
	struct report_record *records = NULL;
	size_t n = 0, capacity = 0;
	enum err err = ERR_OK;
	int rc = SQLITE_DONE;
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, report->policy.domain);
	while (err == ERR_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct report_record record = {.dkim = (enum report_aligned)sqlite3_column_int(statement, 3),
					       .spf = (enum report_aligned)sqlite3_column_int(statement, 4),
					       .count = (uint64_t)sqlite3_column_int64(statement, 6)};
		bool nomem = false;
		record.source_ip = copy_column(arena, statement, 0, &nomem);
		record.header_from = copy_column(arena, statement, 1, &nomem);
		record.disposition = copy_column(arena, statement, 2, &nomem);
		struct bytes detail = copy_column(arena, statement, 5, &nomem);
		struct report_record *grown = arena_grow(arena, records, &capacity, n, sizeof(*records));
		err = nomem || !grown ? ERR_NOMEM : unpack_detail(arena, detail, &record);
		if (err != ERR_OK)
			err = error_set(reterr, err == ERR_NOMEM ? ERR_NOMEM : ERR_SYNTAX, 0,
					err == ERR_NOMEM ? "no memory for the report"
							 : "a tally of reports is damaged");
		else {
			records = grown;
			records[n++] = record;
		}
	}
	if (err == ERR_OK && rc != SQLITE_DONE)
		err = store_failed(store, "reports", reterr);
	(void)sqlite3_reset(statement);
	report->records = records;
	report->n_records = n;
	return err;
}

static enum err make_report(struct store *store, struct arena *arena, int64_t day,
			    const struct store_reporter *reporter, struct report_dmarc *report, struct buf *xml,
			    struct buf *gzip, struct store_owed *owed, struct error *reterr)
{
	struct report_target *targets = arena_new(arena, struct report_target, REPORT_RUA_MAX);
	report->org = reporter->org;
	report->email = reporter->email;
	report->contact = reporter->contact;
	report->generator = reporter->generator;
	report->begin = day * 86400;
	report->end = report->begin + 86399;
	buf_clear(xml);
	buf_clear(gzip);
	TRY(read_records(store, arena, day, report, reterr));
	enum err err = targets ? report_id_make(arena, reporter->receiver, report->policy.domain, report->begin,
						&report->report_id)
			       : ERR_NOMEM;
	if (err == ERR_OK)
		err = report_filename(arena, reporter->receiver, report, &owed->filename);
	if (err == ERR_OK)
		err = report_rua_read(arena, owed->rua, targets, &owed->n_targets);
	if (err != ERR_OK)
		return error_set(reterr, err, 0,
				 err == ERR_NOMEM ? "no memory for the report" : "the reporter has no name");
	TRY(report_dmarc_write(report, xml, reterr));
	if (deflate_gzip_write(buf_bytes(xml), gzip) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	owed->report = report;
	owed->targets = targets;
	owed->gzip = buf_bytes(gzip);
	return ERR_OK;
}

enum err store_owed_reports(struct store *store, int64_t day, struct bytes behind,
			    const struct store_reporter *reporter,
			    bool (*row)(void *ctx, const struct store_owed *owed), void *ctx, struct error *reterr)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)256 << 20);
	CLEANUP(buf_done) struct buf xml = BUF_INIT(XML_MAX);
	CLEANUP(buf_done) struct buf gzip = BUF_INIT(XML_MAX);
	CLEANUP(buf_done) struct buf after = BUF_INIT(STORE_TEXT_MAX);
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	buf_add(&after, behind);
	for (;;) {
		struct report_dmarc report = {0};
		struct store_owed owed = {0};
		arena_reset(arena);
		TRY(next_domain(store, arena, day, buf_bytes(&after), &report.policy, &owed.rua, reterr));
		if (report.policy.domain.len == 0)
			return ERR_OK;
		buf_clear(&after);
		buf_add(&after, report.policy.domain);
		if (buf_err(&after) != ERR_OK)
			return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
		TRY(make_report(store, arena, day, reporter, &report, &xml, &gzip, &owed, reterr));
		if (!row(ctx, &owed))
			return ERR_OK;
	}
}
