/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/wrapped.h: entities that are wrapped in a file: the content of S/MIME signed data (RFC 8551, 3.5.2; RFC 5652,
 * 5), which mail clients show in place of the file, and stored mail (.eml, .mht), which they open. Inner to the MIME
 * parser.
 *
 * Owns:  the result is a slice of the content, or in the arena where it was in pieces.
 * Fails: ERR_NOMEM only. What is malformed is no such file, or ends where the sense ends. No recursion, linear time.
 */
#include "mail/mime.h"

/* {NULL, 0} when the decoded content of the leaf holds no entity. */
NODISCARD enum err wrapped_entity(struct arena *arena, const struct mime_part *part, struct bytes *ret_entity);

/* The eContent of a ContentInfo that is signed data, in BER; {NULL, 0} when it is none or has none. */
NODISCARD enum err wrapped_signed(struct arena *arena, struct bytes in, struct bytes *ret_content);

/* True when `text` begins like a header. */
bool wrapped_starts_with_field(struct bytes text);
