/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/charset_table.h"

static const struct {
	struct bytes label, in;
	const char *want, *used;
} rows[] = {
	{BYTES_INIT("iso-2022-jp"), BYTES_INIT("\033$B-!-j\033(B"), "\342\221\240\343\210\261", "iso-2022-jp"},
	{BYTES_INIT("ISO-2022-JP"), BYTES_INIT("\033(I1\033(B"), "\357\275\261", "iso-2022-jp"},
	{BYTES_INIT("cp50222"), BYTES_INIT("\0161\017"), "\357\275\261", "iso-2022-jp"},
	{BYTES_INIT("cp50221"), BYTES_INIT("\033$B$\""), "\343\201\202", "iso-2022-jp"},
	{BYTES_INIT("iso-2022-jp"), BYTES_INIT("\033$B$\"\261"), "\343\201\202\357\275\261", "iso-2022-jp"},
	{BYTES_INIT("iso-2022-jp-2"), BYTES_INIT("\033$A0!\033(B"), "\345\225\212", "iso-2022-jp"},
	{BYTES_INIT("x-sjis"), BYTES_INIT("\356\340\355\225\207@"), "\351\253\231\357\250\221\342\221\240",
	 "shift_jis"},
	{BYTES_INIT("cp51932"), BYTES_INIT("\255\241\374\342"), "\342\221\240\351\253\231", "euc-jp"},
	{BYTES_INIT("eucJP-ms"), BYTES_INIT("\217\260\241"), "\344\270\202", "euc-jp"},
	{BYTES_INIT("iso-2022-jp"), BYTES_INIT("\223\372\226{\214\352\202\314\214\217\226\274"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215", "shift_jis"},
	{BYTES_INIT("shift_jis"), BYTES_INIT("\033$BF|K\\8l$N7oL>\033(B"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215", "iso-2022-jp"},
	{BYTES_INIT("us-ascii"), BYTES_INIT("\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215", "utf-8"},
	{BYTES_INIT("us-ascii"), BYTES_INIT("caf\351"), "caf\303\251", "windows-1252"},
	{BYTES_INIT("iso-8859-1"), BYTES_INIT("\200\223"), "\342\202\254\342\200\234", "windows-1252"},
	{BYTES_INIT("gb2312"), BYTES_INIT("\274\362\314\345"), "\347\256\200\344\275\223", "gb18030"},
	{BYTES_INIT("big5-hkscs"), BYTES_INIT("\301c\305\351"), "\347\271\201\351\253\224", "big5-hkscs"},
	{BYTES_INIT("ks_c_5601-1987"), BYTES_INIT("\307\321\261\271"), "\355\225\234\352\265\255", "euc-kr"},
	{BYTES_INIT("koi8-r"), BYTES_INIT("\320\322\311\327\305\324"),
	 "\320\277\321\200\320\270\320\262\320\265\321\202", "koi8-r"},
	{BYTES_INIT("iso-8859-16"), BYTES_INIT("\376"), "\310\233", "iso-8859-16"},
	{BYTES_INIT("utf-16le"), BYTES_INIT("a\000=\330\000\336"), "a\360\237\230\200", "utf-16le"},
	{BYTES_INIT("tis-620"), BYTES_INIT("\344\267\302"), "\340\271\204\340\270\227\340\270\242", "windows-874"},
	{BYTES_INIT("iso-8859-8-i"), BYTES_INIT("\371\354\345\355"), "\327\251\327\234\327\225\327\235", "iso-8859-8"},
	{BYTES_INIT("utf-8"), BYTES_INIT("\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\357\277\275", "utf-8"},
	{BYTES_INIT("utf-8"), BYTES_INIT("\223it\224"), "\342\200\234it\342\200\235", "windows-1252"},
	{BYTES_INIT("utf-7"), BYTES_INIT("+AGE-"), "+AGE-", "utf-7"},
	{BYTES_INIT(" \"UTF8\" "),
	 BYTES_INIT("\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215", "utf-8"},
	{BYTES_INIT("shift_jis"), BYTES_INIT("\201<a>"), "\357\277\275<a>", "shift_jis"},
	/* Cut inside a character, by whoever shortened it. */
	{BYTES_INIT("iso-2022-jp"), BYTES_INIT("\033$B$\"$$$"), "\343\201\202\343\201\204\357\277\275", "iso-2022-jp"},
	{BYTES_INIT("iso-2022-jp"), BYTES_INIT("\033$B$\"$\033(B ..."), "\343\201\202\357\277\275 ...", "iso-2022-jp"},
	{BYTES_INIT("us-ascii"), BYTES_INIT("\033$B$\"$$$"), "\343\201\202\343\201\204\357\277\275", "iso-2022-jp"},
};

static void reads_labels_and_what_is_mislabelled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct charset_result result;
		const struct charset *charset = charset_find(rows[i].label);
		assert_non_null(charset);
		assert_ok(charset_decode(arena, charset, rows[i].in, &result));
		assert_bytes_str(result.text, rows[i].want);
		assert_string_equal(charset_name(result.used), rows[i].used);
	}
}

static void aliases_are_sorted(void **state)
{
	(void)state;
	for (size_t i = 1; i < charset_n_aliases; i++)
		assert_true(strcmp(charset_aliases[i - 1].name, charset_aliases[i].name) < 0);
	assert_null(charset_find(BYTES_LIT("x-nobody")));
}

static void every_converter_opens_and_ascii_is_not_copied(void **state)
{
	(void)state;
	struct charset_result result;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	assert_ok(charset_init());
	assert_ok(charset_decode(arena, charset_utf8, rows[0].label, &result));
	assert_true(result.ascii);
	assert_ptr_equal(result.text.ptr, rows[0].label.ptr);
	charset_done();
}

static void any_bytes_give_valid_utf8(void **state)
{
	(void)state;
	uint8_t raw[512];
	uint32_t seed = 1;
	for (size_t id = 0; id < CHARSET_COUNT; id++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		struct charset_result result;
		for (size_t i = 0; i < sizeof(raw); i++) {
			seed = seed * 1664525u + 1013904223u;
			raw[i] = (uint8_t)(seed >> 24);
		}
		assert_ok(charset_decode_strict(arena, &charset_table[id], bytes_make(raw, sizeof(raw)), &result));
		assert_true(utf8_valid(result.text) || charset_table[id].kind == CHARSET_KIND_UTF7);
	}
	charset_done();
}

/* Exit status of a process that may not open a file once charset_init() is through. */
static int decode_all_without_files(void)
{
	static const int calls[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(newfstatat)};
	struct arena *arena = arena_create(SIZE_MAX);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!arena || !filter || charset_init() != ERR_OK)
		return 2;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0) != 0)
			return 3;
	if (seccomp_load(filter) != 0)
		return 3;
	for (size_t id = 0; id < CHARSET_COUNT; id++) {
		struct charset_result result;
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			if (charset_decode(arena, &charset_table[id], rows[i].in, &result) != ERR_OK)
				return 4;
	}
	return 0;
}

static void decoding_opens_no_file_after_init(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();
	if (child == 0)
		_exit(decode_all_without_files());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_labels_and_what_is_mislabelled),
	cmocka_unit_test(decoding_opens_no_file_after_init),
	cmocka_unit_test(aliases_are_sorted),
	cmocka_unit_test(every_converter_opens_and_ascii_is_not_copied),
	cmocka_unit_test(any_bytes_give_valid_utf8),
};
UNIT_MAIN(tests)
