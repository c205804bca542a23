/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/digest.h"

#include <openssl/evp.h>

#include "base/err.h"

#include "base/banned.h"

/*
 * EVP_MD_fetch() is slow in OpenSSL 3 and its result never changes: it is kept for the life of the process, like the
 * context. SHA-256 is always there, so a failure is a broken installation.
 */
static EVP_MD *sha256;
static EVP_MD_CTX *context;

void digest_sha256(struct bytes data, uint8_t out[static DIGEST_SHA256_LEN])
{
	unsigned len = 0;
	if (!sha256)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!context)
		context = EVP_MD_CTX_new();
	ASSERT(sha256 && context);
	ASSERT(EVP_DigestInit_ex2(context, sha256, NULL) == 1);
	ASSERT(data.len == 0 || EVP_DigestUpdate(context, data.ptr, data.len) == 1);
	ASSERT(EVP_DigestFinal_ex(context, out, &len) == 1 && len == DIGEST_SHA256_LEN);
}

void digest_sha256_hex(struct bytes data, char out[static DIGEST_SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[DIGEST_SHA256_LEN];
	digest_sha256(data, raw);
	for (size_t i = 0; i < sizeof(raw); i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[2 * sizeof(raw)] = '\0';
}
