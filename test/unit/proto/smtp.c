/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "log.h"

/* The first event of one command line. */
static struct smtp_event parse_line(struct smtp *smtp, const char *line)
{
	static const struct smtp_limits limits = SMTP_LIMITS_DEFAULT;
	struct smtp_event event;
	smtp_init(smtp, &limits);
	smtp_feed(smtp, bytes_from_cstr(line));
	assert_ok(smtp_next(smtp, &event));
	assert_int_equal(event.kind, SMTP_COMMAND);
	return event;
}

static void reads_paths(void **state)
{
	static const struct {
		const char *line, *path; /* NULL: refused */
	} cases[] = {
		{"MAIL FROM:<>\r\n", ""},
		{"MAIL FROM:<a@example.com>\r\n", "a@example.com"},
		{"mail from: <a@example.com>\r\n", "a@example.com"},
		{"RCPT TO:<postmaster>\r\n", "postmaster"},
		{"RCPT TO:<\"a b\\\"@c\"@example.com>\r\n", "\"a b\\\"@c\"@example.com"},
		{"RCPT TO:<@a.example,@b.example:c@d.example>\r\n", "c@d.example"},
		{"RCPT TO:<c@[192.0.2.1]>\r\n", "c@[192.0.2.1]"},
		{"RCPT TO:<c@[IPv6:2001:db8::1]>\r\n", "c@[IPv6:2001:db8::1]"},
		{"RCPT TO:<\xe7\x94\xb0\xe4\xb8\xad@\xe4\xbe\x8b.example>\r\n",
		 "\xe7\x94\xb0\xe4\xb8\xad@\xe4\xbe\x8b.example"},
		{"RCPT TO:<a+b/c=d!e@x-y_z.example>\r\n", "a+b/c=d!e@x-y_z.example"},
		{"RCPT TO:<>\r\n", NULL},
		{"RCPT TO:a@example.com\r\n", NULL},
		{"RCPT TO:<a@example.com\r\n", NULL},
		{"RCPT TO:<a@>\r\n", NULL},
		{"RCPT TO:<@example.com>\r\n", NULL},
		{"RCPT TO:<a..b@example.com>\r\n", NULL},
		{"RCPT TO:<.a@example.com>\r\n", NULL},
		{"RCPT TO:<a b@example.com>\r\n", NULL},
		{"RCPT TO:<a@exa mple.com>\r\n", NULL},
		{"RCPT TO:<a@example..com>\r\n", NULL},
		{"RCPT TO:<\"a@example.com>\r\n", NULL},
		{"RCPT TO:<@a.example,:c@d.example>\r\n", NULL},
		{"RCPT TO:<a@b@c>\r\n", NULL},
		{"RCPT TO:<a@example.com>x\r\n", NULL},
		{"RCPT FROM:<a@example.com>\r\n", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp smtp;
		struct smtp_event event = parse_line(&smtp, cases[i].line);
		if (cases[i].path) {
			assert_null(event.fault);
			assert_bytes_str(event.path, cases[i].path);
			assert_int_equal(event.path_utf8, !!strchr(cases[i].path, '\xe7'));
		} else {
			assert_memory_equal(event.fault, "501 5.", 6);
		}
		smtp_done(&smtp);
	}
}

static void reads_parameters(void **state)
{
	struct smtp smtp;
	struct smtp_event event =
		parse_line(&smtp, "MAIL FROM:<a@b> SIZE=1000 BODY=8bitmime SMTPUTF8 RET=hdrs ENVID=Q+2B1 "
				  "AUTH=<>\r\n");
	(void)state;
	assert_null(event.fault);
	assert_true(event.parameters.has_size && event.parameters.utf8);
	assert_int_equal(event.parameters.size, 1000);
	assert_int_equal(event.parameters.body, SMTP_BODY_8BITMIME);
	assert_bytes_str(event.parameters.ret, "hdrs");
	assert_bytes_str(event.parameters.envid, "Q+2B1");
	assert_bytes_str(event.parameters.auth, "<>");
	assert_bytes_str(event.parameters.text, "SIZE=1000 BODY=8bitmime SMTPUTF8 RET=hdrs ENVID=Q+2B1 AUTH=<>");
	smtp_done(&smtp);
	event = parse_line(&smtp, "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+40y\r\n");
	assert_null(event.fault);
	assert_int_equal(event.parameters.notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY);
	assert_bytes_str(event.parameters.orcpt, "rfc822;x+40y");
	smtp_done(&smtp);
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		const char *line, *fault;
	} cases[] = {
		{"MAIL FROM:<a@b> SIZE=x\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> SIZE=1 SIZE=2\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> SIZE=99999999999999999999\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> BODY=9BIT\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> SMTPUTF8=1\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> RET=ALL\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> ENVID=a+2\r\n", "501 5.5.4"},
		{"MAIL FROM:<a@b> NOTIFY=NEVER\r\n", "555 5.5.4"},
		{"RCPT TO:<a@b> NOTIFY=NEVER,DELAY\r\n", "501 5.5.4"},
		{"RCPT TO:<a@b> NOTIFY=\r\n", "501 5.5.4"},
		{"RCPT TO:<a@b> NOTIFY=DELAY,\r\n", "501 5.5.4"},
		{"RCPT TO:<a@b> ORCPT=x\r\n", "501 5.5.4"},
		{"RCPT TO:<a@b> SIZE=1\r\n", "555 5.5.4"},
		{"EHLO\r\n", "501 5.5.4"},
		{"EHLO a b\r\n", "501 5.5.4"},
		{"DATA x\r\n", "501 5.5.4"},
		{"BDAT\r\n", "501 5.5.4"},
		{"BDAT 5 FIRST\r\n", "501 5.5.4"},
		{"BDAT 5 LAST LAST\r\n", "501 5.5.4"},
		{"VRFY\r\n", "501 5.5.4"},
		{"BOGUS\r\n", "500 5.5.2"},
		{"\r\n", "500 5.5.2"},
		{" EHLO a\r\n", "500 5.5.2"},
		{"NOOP \x01\r\n", "500 5.5.2"},
		{"EHLO \xff\r\n", "500 5.5.2"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp smtp;
		struct smtp_event event = parse_line(&smtp, cases[i].line);
		assert_non_null(event.fault);
		assert_memory_equal(event.fault, cases[i].fault, strlen(cases[i].fault));
		smtp_done(&smtp);
	}
}

/* A stream of which nobody can tell where a command ends is not read on. */
static void gives_up_on_other_protocols(void **state)
{
	static const char *const cases[] = {
		"EHLO a\nMAIL FROM:<a@b>\r\n", "EHLO a\rb\r\n", "NOOP\r\r\n", "GET / HTTP/1.1\r\n",
		"post /x HTTP/1.0\r\n",        "\x16\x03\x01",  "\n",         "--x\r\n"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const struct smtp_limits limits = SMTP_LIMITS_DEFAULT;
		struct smtp smtp;
		struct smtp_event event;
		smtp_init(&smtp, &limits);
		smtp_feed(&smtp, bytes_from_cstr(cases[i]));
		assert_int_equal(smtp_next(&smtp, &event), ERR_SYNTAX);
		smtp_feed(&smtp, BYTES_LIT("QUIT\r\n"));
		assert_int_equal(smtp_next(&smtp, &event), ERR_SYNTAX);
		smtp_done(&smtp);
	}
}

static const char dialog[] = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
			     "Subject: x\r\n\r\n..dot\r\nlone\n.\r\nend\r\n.\r\n"
			     "AUTH PLAIN\r\nAGEAYg==\r\nDATA\r\nNOOP\r\nBDAT 5\r\na\r\nb.BDAT 2 LAST\r\n\r\nQUIT\r\n";
static const char dialog_log[] = "\nEHLO  line=\"EHLO a\" argument=\"a\" 0/0/0/0/0 0/0"
				 "\nMAIL  line=\"MAIL FROM:<a@b>\" argument=\"FROM:<a@b>\" path=\"a@b\" 0/0/0/0/0 0/0"
				 "\nRCPT  line=\"RCPT TO:<c@d>\" argument=\"TO:<c@d>\" path=\"c@d\" 0/0/0/0/0 0/0"
				 "\nDATA  line=\"DATA\" argument=\"\" 0/0/0/0/0 0/0"
				 "Subject: x\r\n\r\n.dot\r\nlone\n.\r\nend\r\n"
				 "\nend size=33 bare=0,1 longest=10"
				 "\nAUTH  line=\"AUTH PLAIN\" argument=\"PLAIN\" 0/0/0/0/0 0/0"
				 "\ntext line=\"AGEAYg==\""
				 "\nDATA  line=\"DATA\" argument=\"\" 0/0/0/0/0 0/0"
				 "\nNOOP  line=\"NOOP\" argument=\"\" 0/0/0/0/0 0/0"
				 "\nBDAT  line=\"BDAT 5\" argument=\"5\" 0/0/0/0/0 5/0a\r\nb."
				 "\nend size=33 bare=0,1 longest=10"
				 "\nBDAT  line=\"BDAT 2 LAST\" argument=\"2 LAST\" 0/0/0/0/0 2/1\r\n"
				 "\nend size=33 bare=0,1 longest=10"
				 "\nQUIT  line=\"QUIT\" argument=\"\" 0/0/0/0/0 0/0";

/* The second DATA is refused, so what follows it are commands. */
static void says_the_same_however_cut_or_held(void **state)
{
	static const struct smtp_limits limits = SMTP_LIMITS_DEFAULT;
	(void)state;
	for (unsigned seed = 0; seed < 40; seed++) {
		struct log log = {.text = BUF_INIT(100000), .hold = seed % 2};
		smtp_init(&log.smtp, &limits);
		assert_int_equal(unit_chunks(bytes_from_cstr(dialog), seed, log_smtp, &log), 0);
		assert_bytes_str(buf_bytes(&log.text), dialog_log);
		assert_int_equal(smtp_pending(&log.smtp), 0);
		smtp_done(&log.smtp);
		buf_done(&log.text);
	}
}

static void skips_a_line_that_is_too_long(void **state)
{
	static const struct smtp_limits limits = {.line_max = 20, .text_max = 30, .kept_max = 1000};
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct log log = {.text = BUF_INIT(100000)};
		smtp_init(&log.smtp, &limits);
		(void)unit_chunks(
			BYTES_LIT("NOOP 78901234567890123456789\r\nNOOP 789012345678\r\nNOOP 7890123456789\r\n"), seed,
			log_smtp, &log);
		assert_bytes_str(buf_bytes(&log.text), "\n 500 5.5.2 Line too long 0/0/0/0/0 0/0"
						       "\nNOOP  line=\"NOOP 789012345678\" argument=\"789012345678\" "
						       "0/0/0/0/0 0/0\nNOOP  line=\"NOOP 7890123456789\" "
						       "argument=\"7890123456789\" 0/0/0/0/0 0/0");
		smtp_done(&log.smtp);
		buf_done(&log.text);
	}
}

