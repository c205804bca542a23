/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_dmarc.h"

#include <stdio.h>

#include "auth/xml.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

#define TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */

/* A record takes some 25 elements, deeper than 6 only extensions go, and of names we know some 40. */
static const struct xml_limits xml_limits = {.depth = 32, .elements = 8000000, .text = (size_t)64 << 10, .names = 1000};

/* -- The elements ---- */

enum element {
	NOTHING,
	FEEDBACK,
	METADATA,
	DATE_RANGE,
	POLICY,
	RECORD,
	ROW,
	EVALUATED,
	REASON,
	IDENTIFIERS,
	AUTH_RESULTS,
	DKIM_RESULT,
	SPF_RESULT,
	LEAF,
};

/* How the text of a leaf is read, and what it becomes a member of. */
enum form { FORM_NONE, FORM_TEXT, FORM_DOMAIN, FORM_WORD, FORM_RESULT, FORM_IP, FORM_COUNT, FORM_TIME, FORM_ALIGNED };
enum target { OF_REPORT, OF_RECORD, OF_REASON, OF_RESULT };

struct row {
	enum element parent;
	const char *name;
	enum element element;
	enum form form;
	enum target target;
	size_t offset;
};

#define CONTAINER(parent, name, element)                                                                               \
	{                                                                                                              \
		parent, name, element, FORM_NONE, OF_REPORT, 0                                                         \
	}
#define IN_REPORT(parent, name, form, member)                                                                          \
	{                                                                                                              \
		parent, name, LEAF, form, OF_REPORT, offsetof(struct report_dmarc, member)                             \
	}
#define IN_RECORD(parent, name, form, member)                                                                          \
	{                                                                                                              \
		parent, name, LEAF, form, OF_RECORD, offsetof(struct report_record, member)                            \
	}
#define IN_RESULT(parent, name, form, member)                                                                          \
	{                                                                                                              \
		parent, name, LEAF, form, OF_RESULT, offsetof(struct report_result, member)                            \
	}
#define IN_REASON(name, form, member)                                                                                  \
	{                                                                                                              \
		REASON, name, LEAF, form, OF_REASON, offsetof(struct report_reason, member)                            \
	}

