/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/num.h: arithmetic that cannot overflow unseen, and numbers read from foreign text with an explicit maximum.
 */
#include "base/bytes.h"
#include "base/err.h"

/* C23's names; true when the result did not fit. */
#define ckd_add(ret, a, b) __builtin_add_overflow((a), (b), (ret))
#define ckd_sub(ret, a, b) __builtin_sub_overflow((a), (b), (ret))
#define ckd_mul(ret, a, b) __builtin_mul_overflow((a), (b), (ret))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/*
 * The whole of `text` as an unsigned number in `base` (10 or 16), digits only, no sign, no space.
 * ERR_SYNTAX when it is not one or is empty, ERR_LIMIT when it is over `max`.
 */
NODISCARD enum err num_parse(struct bytes text, unsigned base, uint64_t max, uint64_t *ret);

/*
 * Takes leading decimal digits off `*text`. ERR_SYNTAX when there is none; a value over `max` becomes `max` (all digits
 * are taken all the same) and the result is ERR_LIMIT.
 */
NODISCARD enum err num_take(struct bytes *text, uint64_t max, uint64_t *ret);
