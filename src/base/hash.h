/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/hash.h: a keyed hash for tables that a sender could aim at, and CRC-32. Nothing here is for signatures.
 */
#include "base/bytes.h"

struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
uint64_t hash_sip(struct hash_key key, struct bytes b);

/* CRC-32 of ISO 3309, as zip, gzip and yEnc use it; start with 0 and pass the result on for the next piece. */
uint32_t hash_crc32(uint32_t crc, struct bytes b);
