/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_dmarc.h"

#include <stdlib.h>
#include <string.h>

#include "auth/xml.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "fixture.h"

#include "base/banned.h"

static struct report_dmarc read_good(struct bytes xml)
{
	struct report_dmarc report;
	struct error error = {0};
	if (report_dmarc_read(arena, xml, &report, &error) != ERR_OK)
		fail_msg("%s", error.text);
	return report;
}

/* -- Dialects ---- */

static void a_report_of_rfc_9990_is_read_whole(void **state)
{
	(void)state;
	struct report_dmarc report = read_good(sample("report_dmarc/rfc9990.xml"));
	assert_bytes_str(report.xmlns, REPORT_NAMESPACE);
	assert_bytes_str(report.org, "Receiver Ltd. & Sons");
	assert_bytes_str(report.email, "dmarc@receiver.example");
	assert_bytes_str(report.contact, "https://receiver.example/dmarc");
	assert_bytes_str(report.report_id, "sender.example.1790000000@receiver.example");
	assert_bytes_str(report.error, "two policy records at _dmarc.sender.example");
	assert_bytes_str(report.generator, "Some Filter 1.2");
	assert_int_equal(report.begin, 1790000000);
	assert_int_equal(report.end, 1790086399);
	assert_bytes_str(report.policy.domain, "sender.example");
	assert_bytes_str(report.policy.discovery_method, "treewalk");
	assert_bytes_str(report.policy.p, "quarantine");
	assert_bytes_str(report.policy.sp, "none");
	assert_bytes_str(report.policy.np, "reject");
	assert_bytes_str(report.policy.fo, "1:d");
	assert_bytes_str(report.policy.adkim, "r");
	assert_bytes_str(report.policy.aspf, "s");
	assert_bytes_str(report.policy.testing, "y");
	assert_int_equal(report.n_records, 2);
	const struct report_record *one = &report.records[0], *two = &report.records[1];
	assert_bytes_str(one->source_ip, "192.0.2.7");
	assert_int_equal(one->count, 123);
	assert_bytes_str(one->disposition, "pass");
	assert_int_equal(one->dkim, REPORT_PASS);
	assert_int_equal(one->spf, REPORT_FAIL);
	assert_non_null(one->envelope_from.ptr);
	assert_bytes_str(one->envelope_from, "");
	assert_bytes_str(one->envelope_to, "receiver.example");
	assert_int_equal(one->n_dkim, 2);
	assert_bytes_str(one->dkim_results[0].selector, "s1");
	assert_bytes_str(one->dkim_results[1].human, "body changed <here>");
	assert_int_equal(one->n_spf, 1);
	assert_bytes_str(one->spf_results[0].result, "softfail");
	assert_bytes_str(two->source_ip, "2001:db8::25");
	assert_int_equal(two->n_reasons, 2);
	assert_bytes_str(two->reasons[0].type, "policy_test_mode");
	assert_bytes_str(two->reasons[1].comment, "a list that is known");
	assert_null(two->envelope_from.ptr);
}

static void order_case_and_old_words_do_not_matter(void **state)
{
	(void)state;
	struct report_dmarc report = read_good(sample("report_dmarc/shuffled.xml"));
	const struct report_record *record = &report.records[0];
	assert_bytes_str(report.org, "\303\204rzte-Post");
	assert_int_equal(report.begin, 1790035200);
	assert_int_equal(report.end, 1790121599);
	assert_int_equal(report.n_records, 1);
	assert_bytes_str(record->source_ip, "198.51.100.4");
	assert_int_equal(record->count, REPORT_COUNT_MAX);
	assert_bytes_str(record->disposition, "reject");
	assert_int_equal(record->dkim, REPORT_UNTOLD);
	assert_int_equal(record->spf, REPORT_FAIL);
	assert_bytes_str(record->header_from, "sender.example"); /* the policy's, which comes later */
	assert_bytes_str(record->envelope_from, "bounce.sender.example");
	assert_int_equal(record->n_dkim, 2);
	assert_bytes_str(record->dkim_results[0].result, "temperror");
	assert_bytes_str(record->dkim_results[1].result, "fail");
	assert_bytes_str(record->spf_results[0].domain, "sender.example");
	assert_bytes_str(record->spf_results[0].result, "fail");
	assert_bytes_str(record->spf_results[1].result, "temperror");
}

