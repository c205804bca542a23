/* SPDX-License-Identifier: Apache-2.0 */
/* Reports that we owe: tallies of what was judged, and the records that the reports are made of. */
#include "base/arena.h"
#include "base/num.h"
#include "store/owed_report.h"
#include "store/private.h"
#include "store/reports.h"

#include "base/banned.h"

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
	CLEANUP(buf_done) struct buf detail = BUF_INIT(OWED_DETAIL_MAX);
	bool stands;
	if (rua.len == 0)
		return ERR_OK; /* nobody asks */
	if (record->n_dkim > REPORT_RESULTS_MAX || record->n_spf > 1 || record->n_reasons > REPORT_REASONS_MAX)
		return error_set(reterr, ERR_SYNTAX, 0, "the results of one message are too many to report");
	owed_detail_pack(&detail, record);
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

/* An empty text is one that is absent; none that was written is longer. */
static struct bytes copy_column(struct arena *arena, sqlite3_stmt *statement, int at, bool *nomem)
{
	struct bytes copy = arena_copy(arena, bytes_sub(store_column(statement, at), 0, 4096));
	*nomem |= !copy.ptr;
	return copy.len > 0 ? copy : (struct bytes){0};
}

#define POLICY_COLUMNS "domain, rua, discovery, p, sp, np, fo, adkim, aspf, testing"

/* From the columns of POLICY_COLUMNS. False: no memory. */
static bool take_policy(struct arena *arena, sqlite3_stmt *statement, struct store_owed *owed)
{
	struct report_policy *policy = &owed->policy;
	struct bytes *const texts[] = {&policy->domain, &owed->rua,     &policy->discovery_method,
				       &policy->p,      &policy->sp,    &policy->np,
				       &policy->fo,     &policy->adkim, &policy->aspf,
				       &policy->testing};
	bool nomem = false;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = copy_column(arena, statement, (int)i, &nomem);
	return !nomem;
}

enum err store_owed_next(struct store *store, struct arena *arena, int64_t day, struct bytes after,
			 struct store_owed *ret_owed, struct error *reterr)
{
	static const char sql[] = "SELECT " POLICY_COLUMNS
				  " FROM owed WHERE day = ? AND domain > ? AND sent = 0 AND typeof(domain) = 'text'"
				  " AND length(CAST(domain AS BLOB)) <= 255 ORDER BY domain LIMIT 1";
	*ret_owed = (struct store_owed){0};
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, after);
	int rc = sqlite3_step(statement);
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "reports", reterr);
	if (rc == SQLITE_ROW && !take_policy(arena, statement, ret_owed))
		err = error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	(void)sqlite3_reset(statement);
	return err;
}

/* The columns as they are in the key, and then the count. False: no row of ours is so, and it cannot be told again. */
static bool pack_row(sqlite3_stmt *statement, struct buf *rows)
{
	static const int types[] = {SQLITE_TEXT,    SQLITE_TEXT, SQLITE_TEXT,   SQLITE_INTEGER,
				    SQLITE_INTEGER, SQLITE_BLOB, SQLITE_INTEGER};
	struct owed_row row = {.ip = store_column(statement, 0),
			       .header_from = store_column(statement, 1),
			       .disposition = store_column(statement, 2),
			       .detail = store_column(statement, 5),
			       .count = sqlite3_column_int64(statement, 6)};
	for (int i = 0; i < (int)ARRAY_LEN(types); i++)
		if (sqlite3_column_type(statement, i) != types[i])
			return false;
	int64_t dkim = sqlite3_column_int64(statement, 3), spf = sqlite3_column_int64(statement, 4);
	if (dkim < 0 || dkim > UINT8_MAX || spf < 0 || spf > UINT8_MAX)
		return false;
	row.dkim = (uint8_t)dkim;
	row.spf = (uint8_t)spf;
	return owed_row_pack(rows, &row);
}

