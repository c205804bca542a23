/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/tags.h"

#include "auth/dkim_key.h"
#include "base/buf.h"
#include "keys.h"
#include "unit_arena.h"

static const struct {
	const char *rule, *text, *names, *values; /* joined by | */
} good[] = {
	{"one tag", "v=1", "v|", "1|"},
	{"several, the last with a semicolon", "v=1;a=x;", "v|a|", "1|x|"},
	{"blanks and folds around everything", " v = 1 ;\r\n\ta\r\n = x y\r\n z ; ", "v|a|", "1|x y\r\n z|"},
	{"empty values", "p=;b= ;c=\t", "p|b|c|", "|||"},
	{"a value with =", "b=a==", "b|", "a==|"},
	{"names in both cases are two", "a=1;A=2", "a|A|", "1|2|"},
	{"digits and underscores in names", "a_1=x", "a_1|", "x|"},
	{"bytes over 0x7f", "d=\xe2\x82\xac", "d|", "\xe2\x82\xac|"},
};

static const struct {
	const char *rule, *text;
	size_t at;
	const char *words;
} bad[] = {
	{"nothing", "", 0, "a tag name is missing"},
	{"blanks", " \t", 2, "a tag name is missing"},
	{"no name", "=1", 0, "a tag name is missing"},
	{"a digit first", "1a=1", 0, "a tag name is missing"},
	{"an underscore first", "_=1", 0, "a tag name is missing"},
	{"an empty tag", "a=1;;b=2", 4, "a tag name is missing"},
	{"two semicolons at the end", "a=1; ;", 5, "a tag name is missing"},
	{"no equals sign", "a", 1, "\"=\" is missing behind a tag name"},
	{"a blank in a name", "a b=1", 2, "\"=\" is missing behind a tag name"},
	{"a dash in a name", "a-b=1", 1, "\"=\" is missing behind a tag name"},
	{"a control in a value", "a=1;b=x\x01y", 7, "a control character in a tag value"},
	{"DEL in a value", "a=\x7f", 2, "a control character in a tag value"},
	{"twice", "a=1; b=2; a=3", 10, "a tag is there twice"},
};

static void lists_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CLEANUP(buf_done) struct buf names = BUF_INIT(1000), values = BUF_INIT(1000);
		struct tags tags;
		struct error error;
		struct bytes text = bytes_from_cstr(good[i].text);
		assert_ok(tags_parse(arena, text, &tags, &error));
		for (size_t j = 0; j < tags.count; j++) {
			const struct tag *tag = &tags.items[j];
			buf_add(&names, tag->name);
			buf_add_byte(&names, '|');
			buf_add(&values, tag->value);
			buf_add_byte(&values, '|');
			assert_bytes(bytes_sub(text, tag->at, tag->name.len), tag->name);
			assert_bytes(bytes_sub(text, tag->value_at, tag->value.len), tag->value);
			assert_int_equal(text.ptr[tag->from - 1], '=');
			assert_true(tag->to == text.len || text.ptr[tag->to] == ';');
		}
		assert_bytes_str(buf_bytes(&names), good[i].names);
		assert_bytes_str(buf_bytes(&values), good[i].values);
	}
}

static void what_is_wrong_has_a_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct tags tags;
		struct error error = {0};
		enum err err = tags_parse(arena, bytes_from_cstr(bad[i].text), &tags, &error);
		if (err != ERR_SYNTAX || error.at != bad[i].at)
			print_error("%s: %s at %zu\n", bad[i].rule, error.text, error.at);
		assert_int_equal(err, ERR_SYNTAX);
		assert_int_equal(error.at, bad[i].at);
		assert_string_equal(error.text, bad[i].words);
	}
}

static void there_are_64_tags_at_most(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(10000);
	struct tags tags;
	struct error error;
	for (size_t i = 0; i < 64; i++)
		buf_printf(&buf, "a%zu=;", i);
	assert_ok(tags_parse(arena, buf_bytes(&buf), &tags, &error));
	assert_int_equal(tags.count, 64);
	buf_add_cstr(&buf, "z=");
	assert_int_equal(tags_parse(arena, buf_bytes(&buf), &tags, &error), ERR_SYNTAX);
}

static void pieces_stand_between_colons(void **state)
{
	(void)state;
	assert_true(tag_has_piece(BYTES_LIT("sha1 : SHA256"), BYTES_LIT("sha256")));
	assert_true(tag_has_piece(BYTES_LIT("sha256"), BYTES_LIT("sha256")));
	assert_false(tag_has_piece(BYTES_LIT("sha2567:sha"), BYTES_LIT("sha256")));
	assert_true(tag_has_piece(BYTES_LIT("a:"), BYTES_LIT("")));
	assert_true(tag_has_piece(BYTES_LIT(""), BYTES_LIT("")));
	struct tag_pieces pieces = tag_pieces_make(BYTES_LIT("a: b\r\n :c"));
	struct bytes piece;
	assert_true(tag_pieces_next(&pieces, &piece));
	assert_bytes_str(piece, "a");
	assert_true(tag_pieces_next(&pieces, &piece));
	assert_bytes_str(piece, "b");
	assert_true(tag_pieces_next(&pieces, &piece));
	assert_bytes_str(piece, "c");
	assert_false(tag_pieces_next(&pieces, &piece));
}

