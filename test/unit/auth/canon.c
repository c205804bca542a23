/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/canon.h"

#include "base/buf.h"
#include "fixture.h"

/* Whether the hash is that of this text: what was hashed cannot be seen otherwise. */
static bool digest_is(const uint8_t digest[static CRYPTO_SHA256_LEN], struct bytes text)
{
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	uint8_t want[CRYPTO_SHA256_LEN];
	crypto_hash_add(hash, text);
	crypto_hash_finish(hash, want);
	return memcmp(want, digest, sizeof(want)) == 0;
}

/* -- The examples of RFC 6376 3.4.5 and more ---- */

static const struct {
	const char *rule, *raw, *simple, *relaxed;
} fields[] = {
	{"RFC 6376 3.4.5", "A: X", "A: X\r\n", "a:X\r\n"},
	{"RFC 6376 3.4.5, folded", "B : Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
	{"LF is as CRLF", "B : Y\t\n\tZ  ", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
	{"nothing behind the colon", "C:", "C:\r\n", "c:\r\n"},
	{"blanks behind the colon", "C: \t", "C: \t\r\n", "c:\r\n"},
	{"a fold of nothing", "C: a\r\n \r\n b", "C: a\r\n \r\n b\r\n", "c:a b\r\n"},
	{"a bare CR is a byte", "C: a\rb\r\r\n c", "C: a\rb\r\r\n c\r\n", "c:a\rb\r c\r\n"},
	{"a colon in the value", "C:a : b", "C:a : b\r\n", "c:a : b\r\n"},
	{"bytes over 0x7f", "\xc3\x84: \xc3\x84", "\xc3\x84: \xc3\x84\r\n", "\xc3\x84:\xc3\x84\r\n"},
};

static void fields_have_two_forms(void **state)
{
	(void)state;
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	uint8_t digest[CRYPTO_SHA256_LEN];
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		canon_field_hash(hash, CANON_SIMPLE, bytes_from_cstr(fields[i].raw));
		crypto_hash_finish(hash, digest);
		bool simple = digest_is(digest, bytes_from_cstr(fields[i].simple));
		canon_field_hash(hash, CANON_RELAXED, bytes_from_cstr(fields[i].raw));
		crypto_hash_finish(hash, digest);
		bool relaxed = digest_is(digest, bytes_from_cstr(fields[i].relaxed));
		if (!simple || !relaxed)
			print_error("%s\n", fields[i].rule);
		assert_true(simple && relaxed);
	}
}

static const struct {
	const char *rule, *raw, *simple, *relaxed;
} bodies[] = {
	{"RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
	{"no body", "", "\r\n", ""},
	{"empty lines alone", "\r\n\r\n", "\r\n", ""},
	{"lines of blanks alone", " \t\r\n \r\n", " \t\r\n \r\n", ""},
	{"lines of blanks at the end", "a\r\n \r\n\r\n", "a\r\n \r\n", "a\r\n"},
	{"empty lines inside", "\r\n\r\na\r\n\r\nb", "\r\n\r\na\r\n\r\nb\r\n", "\r\n\r\na\r\n\r\nb\r\n"},
	{"no line end at the end", "a", "a\r\n", "a\r\n"},
	{"no line end behind blanks", "a\r\n ", "a\r\n \r\n", "a\r\n"},
	{"LF is as CRLF", "a\nb \n\n", "a\r\nb \r\n", "a\r\nb\r\n"},
	{"a bare CR is a byte", "a\rb\r", "a\rb\r\r\n", "a\rb\r\r\n"},
	{"CR CR LF", "a\r\r\n", "a\r\r\n", "a\r\r\n"},
	{"a CR alone at the end", "\r", "\r\r\n", "\r\r\n"},
	{"blanks before a bare CR stay", "a \r \r\n", "a \r \r\n", "a \r\r\n"},
	{"leading blanks become one", "\t \ta", "\t \ta\r\n", " a\r\n"},
};

static struct canon_body body_of(struct bytes body, enum canon canon, uint64_t length)
{
	struct canon_message *message;
	struct canon_body ret;
	struct bytes raw = arena_printf(arena, "A: b\r\n\r\n%.*s", BYTES_FMT(body));
	assert_ok(canon_message_read(arena, raw, &message));
	assert_ok(canon_body_hash(message, &(struct canon_want){canon, length}, 1, &ret));
	return ret;
}

static void bodies_have_two_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		for (size_t form = 0; form < 2; form++) {
			struct bytes want = bytes_from_cstr(form ? bodies[i].relaxed : bodies[i].simple);
			struct canon_body body =
				body_of(bytes_from_cstr(bodies[i].raw), form ? CANON_RELAXED : CANON_SIMPLE, CANON_ALL);
			if (body.length != want.len || !digest_is(body.digest, want))
				print_error("%s (%s)\n", bodies[i].rule, form ? "relaxed" : "simple");
			assert_int_equal(body.length, want.len);
			assert_true(digest_is(body.digest, want));
		}
	}
}

