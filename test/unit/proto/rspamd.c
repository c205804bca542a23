/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "proto/rspamd.h"

static void knows_the_commands(void **state)
{
	(void)state;
	assert_int_equal(rspamd_command_of(BYTES_LIT("/checkv2")), RSPAMD_CHECK);
	assert_int_equal(rspamd_command_of(BYTES_LIT("/symbols")), RSPAMD_SYMBOLS);
	assert_int_equal(rspamd_command_of(BYTES_LIT("/check")), RSPAMD_SYMBOLS);
	assert_int_equal(rspamd_command_of(BYTES_LIT("/ping")), RSPAMD_PING);
	assert_int_equal(rspamd_command_of(BYTES_LIT("/learnham")), RSPAMD_LEARN);
	assert_int_equal(rspamd_command_of(BYTES_LIT("CHECK")), RSPAMD_SYMBOLS);
	assert_int_equal(rspamd_command_of(BYTES_LIT("/check/x")), RSPAMD_OTHER);
	assert_int_equal(rspamd_command_of((struct bytes){0}), RSPAMD_OTHER);
}

static struct rspamd_request parse(struct arena *arena, const char *text)
{
	static const struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http http;
	struct http_event event;
	struct rspamd_request request;
	http_init(&http, &limits);
	http_feed(&http, bytes_from_cstr(text));
	assert_ok(http_next(&http, &event));
	assert_ok(rspamd_request_parse(arena, &event.request, &request));
	http_done(&http);
	return request;
}

static void reads_what_rspamc_sends(void **state)
{
	struct arena *arena = arena_create(100000);
	struct rspamd_request request = parse(
		arena,
		"POST /checkv2 HTTP/1.0\r\nContent-Length: 32\r\nConnection: close\r\nContent-Type: text/plain\r\n"
		"User: U\r\nDeliver-To: D\r\nFilename: m.eml\r\nIp: 192.0.2.4\r\nUser-Agent: rspamc\r\n"
		"Flags: pass_all,body_block\r\nHelo: h\r\nFrom: x@y\r\nHostname: n\r\nRcpt: r@s\r\nRcpt: "
		"<r2@s>\r\n\r\n");
	(void)state;
	assert_bytes_str(request.user, "U");
	assert_bytes_str(request.deliver_to, "D");
	assert_bytes_str(request.filename, "m.eml");
	assert_bytes_str(request.ip, "192.0.2.4");
	assert_bytes_str(request.helo, "h");
	assert_bytes_str(request.hostname, "n");
	assert_bytes_str(request.from, "x@y");
	assert_int_equal(request.n_recipients, 2);
	assert_bytes_str(request.recipients[0], "r@s");
	assert_bytes_str(request.recipients[1], "r2@s");
	assert_true(request.pass_all && request.body_block && !request.milter && request.coding == RSPAMD_PLAIN);
	request = parse(arena, "POST /checkv2 HTTP/1.0\r\nContent-Length: 41\r\nCompression: zstd\r\nFrom: <>\r\n"
			       "Milter: Yes\r\n\r\n");
	assert_true(request.coding == RSPAMD_ZSTD && request.has_from && request.from.len == 0 &&
		    request.n_recipients == 0 && request.milter);
	request = parse(arena, "GET /stat HTTP/1.0\r\n\r\n");
	assert_false(request.has_from);
	arena_free(&arena);
}

static void knows_the_coding_of_the_message(void **state)
{
	static const struct {
		const char *fields;
		enum rspamd_coding want;
	} cases[] = {
		{"", RSPAMD_PLAIN},
		{"Compression: zstd\r\n", RSPAMD_ZSTD},
		{"content-encoding: ZSTD\r\n", RSPAMD_ZSTD},
		{"Compression: zstd\r\nContent-Encoding: zstd\r\n", RSPAMD_ZSTD},
		{"Content-Encoding: zstd\r\nCompression: zstd\r\n", RSPAMD_ZSTD},
		{"Content-Encoding: identity\r\nCompression:\r\n", RSPAMD_PLAIN},
		{"Content-Encoding: identity\r\nContent-Encoding: zstd\r\n", RSPAMD_ZSTD},
		{"Content-Encoding: zstd\r\nContent-Encoding: zstd\r\n", RSPAMD_UNKNOWN},
		{"Content-Encoding: zstd, zstd\r\n", RSPAMD_UNKNOWN},
		{"Content-Encoding: gzip\r\n", RSPAMD_UNKNOWN},
		{"Content-Encoding: gzip\r\nCompression: zstd\r\n", RSPAMD_UNKNOWN},
		{"Compression: zstd\r\nContent-Encoding: gzip\r\n", RSPAMD_UNKNOWN},
		{"Compression: lz4\r\n", RSPAMD_UNKNOWN},
	};
	struct arena *arena = arena_create(100000);
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf text = BUF_INIT(1000);
		buf_printf(&text, "POST /checkv2 HTTP/1.0\r\n%s\r\n", cases[i].fields);
		buf_add_byte(&text, 0);
		if (parse(arena, (const char *)text.ptr).coding != cases[i].want)
			fail_msg("%s", cases[i].fields);
	}
	arena_free(&arena);
}

