/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/report_mail.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "dns_table.h"
#include "mail/message.h"
#include "unit_arena.h"

#include "base/banned.h"

static void addresses_of_rua_are_those_that_can_be_written_to(void **state)
{
	(void)state;
	static const struct {
		const char *rua, *want;
	} cases[] = {
		{"mailto:a@example.com", "a@example.com"},
		{" MailTo:a@example.com!10m , mailto:b%2Bc@example.net!5 ", "a@example.com!10485760 b+c@example.net!5"},
		{"mailto:a@x.example!1k,mailto:a@x.example!1T", "a@x.example!1024 a@x.example!1099511627776"},
		{"https://example.com/,mailto:a@example.com?subject=x", "a@example.com"},
		{"mailto:a@example.com!10x,mailto:@example.com,mailto:a@,mailto:a,mailto:", ""},
		{"mailto:a%0d%0aBcc:x@example.com,mailto:a%20b@example.com,mailto:a@ex%2Fample.com,mailto:a%00@b", ""},
		{"mailto:\"a b\"@example.com,mailto:a@example..com,mailto:a@example.com.", ""},
		{"mailto:a%4", ""},
		{"", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_target targets[REPORT_RUA_MAX];
		CLEANUP(buf_done) struct buf got = BUF_INIT(10000);
		size_t n;
		assert_ok(report_rua_read(arena, bytes_from_cstr(cases[i].rua), targets, &n));
		for (size_t k = 0; k < n; k++) {
			buf_printf(&got, "%s%.*s", k ? " " : "", BYTES_FMT(targets[k].address));
			if (targets[k].size_max != UINT64_MAX)
				buf_printf(&got, "!%llu", (unsigned long long)targets[k].size_max);
			assert_true(bytes_ends(targets[k].address, targets[k].host));
		}
		assert_bytes_str(buf_bytes(&got), cases[i].want);
	}
}

static void no_more_addresses_are_taken_than_there_is_room_for(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf rua = BUF_INIT(100000);
	struct report_target targets[REPORT_RUA_MAX];
	size_t n;
	for (int i = 0; i < 1000; i++)
		buf_printf(&rua, "mailto:a%d@example.com,", i);
	assert_ok(report_rua_read(arena, buf_bytes(&rua), targets, &n));
	assert_int_equal(n, REPORT_RUA_MAX);
}

static void an_outsider_is_asked_under_its_own_name(void **state)
{
	(void)state;
	struct bytes name;
	char label[64], longest[260];
	assert_ok(report_external_question(arena, BYTES_LIT("Blue.Example.com"), BYTES_LIT("red.example.NET"), &name));
	assert_bytes_str(name, "blue.example.com._report._dmarc.red.example.net");
	memset(label, 'a', 63);
	label[63] = '\0';
	(void)snprintf(longest, sizeof(longest), "%s.%s.%s", label, label, label);
	assert_ok(report_external_question(arena, bytes_from_cstr(longest), BYTES_LIT("red.example.net"), &name));
	assert_int_equal(report_external_question(arena, bytes_from_cstr(longest), bytes_from_cstr(longest), &name),
			 ERR_LIMIT);
	assert_int_equal(report_external_question(arena, BYTES_LIT("a b"), BYTES_LIT("red.example.net"), &name),
			 ERR_SYNTAX);
	assert_int_equal(report_external_question(arena, BYTES_LIT("a.example"), BYTES_LIT(""), &name), ERR_SYNTAX);
}

static void an_outsider_agrees_by_a_record_and_may_name_its_own_address(void **state)
{
	(void)state;
	static const struct {
		const char *txt;
		enum err err;
		const char *address;
	} cases[] = {
		{"v=DMARC1", ERR_OK, "asked@red.example.net"},
		{"v=DMARC1;", ERR_OK, "asked@red.example.net"},
		{"v=DMARC1; rua=mailto:x@RED.example.net", ERR_OK, "x@RED.example.net"},
		{"v = DMARC1 ; rua = mailto:y@blue.example , mailto:x@red.example.net!5k", ERR_OK, "x@red.example.net"},
		{"v=DMARC1; rua=mailto:y@blue.example", ERR_DENIED, NULL},
		{"v=DMARC1; rua=mailto:y@mx.red.example.net", ERR_DENIED, NULL},
		{"rua=mailto:x@red.example.net; v=DMARC1", ERR_SYNTAX, NULL},
		{"v=DMARC12", ERR_SYNTAX, NULL},
		{"v=spf1 -all", ERR_SYNTAX, NULL},
		{"", ERR_SYNTAX, NULL},
	};
	const struct report_target asked = {
		.address = BYTES_LIT("asked@red.example.net"), .host = BYTES_LIT("red.example.net"), .size_max = 7};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct report_target target;
		assert_int_equal(report_external_read(arena, bytes_from_cstr(cases[i].txt), &asked, &target),
				 cases[i].err);
		if (cases[i].address) {
			assert_bytes_str(target.address, cases[i].address);
			assert_int_equal(target.size_max, 7);
		}
	}
}

