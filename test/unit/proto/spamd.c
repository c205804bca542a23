/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "log.h"

static const struct spamd_limits limits = {.head_max = 300, .body_max = 1000};

/* `eof`: the peer ends after it. */
static void expect(const char *in, bool eof, const char *want)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		struct log log = {.text = BUF_INIT(100000)};
		spamd_init(&log.spamd, &limits);
		(void)unit_chunks(bytes_from_cstr(in), seed, log_spamd, &log);
		if (eof) {
			spamd_eof(&log.spamd);
			(void)log_spamd_events(&log);
		}
		assert_bytes_str(buf_bytes(&log.text), want);
		spamd_done(&log.spamd);
		buf_done(&log.text);
	}
}

static void reads_what_spamc_sends(void **state)
{
	(void)state;
	expect("CHECK SPAMC/1.5\r\nUser: root\r\nContent-length: 6\r\n\r\na\r\n\r\nbjunk", false,
	       "\nhead 0 minor=5 length=1/6 compressed=0 user=\"root\"a\r\n\r\nb\nend");
	expect("TELL SPAMC/1.5\r\nMessage-class: spam\r\nSet: local,remote\r\nRemove: x\r\nUser: "
	       "root\r\nContent-length: "
	       "0\r\n\r\n",
	       false,
	       "\nhead 8 minor=5 length=1/0 compressed=0 user=\"root\" class=\"spam\" set=\"local,remote\" "
	       "remove=\"x\"\nend");
	expect("PING SPAMC/1.5\r\n\r\n", false, "\nhead 6 minor=5 length=0/0 compressed=0\nend");
	expect("SKIP SPAMC/1.2\r\n\r\nx", false, "\nhead 7 minor=2 length=0/0 compressed=0\nend");
	expect("SYMBOLS SPAMC/1.2\n\nto the end", true, "\nhead 1 minor=2 length=0/0 compressed=0to the end\nend");
	expect("PROCESS SPAMC/1.5\r\nCompress: zlib\r\nContent-length: 1\r\n\r\nx", false,
	       "\nhead 4 minor=5 length=1/1 compressed=1x\nend");
}

static void refuses_what_is_wrong(void **state)
{
	(void)state;
	expect("GET / HTTP/1.1\r\n\r\n", false, "\n! syntax");
	expect("check SPAMC/1.5\r\n\r\n", false, "\n! syntax");
	expect("CHECK SPAMC/2.0\r\n\r\n", false, "\n! syntax");
	expect("BOGUS SPAMC/1.5\r\n\r\n", false, "\n! syntax");
	expect("CHECK SPAMC/1.5\r\nnothing\r\n\r\n", false, "\n! syntax");
	expect("CHECK SPAMC/1.5\r\nContent-length: 1\r\nContent-length: 1\r\n\r\n", false, "\n! syntax");
	expect("CHECK SPAMC/1.5\r\nContent-length: x\r\n\r\n", false, "\n! syntax");
	expect("CHECK SPAMC/1.5\r\nContent-length: 1001\r\n\r\n", false, "\n! limit");
	expect("CHECK SPAMC/1.5\r\nUser: a\rb\r\n\r\n", false, "\n! syntax");
	expect("CHECK SPAMC/1.5\r\n", true, "\n! short");
	expect("CHECK SPAMC/1.5\r\nContent-length: 5\r\n\r\nabc", true,
	       "\nhead 0 minor=5 length=1/5 compressed=0abc\n! short");
	expect("CHECK SPAMC/1.5\r\nX: "
	       "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
	       "5678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	       "89"
	       "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
	       "3",
	       false, "\n! limit");
}

static void answers_as_spamd_does(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
	const struct spamd_result spam = {.spam = true, .score = 15000, .threshold = 5000};
	const struct spamd_result ham = {.score = -50, .threshold = 5000};
	(void)state;
	spamd_add_head(&out, &(struct spamd_request){.command = SPAMD_REPORT, .minor = 5}, &spam, 3);
	assert_bytes_str(buf_bytes(&out), "SPAMD/1.1 0 EX_OK\r\nContent-length: 3\r\nSpam: True ; 15.0 / 5.0\r\n\r\n");
	buf_clear(&out);
	spamd_add_head(&out, &(struct spamd_request){.command = SPAMD_CHECK, .minor = 2}, &ham, 0);
	assert_bytes_str(buf_bytes(&out), "SPAMD/1.1 0 EX_OK\r\nSpam: False ; -0.0 / 5.0\r\n\r\n");
	buf_clear(&out);
	spamd_add_pong(&out);
	assert_bytes_str(buf_bytes(&out), "SPAMD/1.5 0 PONG\r\n");
	buf_clear(&out);
	spamd_add_error(&out, SPAMD_PROTOCOL, BYTES_LIT("no\r\nSpam: False"));
	assert_bytes_str(buf_bytes(&out), "SPAMD/1.0 76 no??Spam: False\r\n");
	buf_clear(&out);
	spamd_add_told_nothing(&out);
	assert_memory_equal(out.ptr, "SPAMD/1.0 69 ", 13); /* nothing that spamc takes for success */
}

static void the_scale_meets_its_mark(void **state)
{
	(void)state;
	assert_int_equal(spamd_score(2197, 2197), 5000);
	assert_int_equal(spamd_score(0, 2197), 0);
	assert_int_equal(spamd_score(40000, 10), 100000);
	assert_int_equal(spamd_score(-40000, 10), -100000);
	assert_true(spamd_score(2196, 2197) < 5000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_spamc_sends),
	cmocka_unit_test(refuses_what_is_wrong),
	cmocka_unit_test(answers_as_spamd_does),
	cmocka_unit_test(the_scale_meets_its_mark),
};
UNIT_MAIN(tests)
