/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/report_read.h"

#include <string.h>

#include "auth/report_mail.h"
#include "base/buf.h"
#include "mail/message.h"
#include "unit_arena.h"
#include "unpack/deflate.h"

#include "base/banned.h"

#define UNPACKED_MAX ((size_t)1 << 20)

#define XML                                                                                                            \
	"<feedback><report_metadata><org_name>o</org_name><date_range><begin>1</begin><end>2</end></date_range>"       \
	"</report_metadata><policy_published><domain>a.example</domain></policy_published></feedback>"
#define JSON                                                                                                           \
	"{\"organization-name\":\"t\",\"policies\":[],\"date-range\":"                                                 \
	"{\"start-datetime\":\"2026-01-01\",\"end-datetime\":\"2026-01-02\"}}"

static struct bytes gzip_of(struct bytes in)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(UNPACKED_MAX);
	assert_ok(deflate_gzip_write(in, &out));
	return arena_copy(arena, buf_bytes(&out));
}

/* One part behind a text, with its content as it is (8bit). */
static struct bytes mail_of(const char *subject, const char *type, const char *name, struct bytes content)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(UNPACKED_MAX);
	buf_printf(&out,
		   "From: <r@example.net>\r\nSubject: %s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
		   "boundary=b\r\n\r\n--b\r\n\r\nSee the <feedback> attached.\r\n--b\r\nContent-Type: %s\r\n"
		   "Content-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: binary\r\n\r\n",
		   subject, type, name);
	buf_add(&out, content);
	buf_add_cstr(&out, "\r\n--b--\r\n");
	return arena_copy(arena, buf_bytes(&out));
}

static void a_file_is_what_its_bytes_say(void **state)
{
	(void)state;
	const struct {
		struct bytes file;
		enum report_kind kind;
	} cases[] = {
		{BYTES_LIT(XML), REPORT_DMARC},
		{BYTES_LIT("\xef\xbb\xbf\r\n" XML), REPORT_DMARC},
		{gzip_of(BYTES_LIT(XML)), REPORT_DMARC},
		{BYTES_LIT(JSON), REPORT_TLS},
		{BYTES_LIT("\xef\xbb\xbf " JSON), REPORT_TLS},
		{gzip_of(BYTES_LIT("\n" JSON)), REPORT_TLS},
		{mail_of("x", "application/octet-stream", "x", gzip_of(BYTES_LIT(XML))), REPORT_DMARC},
		{mail_of("x", "application/x-gzip", "x", gzip_of(BYTES_LIT(JSON))), REPORT_TLS},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report report;
		struct error error = {0};
		if (report_read_file(arena, cases[i].file, UNPACKED_MAX, &report, &error) != ERR_OK)
			fail_msg("case %zu: %s", i, error.text);
		assert_int_equal(report.kind, cases[i].kind);
		assert_bytes_str(report.kind == REPORT_DMARC ? report.dmarc.org : report.tls.org,
				 report.kind == REPORT_DMARC ? "o" : "t");
	}
}

static void what_is_no_report_is_told(void **state)
{
	(void)state;
	const struct {
		struct bytes file;
		enum err err;
	} cases[] = {
		{BYTES_LIT(""), ERR_UNSUPPORTED},
		{BYTES_LIT("From: a@example.com\n\nhello"), ERR_UNSUPPORTED},
		{gzip_of(gzip_of(BYTES_LIT(XML))), ERR_UNSUPPORTED}, /* one layer only */
		{gzip_of(BYTES_LIT("text")), ERR_UNSUPPORTED},
		{BYTES_LIT("<html/>"), ERR_SYNTAX},
		{BYTES_LIT("\x1f\x8b\x08"), ERR_SHORT},
		{BYTES_LIT("\xff\xfe<"), ERR_SYNTAX},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report report;
		struct error error = {0};
		assert_int_equal(report_read_file(arena, cases[i].file, UNPACKED_MAX, &report, &error), cases[i].err);
		assert_true(error.text[0] != '\0');
	}
}

