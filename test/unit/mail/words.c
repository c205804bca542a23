/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/arena.h"
#include "base/mem.h"
#include "mail/words.h"

static const struct {
	struct bytes in;
	const char *want;
} rows[] = {
	{BYTES_INIT("plain"), "plain"},
	{BYTES_INIT("  two\015\012 words "), "two words"},
	{BYTES_INIT("=\?utf-8\?B\?5pel5g==\?= =\?utf-8\?B\?nKzoqp7jga7ku7blkI0=\?="),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"},
	{BYTES_INIT("=\?utf-8\?Q\?=E6=97=A5=E6=9C\?=\015\012 =\?UTF-8\?b\?rOiqnuOBruS7tuWQjQ==\?="),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"},
	{BYTES_INIT("=\?iso-2022-jp\?B\?GyRCRnxLXA==\?= =\?iso-2022-jp\?B\?OGwkTjdvTD4bKEI=\?="),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"},
	{BYTES_INIT("=\?iso-2022-jp\?B\?GyRCLSEtag==\?="), "\342\221\240\343\210\261"},
	{BYTES_INIT("a =\?us-ascii\?q\?b_c\?= d"), "a b c d"},
	{BYTES_INIT("=\?utf-8*en\?Q\?x\?="), "x"},
	{BYTES_INIT("a=\?utf-8\?Q\?=C3=A9\?=b"), "a\303\251b"},
	{BYTES_INIT("=\?utf-8\?Q\?two words\?="), "two words"},
	{BYTES_INIT("=\?utf-8\?B\?44GC"), "\343\201\202"},
	{BYTES_INIT("=\?x-nobody\?Q\?a=20b\?= c"), "=\?x-nobody\?Q\?a=20b\?= c"},
	{BYTES_INIT("=\?utf-7\?Q\?+AGE-\?="), "=\?utf-7\?Q\?+AGE-\?="},
	{BYTES_INIT("caf\351"), "caf\303\251"},
	{BYTES_INIT("caf\303\251"), "caf\303\251"},
	{BYTES_INIT("\223\372\226{\214\352\202\314\214\217\226\274"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"},
	{BYTES_INIT("\306\374\313\334\270\354\244\316\267\357\314\276"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"},
	{BYTES_INIT("\033$BF|K\\8l$N7oL>\033(B"),
	 "\346\227\245\346\234\254\350\252\236\343\201\256\344\273\266\345\220\215"},
	{BYTES_INIT("=\?utf-8\?Q\?a=00b=0D=0Ac\?="), "a\357\277\275b  c"},
	{BYTES_INIT("=\?utf-8\?Q\?=ZZ\?="), "=ZZ"},
	{BYTES_INIT("=\? =\?\? =\?a\?x\?b\?="), "=\? =\?\? =\?a\?x\?b\?="},
	{BYTES_INIT("=\?utf-8\?B\?44GC\?= =\?iso-8859-1\?Q\?=E9\?="), "\343\201\202\303\251"},
	{BYTES_INIT("=\?utf-8\?Q\?\?="), ""},
	{BYTES_INIT("=\?utf-8\?B\?YQ==YmM=\?="), "abc"},
};

static void decodes_as_clients_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
		assert_bytes_str(words_decode(arena, rows[i].in, NULL, 0, BYTES_LIT("Subject"), NULL), rows[i].want);
	}
}

static void survives_every_failed_allocation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (uint64_t n = 1; n < 20; n++) {
			CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
			mem_fail_after(n, 1);
			struct bytes got = words_decode(arena, rows[i].in, NULL, 0, BYTES_LIT("Subject"), NULL);
			mem_fail_after(0, 0);
			if (got.ptr)
				assert_bytes_str(got, rows[i].want);
		}
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(decodes_as_clients_do),
	cmocka_unit_test(survives_every_failed_allocation),
};
UNIT_MAIN(tests)
