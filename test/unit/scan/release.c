/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "mail/message.h"
#include "scan/check.h"
#include "scan/release.h"

/* So that the section of the checks is there. */
static enum check_step run(struct scan *scan)
{
	(void)scan;
	return CHECK_DONE;
}
CHECK_REGISTER(none){.symbol = "NONE",
		     .family = "header",
		     .summary = "s",
		     .text_en = "s",
		     .text_ja = "s",
		     .manual = "s",
		     .run = run};

static void hash_of(const char *message, char out[static DIGEST_SHA256_HEX])
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	assert_true(release_body_hash(arena, bytes_from_cstr(message), out));
}

static void the_hash_of_a_body_is_that_of_its_lines(void **state)
{
	static const char *const same[] = {
		"A: b\n\none\ntwo\n",
		"A: b\r\n\r\none\r\ntwo\r\n",
		"\none\ntwo",
		"C: d\nE: f\n\none\r\ntwo\n\n\n",
		"X\r\n\r\none\ntwo\r\n\r\n\r\n",
		"A: b\n\r\none\ntwo\n",
	};
	static const char *const others[] = {
		"A: b\n\none\ntwo \n", "A: b\n\n\none\ntwo\n", "A: b\n\none\n\ntwo\n", "A: b\n\none\rtwo\n",
		"A: b\n\nonetwo\n",    "A: b\none\ntwo\n",     "A: b\n\none\ntwo\n.",  ""};
	char want[DIGEST_SHA256_HEX], got[DIGEST_SHA256_HEX], plain[DIGEST_SHA256_HEX];
	(void)state;
	digest_sha256_hex(BYTES_LIT("one\ntwo"), want);
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		hash_of(same[i], got);
		assert_string_equal(got, want);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		hash_of(others[i], got);
		assert_string_not_equal(got, want);
	}
	/* No body at all, in each of its forms. */
	digest_sha256_hex((struct bytes){0}, plain);
	static const char *const empty[] = {"", "A: b", "A: b\n", "A: b\n\n", "A: b\r\n\r\n\r\n\r\n"};
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		hash_of(empty[i], got);
		assert_string_equal(got, plain);
	}
}

static struct bytes key_of(struct arena *arena, const char *header)
{
	struct message *message;
	struct bytes raw = arena_printf(arena, "Subject: x\r\n%s\r\none\r\ntwo\r\n", header);
	assert_ok(message_parse(arena, raw, &mime_limits_default, &message));
	return release_key(arena, message);
}

static void only_one_field_of_sound_form_is_a_release(void **state)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	char hash[DIGEST_SHA256_HEX], want[200];
	(void)state;
	digest_sha256_hex(BYTES_LIT("one\ntwo"), hash);
	(void)snprintf(want, sizeof(want), "4bX-1 Tok3n %s", hash);
	assert_bytes_str(key_of(arena, "X-Postern-Release: v1 4bX-1 Tok3n\r\n"), want);
	assert_bytes_str(key_of(arena, "x-postern-release:v1 4bX-1 Tok3n \r\n"), want);
	static const char *const wrong[] = {
		"",
		"X-Postern-Release: v1 4bX-1\r\n",
		"X-Postern-Release: v1 4bX-1 Tok3n more\r\n",
		"X-Postern-Release: v2 4bX-1 Tok3n\r\n",
		"X-Postern-Release: v1  Tok3n\r\n",
		"X-Postern-Release: v1 4bX/1 Tok3n\r\n",
		"X-Postern-Release: v1 4bX-1 Tok\xc3\xa9n\r\n",
		"X-Postern-Release: v1 0123456789012345678901234567890123456789012345678901234567890123X T\r\n",
		"X-Postern-Release: v1 4bX-1 Tok3n\r\nX-Postern-Release: v1 4bX-1 Tok3n\r\n",
		"X-Postern-Release: v1 4bX-1 Tok3n\r\nX-Postern-Release: other\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(key_of(arena, wrong[i]).len, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_hash_of_a_body_is_that_of_its_lines),
	cmocka_unit_test(only_one_field_of_sound_form_is_a_release),
};

UNIT_MAIN(tests)
