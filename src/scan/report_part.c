/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report_part.h"

#include "base/arena.h"
#include "base/num.h"
#include "scan/short_text.h"

#include "base/banned.h"

#define WORD_MAX ((size_t)20) /* what is longer is no word that anybody counts by */

static struct bytes cut(struct bytes text)
{
	return bytes_sub(text, 0, REPORT_PART_TEXT);
}

/* -- Cutting ---- */

/* What of a TLS report is a row: each policy, and each failure of it. */
static size_t count_units(const struct report *report)
{
	size_t n = report->tls.n_policies;
	if (report->kind == REPORT_DMARC)
		return report->dmarc.n_records;
	for (size_t i = 0; i < report->tls.n_policies; i++)
		n += report->tls.policies[i].n_failures;
	return n;
}

size_t report_parts(const struct report *report)
{
	size_t units = count_units(report);
	return units == 0 ? 1 : (units + REPORT_PART_UNITS - 1) / REPORT_PART_UNITS;
}

/* The first that passed, alone; NULL: none. */
static const struct report_result *first_passed(struct arena *arena, const struct report_result *results, size_t n,
						enum err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!bytes_eq(results[i].result, BYTES_LIT("pass")))
			continue;
		struct report_result *kept = arena_new(arena, struct report_result, 1);
		if (kept)
			*kept = (struct report_result){.domain = cut(results[i].domain), .result = BYTES_LIT("pass")};
		else
			*err = ERR_NOMEM;
		return kept;
	}
	return NULL;
}

static enum err make_records(struct arena *arena, const struct report_dmarc *report, size_t from,
			     struct report_part *part)
{
	size_t n = MIN(report->n_records - MIN(from, report->n_records), REPORT_PART_UNITS);
	struct report_record *records = arena_new(arena, struct report_record, n + 1);
	enum err err = ERR_OK;
	if (!records)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct report_record *whole = &report->records[from + i];
		bool failed = whole->dkim != REPORT_PASS && whole->spf != REPORT_PASS;
		records[i] = (struct report_record){.source_ip = cut(whole->source_ip),
						    .count = whole->count,
						    .disposition = bytes_sub(whole->disposition, 0, WORD_MAX),
						    .dkim = whole->dkim,
						    .spf = whole->spf,
						    .header_from = cut(whole->header_from)};
		if (!failed)
			continue;
		records[i].dkim_results = first_passed(arena, whole->dkim_results, whole->n_dkim, &err);
		records[i].n_dkim = records[i].dkim_results ? 1 : 0;
		records[i].spf_results = first_passed(arena, whole->spf_results, whole->n_spf, &err);
		records[i].n_spf = records[i].spf_results ? 1 : 0;
	}
	part->records = records;
	part->n_records = n;
	return err;
}

static enum err make_failure(struct arena *arena, const struct report_tls_failure *whole,
			     struct report_tls_policy *policy)
{
	struct report_tls_failure *failure = arena_new(arena, struct report_tls_failure, 1);
	if (!failure)
		return ERR_NOMEM;
	*failure = (struct report_tls_failure){.result_type = cut(whole->result_type),
					       .receiving_mx = cut(whole->receiving_mx),
					       .sessions = whole->sessions};
	policy->failures = failure;
	policy->n_failures = 1;
	return ERR_OK;
}

static enum err make_policies(struct arena *arena, const struct report_tls *report, size_t from,
			      struct report_part *part)
{
	struct report_tls_policy *policies = arena_new(arena, struct report_tls_policy, REPORT_PART_UNITS);
	size_t unit = 0, n = 0;
	if (!policies)
		return ERR_NOMEM;
	for (size_t i = 0; i < report->n_policies && n < REPORT_PART_UNITS; i++) {
		const struct report_tls_policy *whole = &report->policies[i];
		for (size_t j = 0; j <= whole->n_failures && n < REPORT_PART_UNITS; j++, unit++) {
			if (unit < from)
				continue;
			policies[n] =
				(struct report_tls_policy){.type = cut(whole->type), .domain = cut(whole->domain)};
			if (j > 0) {
				TRY(make_failure(arena, &whole->failures[j - 1], &policies[n]));
			} else {
				policies[n].successful = whole->successful;
				policies[n].failed = whole->failed;
			}
			n++;
		}
	}
	part->policies = policies;
	part->n_policies = n;
	return ERR_OK;
}