static void counts_on_the_budget(void **state)
{
	static const struct http_header headers[] = {{BYTES_INIT("Rcpt"), BYTES_INIT("a@b")}};
	const struct http_request http = {.headers = headers, .n_headers = 1};
	struct rspamd_request request;
	struct arena *arena = arena_create(16);
	(void)state;
	assert_int_equal(rspamd_request_parse(arena, &http, &request), ERR_NOMEM);
	arena_free(&arena);
}

static const struct bytes options[] = {BYTES_INIT("one"), BYTES_INIT("\"two\"")};
static const struct bytes urls[] = {BYTES_INIT("http://example.com/")};
static const struct rspamd_symbol symbols[] = {
	{.name = BYTES_INIT("A"),
	 .description = BYTES_INIT("first"),
	 .score = 1600,
	 .options = options,
	 .n_options = 1},
	{.name = BYTES_INIT("B"), .score = -50},
	{.name = BYTES_INIT("A"), .score = 400, .options = options + 1, .n_options = 1},
};
static const struct rspamd_field added[] = {{BYTES_INIT("X-Postern"), BYTES_INIT("spam")}};
static const char *const removed[] = {"X-Postern"};
static const struct rspamd_result result = {.action = "reject",
					    .score = 15000,
					    .required_score = 15000,
					    .symbols = symbols,
					    .n_symbols = 3,
					    .message_id = BYTES_INIT("x@y"),
					    .subject = BYTES_INIT("not rewritten"),
					    .queue_id = BYTES_INIT("Q"),
					    .smtp_message = BYTES_INIT("no\r\nthanks"),
					    .urls = urls,
					    .n_urls = 1,
					    .add_headers = added,
					    .n_add_headers = 1,
					    .remove_headers = removed,
					    .n_remove_headers = 1,
					    .usec = 1500};

static void answers_as_rspamd_does(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
	static const char list[] = "\"A\":{\"name\":\"A\",\"score\":2,\"metric_score\":2,\"description\":\"first\","
				   "\"options\":[\"one\",\"\\\"two\\\"\"]},\"B\":{\"name\":\"B\",\"score\":-0.05,"
				   "\"metric_score\":-0.05,\"options\":[]}";
	static const char rest[] =
		"\"messages\":{\"smtp_message\":\"no\\r\\nthanks\"},\"message-id\":\"x@y\",\"queue-id\":\"Q\","
		"\"time_real\":0.0015,\"urls\":[\"http://example.com/\"],\"milter\":{\"add_headers\":{"
		"\"X-Postern\":{\"value\":\"spam\",\"order\":0}},\"remove_headers\":{\"X-Postern\":0}}}";
	CLEANUP(buf_done) struct buf want = BUF_INIT(10000);
	(void)state;
	rspamd_add_check(&out, &result);
	buf_printf(&want,
		   "{\"is_skipped\":false,\"score\":15,\"required_score\":15,\"action\":\"reject\",\"symbols\":{%s},%s",
		   list, rest);
	assert_bytes(buf_bytes(&out), buf_bytes(&want));
	buf_clear(&out);
	buf_clear(&want);
	rspamd_add_symbols(&out, &result);
	buf_printf(&want,
		   "{\"default\":{\"is_spam\":true,\"is_skipped\":false,\"score\":15,\"required_score\":15,"
		   "\"action\":\"reject\",%s},%s",
		   list, rest);
	assert_bytes(buf_bytes(&out), buf_bytes(&want));
	buf_clear(&out);
	rspamd_add_rspamc(&out, &result);
	assert_bytes_str(buf_bytes(&out),
			 "RSPAMD/1.3 0 EX_OK\r\nMetric: default; True; 15.00 / 15.00 / 0.0\r\nAction: reject\r\n"
			 "Symbol: A(1.60)\r\nSymbol: B(-0.05)\r\nSymbol: A(0.40)\r\nMessage: no  thanks\r\n"
			 "Message-ID: x@y\r\n\r\n");
}