static void what_unpacks_to_too_much_is_refused(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)64 << 20);
	struct report report;
	struct error error = {0};
	buf_add_cstr(&xml, "<feedback>");
	while (xml.len < (size_t)32 << 20)
		buf_add_cstr(&xml, "<a/><a/><a/><a/><a/><a/><a/><a/>");
	struct bytes bomb = gzip_of(buf_bytes(&xml));
	assert_true(xml.len / bomb.len > 2 * REPORT_RATIO);
	assert_int_equal(report_read_file(arena, bomb, (size_t)1 << 30, &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "bytes allowed"));
	assert_int_equal(report_read_file(arena, bomb, 1000, &report, &error), ERR_LIMIT);
	assert_non_null(strstr(error.text, "1000 bytes allowed"));
}

/* The steps of a reading, each of so much work; the error of the last one. */
static enum err read_in_steps(struct bytes content, size_t work, struct report *ret_report, size_t *ret_steps)
{
	CLEANUP(report_reader_close) struct report_reader *reader = NULL;
	bool end = false;
	*ret_steps = 0;
	TRY(report_reader_open(arena, content, (size_t)64 << 20, &reader, NULL));
	while (!end) {
		TRY(report_reader_step(reader, work, &end, ret_report, NULL));
		++*ret_steps;
	}
	return ERR_OK;
}

static void a_report_is_the_same_in_steps_of_any_size(void **state)
{
	(void)state;
	const struct bytes files[] = {BYTES_LIT(XML), BYTES_LIT("\xef\xbb\xbf\r\n " XML), gzip_of(BYTES_LIT(XML)),
				      BYTES_LIT(JSON), gzip_of(BYTES_LIT("\n" JSON))};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		for (size_t work = 1; work < 400; work += work < 40 ? 1 : 61) {
			struct report report;
			size_t steps;
			if (read_in_steps(files[i], work, &report, &steps) != ERR_OK)
				fail_msg("file %zu in steps of %zu", i, work);
			assert_bytes_str(report.kind == REPORT_DMARC ? report.dmarc.org : report.tls.org,
					 report.kind == REPORT_DMARC ? "o" : "t");
			assert_true(steps >= files[i].len / work);
		}
	}
	struct report report;
	size_t steps;
	assert_int_equal(read_in_steps(BYTES_LIT("no report"), 1, &report, &steps), ERR_UNSUPPORTED);
	assert_int_equal(read_in_steps(BYTES_LIT(XML "<"), 7, &report, &steps), ERR_SYNTAX);
}

static void a_step_does_its_share_of_the_work_and_no_more(void **state)
{
	(void)state;
	static const char row[] = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>";
	const size_t n = 20000, work = 10000;
	CLEANUP(buf_done) struct buf xml = BUF_INIT((size_t)8 << 20);
	buf_add(&xml, bytes_sub(BYTES_LIT(XML), 0, sizeof(XML) - sizeof("</feedback>")));
	for (size_t i = 0; i < n; i++)
		buf_add_cstr(&xml, row);
	buf_add_cstr(&xml, "</feedback>");
	const struct bytes files[] = {buf_bytes(&xml), gzip_of(buf_bytes(&xml))};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct report report;
		size_t steps;
		assert_ok(read_in_steps(files[i], work, &report, &steps));
		assert_int_equal(report.dmarc.n_records, n);
		assert_true(steps >= xml.len / work);
	}
	/* Members that hold nothing are work, too. */
	CLEANUP(buf_done) struct buf members = BUF_INIT((size_t)8 << 20);
	struct bytes empty = gzip_of((struct bytes){0});
	for (size_t i = 0; i < n; i++)
		buf_add(&members, empty);
	buf_add(&members, gzip_of(BYTES_LIT(XML)));
	struct report report;
	size_t steps;
	assert_ok(read_in_steps(buf_bytes(&members), work, &report, &steps));
	assert_true(steps >= n / 10);
}