enum err report_part_make(struct arena *arena, const struct report *report, size_t number, struct report_part *ret_part)
{
	const struct report_dmarc *dmarc = &report->dmarc;
	const struct report_tls *tls = &report->tls;
	if (report->kind == REPORT_DMARC) {
		*ret_part = (struct report_part){.kind = REPORT_DMARC,
						 .number = number,
						 .org = cut(dmarc->org),
						 .report_id = cut(dmarc->report_id),
						 .domain = cut(dmarc->policy.domain),
						 .policy = cut(dmarc->policy.p),
						 .begin = dmarc->begin,
						 .end = dmarc->end};
		return make_records(arena, dmarc, number * REPORT_PART_UNITS, ret_part);
	}
	*ret_part =
		(struct report_part){.kind = REPORT_TLS,
				     .number = number,
				     .org = cut(tls->org),
				     .report_id = cut(tls->report_id),
				     .domain = tls->n_policies > 0 ? cut(tls->policies[0].domain) : (struct bytes){0},
				     .begin = tls->begin,
				     .end = tls->end};
	return make_policies(arena, tls, number * REPORT_PART_UNITS, ret_part);
}

uint64_t report_part_messages(const struct report_part *part)
{
	uint64_t messages = 0;
	for (size_t i = 0; i < part->n_records; i++)
		messages += MIN(part->records[i].count, REPORT_COUNT_MAX);
	return messages;
}

/* -- Packing ---- */

static void pack_record(struct buf *buf, const struct report_record *record)
{
	short_text_put(buf, record->source_ip);
	short_text_put(buf, record->header_from);
	short_text_put(buf, record->disposition);
	buf_add_be64(buf, record->count);
	buf_add_byte(buf, (uint8_t)record->dkim);
	buf_add_byte(buf, (uint8_t)record->spf);
	short_text_put(buf, record->n_dkim ? record->dkim_results[0].domain : (struct bytes){0});
	short_text_put(buf, record->n_spf ? record->spf_results[0].domain : (struct bytes){0});
}

static void pack_policy(struct buf *buf, const struct report_tls_policy *policy)
{
	const struct report_tls_failure *failure = policy->n_failures ? &policy->failures[0] : NULL;
	short_text_put(buf, policy->type);
	short_text_put(buf, policy->domain);
	buf_add_be64(buf, policy->successful);
	buf_add_be64(buf, policy->failed);
	buf_add_byte(buf, failure ? 1 : 0);
	if (!failure)
		return;
	short_text_put(buf, failure->result_type);
	short_text_put(buf, failure->receiving_mx);
	buf_add_be64(buf, failure->sessions);
}

void report_part_pack(struct buf *buf, const struct report_part *part)
{
	buf_add_byte(buf, (uint8_t)part->kind);
	buf_add_be32(buf, (uint32_t)part->number);
	short_text_put(buf, cut(part->sender));
	short_text_put(buf, part->org);
	short_text_put(buf, part->report_id);
	short_text_put(buf, part->domain);
	short_text_put(buf, part->policy);
	buf_add_be64(buf, (uint64_t)part->begin);
	buf_add_be64(buf, (uint64_t)part->end);
	buf_add_be16(buf, (uint16_t)(part->n_records + part->n_policies));
	for (size_t i = 0; i < part->n_records; i++)
		pack_record(buf, &part->records[i]);
	for (size_t i = 0; i < part->n_policies; i++)
		pack_policy(buf, &part->policies[i]);
}

static const struct report_result *unpack_domain(struct arena *arena, struct cursor *cur, size_t *ret_n)
{
	struct bytes domain = short_text_take(cur);
	*ret_n = 0;
	if (!domain.ptr)
		return NULL;
	struct report_result *result = arena_new(arena, struct report_result, 1);
	if (!result) {
		cursor_fail(cur, ERR_NOMEM);
		return NULL;
	}
	*result = (struct report_result){.domain = domain, .result = BYTES_LIT("pass")};
	*ret_n = 1;
	return result;
}

