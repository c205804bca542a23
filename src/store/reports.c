/* SPDX-License-Identifier: Apache-2.0 */
/* Reports that others sent: kept once, summed by day. */
#include "store/reports.h"

#include <inttypes.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"
#include "store/private.h"

#include "base/banned.h"

#define ROW_MOST  "1000000000000" /* REPORT_COUNT_MAX */
#define SUM(what) "CAST(MIN(TOTAL(" what "), 9e15) AS INTEGER)"

int64_t store_day(int64_t seconds)
{
	return seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400;
}

sqlite3_stmt *store_report_statement(struct store *store, const char *sql, struct error *reterr)
{
	if (store->version >= 3)
		return store_statement(store, sql, reterr);
	(void)error_set(reterr, ERR_UNSUPPORTED, 0,
			"the database is older than reports are: have the daemons been started since the upgrade?");
	return NULL;
}

/* -- Adding ---- */

/* Adds the row that makes a part of a report known; *ret_new is false when it is there already. */
static enum err add_report(struct store *store, const struct report_part *part, int64_t now, bool *ret_new,
			   struct error *reterr)
{
	/* What nobody is proven to have sent may be what somebody is: it was brought by hand before or after. */
	static const char sql[] =
		"INSERT INTO report (kind, org, report_id, domain, sender, begin, end, received, policy, messages)"
		" SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE NOT EXISTS (SELECT 1 FROM report"
		" WHERE kind = ?1 AND org = ?2 AND report_id = ?3 AND domain = ?4"
		" AND (?5 = '' OR sender IN ('', ?5)))";
	/* Only first parts are counted as reports. */
	static const char *const kinds[2][2] = {{"dmarc", "dmarc-part"}, {"tls", "tls-part"}};
	CLEANUP(buf_done) struct buf id = BUF_INIT(STORE_TEXT_MAX);
	*ret_new = false;
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_UNSUPPORTED;
	if (part->report_id.len > 0)
		buf_add(&id, part->report_id);
	else /* one that has no id is told apart by its time */
		buf_printf(&id, "%" PRId64 "-%" PRId64, part->begin, part->end);
	if (part->number > 0)
		buf_printf(&id, "#%zu", part->number);
	if (buf_err(&id) != ERR_OK)
		return error_set(reterr, buf_err(&id), 0, "no memory for the report");
	store_bind(statement, 1, bytes_from_cstr(kinds[part->kind == REPORT_TLS][part->number > 0]));
	store_bind(statement, 2, part->org);
	store_bind(statement, 3, buf_bytes(&id));
	store_bind(statement, 4, part->domain);
	store_bind(statement, 5, part->sender);
	(void)sqlite3_bind_int64(statement, 6, part->begin);
	(void)sqlite3_bind_int64(statement, 7, part->end);
	(void)sqlite3_bind_int64(statement, 8, now);
	store_bind(statement, 9, part->policy);
	(void)sqlite3_bind_int64(statement, 10, (sqlite3_int64)report_part_messages(part));
	TRY(store_run(store, statement, "report", reterr));
	*ret_new = sqlite3_changes(store->db) > 0;
	return ERR_OK;
}

/* The domain of the first result that passed. */
static struct bytes passed_domain(const struct report_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_eq(results[i].result, BYTES_LIT("pass")))
			return results[i].domain;
	return (struct bytes){0};
}

static enum err add_source(struct store *store, int64_t day, const struct report_part *part,
			   const struct report_record *record, struct error *reterr)
{
	static const char sql[] = "INSERT INTO report_source (day, domain, ip, header_from, dkim, spf, disposition, "
				  "dkim_domain, spf_domain,"
				  " count, sender) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
				  " ON CONFLICT DO UPDATE SET count = MIN(count + excluded.count, " ROW_MOST ")";
	/* Whom else it passed for helps where it failed; where it did not, it would only make more rows. */
	bool failed = record->dkim != REPORT_PASS && record->spf != REPORT_PASS;
	struct bytes dkim = failed ? passed_domain(record->dkim_results, record->n_dkim) : (struct bytes){0};
	struct bytes spf = failed ? passed_domain(record->spf_results, record->n_spf) : (struct bytes){0};
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_UNSUPPORTED;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, part->domain);
	store_bind(statement, 3, record->source_ip);
	store_bind(statement, 4, record->header_from);
	(void)sqlite3_bind_int(statement, 5, (int)record->dkim);
	(void)sqlite3_bind_int(statement, 6, (int)record->spf);
	store_bind(statement, 7, record->disposition);
	store_bind(statement, 8, dkim);
	store_bind(statement, 9, spf);
	(void)sqlite3_bind_int64(statement, 10, (sqlite3_int64)MIN(record->count, REPORT_COUNT_MAX));
	store_bind(statement, 11, part->sender);
	return store_run(store, statement, "report", reterr);
}