/* RFC 6376 3.4.3 and 3.4.4 tell the hashes of the empty body. */
static void the_empty_body_has_the_known_hashes(void **state)
{
	(void)state;
	static const uint8_t relaxed[] = {0xe3, 0xb0, 0xc4, 0x42};
	assert_memory_equal(body_of(BYTES_LIT(""), CANON_RELAXED, CANON_ALL).digest, relaxed, sizeof(relaxed));
	assert_true(digest_is(body_of(BYTES_LIT(""), CANON_SIMPLE, CANON_ALL).digest, BYTES_LIT("\r\n")));
}

static void any_number_of_lengths_is_taken_from_one_pass(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1 << 20);
	for (size_t i = 0; i < 1000; i++)
		buf_printf(&buf, "line %zu\r\n", i);
	struct canon_message *message;
	struct canon_want wants[60];
	struct canon_body got[60];
	struct bytes raw = arena_printf(arena, "A: b\r\n\r\n%.*s", BYTES_FMT(buf_bytes(&buf)));
	assert_ok(canon_message_read(arena, raw, &message));
	for (size_t i = 0; i < ARRAY_LEN(wants); i++)
		wants[i] = (struct canon_want){i % 3 ? CANON_SIMPLE : CANON_RELAXED,
					       i == 59  ? CANON_ALL
					       : i > 55 ? buf.len + i
							: (i * 7919) % (buf.len + 1)};
	for (size_t round = 0; round < 2; round++) { /* the second time from what is known */
		assert_ok(canon_body_hash(message, wants, ARRAY_LEN(wants), got));
		for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
			assert_int_equal(got[i].length, buf.len);
			assert_true(digest_is(got[i].digest, bytes_sub(buf_bytes(&buf), 0, (size_t)wants[i].length)));
		}
	}
	wants[0] = (struct canon_want){CANON_SIMPLE, 0};
	wants[1] = (struct canon_want){CANON_SIMPLE, buf.len};
	assert_ok(canon_body_hash(message, wants, 2, got));
	assert_true(digest_is(got[0].digest, BYTES_LIT("")));
	assert_true(digest_is(got[1].digest, buf_bytes(&buf)));
}

static const struct {
	const char *rule, *raw;
	size_t n_fields;
	const char *body;
	bool crlf, junk;
} messages[] = {
	{"the plain case", "A: b\r\nC: d\r\n\r\nbody", 2, "body", true, false},
	{"of a file", "A: b\nC: d\n\nbody\r\n", 2, "body\r\n", false, false},
	{"no body", "A: b\r\n", 1, "", true, false},
	{"no line end", "A: b", 1, "", true, false},
	{"nothing", "", 0, "", true, false},
	{"an empty line first", "\r\nA: b\r\n", 0, "A: b\r\n", true, false},
	{"folds", "A: b\r\n c\r\n\td\r\n\r\n", 1, "", true, false},
	{"a line that is no field is not there", "A: b\r\njunk\r\n more\r\nC: d\r\n\r\nx", 2, "x", true, true},
	{"a name with blanks inside is none", "A: b\r\nX Y: z\r\n\r\nx", 1, "x", true, true},
	{"a line of blanks ends nothing", "A: b\r\n \r\nC: d\r\n\r\nx", 2, "x", true, false},
	{"a fold first", " x\r\nA: b\r\n\r\nx", 1, "x", true, true},
	{"a bare CR ends no line", "A: b\rC: d\r\r\nE: f\r\n\r\nx", 2, "x", true, false},
	{"a CR alone is no empty line", "A: b\r\n\r\r\n\r\nx", 1, "x", true, true},
	{"an mbox's line below what was put on top", "Received: b\nARC-Seal: c\nFrom a@b Tue\nA: b\n\nx", 3, "x", false,
	 false},
	{"an mbox's line in the midst", "Received: b\nA: b\nFrom a@b Tue\nC: d\n\nx", 3, "x", false, true},
	{"an mbox's line first", "From a@b Tue Nov 14 22:13:20 2023\nA: b\n\nx", 1, "x", false, false},
	{"one further down", "A: b\n>From a\n\nx", 1, "x", false, true},
};

