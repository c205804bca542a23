/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "daemon/gate_rewrite.h"

/* In pieces of at most `max` bytes, out of a message that moves between any two of them. */
static void check_by(size_t max, const char *message, const char *tag, const char *wanted)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 20);
	struct rewrite rewrite = {
		.field = BYTES_LIT("X-Postern: ours\r\n"), .tag = bytes_from_cstr(tag), .line_end = BYTES_LIT("\r\n")};
	for (size_t len = 1; len > 0;) {
		CLEANUP(buf_done) struct buf copy = BUF_INIT(1 << 20);
		buf_add_cstr(&copy, message);
		struct bytes piece = rewrite_next(&rewrite, buf_bytes(&copy), max);
		assert_true(piece.len <= max);
		buf_add(&out, piece);
		len = piece.len;
	}
	assert_bytes(buf_bytes(&out), bytes_from_cstr(wanted));
}

static void check(const char *message, const char *tag, const char *wanted)
{
	for (size_t max = 1; max <= 8; max++)
		check_by(max, message, tag, wanted);
	check_by(SIZE_MAX, message, tag, wanted);
}

static void foreign_fields_go_however_they_are_spelled(void **state)
{
	(void)state;
	check("A: b\r\n\r\nX-Postern: text\r\n", "", "X-Postern: ours\r\nA: b\r\n\r\nX-Postern: text\r\n");
	check("X-POSTERN: f\r\n\tg\r\nA: b\r\n\r\n", "", "X-Postern: ours\r\nA: b\r\n\r\n");
	check("A: b\r\nx-postern \t: f\r\n", "", "X-Postern: ours\r\nA: b\r\n");
	check("A: b\r\nX-Post\x01"
	      "ern\x0b: f\r\n\r\nc",
	      "", "X-Postern: ours\r\nA: b\r\n\r\nc");
	check("A: b\rX-Postern: f\n\r\nc", "", "X-Postern: ours\r\nA: b\r\n\r\nc");
	check("A: b\rX-Postern: f\n\nc", "", "X-Postern: ours\r\nA: b\r\n\nc");
	check("junk\r\nX-Postern-Release: v1 a b\r\n\r\n", "", "X-Postern: ours\r\njunk\r\n\r\n");
	check("X-Posterns: a\r\nX-Postern\r\n", "", "X-Postern: ours\r\nX-Posterns: a\r\nX-Postern\r\n");
	check("X-Postern: f", "", "X-Postern: ours\r\n");
	check("", "", "X-Postern: ours\r\n");
}

static void nothing_continues_our_field(void **state)
{
	(void)state;
	check(" clean\r\nA: b\r\n\r\n", "", "X-Postern: ours\r\nclean\r\nA: b\r\n\r\n");
	check("\t X-Postern: f\r\nA: b\r\n\r\n", "", "X-Postern: ours\r\nA: b\r\n\r\n");
	check("From a@example.com Mon\r\nX-Postern: f\r\nA: b\r\n\r\n", "",
	      "From a@example.com Mon\r\nX-Postern: ours\r\nA: b\r\n\r\n");
	check("From a@example.com Mon", "", "From a@example.com Mon\r\nX-Postern: ours\r\n");
}

static void the_first_subject_is_tagged(void **state)
{
	(void)state;
	check("Subject: hi\r\nSubject: ho\r\n\r\n", "[S] ",
	      "X-Postern: ours\r\nSubject: [S] hi\r\nSubject: ho\r\n\r\n");
	check("A: b\r\nsubject:\r\n folded\r\n too\r\nX-Postern: f\r\n\r\n", "[S] ",
	      "X-Postern: ours\r\nA: b\r\nSubject: [S] folded\r\n too\r\n\r\n");
	check("A: b\r\n\r\nSubject: body\r\n", "[S] ",
	      "X-Postern: ours\r\nSubject: [S] \r\nA: b\r\n\r\nSubject: body\r\n");
}

static bool speaks_for_us(void *ctx, struct bytes value)
{
	(void)ctx;
	return bytes_find(value, BYTES_LIT("mx.example.org")) != BYTES_NONE;
}

static void a_forged_result_is_found_however_it_is_spelled(void **state)
{
	static const struct {
		const char *message;
		bool forged;
	} cases[] = {
		{"", false},
		{"A: b", false},
		{"Authentication-Results: mx.example.org; spf=pass\r\n\r\n", true},
		{"A: b\nauthentication-results :\n mx.example.org; spf=pass\n\n", true},
		{"Authentication\x01-Results: mx.example.org", true},
		{"A: b\rAuthentication-Results: mx.example.org\r\r", true},
		{"From x\r\nAuthentication-Results: mx.example.org\r\n\r\n", true},
		{"Authentication-Results: other.example; spf=pass\r\n\r\n", false},
		{"X-Authentication-Results: mx.example.org\r\n\r\n", false},
		{"A: b\r\n\r\nAuthentication-Results: mx.example.org\r\n", false},
	};
	const struct rewrite rewrite = {.speaks_for_us = speaks_for_us};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (rewrite_finds_forged(&rewrite, bytes_from_cstr(cases[i].message)) != cases[i].forged)
			fail_msg("%s", cases[i].message);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_forged_result_is_found_however_it_is_spelled),
	cmocka_unit_test(foreign_fields_go_however_they_are_spelled),
	cmocka_unit_test(nothing_continues_our_field),
	cmocka_unit_test(the_first_subject_is_tagged),
};
UNIT_MAIN(tests)