static void other_namespaces_prefixes_and_charsets_are_read(void **state)
{
	(void)state;
	struct report_dmarc report = read_good(sample("report_dmarc/prefixed.xml"));
	assert_bytes_str(report.xmlns, "http://dmarc.org/dmarc-xml/0.1");
	assert_bytes_str(report.org, "Post & Co");
	assert_bytes_str(report.policy.domain, "a.example");
	assert_int_equal(report.n_records, 0);
	report = read_good(sample("report_dmarc/latin1.xml"));
	assert_bytes_str(report.org, "B\303\274ro");
	report = read_good(sample("report_dmarc/plain.xml"));
	assert_int_equal(report.xmlns.len, 0);
	assert_bytes_str(report.policy.pct, "100");
	assert_int_equal(report.records[0].spf, REPORT_PASS);
}

/* -- What is wrong is told, with its line ---- */

#define HEAD                                                                                                           \
	"<feedback>\n<report_metadata><date_range><begin>1</begin><end>2</end></date_range></report_metadata>\n"       \
	"<policy_published><domain>a.example</domain></policy_published>\n"
#define ROW(ip, count) "<record><row><source_ip>" ip "</source_ip>\n<count>" count "</count></row></record>\n"
#define TAIL           "</feedback>"

static void what_is_wrong_is_told_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *xml;
		enum err err;
		size_t line;
		const char *text;
	} cases[] = {
		{"", ERR_SYNTAX, 1, "line 1: no element found"},
		{"{}", ERR_SYNTAX, 1, "line 1: not well-formed"},
		{"<html>\n</html>", ERR_SYNTAX, 1, "line 1: this is no DMARC report: it begins with <html>"},
		{HEAD "<record>", ERR_SYNTAX, 4, "line 4: no element found"},
		{HEAD "<record></row>", ERR_SYNTAX, 4, "line 4: mismatched tag"},
		{HEAD ROW("192.0.2.1", "1") ROW("192.0.2.256", "1") TAIL, ERR_SYNTAX, 6,
		 "line 6: source_ip \"192.0.2.256\" is no address"},
		{HEAD ROW("", "1") TAIL, ERR_SYNTAX, 4, "line 4: source_ip \"\" is no address"},
		{HEAD ROW("192.0.2.1", "-1") TAIL, ERR_SYNTAX, 5, "line 5: count \"-1\" is no number"},
		{HEAD ROW("192.0.2.1", "") TAIL, ERR_SYNTAX, 5, "line 5: count \"\" is no number"},
		{HEAD ROW("192.0.2.1", "1 000") TAIL, ERR_SYNTAX, 5, "count \"1 000\""},
		{HEAD "<record><row><count>1</count></row></record>" TAIL, ERR_SYNTAX, 4,
		 "line 4: the record has no source_ip"},
		{HEAD "<record><row><source_ip>::1</source_ip></row></record>" TAIL, ERR_SYNTAX, 4,
		 "the record has no count"},
		{HEAD "<record>&unknown;</record>" TAIL, ERR_SYNTAX, 4, "line 4: undefined entity"},
		{"<feedback><policy_published><domain>a</domain></policy_published></feedback>", ERR_SYNTAX, 0,
		 "of which time"},
		{"<feedback><report_metadata><date_range><begin>1</begin><end>2</end></date_range></report_metadata></"
		 "feedback>",
		 ERR_SYNTAX, 0, "whose domain"},
		{"<feedback><report_metadata><date_range><begin>3</begin><end>2</end></date_range></report_metadata>"
		 "<policy_published><domain>a</domain></policy_published></feedback>",
		 ERR_SYNTAX, 0, "ends before it begins"},
		{"<feedback><report_metadata><date_range><begin>253402300800</begin></date_range></report_metadata></"
		 "feedback>",
		 ERR_SYNTAX, 1, "the time \"253402300800\""},
		{HEAD TAIL "<feedback/>", ERR_SYNTAX, 4, "junk after document element"},
		{"<?xml version=\"1.0\" encoding=\"ebcdic\"?><feedback/>", ERR_SYNTAX, 1, "unknown encoding"},
		{"<feedback>\xff</feedback>", ERR_SYNTAX, 1, "not well-formed"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_dmarc report;
		struct error error = {0};
		assert_int_equal(report_dmarc_read(arena, bytes_from_cstr(cases[i].xml), &report, &error),
				 cases[i].err);
		if (!strstr(error.text, cases[i].text))
			fail_msg("case %zu says \"%s\"", i, error.text);
		assert_int_equal(error.at, cases[i].line);
	}
}

