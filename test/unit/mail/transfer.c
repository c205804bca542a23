/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "mail/transfer.h"

static void decodes_as_the_most_tolerant_client_does(void **state)
{
	static const struct {
		enum transfer_encoding kind;
		const char *in, *out;
		bool junk, inner, truncated;
	} cases[] = {
		{TRANSFER_IDENTITY, "a=\r\nb", "a=\r\nb", false, false, false},
		{TRANSFER_BASE64, "aGVsbG8=", "hello", false, false, false},
		{TRANSFER_BASE64, "aGVs\r\nbG8=\r\n", "hello", false, false, false},
		{TRANSFER_BASE64, "aG!Vs*bG8=", "hello", true, false, false},
		{TRANSFER_BASE64, "aGVsbG8=aGVsbG8=", "hellohello", false, true, false},
		{TRANSFER_BASE64, "aGVsbG8", "hello", false, false, true},
		{TRANSFER_BASE64, "", "", false, false, false},
		{TRANSFER_QUOTED_PRINTABLE, "a=3Db=3db", "a=b=b", false, false, false},
		{TRANSFER_QUOTED_PRINTABLE, "a=\r\nb  \r\nc= \nd", "ab\r\ncd", false, false, false},
		{TRANSFER_QUOTED_PRINTABLE, "a=\rb= \rc=\r\r\nd", "abc\r\nd", true, false, false},
		{TRANSFER_QUOTED_PRINTABLE, "a=G1 =", "a=G1 ", true, false, false},
		{TRANSFER_UUENCODE, "begin 644 a.txt\n#86)C\n`\nend\n", "abc", false, false, false},
		{TRANSFER_UUENCODE, "begin 644 a.txt\n#86)C\n", "abc", false, false, true},
		{TRANSFER_YENC, "=ybegin line=128 size=3 name=a b\r\n\x8b\x8c\x8d\r\n=yend size=3 crc32=352441c2\r\n",
		 "abc", false, false, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct transfer_result result;
		assert_ok(transfer_decode(arena, cases[i].kind, bytes_from_cstr(cases[i].in), &result));
		assert_bytes_str(result.content, cases[i].out);
		assert_int_equal(result.junk, cases[i].junk);
		assert_int_equal(result.inner_padding, cases[i].inner);
		assert_int_equal(result.truncated, cases[i].truncated);
		assert_false(result.checksum_bad);
	}
}

static void tells_where_the_first_padding_was(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct transfer_result result;
	assert_ok(transfer_decode(arena, TRANSFER_BASE64, BYTES_LIT("YQ==YmM="), &result));
	assert_bytes_str(result.content, "abc");
	assert_int_equal(result.first_end, 1);
}

static void reads_padding_as_other_clients_do(void **state)
{
	static const struct {
		enum transfer_padding padding;
		const char *in, *out;
	} cases[] = {
		{TRANSFER_PADDING_ENDS, "YQ==YmM=", "abc"},   {TRANSFER_PADDING_SKIPPED, "YW=Jj", "abc"},
		{TRANSFER_PADDING_SKIPPED, "Y=WJ=j=", "abc"}, {TRANSFER_PADDING_ZERO, "W===NU8h", "X5O!"},
		{TRANSFER_PADDING_ZERO, "YQ==YmM=", "abc"},   {TRANSFER_PADDING_ZERO, "Y W J j", "abc"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct transfer_result result;
		assert_ok(transfer_base64(arena, bytes_from_cstr(cases[i].in), cases[i].padding, &result));
		assert_bytes_str(result.content, cases[i].out);
	}
}

static void finds_files_in_text(void **state)
{
	(void)state;
	enum transfer_encoding kind;
	size_t at, len;
	struct bytes text = BYTES_LIT("Hi\nbegin now\nbegin 644 a.exe\n#86)C\n`\nend\nrest");
	assert_true(transfer_find_inline(text, 0, &kind, &at, &len));
	assert_int_equal(kind, TRANSFER_UUENCODE);
	assert_int_equal(at, 13);
	assert_false(transfer_find_inline(text, at + len, &kind, &at, &len));
	assert_false(transfer_find_inline(BYTES_LIT("begin 644 a\nof a long story\n"), 0, &kind, &at, &len));
	assert_false(transfer_find_inline(BYTES_LIT("begin at once\n#ab)C\nend\n"), 0, &kind, &at, &len));
	assert_false(transfer_find_inline(BYTES_LIT("begin at once\n"), 0, &kind, &at, &len));
	assert_false(transfer_find_inline(BYTES_LIT("we begin 644 a.exe\n#86)C\nend\n"), 0, &kind, &at, &len));
	text = BYTES_LIT("x =ybegin line=128 size=1 name=a\n=ybegin line=128 size=1 name=b\nk\n=yend size=1\n");
	assert_true(transfer_find_inline(text, 0, &kind, &at, &len));
	assert_int_equal(kind, TRANSFER_YENC);
	assert_int_equal(at, 33);
	assert_int_equal(at + len, text.len);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(decodes_as_the_most_tolerant_client_does),
	cmocka_unit_test(tells_where_the_first_padding_was),
	cmocka_unit_test(reads_padding_as_other_clients_do),
	cmocka_unit_test(finds_files_in_text),
};
UNIT_MAIN(tests)
