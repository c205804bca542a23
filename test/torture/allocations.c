/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of a piece of work fails once, alone and then with all that follow it. The work must end with an
 * error or with what it gives otherwise, never with something else, and leak nothing.
 */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "conf/settings.h"
#include "profile/relations.h"
#include "proto/http.h"
#include "proto/milter.h"
#include "proto/rspamd.h"
#include "proto/smtp.h"
#include "proto/spamd.h"
#include "scan/release.h"
#include "scan/scan.h"
#include "wire/envelope.h"
#include "wire/wire.h"

#define POINTS_MAX 5000 /* allocations of one piece of work */

/* Runs `work` until none of its allocations is left to fail. */
static void torture(void (*work)(bool may_fail))
{
	work(false);
	for (int sticky = 0; sticky < 2; sticky++) {
		uint64_t nth = 1, asked;
		do {
			uint64_t before = mem_count();
			mem_fail_after(nth, sticky);
			work(true);
			mem_fail_after(0, 0);
			asked = mem_count() - before;
			assert_true(nth < POINTS_MAX);
		} while (asked >= nth++);
		assert_true(nth > 2); /* else nothing was asked for, and nothing shown */
	}
}

/* -- conf ---- */

static void read_settings(bool may_fail)
{
	static const char text[] = "state_dir: /srv/p\nsmtp: { listen: 127.0.0.1:11341, next_hop: 127.0.0.1:10025 }\n"
				   "trusted_networks: [192.0.2.0/24, \"2001:db8::/32\"]\nactions: { spam: reject }\n"
				   "recipients:\n  - match: [\"postmaster@*\"]\n    spam: deliver\n";
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct settings settings;
	struct settings_origin origin = {0};
	struct conf_errors errors = {0};
	if (!arena)
		return;
	if (!settings_parse(arena, bytes_from_cstr(text), &settings, &origin, &errors)) {
		assert_true(may_fail);
		assert_true(errors.count > 0);
		return;
	}
	assert_bytes_str(settings.state_dir, "/srv/p");
	assert_bytes_str(settings.smtp_next_hop, "127.0.0.1:10025");
	assert_int_equal(settings.trusted_networks.count, 2);
	assert_int_equal(settings.actions.spam, SET_REJECT);
	assert_int_equal(settings.recipients.count, 1);
}

static void a_configuration_is_read_whole_or_not_at_all(void **state)
{
	(void)state;
	torture(read_settings);
}

static void write_sample(bool may_fail)
{
	CLEANUP(buf_done) struct buf sample = BUF_INIT(1 << 20);
	settings_sample(&sample);
	if (buf_err(&sample) == ERR_OK)
		assert_true(bytes_find(buf_bytes(&sample), BYTES_LIT("trace")) != BYTES_NONE);
	else
		assert_true(may_fail && buf_err(&sample) == ERR_NOMEM);
}

static void a_sample_is_written_whole_or_says_so(void **state)
{
	(void)state;
	torture(write_sample);
}

/* -- wire ---- */

static void encode_and_decode(bool may_fail)
{
	static struct bytes recipients[] = {{(const uint8_t *)"a@example.org", 13},
					    {(const uint8_t *)"b@example.org", 13}};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 16);
	struct scan_envelope in = {.frontend = BYTES_LIT("smtp"), .recipients = recipients, .n_recipients = 2}, out;
	struct wire_any any = {.type = WIRE_STORED, .stored = {.id = 7, .reason = BYTES_LIT("no")}};
	int64_t now;
	wire_encode(&buf, &any);
	envelope_encode(&buf, &in, 1);
	if (!arena || buf_err(&buf) != ERR_OK) {
		assert_true(may_fail);
		return;
	}
	assert_ok(wire_decode(bytes_sub(buf_bytes(&buf), 0, 2 + 8 + 1 + 4 + 2), &any));
	enum err err = envelope_decode(arena, bytes_from(buf_bytes(&buf), 2 + 8 + 1 + 4 + 2), &out, &now);
	assert_true(err == ERR_OK || (may_fail && err == ERR_NOMEM));
	if (err == ERR_OK)
		assert_bytes_str(out.recipients[1], "b@example.org");
}

static void what_processes_say_is_whole_or_not_said(void **state)
{
	(void)state;
	torture(encode_and_decode);
}

/* -- scan ---- */

