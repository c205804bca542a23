/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/release.h: a message that an administrator released from the quarantine comes back by SMTP with one field more:
 *
 *     X-Postern-Release: v1 ID TOKEN
 *
 * The evidence it was caught for does not count again, if the vault knows the token and the body is still the same one.
 * A sender can write such a field, but cannot know a token.
 */
#include "base/bytes.h"
#include "mail/digest.h"

struct arena;
struct message;

/* The key of FACT_RELEASE, "ID TOKEN SHA256", when the message bears one such field of sound form; else {NULL, 0}. */
struct bytes release_key(struct arena *arena, const struct message *message);

/*
 * Hash of a body as it is compared: all after the first empty line, CR before LF dropped, empty lines at the end
 * dropped, since these are what SMTP servers change. {0} filled when the arena is out of budget, with false.
 */
bool release_body_hash(struct arena *arena, struct bytes message, char out[static DIGEST_SHA256_HEX]);