static void keeps_no_more_than_its_limit(void **state)
{
	static const struct smtp_limits limits = {.line_max = 20, .text_max = 30, .kept_max = 100};
	struct smtp smtp;
	struct smtp_event event;
	(void)state;
	smtp_init(&smtp, &limits);
	smtp_feed(&smtp, BYTES_LIT("DATA\r\nearly"));
	assert_ok(smtp_next(&smtp, &event));
	assert_int_equal(smtp_next(&smtp, &event), ERR_AGAIN);
	assert_int_equal(smtp_pending(&smtp), 5); /* a client that did not wait */
	for (int i = 0; i < 9; i++) {
		smtp_feed(&smtp, BYTES_LIT("0123456789"));
		assert_int_equal(smtp_next(&smtp, &event), ERR_AGAIN);
	}
	smtp_feed(&smtp, BYTES_LIT("0123456789"));
	assert_int_equal(smtp_next(&smtp, &event), ERR_LIMIT);
	smtp_done(&smtp);
}

static void having_no_memory_is_an_error_that_sticks(void **state)
{
	static const struct smtp_limits limits = SMTP_LIMITS_DEFAULT;
	struct smtp smtp;
	struct smtp_event event;
	(void)state;
	smtp_init(&smtp, &limits);
	mem_fail_after(1, 1);
	smtp_feed(&smtp, BYTES_LIT("NOOP\r\nQU"));
	assert_ok(smtp_next(&smtp, &event)); /* whole commands need none */
	assert_int_equal(smtp_next(&smtp, &event), ERR_NOMEM);
	mem_fail_after(0, 0);
	smtp_feed(&smtp, BYTES_LIT("IT\r\n"));
	assert_int_equal(smtp_next(&smtp, &event), ERR_NOMEM);
	smtp_done(&smtp);
}