/* RFC 9990, 4: at home without a question, outside only where its DNS agrees, and not now where that does not answer.
 */
static void who_may_be_written_to_is_what_the_dns_says(void **state)
{
	(void)state;
	static const struct dns_row rows[] = {
		{DNS_TXT, "_dmarc.org.example", "v=DMARC1; p=none", 0},
		{DNS_TXT, "_dmarc.other.example", "v=DMARC1; p=none", 0},
		{DNS_TXT, "org.example._report._dmarc.agrees.example", "v=DMARC1", 0},
		{DNS_TXT, "org.example._report._dmarc.moved.example", "v=DMARC1; rua=mailto:new@moved.example", 0},
		{DNS_TXT, "org.example._report._dmarc.abuse.example", "v=DMARC1; rua=mailto:victim@org.example", 0},
		{DNS_TXT, "org.example._report._dmarc.words.example", "v=spf1 -all", 0},
		{DNS_TXT, "org.example._report._dmarc.two.example", "v=spf1 -all", 0},
		{DNS_TXT, "org.example._report._dmarc.two.example", "v=DMARC1;", 0},
		{DNS_TXT, "org.example._report._dmarc.down.example", NULL, 0},
		{DNS_TXT, "_dmarc.gone.example", NULL, 0},
	};
	static const struct {
		const char *address;
		enum report_wish wish;
		const char *to;
	} cases[] = {
		{"a@org.example", REPORT_WISH_YES, "a@org.example"},
		{"a@sub.org.example", REPORT_WISH_YES, "a@sub.org.example"},
		{"a@ORG.example", REPORT_WISH_YES, "a@ORG.example"},
		{"a@agrees.example", REPORT_WISH_YES, "a@agrees.example"},
		{"a@moved.example", REPORT_WISH_YES, "new@moved.example"},
		{"a@two.example", REPORT_WISH_YES, "a@two.example"},
		{"a@abuse.example", REPORT_WISH_NO, "a@abuse.example"},
		{"a@words.example", REPORT_WISH_NO, "a@words.example"},
		{"a@silent.example", REPORT_WISH_NO, "a@silent.example"},
		{"a@notorg.example", REPORT_WISH_NO, "a@notorg.example"},
		{"a@down.example", REPORT_WISH_UNKNOWN, "a@down.example"},
		{"a@gone.example", REPORT_WISH_UNKNOWN, "a@gone.example"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_table *table = arena_new(arena, struct dns_table, 1);
		*table = (struct dns_table){.rows = rows, .n_rows = ARRAY_LEN(rows), .arena = arena, .late = true};
		struct dns_host host = dns_table_host(table);
		struct report_target target = {.address = bytes_from_cstr(cases[i].address), .size_max = UINT64_MAX};
		struct report_target real;
		enum report_wish wish;
		int waits = 0;
		target.host = bytes_from(target.address, 2);
		while ((wish = report_wish_ask(arena, &host, DMARC_RFC9989, BYTES_LIT("org.example"), &target,
					       &real)) == REPORT_WISH_WAIT)
			assert_true(waits++ < 20);
		if (wish != cases[i].wish)
			fail_msg("%s: %d", cases[i].address, (int)wish);
		assert_bytes_str(real.address, cases[i].to);
	}
}

static void the_policy_is_shown_as_it_was_found(void **state)
{
	(void)state;
	struct dmarc_record record;
	struct dmarc_result result = {.policy_domain = BYTES_LIT("Sender.Example"), .record = &record};
	struct report_policy policy;
	assert_ok(dmarc_record_read(
		arena, BYTES_LIT("v=DMARC1; p=reject; np=none; adkim=s; t=y; fo=1:d; ruf=mailto:a@b.example"),
		DMARC_RFC9989, &record));
	assert_ok(report_policy_of(arena, &result, DMARC_RFC9989, &policy));
	assert_bytes_str(policy.domain, "sender.example");
	assert_bytes_str(policy.p, "reject");
	assert_null(policy.sp.ptr);
	assert_bytes_str(policy.np, "none");
	assert_bytes_str(policy.adkim, "s");
	assert_bytes_str(policy.aspf, "r");
	assert_bytes_str(policy.testing, "y");
	assert_bytes_str(policy.fo, "1:d");
	assert_bytes_str(policy.discovery_method, "treewalk");
	assert_ok(report_policy_of(arena, &result, DMARC_RFC7489, &policy));
	assert_bytes_str(policy.discovery_method, "psl");
}

static void the_message_is_what_rfc_9990_describes(void **state)
{
	(void)state;
	struct report_dmarc report = {.email = BYTES_LIT("dmarc@mx.receiver.example"),
				      .begin = 1790035200,
				      .end = 1790121599,
				      .policy = {.domain = BYTES_LIT("sender.example")}};
	struct bytes receiver = BYTES_LIT("mx.receiver.example"), host = BYTES_LIT("one.receiver.example"), name,
		     subject;
	struct report_mail mail = {
		.report = &report, .receiver = receiver, .to = BYTES_LIT("rua@sender.example"), .date = 1790125000};
	CLEANUP(buf_done) struct buf out = BUF_INIT(100000);
	struct message *message;
	uint8_t data[1000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_ok(report_id_make(arena, receiver, host, report.policy.domain, report.begin, &report.report_id));
	assert_int_equal(report.report_id.len, 32);
	assert_ok(report_filename(arena, receiver, &report, &mail.filename));
	name = arena_printf(arena, "mx.receiver.example!sender.example!1790035200!1790121599!%.*s.xml.gz",
			    BYTES_FMT(report.report_id));
	subject = arena_printf(arena, "Report Domain: sender.example Submitter: mx.receiver.example Report-ID: <%.*s>",
			       BYTES_FMT(report.report_id));
	assert_bytes(mail.filename, name);
	for (size_t len = 0; len < sizeof(data); len += len < 200 ? 1 : 100) {
		mail.gzip = bytes_make(data, len);
		buf_clear(&out);
		assert_ok(report_mail_write(&mail, &out));
		assert_ok(message_parse(arena, buf_bytes(&out), &mime_limits_default, &message));
		assert_bytes(message->subject, subject);
		assert_true(bytes_starts(message->message_id, report.report_id));
		assert_bytes_str(message->to.items[0].address, "rua@sender.example");
		assert_bytes_str(message->from.items[0].address, "dmarc@mx.receiver.example");
		assert_int_equal(message->date, 1790125000);
		assert_int_equal(message->defects.count, 0);
		assert_int_equal(message->tree.n_parts, 3);
		const struct mime_part *part = message->tree.parts[2];
		assert_bytes_str(part->type, "application/gzip");
		assert_bytes(part->names[0].text, mail.filename);
		assert_bytes(part->content, mail.gzip);
	}
	mail.to = BYTES_LIT("rua@sender.example>\r\nBcc: <x@y");
	assert_int_equal(report_mail_write(&mail, &out), ERR_SYNTAX);
	report.policy.domain = BYTES_LIT("../etc");
	assert_int_equal(report_filename(arena, receiver, &report, &mail.filename), ERR_SYNTAX);
}

/* RFC 9990, 3.1.4 and 3.5.1: unique among the reports to a domain, and the same each time that one is sent. */
static void the_id_of_a_report_tells_hosts_domains_and_days_apart(void **state)
{
	(void)state;
	static const struct {
		const char *receiver, *host, *domain;
		int64_t begin;
	} cases[] = {{"mx.example", "one", "a.example", 0}, {"mx.example", "two", "a.example", 0},
		     {"mx.example", "one", "b.example", 0}, {"mx.example", "one", "a.example", 86400},
		     {"my.example", "one", "a.example", 0}, {"mx.example", "", "a.example", 0}};
	struct bytes ids[ARRAY_LEN(cases)], again;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes receiver = bytes_from_cstr(cases[i].receiver), host = bytes_from_cstr(cases[i].host),
			     domain = bytes_from_cstr(cases[i].domain);
		assert_ok(report_id_make(arena, receiver, host, domain, cases[i].begin, &ids[i]));
		assert_ok(report_id_make(arena, receiver, host, domain, cases[i].begin, &again));
		assert_bytes(again, ids[i]);
		for (size_t k = 0; k < i; k++)
			assert_false(bytes_eq(ids[i], ids[k]));
	}
	assert_int_equal(report_id_make(arena, BYTES_LIT("a b"), BYTES_LIT(""), BYTES_LIT("c.example"), 0, &again),
			 ERR_SYNTAX);
}

static const struct CMUnitTest tests[] = {
	TEST(addresses_of_rua_are_those_that_can_be_written_to),
	TEST(no_more_addresses_are_taken_than_there_is_room_for),
	TEST(an_outsider_is_asked_under_its_own_name),
	TEST(an_outsider_agrees_by_a_record_and_may_name_its_own_address),
	TEST(who_may_be_written_to_is_what_the_dns_says),
	TEST(the_policy_is_shown_as_it_was_found),
	TEST(the_message_is_what_rfc_9990_describes),
	TEST(the_id_of_a_report_tells_hosts_domains_and_days_apart),
};
UNIT_MAIN(tests)
