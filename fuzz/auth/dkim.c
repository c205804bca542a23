/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim.h"

#include "base/arena.h"

#include "signer.h"

#define NOW 1528637909

static void check_results(const struct dkim *dkim)
{
	ASSERT(dkim->count <= DKIM_SIGNATURES_MAX + 1);
	for (size_t i = 0; i < dkim->count; i++) {
		const struct dkim_signature *signature = &dkim->signatures[i];
		ASSERT(signature->reason.len > 0 && dkim_result_name(signature->result));
		ASSERT(signature->result != DKIM_PASS || (signature->key_bits > 0 && signature->n_signed > 0));
	}
}

static void run(struct canon_message *message, const struct dns_host *host, struct dkim **ret_dkim)
{
	const struct dkim_options options = {.now = NOW, .verify_max = 4};
	enum auth_step step;
	ASSERT(dkim_begin(message, &options, ret_dkim) == ERR_OK);
	do {
		ASSERT(dkim_step(*ret_dkim, host, &step) == ERR_OK);
	} while (step == AUTH_WAIT);
	check_results(*ret_dkim);
}

/* Checks a message; then signs it, which must give a good signature on top, whatever the message is (or one that is not
 * good for its junk alone). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct crypto_key *key = signer_key();
	struct signer_host signer;
	struct bytes input = bytes_make(data, size), field;
	uint8_t form = size > 0 ? data[0] : 0;
	struct dns_host host = signer_host_init(&signer, &input);
	struct canon_message *message;
	struct dkim *dkim;
	struct error error = {0};
	ASSERT(canon_message_read(arena, input, &message) == ERR_OK);
	run(message, &host, &dkim);
	struct dkim_sign_options options = {.domain = BYTES_LIT("example.net"),
					    .selector = BYTES_LIT("ed"),
					    .header = form & 32 ? CANON_RELAXED : CANON_SIMPLE,
					    .body = form & 64 ? CANON_RELAXED : CANON_SIMPLE,
					    .now = NOW};
	enum err err = dkim_sign(message, key, &options, &field, &error);
	ASSERT(err == ERR_OK || (err == ERR_SYNTAX && error.text[0]));
	if (err != ERR_OK)
		return 0;
	uint8_t *all = arena_alloc_raw(arena, field.len + input.len);
	memcpy(all, field.ptr, field.len);
	if (input.len > 0)
		memcpy(all + field.len, input.ptr, input.len);
	ASSERT(canon_message_read(arena, bytes_make(all, field.len + input.len), &message) == ERR_OK);
	run(message, &host, &dkim);
	ASSERT(dkim->count > 0 && dkim->signatures[0].result == (message->junk ? DKIM_POLICY : DKIM_PASS));
	return 0;
}