static uint64_t take_count(struct cursor *cur)
{
	uint64_t count = cursor_be64(cur);
	return MIN(count, REPORT_COUNT_MAX);
}

static enum report_aligned take_aligned(struct cursor *cur)
{
	uint8_t aligned = cursor_u8(cur);
	if (aligned > REPORT_PASS)
		cursor_fail(cur, ERR_SYNTAX);
	return aligned > REPORT_PASS ? REPORT_UNTOLD : (enum report_aligned)aligned;
}

static void unpack_record(struct arena *arena, struct cursor *cur, struct report_record *record)
{
	*record = (struct report_record){.source_ip = short_text_take(cur)};
	record->header_from = short_text_take(cur);
	record->disposition = short_text_take(cur);
	record->count = take_count(cur);
	record->dkim = take_aligned(cur);
	record->spf = take_aligned(cur);
	record->dkim_results = unpack_domain(arena, cur, &record->n_dkim);
	record->spf_results = unpack_domain(arena, cur, &record->n_spf);
}

static void unpack_policy(struct arena *arena, struct cursor *cur, struct report_tls_policy *policy)
{
	*policy = (struct report_tls_policy){.type = short_text_take(cur)};
	policy->domain = short_text_take(cur);
	policy->successful = take_count(cur);
	policy->failed = take_count(cur);
	if (cursor_u8(cur) == 0)
		return;
	struct report_tls_failure *failure = arena_new(arena, struct report_tls_failure, 1);
	if (!failure) {
		cursor_fail(cur, ERR_NOMEM);
		return;
	}
	failure->result_type = short_text_take(cur);
	failure->receiving_mx = short_text_take(cur);
	failure->sessions = take_count(cur);
	policy->failures = failure;
	policy->n_failures = 1;
}

/* A time that fits into what the store computes with it. */
static int64_t take_time(struct cursor *cur)
{
	uint64_t time = cursor_be64(cur);
	if (time > UINT64_C(253402300799)) /* the end of the year 9999 */
		cursor_fail(cur, ERR_SYNTAX);
	return cur->err == ERR_OK ? (int64_t)time : 0;
}

enum err report_part_unpack(struct arena *arena, struct bytes packed, struct report_part *ret_part)
{
	struct cursor cur = cursor_make(packed);
	uint8_t kind = cursor_u8(&cur);
	if (kind != REPORT_DMARC && kind != REPORT_TLS)
		return ERR_SYNTAX;
	*ret_part = (struct report_part){.kind = (enum report_kind)kind, .number = cursor_be32(&cur)};
	ret_part->sender = short_text_take(&cur);
	ret_part->org = short_text_take(&cur);
	ret_part->report_id = short_text_take(&cur);
	ret_part->domain = short_text_take(&cur);
	ret_part->policy = short_text_take(&cur);
	ret_part->begin = take_time(&cur);
	ret_part->end = take_time(&cur);
	size_t n = cursor_be16(&cur);
	if (cur.err != ERR_OK || n > REPORT_PART_UNITS)
		return ERR_SYNTAX;
	if (kind == REPORT_DMARC) {
		struct report_record *records = arena_new(arena, struct report_record, n + 1);
		if (!records)
			return ERR_NOMEM;
		for (size_t i = 0; i < n && cur.err == ERR_OK; i++)
			unpack_record(arena, &cur, &records[i]);
		ret_part->records = records;
		ret_part->n_records = n;
	} else {
		struct report_tls_policy *policies = arena_new(arena, struct report_tls_policy, n + 1);
		if (!policies)
			return ERR_NOMEM;
		for (size_t i = 0; i < n && cur.err == ERR_OK; i++)
			unpack_policy(arena, &cur, &policies[i]);
		ret_part->policies = policies;
		ret_part->n_policies = n;
	}
	if (cur.err == ERR_NOMEM)
		return ERR_NOMEM;
	return cur.err == ERR_OK && cursor_end(&cur) ? ERR_OK : ERR_SYNTAX;
}
