/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed: a number of 16 bits before each text (ABSENT for none) and each list; 32 bits before the detail of a row, and
 * before the row.
 */
#include "store/owed_report.h"

#include "base/arena.h"
#include "base/cursor.h"
#include "base/num.h"
#include "unpack/deflate.h"

#include "base/banned.h"

#define ABSENT     0xffffu
#define DAY        INT64_C(86400)
#define COLUMN_MAX ((size_t)1024) /* of a text of a row */

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

void owed_detail_pack(struct buf *buf, const struct report_record *record)
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

static size_t unpack_count(struct cursor *cur, size_t max)
{
	size_t n = cursor_be16(cur);
	if (n > max)
		cursor_fail(cur, ERR_SYNTAX);
	return cur->err == ERR_OK ? n : 0;
}

static const struct report_result *unpack_results(struct arena *arena, struct cursor *cur, size_t *ret_n)
{
	size_t n = unpack_count(cur, REPORT_RESULTS_MAX);
	struct report_result *results = arena_new(arena, struct report_result, n + 1);
	if (!results)
		cursor_fail(cur, ERR_NOMEM);
	for (size_t i = 0; results && i < n; i++) {
		results[i].domain = unpack_text(cur);
		results[i].selector = unpack_text(cur);
		results[i].scope = unpack_text(cur);
		results[i].result = unpack_text(cur);
		results[i].human = unpack_text(cur);
	}
	*ret_n = results ? n : 0;
	return results;
}

static enum err unpack_detail(struct arena *arena, struct bytes detail, struct report_record *record)
{
	struct cursor cur = cursor_make(detail);
	record->envelope_from = unpack_text(&cur);
	record->envelope_to = unpack_text(&cur);
	size_t n = unpack_count(&cur, REPORT_REASONS_MAX);
	struct report_reason *reasons = arena_new(arena, struct report_reason, n + 1);
	if (!reasons)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		reasons[i].type = unpack_text(&cur);
		reasons[i].comment = unpack_text(&cur);
	}
	record->reasons = reasons;
	record->n_reasons = n;
	record->dkim_results = unpack_results(arena, &cur, &record->n_dkim);
	record->spf_results = unpack_results(arena, &cur, &record->n_spf);
	if (cur.err == ERR_NOMEM)
		return ERR_NOMEM;
	return cur.err == ERR_OK && cursor_end(&cur) ? ERR_OK : ERR_SYNTAX;
}

/* -- Rows ---- */

bool owed_row_pack(struct buf *rows, const struct owed_row *row)
{
	const struct bytes texts[] = {row->ip, row->header_from, row->disposition};
	size_t size = 2 + 4 + row->detail.len + 8;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].len > COLUMN_MAX)
			return false;
		size += 2 + texts[i].len;
	}
	if (row->detail.len > OWED_DETAIL_MAX)
		return false;
	buf_add_be32(rows, (uint32_t)size);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_add_be16(rows, (uint16_t)texts[i].len);
		buf_add(rows, texts[i]);
	}
	buf_add_byte(rows, row->dkim);
	buf_add_byte(rows, row->spf);
	buf_add_be32(rows, (uint32_t)row->detail.len);
	buf_add(rows, row->detail);
	buf_add_be64(rows, (uint64_t)row->count);
	return true;
}

bool owed_row_next(struct bytes *rows, struct bytes *ret_row)
{
	struct cursor cur = cursor_make(*rows);
	struct bytes row = cursor_take(&cur, cursor_be32(&cur));
	if (cur.err != ERR_OK || row.len == 0)
		return false;
	*ret_row = row;
	*rows = cursor_rest(&cur);
	return true;
}

enum err owed_row_unpack(struct bytes row, struct owed_row *ret_row)
{
	struct cursor cur = cursor_make(row);
	struct bytes *const texts[] = {&ret_row->ip, &ret_row->header_from, &ret_row->disposition};
	*ret_row = (struct owed_row){0};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = cursor_take(&cur, cursor_be16(&cur));
	ret_row->dkim = cursor_u8(&cur);
	ret_row->spf = cursor_u8(&cur);
	ret_row->detail = cursor_take(&cur, cursor_be32(&cur));
	ret_row->count = (int64_t)cursor_be64(&cur);
	return cur.err == ERR_OK && cursor_end(&cur) ? ERR_OK : ERR_SYNTAX;
}

/* -- The report ---- */

enum err owed_report_begin(struct owed_report *report, struct arena *arena, const struct owed_reporter *reporter,
			   int64_t day, const struct report_policy *policy, struct bytes rua, struct error *reterr)
{
	*report = (struct owed_report){.rua = rua,
				       .report = {.org = reporter->org,
						  .email = reporter->email,
						  .contact = reporter->contact,
						  .generator = reporter->generator,
						  .begin = day * DAY,
						  .end = day * DAY + DAY - 1,
						  .policy = *policy}};
	buf_init(&report->xml, OWED_XML_MAX);
	enum err err = report_id_make(arena, reporter->receiver, reporter->host, policy->domain, report->report.begin,
				      &report->report.report_id);
	if (err == ERR_OK)
		err = report_filename(arena, reporter->receiver, &report->report, &report->filename);
	if (err == ERR_OK)
		err = report_rua_read(arena, rua, report->targets, &report->n_targets);
	if (err != ERR_OK)
		return error_set(reterr, err, 0,
				 err == ERR_NOMEM ? "no memory for the report"
						  : "no file can be named after the domain, or the reporter");
	return report_dmarc_begin(&report->report, &report->xml, reterr);
}

static enum err add_row(struct owed_report *report, struct arena *arena, struct bytes packed, struct error *reterr)
{
	struct owed_row row;
	if (owed_row_unpack(packed, &row) != ERR_OK || row.count <= 0 || row.dkim > REPORT_PASS ||
	    row.spf > REPORT_PASS)
		return ERR_SYNTAX;
	struct report_record record = {.source_ip = row.ip,
				       .header_from = row.header_from,
				       .disposition = row.disposition,
				       .dkim = (enum report_aligned)row.dkim,
				       .spf = (enum report_aligned)row.spf,
				       .count = MIN((uint64_t)row.count, REPORT_COUNT_MAX)};
	enum err err = unpack_detail(arena, row.detail, &record);
	if (err == ERR_NOMEM)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	return err == ERR_OK ? report_dmarc_add(&record, &report->xml, reterr) : err;
}

enum err owed_report_add(struct owed_report *report, struct arena *arena, struct bytes rows, struct bytes *ret_last,
			 struct error *reterr)
{
	struct bytes row;
	*ret_last = (struct bytes){0};
	while (owed_row_next(&rows, &row)) {
		struct arena_mark mark = arena_mark(arena);
		enum err err = add_row(report, arena, row, reterr);
		arena_rewind(arena, mark);
		*ret_last = row;
		if (err == ERR_OK)
			report->report.n_records++;
		else if (err == ERR_SYNTAX)
			report->damaged++;
		else
			return err;
	}
	return ERR_OK;
}

enum err owed_report_end(struct owed_report *report, struct buf *gzip, struct error *reterr)
{
	if (report->report.n_records == 0)
		return error_set(reterr, ERR_SYNTAX, 0, "there is no record that can be reported");
	TRY(report_dmarc_end(&report->xml, reterr));
	enum err err = deflate_gzip_write(buf_bytes(&report->xml), gzip);
	return err == ERR_OK ? ERR_OK : error_set(reterr, err, 0, "no memory for the report");
}

void owed_report_done(struct owed_report *report)
{
	buf_done(&report->xml);
}