static void messages_are_split_by_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct canon_message *message;
		assert_ok(canon_message_read(arena, bytes_from_cstr(messages[i].raw), &message));
		if (message->n_fields != messages[i].n_fields)
			print_error("%s\n", messages[i].rule);
		assert_int_equal(message->n_fields, messages[i].n_fields);
		assert_bytes_str(message->body, messages[i].body);
		assert_int_equal(message->crlf, messages[i].crlf);
		assert_int_equal(message->junk, messages[i].junk);
	}
}

static void fields_are_chosen_from_the_bottom(void **state)
{
	(void)state;
	static const struct bytes names[] = {BYTES_INIT("b"), BYTES_INIT("A"), BYTES_INIT("none"), BYTES_INIT("a"),
					     BYTES_INIT("a"), BYTES_INIT("a"), BYTES_INIT("b")};
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	struct canon_message *message;
	uint8_t digest[CRYPTO_SHA256_LEN];
	assert_ok(canon_message_read(arena, BYTES_LIT("a: 1\r\nB: 2\r\nA: 3\r\na: 4\r\nc: 5\r\n\r\n"), &message));
	assert_int_equal(canon_message_name(message, BYTES_LIT("A"))->count, 3);
	assert_null(canon_message_name(message, BYTES_LIT("d")));
	assert_ok(canon_header_hash(message, hash, CANON_SIMPLE, names, ARRAY_LEN(names), SIZE_MAX));
	crypto_hash_finish(hash, digest);
	assert_true(digest_is(digest, BYTES_LIT("B: 2\r\na: 4\r\nA: 3\r\na: 1\r\n")));
	assert_ok(canon_header_hash(message, hash, CANON_RELAXED, names, ARRAY_LEN(names), 2));
	crypto_hash_finish(hash, digest);
	assert_true(digest_is(digest, BYTES_LIT("b:2\r\na:4\r\na:1\r\n")));
}

static void a_signature_is_hashed_without_its_value(void **state)
{
	(void)state;
	CLEANUP(crypto_hash_free) struct crypto_hash *hash = crypto_hash_new();
	struct bytes raw = BYTES_LIT("S: a=1; b= xyz\r\n abc ;\r\n c=2 ");
	uint8_t digest[CRYPTO_SHA256_LEN];
	size_t from = 10, to = bytes_find(raw, BYTES_LIT(";\r\n c"));
	canon_signature_hash(hash, CANON_SIMPLE, raw, from, to);
	crypto_hash_finish(hash, digest);
	assert_true(digest_is(digest, BYTES_LIT("S: a=1; b=;\r\n c=2 ")));
	canon_signature_hash(hash, CANON_RELAXED, raw, from, to);
	crypto_hash_finish(hash, digest);
	assert_true(digest_is(digest, BYTES_LIT("s:a=1; b=; c=2")));
}

static void large_headers_are_marked(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf many = BUF_INIT(1 << 20), large = BUF_INIT(CANON_HEADER_MAX + 1024);
	struct canon_message *message;
	for (size_t i = 0; i < CANON_FIELDS_MAX; i++)
		buf_add_cstr(&many, "A: b\r\n");
	assert_ok(canon_message_read(arena, buf_bytes(&many), &message));
	assert_false(message->too_large);
	assert_int_equal(canon_message_name(message, BYTES_LIT("a"))->count, CANON_FIELDS_MAX);
	buf_add_cstr(&many, "A: b\r\n");
	assert_ok(canon_message_read(arena, buf_bytes(&many), &message));
	assert_true(message->too_large);
	buf_add_cstr(&large, "A: ");
	for (size_t i = 0; i < CANON_HEADER_MAX; i++)
		buf_add_byte(&large, 'x');
	assert_int_equal(canon_message_beyond(message, BYTES_LIT("a")), 1);
	buf_add_cstr(&large, "\r\nS: 1\r\n s: folded\r\ns : 2\r\nT: 1\r\n\r\nS: body\r\n");
	assert_ok(canon_message_read(arena, buf_bytes(&large), &message));
	assert_true(message->too_large);
	assert_int_equal(canon_message_beyond(message, BYTES_LIT("s")), 2);
}

static const struct CMUnitTest tests[] = {
	TEST_CRYPTO(fields_have_two_forms),
	TEST_CRYPTO(bodies_have_two_forms),
	TEST_CRYPTO(the_empty_body_has_the_known_hashes),
	TEST_CRYPTO(any_number_of_lengths_is_taken_from_one_pass),
	TEST_CRYPTO(messages_are_split_by_lines),
	TEST_CRYPTO(fields_are_chosen_from_the_bottom),
	TEST_CRYPTO(a_signature_is_hashed_without_its_value),
	TEST_CRYPTO(large_headers_are_marked),
};
UNIT_MAIN(tests)
