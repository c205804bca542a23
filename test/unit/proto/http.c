/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "log.h"

static const struct http_limits limits = {.head_max = 500, .body_max = 1000, .kept_max = 10000};

static void says_the_same_however_cut_or_held(void **state)
{
	static const char in[] =
		"\r\nGET /metrics?a=1&b HTTP/1.1\r\nHost: h\r\nAccept:  x \r\n\r\n"
		"POST /checkv2 HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nab\r\nc"
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\na\r\n\r\n00A\r\n0123456789\r\n"
		"0\r\nTrailer: x\r\n\r\n"
		"CHECK RSPAMC/1.3\r\nContent-length: 2\r\n\r\nhi"
		"HEAD http://h.example/x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n";
	static const char want[] =
		"\nhead 0 minor=1 rspamc=0 keep=1 expect=0 length=0/0 chunked=0 path=\"/metrics\" query=\"a=1&b\" "
		"name=\"Host\" value=\"h\" name=\"Accept\" value=\"x\"\nend"
		"\nhead 2 minor=1 rspamc=0 keep=1 expect=1 length=1/5 chunked=0 path=\"/checkv2\" "
		"name=\"Content-Length\" "
		"value=\"5\" name=\"Expect\" value=\"100-continue\"ab\r\nc\nend"
		"\nhead 2 minor=1 rspamc=0 keep=1 expect=0 length=0/0 chunked=1 path=\"/\" name=\"Transfer-Encoding\" "
		"value=\"chunked\"a\r\n0123456789\nend"
		"\nhead 6 minor=0 rspamc=1 keep=0 expect=0 length=1/2 chunked=0 path=\"CHECK\" name=\"Content-length\" "
		"value=\"2\"hi\nend"
		"\nhead 1 minor=0 rspamc=0 keep=1 expect=0 length=0/0 chunked=0 path=\"/x\" name=\"Connection\" "
		"value=\"Keep-Alive\"\nend";
	(void)state;
	for (unsigned seed = 0; seed < 40; seed++) {
		struct log log = {.text = BUF_INIT(100000), .hold = seed % 2};
		http_init(&log.http, &limits);
		(void)unit_chunks(bytes_from_cstr(in), seed, log_http, &log);
		assert_bytes_str(buf_bytes(&log.text), want);
		assert_int_equal(http_pending(&log.http), 0);
		http_done(&log.http);
		buf_done(&log.text);
	}
}

static void refuses_what_could_be_read_in_two_ways(void **state)
{
	static const struct {
		const char *in;
		unsigned status;
	} cases[] = {
		{"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: \r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413},
		{"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nA: \x01\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n: b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nnothing\r\n\r\n", 400},
		{"GET / HTTP/1.1\n\n", 400},
		{"GET  / HTTP/1.1\r\n\r\n", 400},
		{"GET x HTTP/1.1\r\n\r\n", 400},
		{"GET /a b HTTP/1.1\r\n\r\n", 400},
		{"GET / http/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1 \r\n\r\n", 400},
		{"GET / HTTP/2.0\r\n\r\n", 505},
		{"GET /\r\n\r\n", 400},
		{"GET HTTP/1.1\r\n\r\n", 400},
		{"\x16\x03\x01", 400},
		{"POST / HTTP/1.1\r\nExpect: gold\r\n\r\n", 417},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http http;
		struct http_event event;
		http_init(&http, &limits);
		http_feed(&http, bytes_from_cstr(cases[i].in));
		enum err err = http_next(&http, &event);
		assert_true(err != ERR_OK && err != ERR_AGAIN);
		assert_int_equal(http_status(&http), cases[i].status);
		http_feed(&http, BYTES_LIT("GET / HTTP/1.1\r\n\r\n"));
		assert_int_equal(http_next(&http, &event), err);
		http_done(&http);
	}
}

static void refuses_broken_chunks(void **state)
{
	static const struct {
		const char *in;
		unsigned status;
	} cases[] = {
		{"x\r\n", 400},
		{"\r\n", 400},
		{"-1\r\n", 400},
		{"1\nab", 400},
		{"1\r\naXX", 400},
		{"3e9\r\n", 413},
		{"3\r\nabc\r\n3e6\r\n", 413},
		{"ffffffffffffffffff\r\n", 413},
		{"0\r\nA\x01\r\n", 400},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned seed = 0; seed < 3; seed++) {
			struct log log = {.text = BUF_INIT(100000)};
			http_init(&log.http, &limits);
			(void)unit_chunks(BYTES_LIT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), seed,
					  log_http, &log);
			assert_ok(log.err);
			(void)unit_chunks(bytes_from_cstr(cases[i].in), seed, log_http, &log);
			assert_true(log.err != ERR_OK);
			assert_int_equal(http_status(&log.http), cases[i].status);
			http_done(&log.http);
			buf_done(&log.text);
		}
	}
}

