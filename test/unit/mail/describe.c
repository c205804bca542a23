/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "mail/describe.h"

static void describe(struct arena *arena, struct bytes in, bool text, struct buf *out)
{
	struct message *message;
	struct json json;
	assert_ok(message_parse(arena, in, &mime_limits_default, &message));
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	describe_message(&json, BYTES_LIT("m"), message, text);
	jsonw_end(&json);
	assert_ok(buf_err(out));
}

static void check(struct bytes in, bool text, const char *want)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
	describe(arena, in, text, &out);
	assert_bytes_str(buf_bytes(&out), want);
}

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void what_is_missing_is_null_or_empty(void **state)
{
	(void)state;
	check((struct bytes){0}, false,
	      "{\"path\":\"m\",\"size\":0,\"sha256\":\"" EMPTY_SHA256 "\",\"subject\":null,\"from\":[],\"sender\":[],"
	      "\"reply_to\":[],\"to\":[],\"cc\":[],\"bcc\":[],\"date\":null,\"message_id\":null,\"parts\":[{\"part\":"
	      "\"1\",\"reading\":1,\"leaf\":true,\"type\":\"text/plain\",\"charset\":null,\"name\":null,\"names\":[],"
	      "\"disposition\":null,\"encoding\":\"7bit\",\"size\":0,\"sha256\":\"" EMPTY_SHA256
	      "\",\"true_type\":null,\"encrypted\":null}],\"defects\":[{\"id\":\"empty_message\",\"part\":null,"
	      "\"header\":null,\"at\":0,\"len\":0,\"ambiguous\":false,\"text\":\"There is no message at all.\"}]}");
}

static void every_key_is_told_in_its_place(void **state)
{
	(void)state;
	check(BYTES_LIT("From: \"A\" <a@b.c>\nSubject: =?utf-8?Q?=C3=BC?=\nDate: Mon, 22 Mar 1993 09:41:09 -0800\n"
			"Message-ID: <1@b.c>\nContent-Type: text/plain; charset=UTF-8; name=x.txt\n"
			"Content-Disposition: INLINE\nContent-Transfer-Encoding: Base64\n\naGkNCg==\n"),
	      true,
	      "{\"path\":\"m\",\"size\":228,\"sha256\":"
	      "\"3590d7a4775afe075e861f381e9fa3555dd092d38e6f884611add10f23a10eeb\",\"subject\":\"\xc3\xbc\",\"from\":"
	      "[{\"name\":\"A\",\"address\":\"a@b.c\"}],\"sender\":[],\"reply_to\":[],\"to\":[],\"cc\":[],\"bcc\":[],"
	      "\"date\":\"1993-03-22T17:41:09Z\",\"message_id\":\"1@b.c\",\"parts\":[{\"part\":\"1\",\"reading\":1,"
	      "\"leaf\":true,\"type\":\"text/plain\",\"charset\":\"utf-8\",\"name\":\"x.txt\",\"names\":[\"x.txt\"],"
	      "\"disposition\":\"inline\",\"encoding\":\"base64\",\"size\":4,\"sha256\":"
	      "\"44723dd4d0e0d46a3c7fa8aca254b61c27b6b5789f96177e82c80700409f1535\",\"true_type\":\"text/"
	      "plain\",\"encrypted\":null,\"text\":\"hi\\n\"}],\"defects\":[]}");
}

static void text_is_told_of_text_leaves_alone(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
	(void)state;
	describe(arena,
		 BYTES_LIT("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nx\n--b--\n"),
		 true, &out);
	assert_true(bytes_find(buf_bytes(&out), BYTES_LIT("\"text\":\"")) == BYTES_NONE);
}

static void what_two_readings_share_is_told_once(void **state)
{
	static const char mark[] = "\"id\":\"body_nul\"";
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
	(void)state;
	describe(arena, BYTES_LIT("Content-Type: text/plain\nContent-Type: text/html\n\na\0b\n"), false, &out);
	size_t first = bytes_find(buf_bytes(&out), bytes_from_cstr(mark));
	assert_true(first != BYTES_NONE);
	assert_true(bytes_find(bytes_from(buf_bytes(&out), first + 1), bytes_from_cstr(mark)) == BYTES_NONE);
}

static void words_of_a_header_are_told_without_dress(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 16);
	(void)state;
	describe(arena, BYTES_LIT("Content-Disposition: \"Attachment\"\nContent-Transfer-Encoding: X-None at all\n\nx"),
		 false, &out);
	assert_true(bytes_find(buf_bytes(&out), BYTES_LIT("\"disposition\":\"attachment\",\"encoding\":\"x-none\"")) !=
		    BYTES_NONE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_two_readings_share_is_told_once),
	cmocka_unit_test(words_of_a_header_are_told_without_dress),
	cmocka_unit_test(what_is_missing_is_null_or_empty),
	cmocka_unit_test(every_key_is_told_in_its_place),
	cmocka_unit_test(text_is_told_of_text_leaves_alone),
};
UNIT_MAIN(tests)
