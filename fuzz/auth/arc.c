/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/arc.h"

#include "base/arena.h"

#include "signer.h"

#define NOW 1528637909

static struct arc *run(struct arena *arena, struct bytes raw, const struct dns_host *host)
{
	struct canon_message *message;
	struct arc *arc;
	enum auth_step step;
	ASSERT(canon_message_read(arena, raw, &message) == ERR_OK);
	ASSERT(arc_begin(message, &(struct arc_options){.now = NOW}, &arc) == ERR_OK);
	do {
		ASSERT(arc_step(arc, host, &step) == ERR_OK);
	} while (step == AUTH_WAIT);
	ASSERT(arc->reason.len > 0 && arc->chain <= ARC_SETS_MAX && arc->oldest_pass <= arc->chain);
	ASSERT(arc->result != ARC_PASS || arc->chain > 0);
	ASSERT(arc->result != ARC_NONE || arc->chain == 0);
	return arc;
}

/* Checks a chain; then seals the message, which must give a good chain unless the one before was not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)64 << 20);
	struct crypto_key *key = signer_key();
	struct signer_host signer;
	struct bytes input = bytes_make(data, size), fields;
	uint8_t form = size > 0 ? data[0] : 0;
	struct dns_host host = signer_host_init(&signer, &input);
	struct error error = {0};
	struct arc *arc = run(arena, input, &host);
	struct arc_seal_options options = {.domain = BYTES_LIT("example.net"),
					   .selector = BYTES_LIT("ed"),
					   .authserv_id = BYTES_LIT("mx.example.net"),
					   .header = form & 32 ? CANON_RELAXED : CANON_SIMPLE,
					   .body = form & 64 ? CANON_RELAXED : CANON_SIMPLE,
					   .now = NOW};
	enum err err = arc_seal(arc, key, &options, &fields, &error);
	ASSERT(err == ERR_OK || (err == ERR_SYNTAX && error.text[0]));
	if (err != ERR_OK)
		return 0;
	if (fields.len == 0) {
		ASSERT(arc->sealed_fail || arc->chain == ARC_SETS_MAX);
		return 0;
	}
	uint8_t *all = arena_alloc_raw(arena, fields.len + input.len);
	memcpy(all, fields.ptr, fields.len);
	if (input.len > 0)
		memcpy(all + fields.len, input.ptr, input.len);
	struct arc *sealed = run(arena, bytes_make(all, fields.len + input.len), &host);
	/* The line of an mbox file is let pass where it is the first: under a seal it is none any more. */
	if (bytes_starts(input, BYTES_LIT("From ")) || bytes_starts(input, BYTES_LIT(">From ")))
		return 0;
	if (arc->result == ARC_FAIL)
		ASSERT(sealed->result == ARC_FAIL && sealed->sealed_fail && sealed->chain == arc->chain + 1);
	else
		ASSERT(sealed->result == (arc->message->junk ? ARC_FAIL : ARC_PASS) && sealed->chain == arc->chain + 1);
	return 0;
}