static const struct row rows[] = {
	CONTAINER(NOTHING, "feedback", FEEDBACK),
	CONTAINER(FEEDBACK, "report_metadata", METADATA),
	IN_REPORT(METADATA, "org_name", FORM_TEXT, org),
	IN_REPORT(METADATA, "email", FORM_TEXT, email),
	IN_REPORT(METADATA, "extra_contact_info", FORM_TEXT, contact),
	IN_REPORT(METADATA, "report_id", FORM_TEXT, report_id),
	IN_REPORT(METADATA, "error", FORM_TEXT, error),
	IN_REPORT(METADATA, "generator", FORM_TEXT, generator),
	CONTAINER(METADATA, "date_range", DATE_RANGE),
	IN_REPORT(DATE_RANGE, "begin", FORM_TIME, begin),
	IN_REPORT(DATE_RANGE, "end", FORM_TIME, end),
	CONTAINER(FEEDBACK, "policy_published", POLICY),
	IN_REPORT(POLICY, "domain", FORM_DOMAIN, policy.domain),
	IN_REPORT(POLICY, "p", FORM_WORD, policy.p),
	IN_REPORT(POLICY, "sp", FORM_WORD, policy.sp),
	IN_REPORT(POLICY, "np", FORM_WORD, policy.np),
	IN_REPORT(POLICY, "adkim", FORM_WORD, policy.adkim),
	IN_REPORT(POLICY, "aspf", FORM_WORD, policy.aspf),
	IN_REPORT(POLICY, "fo", FORM_TEXT, policy.fo),
	IN_REPORT(POLICY, "testing", FORM_WORD, policy.testing),
	IN_REPORT(POLICY, "discovery_method", FORM_WORD, policy.discovery_method),
	IN_REPORT(POLICY, "pct", FORM_WORD, policy.pct),
	CONTAINER(FEEDBACK, "record", RECORD),
	CONTAINER(RECORD, "row", ROW),
	IN_RECORD(ROW, "source_ip", FORM_IP, source_ip),
	IN_RECORD(ROW, "count", FORM_COUNT, count),
	CONTAINER(ROW, "policy_evaluated", EVALUATED),
	IN_RECORD(EVALUATED, "disposition", FORM_WORD, disposition),
	IN_RECORD(EVALUATED, "dkim", FORM_ALIGNED, dkim),
	IN_RECORD(EVALUATED, "spf", FORM_ALIGNED, spf),
	CONTAINER(EVALUATED, "reason", REASON),
	IN_REASON("type", FORM_WORD, type),
	IN_REASON("comment", FORM_TEXT, comment),
	CONTAINER(RECORD, "identifiers", IDENTIFIERS),
	CONTAINER(RECORD, "identities", IDENTIFIERS), /* drafts before RFC 7489 */
	IN_RECORD(IDENTIFIERS, "header_from", FORM_DOMAIN, header_from),
	IN_RECORD(IDENTIFIERS, "envelope_from", FORM_DOMAIN, envelope_from),
	IN_RECORD(IDENTIFIERS, "envelope_to", FORM_DOMAIN, envelope_to),
	CONTAINER(RECORD, "auth_results", AUTH_RESULTS),
	CONTAINER(AUTH_RESULTS, "dkim", DKIM_RESULT),
	IN_RESULT(DKIM_RESULT, "domain", FORM_DOMAIN, domain),
	IN_RESULT(DKIM_RESULT, "selector", FORM_TEXT, selector),
	IN_RESULT(DKIM_RESULT, "result", FORM_RESULT, result),
	IN_RESULT(DKIM_RESULT, "human_result", FORM_TEXT, human),
	CONTAINER(AUTH_RESULTS, "spf", SPF_RESULT),
	IN_RESULT(SPF_RESULT, "domain", FORM_DOMAIN, domain),
	IN_RESULT(SPF_RESULT, "scope", FORM_WORD, scope),
	IN_RESULT(SPF_RESULT, "result", FORM_RESULT, result),
	IN_RESULT(SPF_RESULT, "human_result", FORM_TEXT, human),
};

/* -- The text of a leaf ---- */

static const struct {
	const char *said, *meant;
} synonyms[] = {{"hardfail", "fail"},        {"unknown", "temperror"},    {"error", "permerror"},
		{"temp_error", "temperror"}, {"perm_error", "permerror"}, {"soft_fail", "softfail"},
		{"permfail", "permerror"},   {"tempfail", "temperror"},   {"invalid", "permerror"}};

static struct bytes result_word(struct bytes word)
{
	for (size_t i = 0; i < ARRAY_LEN(synonyms); i++)
		if (bytes_eq(word, bytes_from_cstr(synonyms[i].said)))
			return bytes_from_cstr(synonyms[i].meant);
	return word;
}

static enum err read_ip(struct arena *arena, struct bytes text, struct bytes *ret_ip, struct error *reterr)
{
	char canonical[IP_TEXT_MAX];
	uint8_t ip[16];
	if (!ip_parse(text, ip))
		return error_set(reterr, ERR_SYNTAX, 0, "source_ip \"%.*s\" is no address",
				 BYTES_FMT(bytes_sub(text, 0, 50)));
	*ret_ip = arena_copy(arena, ip_format(ip, canonical));
	return ret_ip->ptr ? ERR_OK : ERR_NOMEM;
}