static const char phish[] =
	"Received: from mx.example.org (mx.example.org [192.0.2.7]) by gate.example.net; Tue, 24 Nov 2026 12:00:00 "
	"+0000\r\n"
	"From: \"=?utf-8?q?P=C3=A5yPal?= security@bank.example\" <a@example.org>\r\nTo: b@example.net\r\n"
	"Reply-To: c@example.com\r\nSubject: Re: VERIFY YOUR A C C O U N T =?iso-2022-jp?b?GyRCRnxLXBsoQg==?= !!!\r\n"
	"Date: Tue, 24 Nov 2027 12:00:00 +0000\r\nMessage-ID: <x>\r\nX-Postern-Release: v1 ID TOKEN\r\n"
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
	"--c\r\nContent-Type: text/plain; charset=shift_jis\r\n\r\nhello \x93\xfa\x96\x7b http://example.org/\r\n"
	"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
	"--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><style>p{display:none}</style><script>x</script>"
	"<a href=\"http://0x7f.1:8080\\@evil.example/bank.example.com\">http://bank.example.com</a><form><input "
	"type=password></form><p>hidden</p><iframe src=x></iframe>\r\n--c--\r\n"
	"--b\r\nContent-Type: application/pdf; name*0=\"invoice.pdf   \"; name*1=\".exe\"\r\n"
	"Content-Disposition: attachment; filename=\"invoice.txt.exe\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	"TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAA=\r\n--b--\r\n";

/* With the test string, which is spam by itself, and without. */
static struct bytes message;
static struct scan_plan *plan;
static struct buf expected = BUF_INIT((size_t)1 << 20);

/* Class, sum and what was found: sentences may be shorter when memory is. */
static void sum_up(struct buf *buf, const struct verdict *verdict)
{
	buf_printf(buf, "%s %d", verdict_class_name(verdict->class), verdict->log_odds);
	for (size_t i = 0; i < verdict->n_evidence; i++)
		buf_printf(buf, " %s", verdict->evidence[i].check->symbol);
	assert_ok(buf_err(buf));
}

/*
 * The verdict is the same, or, when memory was short, one that delivers nothing: what was not looked at for want of
 * memory is not clean.
 */
static void compare_verdict(const struct verdict *verdict, bool may_fail)
{
	CLEANUP(buf_done) struct buf got = BUF_INIT((size_t)1 << 20);
	mem_fail_after(0, 0);
	sum_up(&got, verdict);
	if (expected.len == 0)
		sum_up(&expected, verdict);
	if (bytes_eq(buf_bytes(&got), buf_bytes(&expected)))
		return;
	assert_true(may_fail);
	if (verdict->action != ACTION_QUARANTINE)
		print_error("%.*s\n%.*s\n", BYTES_FMT(buf_bytes(&got)), BYTES_FMT(buf_bytes(&expected)));
	assert_int_equal(verdict->action, ACTION_QUARANTINE);
}

static void judge(bool may_fail)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct scan_case scan_case = {.message = message, .settings = scan_settings_default};
	struct scan *scan;
	if (!arena)
		return;
	if (fact_set(arena, &scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1795521600")) !=
		    ERR_OK ||
	    scan_new(arena, plan, &scan_case, &scan) != ERR_OK || scan_parse(scan) != ERR_OK) {
		assert_true(may_fail);
		return;
	}
	for (int round = 0; scan_run(scan) == SCAN_WAIT; round++) {
		const struct fact *question;
		size_t at = 0;
		assert_true(round < 10);
		while ((question = scan_question(scan, &at)) != NULL)
			if (scan_answer(scan, question->kind, question->key, FACT_NEGATIVE, (struct bytes){0}) !=
			    ERR_OK) {
				assert_true(may_fail);
				return;
			}
	}
	compare_verdict(scan_verdict(scan), may_fail);
}

static struct bytes without_string(struct arena *arena)
{
	struct bytes all = bytes_from_cstr(phish);
	size_t at = bytes_find(all, BYTES_LIT("XJS*C4"));
	return arena_printf(arena, "%.*s%.*s", BYTES_FMT(bytes_sub(all, 0, at)), BYTES_FMT(bytes_from(all, at + 68)));
}

static void a_message_judged_short_of_memory_is_never_let_through_for_it(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	(void)state;
	assert_ok(plan_new(arena, &plan, NULL));
	for (int with_string = 0; with_string < 2; with_string++) {
		message = with_string ? bytes_from_cstr(phish) : without_string(arena);
		torture(judge);
		buf_done(&expected);
	}
}

static void budget_of(size_t budget)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(budget);
	CLEANUP(arena_free) struct arena *facts = arena_create(SIZE_MAX);
	struct scan_case scan_case = {.message = message, .settings = scan_settings_default};
	struct scan *scan;
	char hash[DIGEST_SHA256_HEX];
	assert_ok(fact_set(facts, &scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT("1795521600")));
	/* Settled beforehand, so that no question stands between. */
	assert_true(release_body_hash(facts, scan_case.message, hash));
	assert_ok(fact_set(facts, &scan_case.facts, FACT_RELEASE, arena_printf(facts, "ID TOKEN %s", hash),
			   FACT_NEGATIVE, (struct bytes){0}));
	if (scan_new(arena, plan, &scan_case, &scan) != ERR_OK || scan_parse(scan) != ERR_OK)
		return;
	assert_int_equal(scan_run(scan), SCAN_DONE);
	compare_verdict(scan_verdict(scan), true);
}