static enum err add_policy(struct store *store, int64_t day, const struct report_tls_policy *policy,
			   struct error *reterr)
{
	static const char sql[] =
		"INSERT INTO report_tls (day, domain, type, successful, failed) VALUES (?, ?, ?, ?, ?)"
		" ON CONFLICT DO UPDATE SET successful = MIN(successful + excluded.successful, " ROW_MOST "),"
		" failed = MIN(failed + excluded.failed, " ROW_MOST ")";
	static const char failure_sql[] =
		"INSERT INTO report_tls_failure (day, domain, type, result, mx, sessions) VALUES (?, ?, ?, ?, ?, ?)"
		" ON CONFLICT DO UPDATE SET sessions = MIN(sessions + excluded.sessions, " ROW_MOST ")";
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_UNSUPPORTED;
	(void)sqlite3_bind_int64(statement, 1, day);
	store_bind(statement, 2, policy->domain);
	store_bind(statement, 3, policy->type);
	(void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)MIN(policy->successful, REPORT_COUNT_MAX));
	(void)sqlite3_bind_int64(statement, 5, (sqlite3_int64)MIN(policy->failed, REPORT_COUNT_MAX));
	TRY(store_run(store, statement, "report", reterr));
	for (size_t i = 0; i < policy->n_failures; i++) {
		const struct report_tls_failure *failure = &policy->failures[i];
		statement = store_report_statement(store, failure_sql, reterr);
		if (!statement)
			return ERR_UNSUPPORTED;
		(void)sqlite3_bind_int64(statement, 1, day);
		store_bind(statement, 2, policy->domain);
		store_bind(statement, 3, policy->type);
		store_bind(statement, 4, failure->result_type);
		store_bind(statement, 5, failure->receiving_mx);
		(void)sqlite3_bind_int64(statement, 6, (sqlite3_int64)MIN(failure->sessions, REPORT_COUNT_MAX));
		TRY(store_run(store, statement, "report", reterr));
	}
	return ERR_OK;
}

enum err store_report_add(struct store *store, const struct report_part *part, int64_t now, bool *ret_new,
			  struct error *reterr)
{
	int64_t day = store_day(part->begin);
	TRY(add_report(store, part, now, ret_new, reterr));
	for (size_t i = 0; *ret_new && i < part->n_records; i++)
		TRY(add_source(store, day, part, &part->records[i], reterr));
	for (size_t i = 0; *ret_new && i < part->n_policies; i++)
		TRY(add_policy(store, day, &part->policies[i], reterr));
	return ERR_OK;
}

/* -- Asking ---- */

/* Steps through `sql`, whose parameters are the days, the domain and who is not believed. */
static enum err each_row(struct store *store, const char *sql, const struct store_report_query *query,
			 bool (*row)(void *ctx, sqlite3_stmt *statement), void *ctx, struct error *reterr)
{
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	int rc;
	if (!statement)
		return ERR_UNSUPPORTED;
	(void)sqlite3_bind_int64(statement, 1, query->first);
	(void)sqlite3_bind_int64(statement, 2, query->last);
	store_bind(statement, 3, query->domain);
	if (sqlite3_bind_parameter_count(statement) > 3)
		store_bind(statement, 4, query->except);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
		if (!row(ctx, statement))
			break;
	enum err err = rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : store_failed(store, "reports", reterr);
	(void)sqlite3_reset(statement);
	return err;
}

/* Of a list as store_report_query says; the sender of what is not proven has no name. */
#define BELIEVED " AND (sender = '' OR instr(?4, ',' || sender || ',') = 0)"
#define IN_QUERY " WHERE day BETWEEN ?1 AND ?2 AND (?3 = '' OR domain = ?3)"

static uint64_t count_at(sqlite3_stmt *statement, int column)
{
	sqlite3_int64 count = sqlite3_column_int64(statement, column);
	return count > 0 ? (uint64_t)count : 0;
}

/* The caller's row() and its ctx, for those that only translate a row. */
struct teller {
	union {
		bool (*domain)(void *ctx, const struct store_report_domain *domain);
		bool (*reporter)(void *ctx, const struct store_report_reporter *reporter);
		bool (*tls)(void *ctx, const struct store_report_tls *tls);
		bool (*failure)(void *ctx, const struct store_report_tls_failure *failure);
	} row;
	void *ctx;
};

static bool tell_domain(void *ctx, sqlite3_stmt *statement)
{
	const struct teller *teller = ctx;
	struct store_report_domain domain = {.domain = store_column(statement, 0),
					     .reports = count_at(statement, 1),
					     .receivers = count_at(statement, 2),
					     .begin = sqlite3_column_int64(statement, 3),
					     .end = sqlite3_column_int64(statement, 4),
					     .policy = store_column(statement, 5)};
	return teller->row.domain(teller->ctx, &domain);
}