static void entities_are_refused_where_they_are_declared(void **state)
{
	(void)state;
	struct report_dmarc report;
	struct error error = {0};
	assert_int_equal(report_dmarc_read(arena, sample("report_dmarc/laughs.xml"), &report, &error), ERR_SYNTAX);
	assert_string_equal(error.text, "line 2: a DOCTYPE is refused");
	assert_true(arena_used(arena) < 2000 + sample("report_dmarc/laughs.xml").len * 3);
	assert_int_equal(report_dmarc_read(arena,
					   BYTES_LIT("<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\"><feedback/>"),
					   &report, &error),
			 ERR_SYNTAX);
}

static void repeat(struct buf *buf, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_cstr(buf, text);
}

static void limits_hold(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)64 << 20);
	struct report_dmarc report;
	struct error error = {0};

	buf_add_cstr(&xml, HEAD);
	repeat(&xml, "<x>", 100000);
	assert_int_equal(report_dmarc_read(arena, buf_bytes(&xml), &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "too deep"));

	buf_clear(&xml);
	buf_add_cstr(&xml, HEAD);
	repeat(&xml, ROW("192.0.2.1", "1"), REPORT_RECORDS_MAX);
	buf_add_cstr(&xml, TAIL);
	assert_int_equal(read_good(buf_bytes(&xml)).n_records, REPORT_RECORDS_MAX);
	xml.len -= strlen(TAIL);
	buf_add_cstr(&xml, ROW("192.0.2.1", "1") TAIL);
	assert_int_equal(report_dmarc_read(arena, buf_bytes(&xml), &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "more than 100000 records"));

	buf_clear(&xml);
	buf_add_cstr(&xml, "<feedback><report_metadata><org_name>");
	repeat(&xml, "0123456789", 7000);
	assert_int_equal(report_dmarc_read(arena, buf_bytes(&xml), &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "too long"));

	buf_clear(&xml);
	buf_add_cstr(&xml, HEAD "<report_metadata><org_name>");
	repeat(&xml, "\303\266", 1000);
	buf_add_cstr(&xml, "</org_name></report_metadata><record><row><source_ip>::1</source_ip><count>1</"
			   "count><policy_evaluated>");
	repeat(&xml, "<reason><type>other</type></reason>", 1000);
	buf_add_cstr(&xml, "</policy_evaluated></row><auth_results>");
	repeat(&xml, "<dkim><domain>d</domain><result>pass</result></dkim><spf/>", 1000);
	buf_add_cstr(&xml, "</auth_results></record>" TAIL);
	report = read_good(buf_bytes(&xml));
	assert_int_equal(report.org.len, REPORT_TEXT_MAX);
	assert_int_equal(report.records[0].n_reasons, REPORT_REASONS_MAX);
	assert_int_equal(report.records[0].n_dkim, REPORT_RESULTS_MAX);
	assert_int_equal(report.records[0].n_spf, REPORT_RESULTS_MAX);
}

/* What a parser keeps of names and takes of a tag is for the sender to say: neither may be much. */
static void names_and_tags_have_limits(void **state)
{
	(void)state;
	static const struct {
		const char *begin, *piece, *end, *says; /* %zu: a number */
		size_t n;
	} cases[] = {
		{"<feedback>", "<a%zu/>", "</feedback>", "too many different names", 2000},
		{"<feedback>", "<a b%zu='x'/>", "</feedback>", "too many different names", 2000},
		{"<feedback ", "a%zu='>' ", "/>", "a tag is too long", 20000},
		{"<feedback><!-- <a \" --><a ", "a%zu=\"x>y\" ", "/></feedback>", "a tag is too long", 20000},
		{"<feedback><![CDATA[<a ']]><a ", "a%zu='x>y' ", "/></feedback>", "a tag is too long", 20000},
		{"<feedback><?x <a '?><a ", "a%zu='x>y' ", "/></feedback>", "a tag is too long", 20000},
		{"<", "a%zu", "/>", "a tag is too long", 20000},
		{"<feedback><!-- ", "<a%zu ", "--></feedback>", "a tag is too long", 20000},
		{"<feedback>", "<!-- <a%zu -->", "</feedback>", "does not say whose", 20000},
		{"<feedback>", "<a b='>' x='%zu'/>", "</feedback>", "does not say whose", 20000},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int wide = 0; wide < 3; wide++) {
			CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)4 << 20);
			CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)8 << 20);
			struct bytes piece = bytes_from_cstr(cases[i].piece);
			size_t at = bytes_find(piece, BYTES_LIT("%zu"));
			struct report_dmarc report;
			struct error error = {0};
			buf_add_cstr(&xml, cases[i].begin);
			for (size_t k = 0; k < cases[i].n; k++)
				buf_printf(&xml, "%.*s%zu%s", (int)at, cases[i].piece, k, cases[i].piece + at + 3);
			buf_add_cstr(&xml, cases[i].end);
			if (wide)
				buf_add(&out, wide == 1 ? BYTES_LIT("\xff\xfe") : BYTES_LIT("\xfe\xff"));
			for (size_t k = 0; k < xml.len; k++) {
				if (wide == 2)
					buf_add_byte(&out, 0);
				buf_add_byte(&out, xml.ptr[k]);
				if (wide == 1)
					buf_add_byte(&out, 0);
			}
			assert_int_not_equal(report_dmarc_read(arena, buf_bytes(&out), &report, &error), ERR_OK);
			if (!strstr(error.text, cases[i].says))
				fail_msg("%zu, %d: %s", i, wide, error.text);
		}
	}
}

