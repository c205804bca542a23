/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "log.h"

static void reads_replies_however_cut(void **state)
{
	static const char in[] =
		"220 mx.example ESMTP\r\n250-5.7.1 not the class\r\n250 x\r\n550-5.7.1 no\r\n550-5.7.1 more\r\n"
		"550 5.7.1\r\n354\r\n421 4.3.2 closing\n";
	static const char want[] = "\n220 1 enhanced=\"\" text=\"mx.example ESMTP\""
				   "\n250 2 enhanced=\"\" text=\"5.7.1 not the class\\nx\""
				   "\n550 3 enhanced=\"5.7.1\" text=\"no\\nmore\\n\""
				   "\n354 1 enhanced=\"\" text=\"\""
				   "\n421 1 enhanced=\"4.3.2\" text=\"closing\"";
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		struct log log = {.text = BUF_INIT(100000)};
		smtp_replies_init(&log.replies);
		(void)unit_chunks(bytes_from_cstr(in), seed, log_replies, &log);
		assert_bytes_str(buf_bytes(&log.text), want);
		smtp_replies_done(&log.replies);
		buf_done(&log.text);
	}
}

static void refuses_what_is_no_reply(void **state)
{
	static const char *const cases[] = {"25 x\r\n",  "250-a\r\n251 b\r\n", "250+a\r\n", "abc\r\n",
					    "199 x\r\n", "600 x\r\n",          "\r\n",      "2501 x\r\n"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_replies replies;
		struct smtp_reply reply;
		smtp_replies_init(&replies);
		smtp_replies_feed(&replies, bytes_from_cstr(cases[i]));
		enum err err = smtp_replies_next(&replies, &reply);
		assert_true(err == ERR_SYNTAX || err == ERR_LIMIT);
		assert_int_equal(smtp_replies_next(&replies, &reply), err);
		smtp_replies_done(&replies);
	}
}

static void bounds_a_reply(void **state)
{
	struct smtp_replies replies;
	struct smtp_reply reply;
	enum err err = ERR_AGAIN;
	int lines = 0;
	(void)state;
	smtp_replies_init(&replies);
	for (; err == ERR_AGAIN && lines < 1000; lines++) {
		smtp_replies_feed(&replies, BYTES_LIT("250-0123456789012345678901234567890123456789\r\n"));
		err = smtp_replies_next(&replies, &reply);
	}
	assert_int_equal(err, ERR_LIMIT);
	assert_in_range(lines, 300, 500);
	smtp_replies_done(&replies);
}

static void builds_safe_lines(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(100000);
	char words[1200];
	(void)state;
	smtp_reply_add(&out, 550, "5.7.1", BYTES_LIT("a\x1b[0m\tb\r\n250 forged\r\n\xe6\x97\xa5\x85"), false);
	assert_bytes_str(buf_bytes(&out), "550-5.7.1 a?[0m b\r\n550-5.7.1 250 forged\r\n550 5.7.1 ??\r\n");
	buf_clear(&out);
	smtp_reply_add(&out, 550, NULL, BYTES_LIT("\xe6\x97\xa5\xc2\x85"), true);
	assert_bytes_str(buf_bytes(&out), "550 \xe6\x97\xa5?\r\n");
	buf_clear(&out);
	smtp_reply_add(&out, 250, "2.0.0", (struct bytes){0}, false);
	assert_bytes_str(buf_bytes(&out), "250 2.0.0 \r\n");
	buf_clear(&out);
	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = i % 8 == 7 ? ' ' : 'x';
	smtp_reply_add(&out, 550, "5.7.1", bytes_make(words, sizeof(words)), false);
	struct bytes first = bytes_sub(buf_bytes(&out), 0, bytes_find_byte(buf_bytes(&out), '\n') + 1);
	assert_in_range(first.len, 490, 512);
	assert_memory_equal(first.ptr + first.len - 9, "xxxxxxx\r\n", 9); /* broken between words */
}

static void reads_and_tells_features(void **state)
{
	struct smtp_features features;
	CLEANUP(buf_done) struct buf out = BUF_INIT(1000);
	(void)state;
	smtp_features_parse(
		BYTES_LIT("mx.example PIPELINING\npipelining\nSIZE 1000\n8BITMIME\nAUTH PLAIN LOGIN\nX-OTHER 1\n"
			  "XFORWARD NAME ADDR"),
		&features);
	assert_int_equal(features.can,
			 SMTP_CAN_PIPELINING | SMTP_CAN_SIZE | SMTP_CAN_8BITMIME | SMTP_CAN_AUTH | SMTP_CAN_XFORWARD);
	assert_int_equal(features.size, 1000);
	assert_true(smtp_list_has(features.auth, BYTES_LIT("login")));
	assert_false(smtp_list_has(features.xforward, BYTES_LIT("ADD")));
	smtp_features_add(&out, BYTES_LIT("us.example"), &features);
	assert_bytes_str(buf_bytes(&out),
			 "250-us.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n"
			 "250-8BITMIME\r\n250 XFORWARD NAME ADDR\r\n");
	buf_clear(&out);
	smtp_features_add(&out, BYTES_LIT("us.example"), &(struct smtp_features){0});
	assert_bytes_str(buf_bytes(&out), "250 us.example\r\n");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_replies_however_cut),
	cmocka_unit_test(refuses_what_is_no_reply),
	cmocka_unit_test(bounds_a_reply),
	cmocka_unit_test(builds_safe_lines),
	cmocka_unit_test(reads_and_tells_features),
};
UNIT_MAIN(tests)