enum err store_report_domains(struct store *store, const struct store_report_query *query,
			      bool (*row)(void *ctx, const struct store_report_domain *domain), void *ctx,
			      struct error *reterr)
{
	static const char sql[] =
		"SELECT domain, COUNT(*), COUNT(DISTINCT IIF(sender = '', org, sender)), MIN(begin), MAX(end),"
		" (SELECT policy FROM report l WHERE l.domain = r.domain AND l.kind = 'dmarc' AND l.begin < (?2 + 1) * "
		"86400 AND (l.sender = '' OR instr(?4, ',' || l.sender || ',') = 0)"
		" ORDER BY l.end DESC, l.row DESC LIMIT 1)"
		" FROM report r WHERE kind = 'dmarc' AND begin >= ?1 * 86400 AND begin < (?2 + 1) * 86400"
		" AND (?3 = '' OR domain = ?3)" BELIEVED " GROUP BY domain ORDER BY domain";
	struct teller teller = {.row.domain = row, .ctx = ctx};
	return each_row(store, sql, query, tell_domain, &teller, reterr);
}

static bool tell_reporter(void *ctx, sqlite3_stmt *statement)
{
	const struct teller *teller = ctx;
	struct store_report_reporter reporter = {.domain = store_column(statement, 0),
						 .sender = store_column(statement, 1),
						 .org = store_column(statement, 2),
						 .reports = count_at(statement, 3),
						 .messages = count_at(statement, 4),
						 .of_tls = count_at(statement, 5) != 0};
	return teller->row.reporter(teller->ctx, &reporter);
}

enum err store_report_reporters(struct store *store, const struct store_report_query *query,
				bool (*row)(void *ctx, const struct store_report_reporter *reporter), void *ctx,
				struct error *reterr)
{
	static const char sql[] = "SELECT domain, sender, org, SUM(kind IN ('dmarc', 'tls')), " SUM(
		"messages") " AS n, kind IN ('tls', 'tls-part') AS of_tls FROM report"
			    " WHERE begin >= ?1 * 86400 AND begin < (?2 + 1) * 86400 AND (?3 = '' OR domain = ?3)"
			    " GROUP BY of_tls, domain, sender, org ORDER BY of_tls, domain, n DESC, sender, org";
	struct teller teller = {.row.reporter = row, .ctx = ctx};
	return each_row(store, sql, query, tell_reporter, &teller, reterr);
}

static bool tell_tls(void *ctx, sqlite3_stmt *statement)
{
	const struct teller *teller = ctx;
	struct store_report_tls tls = {.domain = store_column(statement, 0),
				       .type = store_column(statement, 1),
				       .successful = count_at(statement, 2),
				       .failed = count_at(statement, 3)};
	return teller->row.tls(teller->ctx, &tls);
}

enum err store_report_tls(struct store *store, const struct store_report_query *query,
			  bool (*row)(void *ctx, const struct store_report_tls *tls), void *ctx, struct error *reterr)
{
	static const char sql[] = "SELECT domain, type, " SUM("successful") ", " SUM(
		"failed") " FROM report_tls" IN_QUERY " GROUP BY domain, type ORDER BY domain, type";
	struct teller teller = {.row.tls = row, .ctx = ctx};
	return each_row(store, sql, query, tell_tls, &teller, reterr);
}

static bool tell_failure(void *ctx, sqlite3_stmt *statement)
{
	const struct teller *teller = ctx;
	struct store_report_tls_failure failure = {.domain = store_column(statement, 0),
						   .type = store_column(statement, 1),
						   .result = store_column(statement, 2),
						   .mx = store_column(statement, 3),
						   .sessions = count_at(statement, 4)};
	return teller->row.failure(teller->ctx, &failure);
}

enum err store_report_tls_failures(struct store *store, const struct store_report_query *query,
				   bool (*row)(void *ctx, const struct store_report_tls_failure *failure), void *ctx,
				   struct error *reterr)
{
	static const char sql[] = "SELECT domain, type, result, mx, " SUM(
		"sessions") " AS n FROM report_tls_failure" IN_QUERY
			    " GROUP BY domain, type, result, mx ORDER BY domain, type, n DESC, result, mx";
	struct teller teller = {.row.failure = row, .ctx = ctx};
	return each_row(store, sql, query, tell_failure, &teller, reterr);
}

/* -- Sources: the rows of one address become one ---- */

struct gather {
	struct arena *arena; /* of the texts of `source` */
	struct store_report_source source;
	uint64_t failed; /* the largest share that failed so far */
	bool open, nomem, enough;
	bool (*row)(void *ctx, const struct store_report_source *source);
	void *ctx;
};

/* False when there is to be no more. */
static bool tell_source(struct gather *gather)
{
	if (gather->open && !gather->row(gather->ctx, &gather->source))
		gather->enough = true;
	gather->open = false;
	return !gather->enough;
}