static void a_small_arena_ends_in_an_error(void **state)
{
	(void)state;
	struct bytes xml = sample("report_dmarc/rfc9990.xml");
	for (size_t budget = 0; budget < 8000; budget += 97) {
		CLEANUP(arena_free) struct arena *small = arena_create(budget);
		struct report_dmarc report;
		enum err err = report_dmarc_read(small, xml, &report, NULL);
		assert_true(err == ERR_NOMEM || (err == ERR_OK && budget > 1000));
	}
}

/* -- Writing ---- */

static void what_is_written_reads_back_the_same(void **state)
{
	(void)state;
	struct report_dmarc report = read_good(sample("report_dmarc/rfc9990.xml"));
	struct report_policy *policy = &report.policy;
	CLEANUP(buf_done) struct buf one = BUF_INIT((size_t)1 << 20);
	CLEANUP(buf_done) struct buf two = BUF_INIT((size_t)1 << 20);
	report.org = BYTES_LIT("<A> & \"B\" ]]> \xff\x01 \360\237\230\200\r\n.");
	assert_ok(report_dmarc_write(&report, &one, NULL));
	struct report_dmarc back = read_good(buf_bytes(&one));
	assert_bytes_str(back.org, "<A> & \"B\" ]]> \357\277\275\357\277\275 \360\237\230\200\357\277\275\n.");
	assert_bytes(back.xmlns, report.xmlns);
	assert_bytes(back.policy.np, policy->np);
	assert_int_equal(back.n_records, report.n_records);
	assert_non_null(back.records[0].envelope_from.ptr);
	assert_null(back.records[1].envelope_from.ptr);
	assert_bytes(back.records[1].reasons[1].comment, report.records[1].reasons[1].comment);
	assert_ok(report_dmarc_write(&back, &two, NULL));
	assert_bytes(buf_bytes(&two), buf_bytes(&one));
}

static void what_is_written_steers_no_terminal_and_reads_back(void **state)
{
	(void)state;
	static const char org[] = "a\x7f\xc2\x9b"
				  "31m\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf z";
	struct report_dmarc report = read_good(sample("report_dmarc/rfc9990.xml"));
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	report.org = bytes_from_cstr(org);
	assert_ok(report_dmarc_write(&report, &out, NULL));
	for (struct bytes rest = buf_bytes(&out); rest.len > 0;) {
		uint32_t code = utf8_next(&rest, NULL);
		assert_true(code == '\n' || (code >= 0x20 && code < 0x7f));
	}
	assert_bytes_str(read_good(buf_bytes(&out)).org, org);
}

static void a_piece_that_is_refused_leaves_nothing_and_the_next_may_follow(void **state)
{
	(void)state;
	struct report_dmarc report = read_good(sample("report_dmarc/rfc9990.xml"));
	struct report_record bad = report.records[0];
	CLEANUP(buf_done) struct buf whole = BUF_INIT((size_t)1 << 20);
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	struct report_dmarc wrong = report;
	bad.disposition = BYTES_LIT("lost");
	wrong.policy.p = BYTES_LIT("maybe");
	assert_ok(report_dmarc_write(&report, &whole, NULL));
	assert_int_equal(report_dmarc_begin(&wrong, &out, NULL), ERR_SYNTAX);
	assert_int_equal(out.len, 0);
	assert_ok(report_dmarc_begin(&report, &out, NULL));
	for (size_t i = 0; i < report.n_records; i++) {
		assert_int_equal(report_dmarc_add(&bad, &out, NULL), ERR_SYNTAX);
		assert_ok(report_dmarc_add(&report.records[i], &out, NULL));
	}
	assert_ok(report_dmarc_end(&out, NULL));
	assert_bytes(buf_bytes(&out), buf_bytes(&whole));
}

