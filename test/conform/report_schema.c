/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DMARC reports of ours against a schema of RFC 9990, by libxml2: every report that can be written is valid, whatever
 * is put into its texts.
 */
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

#include "auth/report_dmarc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "unit.h"

#include "base/banned.h"

static uint32_t state;

static uint32_t random_below(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

/* One of the words, which may be none of the schema's. */
#define PICK(...) pick((const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))
static struct bytes pick(const char *const *words, size_t n)
{
	return bytes_from_cstr(words[random_below((uint32_t)n)]);
}

/* Texts of every kind of byte. */
static struct bytes text(struct arena *arena)
{
	uint8_t raw[12];
	size_t n = random_below(sizeof(raw) + 1);
	static const char some[] = "a<>&\"']] \t\r\n\x01\x7f\xc3\xa9\xff\xef\xbf\xbe";
	for (size_t i = 0; i < n; i++)
		raw[i] = (uint8_t)some[random_below(sizeof(some) - 1)];
	return random_below(4) ? arena_copy(arena, bytes_make(raw, n)) : (struct bytes){0};
}

static struct report_result *results(struct arena *arena, size_t n, bool spf)
{
	struct report_result *items = arena_new(arena, struct report_result, n);
	for (size_t i = 0; i < n; i++)
		items[i] = (struct report_result){.domain = PICK("a.example", "b.example"),
						  .selector = spf ? (struct bytes){0} : text(arena),
						  .scope = PICK(NULL, "mfrom"),
						  .result = spf ? PICK("pass", "softfail", "none", "temperror", "fail")
								: PICK("pass", "policy", "permerror"),
						  .human = text(arena)};
	return items;
}

static struct report_record record(struct arena *arena)
{
	size_t n = random_below(3);
	struct report_reason *reasons = arena_new(arena, struct report_reason, 3);
	struct report_record out = {.source_ip = PICK("192.0.2.1", "2001:db8::1", "::", "::ffff:192.0.2.1", "1.2.3"),
				    .count = random_below(5) * UINT64_C(123456789),
				    .disposition = PICK("none", "pass", "quarantine", "reject", "reject", "none"),
				    .dkim = (enum report_aligned)random_below(3),
				    .spf = (enum report_aligned)random_below(3),
				    .reasons = reasons,
				    .n_reasons = n,
				    .header_from = PICK("a.example", "b.a.example", "xn--9ca.example", "c.example"),
				    .envelope_from = text(arena),
				    .envelope_to = PICK(NULL, "", "r.example"),
				    .n_dkim = random_below(4),
				    .n_spf = random_below(2)};
	for (size_t i = 0; i < n; i++)
		reasons[i] = (struct report_reason){PICK("other", "mailing_list", "local_policy", "trusted_forwarder"),
						    text(arena)};
	out.dkim_results = results(arena, out.n_dkim, false);
	out.spf_results = results(arena, out.n_spf, true);
	return out;
}

static struct report_dmarc report_of(struct arena *arena)
{
	size_t n = random_below(5);
	struct report_record *records = arena_new(arena, struct report_record, 5);
	for (size_t i = 0; i < n; i++)
		records[i] = record(arena);
	return (struct report_dmarc){.org = PICK("Org & Co", "<o>", "\xff"),
				     .email = PICK("a@b.example"),
				     .contact = text(arena),
				     .report_id = PICK("1", "a.1@b.example"),
				     .generator = text(arena),
				     .error = text(arena),
				     .begin = random_below(2),
				     .end = INT64_C(253402300799),
				     .policy = {.domain = PICK("a.example"),
						.p = PICK("none", "quarantine", "reject", "reject", "other"),
						.sp = PICK(NULL, "none", "reject"),
						.np = PICK(NULL, "quarantine"),
						.adkim = PICK(NULL, "r", "s"),
						.aspf = PICK(NULL, "r", "s"),
						.fo = PICK(NULL, "1:d:s"),
						.testing = PICK(NULL, "n", "y"),
						.discovery_method = PICK(NULL, "psl", "treewalk")},
				     .records = records,
				     .n_records = n};
}

static void every_report_of_ours_is_valid(void **unused)
{
	(void)unused;
	xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(SCHEMA);
	xmlSchemaPtr schema = xmlSchemaParse(parser);
	size_t written = 0, refused = 0;
	assert_non_null(schema);
	for (state = 1; written < 2000;) {
		CLEANUP(arena_free) struct arena *arena = arena_create((size_t)1 << 20);
		CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)1 << 20);
		struct report_dmarc report = report_of(arena);
		if (report_dmarc_write(&report, &xml, NULL) != ERR_OK) {
			refused++;
			continue;
		}
		written++;
		xmlDocPtr doc = xmlReadMemory((const char *)xml.ptr, (int)xml.len, "report.xml", NULL, XML_PARSE_NONET);
		xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema);
		if (!doc || xmlSchemaValidateDoc(valid, doc) != 0)
			fail_msg("not valid:\n%.*s", BYTES_FMT(buf_bytes(&xml)));
		xmlSchemaFreeValidCtxt(valid);
		xmlFreeDoc(doc);
	}
	assert_true(refused > 100); /* the generator does offer what may not be written */
	xmlSchemaFree(schema);
	xmlSchemaFreeParserCtxt(parser);
	xmlCleanupParser();
}

static void say_nothing(void *ctx, xmlErrorPtr error)
{
	(void)ctx;
	(void)error;
}

static void the_schema_refuses_what_is_wrong(void **unused)
{
	(void)unused;
	static const char *const wrong[] = {
		"<feedback/>", "<feedback xmlns='urn:ietf:params:xml:ns:dmarc-2.0'/>",
		"<feedback xmlns='urn:ietf:params:xml:ns:dmarc-2.0'><version>2.0</version></feedback>"};
	xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(SCHEMA);
	xmlSchemaPtr schema = xmlSchemaParse(parser);
	assert_non_null(schema);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		xmlDocPtr doc = xmlReadMemory(wrong[i], (int)strlen(wrong[i]), "report.xml", NULL, XML_PARSE_NONET);
		xmlSchemaValidCtxtPtr valid = xmlSchemaNewValidCtxt(schema);
		xmlSchemaSetValidStructuredErrors(valid, say_nothing, NULL);
		assert_int_not_equal(xmlSchemaValidateDoc(valid, doc), 0);
		xmlSchemaFreeValidCtxt(valid);
		xmlFreeDoc(doc);
	}
	xmlSchemaFree(schema);
	xmlSchemaFreeParserCtxt(parser);
	xmlCleanupParser();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_report_of_ours_is_valid),
	cmocka_unit_test(the_schema_refuses_what_is_wrong),
};
UNIT_MAIN(tests)