static enum err read_number(struct bytes text, const char *what, uint64_t most, bool saturate, uint64_t *ret,
			    struct error *reterr)
{
	struct bytes rest = text;
	enum err err = num_take(&rest, most, ret);
	/* Some write times as decimal fractions. */
	if (err != ERR_SYNTAX && bytes_starts(rest, BYTES_LIT("."))) {
		uint64_t fraction;
		rest = bytes_from(rest, 1);
		if (num_take(&rest, UINT64_MAX, &fraction) == ERR_SYNTAX)
			err = ERR_SYNTAX;
	}
	if (err == ERR_SYNTAX || rest.len > 0 || (err == ERR_LIMIT && !saturate))
		return error_set(reterr, ERR_SYNTAX, 0, "%s \"%.*s\" is no number that could be", what,
				 BYTES_FMT(bytes_sub(text, 0, 50)));
	return ERR_OK;
}

static enum err read_time(struct bytes text, int64_t *ret, struct error *reterr)
{
	uint64_t time = 0;
	TRY(read_number(text, "the time", (uint64_t)TIME_MAX, false, &time, reterr));
	*ret = (int64_t)time;
	return ERR_OK;
}

static enum err read_leaf(struct arena *arena, enum form form, struct bytes text, void *member, struct error *reterr)
{
	text = bytes_trim(text);
	struct bytes cut = utf8_prefix(text, REPORT_TEXT_MAX), copy;
	switch (form) {
	case FORM_NONE:
		return ERR_OK;
	case FORM_IP:
		return read_ip(arena, text, member, reterr);
	case FORM_COUNT:
		return read_number(text, "count", REPORT_COUNT_MAX, true, member, reterr);
	case FORM_TIME:
		return read_time(text, member, reterr);
	case FORM_ALIGNED:
		*(enum report_aligned *)member = text.len == 0                              ? REPORT_UNTOLD
						 : bytes_eq_nocase(text, BYTES_LIT("pass")) ? REPORT_PASS
											    : REPORT_FAIL;
		return ERR_OK;
	case FORM_DOMAIN:
		if (bytes_ends(cut, BYTES_LIT(".")))
			cut.len--;
		copy = arena_copy_lower(arena, cut);
		break;
	case FORM_WORD:
	case FORM_RESULT:
		copy = arena_copy_lower(arena, cut);
		if (form == FORM_RESULT && copy.ptr)
			copy = result_word(copy);
		break;
	case FORM_TEXT:
	default:
		copy = arena_copy(arena, cut);
		break;
	}
	if (!copy.ptr)
		return ERR_NOMEM;
	*(struct bytes *)member = copy;
	return ERR_OK;
}

/* -- Reading ---- */

struct list {
	void *items;
	size_t n, capacity, max;
};

struct reading {
	struct arena *arena;
	struct report_dmarc *report;
	struct bytes prefix;     /* of the root: elements with another one are extensions */
	const struct row *at[8]; /* the open elements that are known */
	size_t depth, skipped;   /* how many of them; how many unknown ones are open in the last of these */
	struct list records, reasons, dkim, spf;
	struct report_record record;
	struct report_reason reason;
	struct report_result result;
	bool has_count, has_begin, has_end;
};

static enum err list_add(struct arena *arena, struct list *list, const void *item, size_t size)
{
	void *items = arena_grow(arena, list->items, &list->capacity, list->n, size);
	if (!items)
		return ERR_NOMEM;
	list->items = items;
	memcpy((uint8_t *)items + list->n++ * size, item, size);
	return ERR_OK;
}

static const struct row *find_row(enum element parent, struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].parent == parent && bytes_eq(name, bytes_from_cstr(rows[i].name)))
			return &rows[i];
	return NULL;
}

static void begin_element(struct reading *reading, enum element element)
{
	if (element == RECORD) {
		reading->record = (struct report_record){0};
		reading->reasons = reading->dkim = reading->spf = (struct list){0};
		reading->has_count = false;
	} else if (element == REASON) {
		reading->reason = (struct report_reason){0};
	} else if (element == DKIM_RESULT || element == SPF_RESULT) {
		reading->result = (struct report_result){0};
	}
}

