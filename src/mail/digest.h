/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/digest.h: SHA-256, by OpenSSL. The algorithm is fetched once and kept.
 */
#include "base/bytes.h"

#define DIGEST_SHA256_LEN 32
#define DIGEST_SHA256_HEX 65 /* with the NUL */

void digest_sha256(struct bytes data, uint8_t out[static DIGEST_SHA256_LEN]);
/* Lower case hex and a NUL. */
void digest_sha256_hex(struct bytes data, char out[static DIGEST_SHA256_HEX]);
