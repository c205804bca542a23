/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "proto/smtp_data.h"

struct run {
	struct smtp_data data;
	struct buf out;
	size_t left;
};

static int decode(void *ctx, struct bytes piece)
{
	struct run *run = ctx;
	while (piece.len > 0 && run->data.state != SMTP_DATA_END)
		buf_add(&run->out, smtp_data_next(&run->data, &piece));
	run->left += piece.len;
	return 0;
}

static const struct {
	const char *in, *out;
	bool ended;
	unsigned left, bare_cr, bare_lf, longest;
} cases[] = {
	{".\r\n", "", true, 0, 0, 0, 0},
	{"\r\n.\r\n", "\r\n", true, 0, 0, 0, 0},
	{"abc\r\n.\r\nQUIT\r\n", "abc\r\n", true, 6, 0, 0, 3},
	{"a\r\n..\r\n.b\r\n...c\r\n.\r\n", "a\r\n.\r\nb\r\n..c\r\n", true, 0, 0, 0, 3},
	/* The ends that other servers may see, and we must not. */
	{"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true, 0, 0, 1, 3},
	{"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true, 0, 0, 1, 2},
	{"a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true, 0, 0, 2, 5},
	{"a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true, 0, 2, 0, 5},
	{"a\r\n.\r.\r\n.\r\n", "a\r\n\r.\r\n", true, 0, 1, 0, 2},
	{"a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", true, 0, 1, 0, 1},
	{"a\r\r\n.\r\n", "a\r\r\n", true, 0, 1, 0, 2},
	{"a\r\n.\r", "a\r\n", false, 0, 0, 0, 1},
	{"a\r\n\n.\r\n", "a\r\n\n.\r\n", false, 0, 0, 1, 2},
	{"\n\r\n.\r\n", "\n\r\n", true, 0, 0, 1, 1},
};

static void only_crlf_dot_crlf_ends_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned seed = 0; seed < 10; seed++) {
			struct run run = {.out = BUF_INIT(1000)};
			smtp_data_init(&run.data);
			(void)unit_chunks(bytes_from_cstr(cases[i].in), seed, decode, &run);
			assert_bytes_str(buf_bytes(&run.out), cases[i].out);
			assert_int_equal(run.data.state == SMTP_DATA_END, cases[i].ended);
			assert_int_equal(run.left, cases[i].left);
			assert_int_equal(run.data.bare_cr, cases[i].bare_cr);
			assert_int_equal(run.data.bare_lf, cases[i].bare_lf);
			assert_int_equal(run.data.longest_line, cases[i].longest);
			assert_int_equal(run.data.size, strlen(cases[i].out));
			buf_done(&run.out);
		}
	}
}

static void pieces_are_slices_of_what_came(void **state)
{
	static const char text[] = "line one\r\nline two\r\nline three\r\n.\r\n";
	struct bytes in = bytes_from_cstr(text);
	struct smtp_data data;
	(void)state;
	smtp_data_init(&data);
	struct bytes piece = smtp_data_next(&data, &in);
	assert_ptr_equal(piece.ptr, text);
	assert_int_equal(piece.len, sizeof(text) - 1 - 3); /* all lines at once */
}

static void encodes_dots_and_ends(void **state)
{
	static const struct {
		const char *in, *plain, *repaired;
	} texts[] = {
		{"", ".\r\n", ".\r\n"},
		{"a", "a\r\n.\r\n", "a\r\n.\r\n"},
		{"a\r\n", "a\r\n.\r\n", "a\r\n.\r\n"},
		{".a\r\n.\r\n..\r\n", "..a\r\n..\r\n...\r\n.\r\n", "..a\r\n..\r\n...\r\n.\r\n"},
		{"a\n.\nb\n", "a\n.\nb\n\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n"},
		{"a\r.\r", "a\r.\r\r\n.\r\n", "a\r\n..\r\n.\r\n"},
		{"\r\r\n\n", "\r\r\n\n\r\n.\r\n", "\r\n\r\n\r\n.\r\n"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (int repair = 0; repair < 2; repair++) {
			for (size_t cut = 0; cut <= strlen(texts[i].in); cut++) {
				struct bytes text = bytes_from_cstr(texts[i].in);
				struct smtp_data_encoder encoder;
				CLEANUP(buf_done) struct buf out = BUF_INIT(1000);
				smtp_data_encoder_init(&encoder, repair);
				smtp_data_encode(&encoder, &out, bytes_sub(text, 0, cut));
				smtp_data_encode(&encoder, &out, bytes_from(text, cut));
				smtp_data_finish(&encoder, &out);
				assert_bytes_str(buf_bytes(&out), repair ? texts[i].repaired : texts[i].plain);
			}
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(only_crlf_dot_crlf_ends_a_message),
	cmocka_unit_test(pieces_are_slices_of_what_came),
	cmocka_unit_test(encodes_dots_and_ends),
};
UNIT_MAIN(tests)