static enum err on_open(void *ctx, struct bytes name, struct bytes xmlns, struct error *reterr)
{
	struct reading *reading = ctx;
	size_t colon = bytes_find_byte(name, ':');
	struct bytes prefix = bytes_sub(name, 0, colon == BYTES_NONE ? 0 : colon + 1);
	struct bytes local = bytes_from(name, prefix.len);
	if (reading->depth == 0) {
		if (!bytes_eq(local, BYTES_LIT("feedback")))
			return error_set(reterr, ERR_SYNTAX, 0, "this is no DMARC report: it begins with <%.*s>",
					 BYTES_FMT(bytes_sub(name, 0, 50)));
		reading->prefix = arena_copy(reading->arena, prefix);
		reading->report->xmlns = arena_copy(reading->arena, utf8_prefix(xmlns, REPORT_TEXT_MAX));
		if (!reading->prefix.ptr || !reading->report->xmlns.ptr)
			return ERR_NOMEM;
	}
	const struct row *row = NULL;
	if (reading->skipped == 0 && bytes_eq(prefix, reading->prefix))
		row = find_row(reading->depth ? reading->at[reading->depth - 1]->element : NOTHING, local);
	if (!row) {
		reading->skipped++;
		return ERR_OK;
	}
	ASSERT(reading->depth < ARRAY_LEN(reading->at)); /* the table is not deeper */
	reading->at[reading->depth++] = row;
	begin_element(reading, row->element);
	return ERR_OK;
}

static enum err end_record(struct reading *reading, struct error *reterr)
{
	struct report_record *record = &reading->record;
	if (!record->source_ip.ptr || !reading->has_count)
		return error_set(reterr, ERR_SYNTAX, 0, "the record has no %s",
				 record->source_ip.ptr ? "count" : "source_ip");
	if (reading->records.n == REPORT_RECORDS_MAX)
		return error_set(reterr, ERR_LIMIT, 0, "there are more than %zu records", REPORT_RECORDS_MAX);
	record->reasons = reading->reasons.items;
	record->n_reasons = reading->reasons.n;
	record->dkim_results = reading->dkim.items;
	record->n_dkim = reading->dkim.n;
	record->spf_results = reading->spf.items;
	record->n_spf = reading->spf.n;
	return list_add(reading->arena, &reading->records, record, sizeof(*record));
}

/* A list that has all that it may have takes no more. */
static enum err end_element(struct reading *reading, enum element element, struct error *reterr)
{
	if (element == RECORD)
		return end_record(reading, reterr);
	if (element == REASON && reading->reasons.n < REPORT_REASONS_MAX)
		return list_add(reading->arena, &reading->reasons, &reading->reason, sizeof(reading->reason));
	if (element == DKIM_RESULT && reading->dkim.n < REPORT_RESULTS_MAX)
		return list_add(reading->arena, &reading->dkim, &reading->result, sizeof(reading->result));
	if (element == SPF_RESULT && reading->spf.n < REPORT_RESULTS_MAX)
		return list_add(reading->arena, &reading->spf, &reading->result, sizeof(reading->result));
	return ERR_OK;
}

static enum err on_close(void *ctx, struct bytes name, struct bytes text, struct error *reterr)
{
	(void)name;
	struct reading *reading = ctx;
	if (reading->skipped > 0) {
		reading->skipped--;
		return ERR_OK;
	}
	const struct row *row = reading->at[--reading->depth];
	void *const targets[] = {[OF_REPORT] = reading->report,
				 [OF_RECORD] = &reading->record,
				 [OF_REASON] = &reading->reason,
				 [OF_RESULT] = &reading->result};
	enum err err = row->element == LEAF ? read_leaf(reading->arena, row->form, text,
							(uint8_t *)targets[row->target] + row->offset, reterr)
					    : end_element(reading, row->element, reterr);
	if (err == ERR_NOMEM)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	reading->has_count |= row->form == FORM_COUNT;
	reading->has_begin |= row->form == FORM_TIME && row->offset == offsetof(struct report_dmarc, begin);
	reading->has_end |= row->form == FORM_TIME && row->offset == offsetof(struct report_dmarc, end);
	return err;
}

/* -- The whole ---- */

