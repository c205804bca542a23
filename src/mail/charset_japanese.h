/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/charset_japanese.h: the Japanese charsets by one table of rows and cells; for charset.c alone.
 *
 * Rows 1 to 94 are JIS X 0208 with NEC row 13 and the NEC-selected IBM extensions (rows 89 to 92), rows 95 to 120 the
 * rest of CP932: user-defined characters, where DoCoMo and SoftBank have their emoji (kept in the private use area, as
 * CP932 maps them), and the IBM extensions. KDDI's emoji in rows that CP932 leaves empty become U+FFFD.
 */
#include "base/bytes.h"
#include "base/err.h"

/* Fills the tables from ICU's converters. Idempotent. ERR_INTERNAL when ICU's data is missing. */
NODISCARD enum err japanese_init(void);

/*
 * Each decodes all of `in` into `out`, which has room for 3 * in.len bytes, and returns the bytes written.
 * `*ret_errors` counts malformed sequences, `*ret_gaps` well-formed ones that stand for no character; both became
 * U+FFFD.
 */
size_t japanese_shift_jis(struct bytes in, uint8_t *out, size_t *ret_errors, size_t *ret_gaps);
size_t japanese_euc(struct bytes in, uint8_t *out, size_t *ret_errors, size_t *ret_gaps);
/* `*ret_foreign`: an escape to a Chinese, Korean or European set (RFC 1554) was met; the output is then of no use. */
size_t japanese_iso2022(struct bytes in, uint8_t *out, size_t *ret_errors, size_t *ret_gaps, bool *ret_foreign);
