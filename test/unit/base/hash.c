/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/hash.h"

/* The vector of the SipHash paper, appendix A: key 00..0f, input 00..0e. */
static void siphash_is_the_papers(void **state)
{
	(void)state;
	struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t in[15];
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	assert_true(hash_sip(key, bytes_make(in, 15)) == 0xa129ca6149be45e5);
}

static void crc_is_the_check_value(void **state)
{
	(void)state;
	assert_int_equal(hash_crc32(0, BYTES_LIT("123456789")), 0xcbf43926);
	assert_int_equal(hash_crc32(hash_crc32(0, BYTES_LIT("1234")), BYTES_LIT("56789")), 0xcbf43926);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(siphash_is_the_papers),
					  cmocka_unit_test(crc_is_the_check_value)};
UNIT_MAIN(tests)