struct report_dmarc_reader {
	struct reading reading;
	struct report_dmarc report;
	struct xml_handler handler;
	struct xml *xml;
	size_t len; /* of the document so far */
};

enum err report_dmarc_open(struct arena *arena, uint64_t seed, struct report_dmarc_reader **ret_reader,
			   struct error *reterr)
{
	struct report_dmarc_reader *reader = arena_new(arena, struct report_dmarc_reader, 1);
	*ret_reader = NULL;
	if (!reader)
		return error_set(reterr, ERR_NOMEM, 0, "no memory for the report");
	*reader = (struct report_dmarc_reader){.reading = {.arena = arena, .report = &reader->report},
					       .handler = {on_open, on_close, &reader->reading}};
	TRY(xml_open(seed, &xml_limits, &reader->handler, &reader->xml, reterr));
	*ret_reader = reader;
	return ERR_OK;
}

enum err report_dmarc_feed(struct report_dmarc_reader *reader, struct bytes piece, struct error *reterr)
{
	if (piece.len > REPORT_XML_MAX - reader->len)
		return error_set(reterr, ERR_LIMIT, 0, "the report is larger than %zu bytes", REPORT_XML_MAX);
	reader->len += piece.len;
	return xml_feed(reader->xml, piece, false, reterr);
}

enum err report_dmarc_finish(struct report_dmarc_reader *reader, struct report_dmarc *ret_report, struct error *reterr)
{
	const struct reading *reading = &reader->reading;
	struct report_dmarc *report = &reader->report;
	TRY(xml_feed(reader->xml, (struct bytes){0}, true, reterr));
	if (!report->policy.domain.ptr || report->policy.domain.len == 0)
		return error_set(reterr, ERR_SYNTAX, 0, "the report does not say whose domain it is about");
	if (!reading->has_begin || !reading->has_end)
		return error_set(reterr, ERR_SYNTAX, 0, "the report does not say of which time it is");
	if (report->end < report->begin)
		return error_set(reterr, ERR_SYNTAX, 0, "the report ends before it begins");
	struct report_record *records = reading->records.items;
	for (size_t i = 0; i < reading->records.n; i++)
		if (records[i].header_from.len == 0)
			records[i].header_from = report->policy.domain;
	report->records = records;
	report->n_records = reading->records.n;
	*ret_report = *report;
	return ERR_OK;
}

void report_dmarc_close(struct report_dmarc_reader **reader)
{
	if (*reader)
		xml_free(&(*reader)->xml);
	*reader = NULL;
}

enum err report_dmarc_read(struct arena *arena, struct bytes xml, struct report_dmarc *ret_report, struct error *reterr)
{
	CLEANUP(report_dmarc_close) struct report_dmarc_reader *reader = NULL;
	*ret_report = (struct report_dmarc){0};
	TRY(report_dmarc_open(arena, xml_seed(xml), &reader, reterr));
	TRY(report_dmarc_feed(reader, xml, reterr));
	return report_dmarc_finish(reader, ret_report, reterr);
}

/* -- Writing ---- */

struct writer {
	struct buf *out;
	struct error *reterr;
	enum err err; /* the first one */
};

/* The words of the schema (RFC 9990, appendix A), each list between blanks. */
#define POLICY_WORDS      " none quarantine reject "
#define DISPOSITION_WORDS " none pass quarantine reject "
#define DKIM_WORDS        " none pass fail policy neutral temperror permerror "
#define SPF_WORDS         " none neutral pass fail softfail temperror permerror "
#define REASON_WORDS      " local_policy mailing_list other policy_test_mode trusted_forwarder "

static void refuse(struct writer *writer, const char *what, struct bytes value)
{
	if (writer->err == ERR_OK)
		writer->err = error_set(writer->reterr, ERR_SYNTAX, 0, "RFC 9990 allows no %s \"%.*s\"", what,
					BYTES_FMT(bytes_sub(value, 0, 60)));
}