static void nor_is_one_that_uses_up_its_budget(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	(void)state;
	assert_ok(plan_new(arena, &plan, NULL));
	for (int with_string = 0; with_string < 2; with_string++) {
		message = with_string ? bytes_from_cstr(phish) : without_string(arena);
		budget_of((size_t)64 << 20);
		for (size_t budget = 0; budget < (size_t)1 << 20; budget += 509)
			budget_of(budget);
		buf_done(&expected);
	}
}

static void read_case(bool may_fail)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf file = BUF_INIT((size_t)1 << 20);
	struct bytes recipients[] = {BYTES_LIT("a@example.org"), BYTES_LIT("b@example.org")};
	struct scan_network trusted[] = {{{1, 2, 3}, 24}};
	struct scan_case in = {.message = bytes_from_cstr(phish),
			       .envelope = {.recipients = recipients, .n_recipients = 2},
			       .settings = scan_settings_default},
			 out;
	in.settings.trusted = trusted;
	in.settings.n_trusted = 1;
	case_write(&file, &in);
	if (!arena || buf_err(&file) != ERR_OK) {
		assert_true(may_fail);
		return;
	}
	struct error error = {0};
	if (case_read(arena, buf_bytes(&file), &out, &error) != ERR_OK) {
		assert_true(may_fail);
		assert_int_equal(error.code, ERR_NOMEM);
		return;
	}
	assert_bytes(out.message, in.message);
	assert_int_equal(out.envelope.n_recipients, 2);
	assert_int_equal(out.settings.n_trusted, 1);
}

static void a_case_is_read_whole_or_not_at_all(void **state)
{
	(void)state;
	torture(read_case);
}

/* -- proto: a conversation, cut into pieces, so that what is in progress must be kept ---- */

/* An error that is no memory's is wrong; ends the conversation as the daemon does. */
static bool goes_on(enum err err, bool may_fail)
{
	if (err == ERR_AGAIN)
		return true;
	assert_true(may_fail);
	assert_int_equal(err, ERR_NOMEM);
	return false;
}

static void speak_smtp(bool may_fail)
{
	static const char dialog[] = "EHLO mx.example.org\r\nMAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME\r\n"
				     "RCPT TO:<b@example.org> NOTIFY=NEVER ORCPT=rfc822;b+2B@example.org\r\n"
				     "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
	const struct smtp_limits limits = SMTP_LIMITS_DEFAULT;
	struct smtp smtp;
	size_t ends = 0;
	smtp_init(&smtp, &limits);
	for (size_t at = 0; at < sizeof(dialog) - 1; at += 7) {
		struct smtp_event event;
		enum err err;
		smtp_feed(&smtp, bytes_sub(bytes_from_cstr(dialog), at, 7));
		while ((err = smtp_next(&smtp, &event)) == ERR_OK) {
			if (event.kind == SMTP_COMMAND && event.verb == SMTP_DATA)
				smtp_begin_data(&smtp);
			ends += event.kind == SMTP_END;
		}
		if (!goes_on(err, may_fail)) {
			smtp_done(&smtp);
			return;
		}
	}
	assert_int_equal(ends, 1);
	smtp_done(&smtp);
}

static void speak_milter(bool may_fail)
{
	static const uint8_t packets[] = "\0\0\0\x0dO\0\0\0\x06\0\0\0\xff\0\x1f\xff\xff"
					 "\0\0\0\x15"
					 "Cmx.example\0"
					 "4\0\x19"
					 "1.2.3\0"
					 "\0\0\0\x04Hmx\0"
					 "\0\0\0\x05M<a>\0";
	struct milter milter;
	size_t events = 0;
	milter_init(&milter);
	for (size_t at = 0; at < sizeof(packets) - 1; at += 5) {
		struct milter_event event;
		enum err err;
		milter_feed(&milter, bytes_sub(bytes_make(packets, sizeof(packets) - 1), at, 5));
		while ((err = milter_next(&milter, &event)) == ERR_OK)
			events++;
		if (!goes_on(err, may_fail)) {
			milter_done(&milter);
			return;
		}
	}
	assert_int_equal(events, 4);
	milter_done(&milter);
}

