/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include "base/ascii.h"

#include "base/banned.h"

enum err num_parse(struct bytes text, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	if (text.len == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		int digit = ascii_hex(text.ptr[i]);
		if (digit < 0 || (unsigned)digit >= base)
			return ERR_SYNTAX;
		if (ckd_mul(&value, value, base) || ckd_add(&value, value, (uint64_t)digit) || value > max)
			return ERR_LIMIT;
	}
	*ret = value;
	return ERR_OK;
}

enum err num_take(struct bytes *text, uint64_t max, uint64_t *ret)
{
	size_t n = 0;
	while (n < text->len && ascii_is_digit(text->ptr[n]))
		n++;
	enum err err = num_parse(bytes_sub(*text, 0, n), 10, max, ret);
	if (err == ERR_LIMIT)
		*ret = max;
	*text = bytes_from(*text, n);
	return err;
}