static void a_message_is_known_by_what_the_standards_give_it(void **state)
{
	(void)state;
	static const char *const good = "mx.example!a.example!1790035200!1790121599";
	struct bytes xml = BYTES_LIT(XML), packed = gzip_of(xml);
	const struct {
		const char *subject, *type, *name;
		struct bytes content;
		enum report_kind sure, guessed;
	} cases[] = {
		{"x", "application/gzip", ".xml.gz", packed, REPORT_DMARC, REPORT_DMARC},
		{"x", "application/octet-stream", "!abc123.zip", packed, REPORT_DMARC, REPORT_DMARC},
		{"x", "text/xml", ".xml", xml, REPORT_DMARC, REPORT_DMARC},
		{"x", "application/tlsrpt+gzip", "", packed, REPORT_TLS, REPORT_TLS},
		{"x", "application/tlsrpt+json", "", BYTES_LIT(JSON), REPORT_TLS, REPORT_TLS},
		{"x", "application/gzip", ".json.gz", packed, REPORT_TLS, REPORT_TLS},
		{"Report Domain: a.example Submitter: b", "application/gzip", "report.gz", packed, REPORT_DMARC,
		 REPORT_DMARC},
		{"x", "application/gzip", "report.gz", packed, REPORT_NONE, REPORT_DMARC},
		{"x", "application/xml", "report.xml", xml, REPORT_NONE, REPORT_DMARC},
		{"Report Domain: a.example", "application/pdf", "report.pdf", BYTES_LIT("%PDF-1.4"), REPORT_NONE,
		 REPORT_NONE},
		{"x", "text/html", "page.html", BYTES_LIT("<html>hello</html>"), REPORT_NONE, REPORT_NONE},
		{"x", "application/xml", "sheet.xml", BYTES_LIT("<sheet/>"), REPORT_NONE, REPORT_NONE},
		{"x", "text/plain", ".xml", BYTES_LIT("words"), REPORT_NONE, REPORT_NONE},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message *message;
		struct bytes found, name;
		char file[200];
		bool by_name = cases[i].name[0] == '.' || cases[i].name[0] == '!';
		(void)snprintf(file, sizeof(file), "%s%s", by_name ? good : "", cases[i].name);
		struct bytes raw = mail_of(cases[i].subject, cases[i].type, file, cases[i].content);
		assert_ok(message_parse(arena, raw, &mime_limits_default, &message));
		assert_int_equal(report_find_in_message(message, false, &found, &name), cases[i].sure);
		assert_bytes(found, cases[i].sure ? cases[i].content : (struct bytes){0});
		assert_bytes_str(name, cases[i].sure ? file : "");
		assert_int_equal(report_find_in_message(message, true, &found, &name), cases[i].guessed);
	}
}

static void file_names_that_look_like_one_are_not_enough(void **state)
{
	(void)state;
	static const char *const names[] = {
		"a!b!c!d.xml", "a!b!1!x.xml", "a!!1!2.xml", "a!b!1.xml", "a!b!1!2!c!d.xml", "!!!", ""};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct message *message;
		struct bytes found, name;
		struct bytes raw = mail_of("x", "application/gzip", names[i], gzip_of(BYTES_LIT(XML)));
		assert_ok(message_parse(arena, raw, &mime_limits_default, &message));
		assert_int_equal(report_find_in_message(message, false, &found, &name), REPORT_NONE);
	}
}

static void our_own_mail_is_known_and_read(void **state)
{
	(void)state;
	struct report_dmarc dmarc = {.email = BYTES_LIT("d@mx.example"),
				     .report_id = BYTES_LIT("1a"),
				     .begin = 1,
				     .end = 2,
				     .policy = {.domain = BYTES_LIT("a.example")}};
	struct report_mail mail = {.report = &dmarc,
				   .receiver = BYTES_LIT("mx.example"),
				   .to = BYTES_LIT("rua@a.example"),
				   .gzip = gzip_of(BYTES_LIT(XML))};
	CLEANUP(buf_done) struct buf out = BUF_INIT(UNPACKED_MAX);
	struct report report;
	struct message *message;
	struct bytes found, name;
	assert_ok(report_filename(arena, mail.receiver, &dmarc, &mail.filename));
	assert_ok(report_mail_write(&mail, &out));
	assert_ok(message_parse(arena, buf_bytes(&out), &mime_limits_default, &message));
	assert_int_equal(report_find_in_message(message, false, &found, &name), REPORT_DMARC);
	assert_ok(report_read_file(arena, buf_bytes(&out), UNPACKED_MAX, &report, NULL));
	assert_bytes_str(report.dmarc.policy.domain, "a.example");
}

static const struct CMUnitTest tests[] = {
	TEST(a_file_is_what_its_bytes_say),
	TEST(what_is_no_report_is_told),
	TEST(a_report_is_the_same_in_steps_of_any_size),
	TEST(a_step_does_its_share_of_the_work_and_no_more),
	TEST(what_unpacks_to_too_much_is_refused),
	TEST(a_message_is_known_by_what_the_standards_give_it),
	TEST(file_names_that_look_like_one_are_not_enough),
	TEST(our_own_mail_is_known_and_read),
};
UNIT_MAIN(tests)