static void reads_attributes_and_xtext(void **state)
{
	struct bytes rest = BYTES_LIT("NAME=a.example  ADDR=IPV6:::1 X HELO=[UNAVAILABLE]"), key, value;
	CLEANUP(buf_done) struct buf out = BUF_INIT(100);
	(void)state;
	assert_true(smtp_pair_next(&rest, &key, &value));
	assert_bytes_str(key, "NAME");
	assert_bytes_str(value, "a.example");
	assert_true(smtp_pair_next(&rest, &key, &value));
	assert_bytes_str(value, "IPV6:::1");
	assert_true(smtp_pair_next(&rest, &key, &value));
	assert_bytes_str(key, "X");
	assert_null(value.ptr);
	assert_true(smtp_pair_next(&rest, &key, &value));
	assert_bytes_str(value, "[UNAVAILABLE]");
	assert_false(smtp_pair_next(&rest, &key, &value));
	smtp_xtext_encode(&out, BYTES_LIT("a+b=c d\n"));
	assert_bytes_str(buf_bytes(&out), "a+2Bb+3Dc+20d+0A");
	buf_clear(&out);
	assert_ok(smtp_xtext_decode(&out, BYTES_LIT("a+2Bb+3dc+20d")));
	assert_bytes_str(buf_bytes(&out), "a+b=c d");
	assert_int_equal(smtp_xtext_decode(&out, BYTES_LIT("x+2")), ERR_SYNTAX);
	assert_int_equal(smtp_xtext_decode(&out, BYTES_LIT("x+zz")), ERR_SYNTAX);
	assert_int_equal(smtp_xtext_decode(&out, BYTES_LIT("x y")), ERR_SYNTAX);
	assert_bytes_str(buf_bytes(&out), "a+b=c d");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_paths),
	cmocka_unit_test(reads_parameters),
	cmocka_unit_test(refuses_what_is_wrong),
	cmocka_unit_test(gives_up_on_other_protocols),
	cmocka_unit_test(says_the_same_however_cut_or_held),
	cmocka_unit_test(skips_a_line_that_is_too_long),
	cmocka_unit_test(keeps_no_more_than_its_limit),
	cmocka_unit_test(having_no_memory_is_an_error_that_sticks),
	cmocka_unit_test(reads_attributes_and_xtext),
};
UNIT_MAIN(tests)