enum err store_owed_rows(struct store *store, int64_t day, struct bytes domain, struct bytes behind, struct buf *rows,
			 bool *ret_more, size_t *ret_damaged, struct error *reterr)
{
	static const char sql[] =
		"SELECT ip, header_from, disposition, dkim, spf, detail, count FROM owed_record"
		" WHERE day = ?1 AND domain = ?2 AND (ip, header_from, disposition, dkim, spf, detail)"
		" > (?3, ?4, ?5, ?6, ?7, ?8) ORDER BY ip, header_from, disposition, dkim, spf, detail";
	struct owed_row last = {0};
	int rc = SQLITE_DONE;
	*ret_more = false;
	*ret_damaged = 0;
	if (behind.len > 0 && owed_row_unpack(behind, &last) != ERR_OK)
		return error_set(reterr, ERR_SYNTAX, 0, "nothing comes behind what is no record");
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_IO;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, domain);
	store_bind(statement, 3, last.ip);
	store_bind(statement, 4, last.header_from);
	store_bind(statement, 5, last.disposition);
	(void)sqlite3_bind_int(statement, 6, last.dkim);
	(void)sqlite3_bind_int(statement, 7, last.spf);
	(void)sqlite3_bind_blob(statement, 8, last.detail.ptr ? last.detail.ptr : (const uint8_t *)"",
				(int)last.detail.len, SQLITE_STATIC);
	while (rows->max - rows->len >= STORE_OWED_ROW_MAX && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		if (!pack_row(statement, rows))
			++*ret_damaged;
	*ret_more = rc == SQLITE_ROW;
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "reports", reterr);
	(void)sqlite3_reset(statement);
	return buf_err(rows) == ERR_OK ? err : error_set(reterr, buf_err(rows), 0, "no memory for the report");
}

enum err store_owed_make(struct store *store, struct arena *arena, int64_t day, const struct store_owed *owed,
			 const struct owed_reporter *reporter, struct owed_report *ret_report, struct buf *gzip,
			 struct error *reterr)
{
	CLEANUP(buf_done) struct buf rows = BUF_INIT(4 * STORE_OWED_ROW_MAX);
	CLEANUP(buf_done) struct buf behind = BUF_INIT(STORE_OWED_ROW_MAX);
	bool more = true;
	TRY(owed_report_begin(ret_report, arena, reporter, day, &owed->policy, owed->rua, reterr));
	while (more) {
		struct bytes last;
		size_t damaged;
		buf_clear(&rows);
		TRY(store_owed_rows(store, day, owed->policy.domain, buf_bytes(&behind), &rows, &more, &damaged,
				    reterr));
		TRY(owed_report_add(ret_report, arena, buf_bytes(&rows), &last, reterr));
		ret_report->damaged += damaged;
		more = more && last.len > 0;
		buf_clear(&behind);
		buf_add(&behind, last);
		if (buf_err(&behind) != ERR_OK)
			return error_set(reterr, buf_err(&behind), 0, "no memory for the report");
	}
	return owed_report_end(ret_report, gzip, reterr);
}

/* -- Asking ---- */

enum err store_owed_find(struct store *store, const struct store_report_query *query,
			 bool (*row)(void *ctx, int64_t day, const struct store_owed *owed), void *ctx,
			 struct error *reterr)
{
	static const char sql[] =
		"SELECT " POLICY_COLUMNS ", day, sent,"
		" (SELECT COUNT(*) FROM owed_record r WHERE r.day = o.day AND r.domain = o.domain),"
		" (SELECT CAST(MIN(TOTAL(count), 9e15) AS INTEGER) FROM owed_record r"
		"  WHERE r.day = o.day AND r.domain = o.domain)"
		" FROM owed o WHERE day BETWEEN ?1 AND ?2 AND (?3 = '' OR domain = ?3) ORDER BY day, domain";
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	bool more = true;
	int rc = SQLITE_DONE;
	if (!statement)
		return ERR_IO;
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the reports");
	(void)sqlite3_bind_int64(statement, 1, query->first);
	(void)sqlite3_bind_int64(statement, 2, query->last);
	store_bind(statement, 3, query->domain);
	while (more && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_owed owed = {.sent = sqlite3_column_int(statement, 11) != 0,
					  .records = (uint64_t)MAX(sqlite3_column_int64(statement, 12), 0),
					  .messages = (uint64_t)MAX(sqlite3_column_int64(statement, 13), 0)};
		arena_reset(arena);
		if (!take_policy(arena, statement, &owed)) {
			(void)sqlite3_reset(statement);
			return error_set(reterr, ERR_NOMEM, 0, "no memory for the reports");
		}
		more = row(ctx, sqlite3_column_int64(statement, 10), &owed);
	}
	enum err err = !more || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "reports", reterr);
	(void)sqlite3_reset(statement);
	return err;
}