static void put(struct writer *writer, const char *indent, const char *name, struct bytes text)
{
	buf_printf(writer->out, "%s<%s>", indent, name);
	xml_add_text(writer->out, text);
	buf_printf(writer->out, "</%s>\n", name);
}

static void put_if(struct writer *writer, const char *indent, const char *name, struct bytes text)
{
	if (text.len > 0)
		put(writer, indent, name, text);
}

static void put_needed(struct writer *writer, const char *indent, const char *name, struct bytes text)
{
	if (text.len == 0)
		refuse(writer, name, text);
	put(writer, indent, name, text);
}

static void put_word(struct writer *writer, const char *indent, const char *name, struct bytes word,
		     const char *allowed)
{
	char key[24];
	(void)snprintf(key, sizeof(key), " %.*s ", BYTES_FMT(bytes_sub(word, 0, 30)));
	if (word.len == 0 || word.len > sizeof(key) - 3 || bytes_has(word, ' ') || !strstr(allowed, key))
		refuse(writer, name, word);
	put(writer, indent, name, word);
}

static void put_word_if(struct writer *writer, const char *indent, const char *name, struct bytes word,
			const char *allowed)
{
	if (word.len > 0)
		put_word(writer, indent, name, word, allowed);
}

static void put_time(struct writer *writer, const char *name, int64_t time)
{
	if (time < 0 || time > TIME_MAX)
		refuse(writer, name, BYTES_LIT(""));
	buf_printf(writer->out, "      <%s>%lld</%s>\n", name, (long long)time, name);
}

static void put_head(struct writer *writer, const struct report_dmarc *report)
{
	const struct report_policy *policy = &report->policy;
	buf_add_cstr(writer->out,
		     "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback xmlns=\"" REPORT_NAMESPACE "\">\n"
		     "  <version>1.0</version>\n  <report_metadata>\n");
	put_needed(writer, "    ", "org_name", report->org);
	put_needed(writer, "    ", "email", report->email);
	put_if(writer, "    ", "extra_contact_info", report->contact);
	put_needed(writer, "    ", "report_id", report->report_id);
	buf_add_cstr(writer->out, "    <date_range>\n");
	put_time(writer, "begin", report->begin);
	put_time(writer, "end", report->end);
	buf_add_cstr(writer->out, "    </date_range>\n");
	put_if(writer, "    ", "error", report->error);
	put_if(writer, "    ", "generator", report->generator);
	buf_add_cstr(writer->out, "  </report_metadata>\n  <policy_published>\n");
	put_needed(writer, "    ", "domain", policy->domain);
	put_word_if(writer, "    ", "discovery_method", policy->discovery_method, " psl treewalk ");
	put_word(writer, "    ", "p", policy->p, POLICY_WORDS);
	put_word_if(writer, "    ", "sp", policy->sp, POLICY_WORDS);
	put_word_if(writer, "    ", "np", policy->np, POLICY_WORDS);
	put_if(writer, "    ", "fo", policy->fo);
	put_word_if(writer, "    ", "adkim", policy->adkim, " r s ");
	put_word_if(writer, "    ", "aspf", policy->aspf, " r s ");
	put_word_if(writer, "    ", "testing", policy->testing, " n y ");
	buf_add_cstr(writer->out, "  </policy_published>\n");
}

static void put_results(struct writer *writer, const struct report_record *record)
{
	buf_add_cstr(writer->out, "    <auth_results>\n");
	if (record->n_dkim > REPORT_RESULTS_MAX || record->n_spf > 1)
		refuse(writer, "record with so many results of", record->source_ip);
	for (size_t i = 0; i < record->n_dkim; i++) {
		const struct report_result *dkim = &record->dkim_results[i];
		buf_add_cstr(writer->out, "      <dkim>\n");
		put_needed(writer, "        ", "domain", dkim->domain);
		put(writer, "        ", "selector", dkim->selector);
		put_word(writer, "        ", "result", dkim->result, DKIM_WORDS);
		put_if(writer, "        ", "human_result", dkim->human);
		buf_add_cstr(writer->out, "      </dkim>\n");
	}
	for (size_t i = 0; i < record->n_spf; i++) {
		const struct report_result *spf = &record->spf_results[i];
		buf_add_cstr(writer->out, "      <spf>\n");
		put(writer, "        ", "domain", spf->domain);
		put_word_if(writer, "        ", "scope", spf->scope, " mfrom ");
		put_word(writer, "        ", "result", spf->result, SPF_WORDS);
		put_if(writer, "        ", "human_result", spf->human);
		buf_add_cstr(writer->out, "      </spf>\n");
	}
	buf_add_cstr(writer->out, "    </auth_results>\n  </record>\n");
}