static struct bytes keep(struct gather *gather, struct bytes text)
{
	struct bytes copy = arena_copy(gather->arena, text);
	gather->nomem |= !copy.ptr;
	return copy;
}

static bool gather_row(void *ctx, sqlite3_stmt *statement)
{
	struct gather *gather = ctx;
	struct store_report_source *source = &gather->source;
	struct bytes domain = store_column(statement, 0), ip = store_column(statement, 1);
	struct bytes disposition = store_column(statement, 4);
	bool dkim = sqlite3_column_int(statement, 2) == REPORT_PASS,
	     spf = sqlite3_column_int(statement, 3) == REPORT_PASS;
	uint64_t count = count_at(statement, 8);
	if (gather->open && (!bytes_eq(domain, source->domain) || !bytes_eq(ip, source->ip)) && !tell_source(gather))
		return false;
	if (!gather->open) {
		arena_reset(gather->arena);
		*source = (struct store_report_source){.domain = keep(gather, domain), .ip = keep(gather, ip)};
		gather->failed = 0;
		gather->open = true;
	}
	source->messages += count;
	source->dkim += dkim ? count : 0;
	source->spf += spf ? count : 0;
	source->pass += dkim || spf ? count : 0;
	source->quarantined += bytes_eq(disposition, BYTES_LIT("quarantine")) ? count : 0;
	source->rejected += bytes_eq(disposition, BYTES_LIT("reject")) ? count : 0;
	if (!dkim && !spf && count > gather->failed) {
		gather->failed = count;
		source->failed_dkim_domain = keep(gather, store_column(statement, 5));
		source->failed_spf_domain = keep(gather, store_column(statement, 6));
		source->failed_from = keep(gather, store_column(statement, 7));
	}
	return !gather->nomem;
}

enum err store_report_sources(struct store *store, const struct store_report_query *query,
			      bool (*row)(void *ctx, const struct store_report_source *source), void *ctx,
			      struct error *reterr)
{
	static const char sql[] =
		"SELECT domain, ip, dkim, spf, disposition, dkim_domain, spf_domain, header_from, " SUM(
			"count") " FROM report_source" IN_QUERY BELIEVED
				 " GROUP BY domain, ip, dkim, spf, disposition, dkim_domain, spf_domain, header_from"
				 " ORDER BY domain, ip";
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct gather gather = {.arena = arena, .row = row, .ctx = ctx};
	if (!arena)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the reports");
	TRY(each_row(store, sql, query, gather_row, &gather, reterr));
	if (gather.nomem)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the reports");
	(void)tell_source(&gather);
	return ERR_OK;
}

/* -- Forgetting ---- */

static enum err forget_some(struct store *store, const char *sql, int64_t before, int64_t *changes,
			    struct error *reterr)
{
	sqlite3_stmt *statement = store_report_statement(store, sql, reterr);
	if (!statement)
		return ERR_UNSUPPORTED;
	(void)sqlite3_bind_int64(statement, 1, before);
	TRY(store_run(store, statement, "retention", reterr));
	*changes += sqlite3_changes(store->db);
	return ERR_OK;
}

/* So many rows a step: a day of theirs may have as many as a stranger likes, and nobody is to wait for all of them. */
#define OLDEST(table, key)                                                                                             \
	"DELETE FROM " table " WHERE (" key ") IN (SELECT " key " FROM " table " WHERE day < ?1 ORDER BY " key         \
	" LIMIT 200)"
#define OLDEST_REPORTS                                                                                                 \
	"DELETE FROM report WHERE row IN"                                                                              \
	" (SELECT row FROM report WHERE begin < ?1 * 86400 ORDER BY begin LIMIT 200)"

enum err store_report_forget(struct store *store, int64_t reports_before, int64_t owed_before, bool *ret_more,
			     struct error *reterr)
{
	static const char *const reports[] = {
		OLDEST("report_source",
		       "day, domain, ip, sender, header_from, dkim, spf, disposition, dkim_domain, spf_domain"),
		OLDEST("report_tls", "day, domain, type"),
		OLDEST("report_tls_failure", "day, domain, type, result, mx"),
		OLDEST_REPORTS,
	};
	static const char *const owed[] = {
		OLDEST("owed_record", "day, domain, ip, header_from, disposition, dkim, spf, detail"),
		OLDEST("owed", "day, domain"),
	};
	int64_t changes = 0;
	for (size_t i = 0; i < ARRAY_LEN(reports); i++)
		TRY(forget_some(store, reports[i], reports_before, &changes, reterr));
	for (size_t i = 0; i < ARRAY_LEN(owed); i++)
		TRY(forget_some(store, owed[i], owed_before, &changes, reterr));
	*ret_more = changes > 0;
	return ERR_OK;
}
