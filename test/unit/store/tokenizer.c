/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "store/private.h"
#include "unit.h"

#include "base/banned.h"

static int add(void *ctx, struct bytes token)
{
	struct buf *out = ctx;
	buf_add_cstr(out, out->len ? "|" : "");
	buf_add(out, token);
	return 0;
}

static void texts_become_the_words_of_the_table(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"", ""},
		{"  -- !", ""},
		{"Invoice No. 42", "invoice|no|42"},
		{"alice.smith@mx.Example.COM", "alice|smith|mx|example|com"},
		{"don't", "don|t"},
		{"請求書", "請求|求書"},
		{"請求", "請求"},
		{"書", "書"},
		{"請求書のご送付", "請求|求書|書の|のご|ご送|送付"},
		{"PDF請求書v2", "pdf|請求|求書|v2"},
		{"請求書・納品書", "請求|求書|納品|品書"},
		{"メールサーバー", "メー|ール|ルサ|サー|ーバ|バー"},
		{"ﾒｰﾙ", "メー|ール"},       /* half width */
		{"ＡＢＣ１２３", "abc123"}, /* full width */
		{"㈱", "株"},               /* compatibility: brackets fall away */
		{"①②", "12"},
		{"佐々木", "佐々|々木"},
		{"Straße STRASSE", "strasse|strasse"},
		{"Größe", "grösse"},
		{"ΣΊΣΥΦΟΣ", "σίσυφοσ"},
		{"안녕하세요", "안녕|녕하|하세|세요"},
		{"𠮷野家", "𠮷野|野家"}, /* beyond the basic plane */
		{"a\xff"
		 "b",
		 "a|b"},                                /* what cannot be decoded ends a word */
		{"free\xe2\x80\x8bmoney", "freemoney"}, /* zero-width space is ignored by the fold */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf out = BUF_INIT(10000);
		assert_true(store_tokenize(bytes_from_cstr(cases[i].text), add, &out));
		assert_bytes_str(buf_bytes(&out), cases[i].words);
	}
}

static void long_words_are_cut_alike(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_add_byte(&text, 'x');
	assert_true(store_tokenize(buf_bytes(&text), add, &out));
	assert_int_equal(out.len, 64);
}

static void what_folds_to_much_is_indexed_whole(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_add_cstr(&text, "\xef\xb7\xba"); /* one character that becomes eighteen */
	buf_add_cstr(&text, " end");
	assert_true(store_tokenize(buf_bytes(&text), add, &out));
	assert_true(bytes_ends(buf_bytes(&out), BYTES_LIT("|end")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_the_words_of_the_table),
		cmocka_unit_test(long_words_are_cut_alike),
		cmocka_unit_test(what_folds_to_much_is_indexed_whole),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