static void speak_spamd(bool may_fail)
{
	static const char dialog[] = "CHECK SPAMC/1.5\r\nUser: u\r\nContent-length: 14\r\n\r\nSubject: x\r\n\r\n";
	const struct spamd_limits limits = SPAMD_LIMITS_DEFAULT;
	struct spamd spamd;
	size_t ends = 0;
	spamd_init(&spamd, &limits);
	for (size_t at = 0; at < sizeof(dialog) - 1; at += 9) {
		struct spamd_event event;
		enum err err;
		spamd_feed(&spamd, bytes_sub(bytes_from_cstr(dialog), at, 9));
		while ((err = spamd_next(&spamd, &event)) == ERR_OK)
			ends += event.kind == SPAMD_END;
		if (!goes_on(err, may_fail)) {
			spamd_done(&spamd);
			return;
		}
	}
	assert_int_equal(ends, 1);
	spamd_done(&spamd);
}

static void speak_http(bool may_fail)
{
	static const char dialog[] = "POST /checkv2?x=1 HTTP/1.1\r\nHost: x\r\nFrom: <a@example.org>\r\n"
				     "Rcpt: b@example.org\r\nRcpt: c@example.org\r\nIP: 192.0.2.7\r\nSubject: a%20b\r\n"
				     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	const struct http_limits limits = HTTP_LIMITS_DEFAULT;
	static struct http http;
	size_t heads = 0;
	if (!arena)
		return;
	http_init(&http, &limits);
	for (size_t at = 0; at < sizeof(dialog) - 1; at += 11) {
		struct http_event event;
		enum err err;
		http_feed(&http, bytes_sub(bytes_from_cstr(dialog), at, 11));
		while ((err = http_next(&http, &event)) == ERR_OK) {
			struct rspamd_request request;
			if (event.kind != HTTP_HEAD)
				continue;
			heads++;
			err = rspamd_request_parse(arena, &event.request, &request);
			assert_true(err == ERR_OK || (may_fail && err == ERR_NOMEM));
			if (err == ERR_OK)
				assert_int_equal(request.n_recipients, 2);
		}
		if (!goes_on(err, may_fail)) {
			http_done(&http);
			return;
		}
	}
	assert_int_equal(heads, 1);
	http_done(&http);
}

static void a_conversation_ends_with_no_memory_or_goes_on_as_if_nothing_were(void **state)
{
	(void)state;
	torture(speak_smtp);
	torture(speak_milter);
	torture(speak_spamd);
	torture(speak_http);
}

/* -- profile ---- */

static void keep_relations(bool may_fail)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(relations_free) struct relations *relations = NULL, *again = NULL;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20), line = BUF_INIT(RELATIONS_QUERY_MAX);
	struct relations_query query = {.org = BYTES_LIT("ours.example"), .author = BYTES_LIT("bob@firm.example")}, got;
	struct relations_answer answer;
	struct relations_writer writer;
	struct error error;
	enum err err = relations_create(1 << 16, (struct hash_key){1, 2}, &relations);
	if (!arena || err != ERR_OK) {
		assert_true(may_fail && (!arena || err == ERR_NOMEM));
		return;
	}
	relations_query_pack(&line, &query);
	err = buf_err(&line) != ERR_OK ? buf_err(&line) : relations_query_unpack(arena, buf_bytes(&line), &got);
	if (err != ERR_OK) {
		assert_true(may_fail && err == ERR_NOMEM);
		return;
	}
	relations_learn(relations, &got, RELATIONS_WANTED, 1768478400);
	relations_snapshot_begin(relations, 1768478400, &writer);
	while (relations_snapshot_next(&writer, &file))
		;
	err = buf_err(&file) != ERR_OK ? buf_err(&file)
				       : relations_snapshot_read(buf_bytes(&file), 1 << 16, &again, &error);
	if (err != ERR_OK) {
		assert_true(may_fail && err == ERR_NOMEM && !again);
		return;
	}
	relations_ask(again, &query, 1768478400, &answer);
	assert_int_equal(answer.address.days, 1);
}

static void relations_are_kept_whole_or_not_at_all(void **state)
{
	(void)state;
	torture(keep_relations);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(relations_are_kept_whole_or_not_at_all),
	cmocka_unit_test(a_configuration_is_read_whole_or_not_at_all),
	cmocka_unit_test(a_sample_is_written_whole_or_says_so),
	cmocka_unit_test(what_processes_say_is_whole_or_not_said),
	cmocka_unit_test(a_message_judged_short_of_memory_is_never_let_through_for_it),
	cmocka_unit_test(nor_is_one_that_uses_up_its_budget),
	cmocka_unit_test(a_case_is_read_whole_or_not_at_all),
	cmocka_unit_test(a_conversation_ends_with_no_memory_or_goes_on_as_if_nothing_were),
};

UNIT_MAIN(tests)