static void tells_one_signature_as_a_string_and_more_as_an_array(void **state)
{
	static const struct bytes signatures[] = {BYTES_INIT("v=1; a=ed25519-sha256;\r\n\tb=x"),
						  BYTES_INIT("v=1; b=y")};
	static const char *const wants[] = {
		"\"time_real\":0,\"milter\"",
		"\"time_real\":0,\"dkim-signature\":\"v=1; a=ed25519-sha256;\\r\\n\\tb=x\",\"milter\"",
		"\"time_real\":0,\"dkim-signature\":[\"v=1; a=ed25519-sha256;\\r\\n\\tb=x\",\"v=1; b=y\"],\"milter\""};
	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(wants); n++) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
		rspamd_add_check(&out, &(struct rspamd_result){.action = "no action",
							       .add_headers = added,
							       .n_add_headers = 1,
							       .signatures = signatures,
							       .n_signatures = n});
		if (bytes_find(buf_bytes(&out), bytes_from_cstr(wants[n])) == BYTES_NONE)
			fail_msg("%.*s", BYTES_FMT(buf_bytes(&out)));
	}
}

static void answers_the_rest_honestly(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
	const struct http_request get = {.method = HTTP_GET};
	(void)state;
	rspamd_respond_ping(&out, &get);
	assert_true(bytes_ends_nocase(buf_bytes(&out), BYTES_LIT("\r\n\r\npong\r\n")));
	buf_clear(&out);
	rspamd_respond_learn(&out, &get, BYTES_LIT("not learned"));
	assert_memory_equal(out.ptr, "HTTP/1.1 501 not learned\r\n", 26);
	assert_true(bytes_ends_nocase(buf_bytes(&out), BYTES_LIT("{\"error\":\"not learned\"}")));
	buf_clear(&out);
	rspamd_add_stat(&out, &(struct rspamd_stat){.version = BYTES_LIT("0.1"),
						    .scanned = 7,
						    .rejected = 1,
						    .quarantined = 2,
						    .tagged = 1,
						    .clean = 3});
	assert_true(bytes_find(buf_bytes(&out), BYTES_LIT("\"scanned\":7,\"learned\":0")) != BYTES_NONE);
	assert_true(bytes_find(buf_bytes(&out), BYTES_LIT("\"spam_count\":4,\"ham_count\":3")) != BYTES_NONE);
}

static void the_scale_meets_its_marks_and_never_turns(void **state)
{
	(void)state;
	assert_int_equal(rspamd_score(0, 2197, 4595), 0);
	assert_int_equal(rspamd_score(2197, 2197, 4595), 6000);
	assert_int_equal(rspamd_score(4595, 2197, 4595), 15000);
	assert_in_range(rspamd_score(4594, 2197, 4595), 14990, 14999);
	assert_int_equal(rspamd_score(40000, 2197, 4595), 100000);
	assert_true(rspamd_score(-4595, 2197, 4595) < 0);
	for (int tag = -3000; tag <= 3000; tag += 1500)
		for (int act = -3000; act <= 6000; act += 1500)
			for (int x = -9000; x < 9000; x += 7)
				assert_true(rspamd_score(x, tag, act) <= rspamd_score(x + 7, tag, act));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(knows_the_commands),
	cmocka_unit_test(reads_what_rspamc_sends),
	cmocka_unit_test(knows_the_coding_of_the_message),
	cmocka_unit_test(counts_on_the_budget),
	cmocka_unit_test(answers_as_rspamd_does),
	cmocka_unit_test(tells_one_signature_as_a_string_and_more_as_an_array),
	cmocka_unit_test(answers_the_rest_honestly),
	cmocka_unit_test(the_scale_meets_its_marks_and_never_turns),
};
UNIT_MAIN(tests)