static void put_record(struct writer *writer, const struct report_record *record)
{
	uint8_t ip[16];
	if (!ip_parse(record->source_ip, ip))
		refuse(writer, "source_ip", record->source_ip);
	buf_add_cstr(writer->out, "  <record>\n    <row>\n");
	put(writer, "      ", "source_ip", record->source_ip);
	buf_printf(writer->out, "      <count>%llu</count>\n      <policy_evaluated>\n",
		   (unsigned long long)record->count);
	put_word(writer, "        ", "disposition", record->disposition, DISPOSITION_WORDS);
	put(writer, "        ", "dkim", record->dkim == REPORT_PASS ? BYTES_LIT("pass") : BYTES_LIT("fail"));
	put(writer, "        ", "spf", record->spf == REPORT_PASS ? BYTES_LIT("pass") : BYTES_LIT("fail"));
	for (size_t i = 0; i < record->n_reasons; i++) {
		buf_add_cstr(writer->out, "        <reason>\n");
		put_word(writer, "          ", "type", record->reasons[i].type, REASON_WORDS);
		put_if(writer, "          ", "comment", record->reasons[i].comment);
		buf_add_cstr(writer->out, "        </reason>\n");
	}
	buf_add_cstr(writer->out, "      </policy_evaluated>\n    </row>\n    <identifiers>\n");
	put_needed(writer, "      ", "header_from", record->header_from);
	if (record->envelope_from.ptr) /* empty: the null reverse-path */
		put(writer, "      ", "envelope_from", record->envelope_from);
	put_if(writer, "      ", "envelope_to", record->envelope_to);
	buf_add_cstr(writer->out, "    </identifiers>\n");
	put_results(writer, record);
}

/* What was added since `before` is taken back where it was refused. */
static enum err finish(const struct writer *writer, size_t before)
{
	if (writer->err != ERR_OK) {
		writer->out->len = before;
		return writer->err;
	}
	if (buf_err(writer->out) != ERR_OK)
		return error_set(writer->reterr, buf_err(writer->out), 0, "the report is too large");
	return ERR_OK;
}

enum err report_dmarc_begin(const struct report_dmarc *report, struct buf *out, struct error *reterr)
{
	struct writer writer = {.out = out, .reterr = reterr};
	size_t before = out->len;
	put_head(&writer, report);
	return finish(&writer, before);
}

enum err report_dmarc_add(const struct report_record *record, struct buf *out, struct error *reterr)
{
	struct writer writer = {.out = out, .reterr = reterr};
	size_t before = out->len;
	put_record(&writer, record);
	return finish(&writer, before);
}

enum err report_dmarc_end(struct buf *out, struct error *reterr)
{
	buf_add_cstr(out, "</feedback>\n");
	return buf_err(out) == ERR_OK ? ERR_OK : error_set(reterr, buf_err(out), 0, "the report is too large");
}

enum err report_dmarc_write(const struct report_dmarc *report, struct buf *out, struct error *reterr)
{
	if (report->n_records == 0)
		return error_set(reterr, ERR_SYNTAX, 0, "RFC 9990 allows no report without a record");
	TRY(report_dmarc_begin(report, out, reterr));
	for (size_t i = 0; i < report->n_records; i++)
		TRY(report_dmarc_add(&report->records[i], out, reterr));
	return report_dmarc_end(out, reterr);
}