static void nothing_is_written_that_the_schema_forbids(void **state)
{
	(void)state;
	static const struct report_result dkim_bad[] = {{.domain = BYTES_INIT("a"), .result = BYTES_INIT("softfail")}};
	static const struct report_result spf_good[] = {{.domain = BYTES_INIT("a"), .result = BYTES_INIT("pass")},
							{.domain = BYTES_INIT("a"), .result = BYTES_INIT("pass")}};
	static const struct report_result spf_helo[] = {
		{.domain = BYTES_INIT("a"), .scope = BYTES_INIT("helo"), .result = BYTES_INIT("pass")}};
	static const struct report_reason sampled[] = {{.type = BYTES_INIT("sampled_out")}};
#define GOOD                                                                                                           \
	.source_ip = BYTES_INIT("192.0.2.1"), .disposition = BYTES_INIT("none"), .header_from = BYTES_INIT("a.example")
	static const struct {
		struct report_record record;
		const char *p, *says;
	} cases[] = {
		{{GOOD}, "none", NULL},
		{{GOOD, .spf_results = spf_good, .n_spf = 1}, "reject", NULL},
		{{GOOD}, "maybe", "no p \"maybe\""},
		{{GOOD}, "none quarantine", "no p"},
		{{GOOD}, "", "no p \"\""},
		{{GOOD, .dkim_results = dkim_bad, .n_dkim = 1}, "none", "no result \"softfail\""},
		{{GOOD, .spf_results = spf_good, .n_spf = 2}, "none", "so many results"},
		{{GOOD, .spf_results = spf_helo, .n_spf = 1}, "none", "no scope \"helo\""},
		{{GOOD, .reasons = sampled, .n_reasons = 1}, "none", "no type \"sampled_out\""},
		{{.source_ip = BYTES_INIT("example.com"),
		  .disposition = BYTES_INIT("none"),
		  .header_from = BYTES_INIT("a")},
		 "none",
		 "no source_ip"},
		{{.source_ip = BYTES_INIT("::1\0"), .header_from = BYTES_INIT("a.example")}, "none", "no source_ip"},
		{{.source_ip = BYTES_INIT("::1"), .disposition = BYTES_INIT("none")}, "none", "no header_from"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
		struct error error = {0};
		struct report_dmarc report = {
			.org = BYTES_LIT("o"),
			.email = BYTES_LIT("e@o.example"),
			.report_id = BYTES_LIT("1"),
			.begin = 1,
			.end = 2,
			.policy = {.domain = BYTES_LIT("a.example"), .p = bytes_from_cstr(cases[i].p)},
			.records = &cases[i].record,
			.n_records = 1};
		assert_int_equal(report_dmarc_write(&report, &out, &error), cases[i].says ? ERR_SYNTAX : ERR_OK);
		if (cases[i].says && !strstr(error.text, cases[i].says))
			fail_msg("case %zu says \"%s\"", i, error.text);
		report.n_records = 0;
		assert_int_equal(report_dmarc_write(&report, &out, &error), ERR_SYNTAX);
		CLEANUP(buf_done) struct buf small = BUF_INIT(100);
		report.n_records = 1;
		if (!cases[i].says)
			assert_int_equal(report_dmarc_write(&report, &small, &error), ERR_LIMIT);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(a_report_of_rfc_9990_is_read_whole),
	TEST(order_case_and_old_words_do_not_matter),
	TEST(other_namespaces_prefixes_and_charsets_are_read),
	TEST(what_is_wrong_is_told_with_its_line),
	TEST(entities_are_refused_where_they_are_declared),
	TEST(limits_hold),
	TEST(names_and_tags_have_limits),
	TEST(a_small_arena_ends_in_an_error),
	TEST(what_is_written_reads_back_the_same),
	TEST(what_is_written_steers_no_terminal_and_reads_back),
	TEST(a_piece_that_is_refused_leaves_nothing_and_the_next_may_follow),
	TEST(nothing_is_written_that_the_schema_forbids),
};
UNIT_MAIN(tests)