static void base64_may_be_folded_and_unpadded(void **state)
{
	(void)state;
	static const struct {
		const char *text, *data; /* NULL: it is none */
		size_t at;
	} cases[] = {
		{"Zm9v", "foo", 0},
		{"Zm 9\r\n\tv", "foo", 0},
		{"Zm8=", "fo", 0},
		{"Zm8 =", "fo", 0},
		{"Zg==", "f", 0},
		{"Zg= =", "f", 0},
		{"Zm8", "fo", 0},
		{"Zg", "f", 0},
		{"Zm9vYmFy", "foobar", 0},
		{"", NULL, 0},
		{" ", NULL, 1},
		{"=", NULL, 0},
		{"Z", NULL, 1},
		{"Z===", NULL, 1},
		{"Zg=", NULL, 3},
		{"Zg===", NULL, 4},
		{"Zm9v=", NULL, 4},
		{"Zg==Zg==", NULL, 4},
		{"Zm-v", NULL, 2},
		{"Zm9v;", NULL, 4},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes data;
		size_t at = 99;
		enum err err = tag_base64(arena, bytes_from_cstr(cases[i].text), &data, &at);
		assert_int_equal(err, cases[i].data ? ERR_OK : ERR_SYNTAX);
		if (cases[i].data)
			assert_bytes_str(data, cases[i].data);
		else
			assert_int_equal(at, cases[i].at);
	}
}

static void quoted_printable_is_decoded(void **state)
{
	(void)state;
	static const struct {
		const char *text, *decoded;
	} cases[] = {
		{"joe@example.com", "joe@example.com"},
		{"", ""},
		{" j o\r\n\te ", "joe"},
		{"a=20b=3Bc=3dd", "a b;c=d"},
		{"=4", "=4"},
		{"a=", "a="},
		{"=4g=zz==41", "=4g=zz=A"},
		{"=3D41", "=41"},
		{"=E2=82=AC", "\xe2\x82\xac"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes text;
		assert_ok(tag_quoted_printable(arena, bytes_from_cstr(cases[i].text), &text));
		assert_bytes_str(text, cases[i].decoded);
	}
}

static void key_records_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *record;
		enum err err;
		bool testing, strict;
		enum crypto_type type;
	} cases[] = {
		{"p=Zm9v", ERR_OK, false, false, CRYPTO_RSA},
		{"v=DKIM1; k=ed25519; t=y:s; n=a=b c; x=y; p=Zm9v;", ERR_OK, true, true, CRYPTO_ED25519},
		{"v=DKIM1;k=RSA;s=*;h=sha256;g=;t= s ;p=Zm\r\n 9v", ERR_OK, false, true, CRYPTO_RSA},
		{"t=ys; p=Zm9v", ERR_OK, false, false, CRYPTO_RSA},
		{"p=", ERR_DENIED, false, false, CRYPTO_RSA},
		{"v=DKIM1; t=y; p= ;", ERR_DENIED, true, false, CRYPTO_RSA},
		{"s=; p=Zm9v", ERR_UNSUPPORTED, false, false, CRYPTO_RSA},
		{"h=sha1; p=Zm9v", ERR_UNSUPPORTED, false, false, CRYPTO_RSA},
		{"k=x; p=Zm9v", ERR_UNSUPPORTED, false, false, CRYPTO_RSA},
		{"v=dkim1; p=Zm9v", ERR_SYNTAX, false, false, CRYPTO_RSA},
		{"p=Zm9v; v=DKIM1", ERR_SYNTAX, false, false, CRYPTO_RSA},
		{"p=Zm9v; p=Zm9v", ERR_SYNTAX, false, false, CRYPTO_RSA},
		{"v=spf1 -all", ERR_SYNTAX, false, false, CRYPTO_RSA},
		{"", ERR_SYNTAX, false, false, CRYPTO_RSA},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dkim_key key = {0};
		struct error error = {0};
		assert_int_equal(dkim_key_read(arena, bytes_from_cstr(cases[i].record), &key, &error), cases[i].err);
		assert_int_equal(error.text[0] != '\0', cases[i].err != ERR_OK);
		if (cases[i].err != ERR_OK)
			continue;
		assert_bytes_str(key.data, "foo");
		assert_int_equal(key.testing, cases[i].testing);
		assert_int_equal(key.strict, cases[i].strict);
		assert_int_equal(key.type, cases[i].type);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(lists_are_read),
	TEST(what_is_wrong_has_a_place),
	TEST(there_are_64_tags_at_most),
	TEST(pieces_stand_between_colons),
	TEST(base64_may_be_folded_and_unpadded),
	TEST(quoted_printable_is_decoded),
	TEST(key_records_are_read),
};
UNIT_MAIN(tests)