static void bounds_the_head(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 10; seed++) {
		struct log log = {.text = BUF_INIT(100000)};
		http_init(&log.http, &limits);
		(void)unit_chunks(BYTES_LIT("GET / HTTP/1.1\r\nA: "), seed, log_http, &log);
		for (int i = 0; i < 50; i++)
			(void)unit_chunks(BYTES_LIT("0123456789"), seed, log_http, &log);
		assert_int_equal(log.err, ERR_LIMIT);
		assert_int_equal(http_status(&log.http), 431);
		http_done(&log.http);
		buf_done(&log.text);
	}
}

static void decodes_percent_and_queries(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(100);
	struct bytes query = BYTES_LIT("a=1&&b=x%20y+z&c&=d"), key, value;
	(void)state;
	assert_true(http_query_next(&query, &key, &value));
	assert_bytes_str(key, "a");
	assert_true(http_query_next(&query, &key, &value));
	assert_ok(http_percent_decode(&out, value, true));
	assert_bytes_str(buf_bytes(&out), "x y z");
	assert_true(http_query_next(&query, &key, &value));
	assert_bytes_str(key, "c");
	assert_null(value.ptr);
	assert_true(http_query_next(&query, &key, &value));
	assert_bytes_str(key, "");
	assert_bytes_str(value, "d");
	assert_false(http_query_next(&query, &key, &value));
	buf_clear(&out);
	assert_ok(http_percent_decode(&out, BYTES_LIT("a+%2f%00"), false));
	assert_bytes(buf_bytes(&out), BYTES_LIT("a+/\0"));
	assert_int_equal(http_percent_decode(&out, BYTES_LIT("x%4"), false), ERR_SYNTAX);
	assert_int_equal(http_percent_decode(&out, BYTES_LIT("x%zz"), false), ERR_SYNTAX);
	assert_int_equal(out.len, 4);
}

static void builds_responses(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
	const struct http_header more[] = {{BYTES_LIT("Date"), BYTES_LIT("now\r\nX: y")}};
	const struct http_request get = {.method = HTTP_GET, .minor = 1, .keep_alive = true};
	const struct http_request head = {.method = HTTP_HEAD_METHOD, .minor = 1};
	const struct http_response response = {.status = 200, .type = "text/plain", .headers = more, .n_headers = 1};
	(void)state;
	http_respond(&out, &get, &response, BYTES_LIT("body"));
	assert_bytes_str(buf_bytes(&out), "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\n"
					  "Content-Length: 4\r\nDate: now  X: y\r\n\r\nbody");
	buf_clear(&out);
	http_respond(&out, &head, &response, BYTES_LIT("body"));
	assert_bytes_str(buf_bytes(&out), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
					  "Content-Length: 4\r\nDate: now  X: y\r\n\r\n");
	buf_clear(&out);
	http_respond_error(&out, NULL, 413, BYTES_LIT("too \"large\"\n"));
	assert_bytes_str(buf_bytes(&out),
			 "HTTP/1.1 413 too \"large\"?\r\nConnection: close\r\nContent-Type: application/json\r\n"
			 "Content-Length: 27\r\n\r\n{\"error\":\"too \\\"large\\\"\\n\"}");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(says_the_same_however_cut_or_held),
	cmocka_unit_test(refuses_what_could_be_read_in_two_ways),
	cmocka_unit_test(refuses_broken_chunks),
	cmocka_unit_test(bounds_the_head),
	cmocka_unit_test(decodes_percent_and_queries),
	cmocka_unit_test(builds_responses),
};
UNIT_MAIN(tests)
