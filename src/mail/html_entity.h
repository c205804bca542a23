/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/html_entity.h: character references of HTML (WHATWG 13.2.5.72 to 80), named and numeric.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

#define HTML_ENTITY_MAX 8 /* bytes that one reference gives at most */

/*
 * Decodes the reference that `text` begins with (its first byte is &) into `out` as UTF-8. Returns how many bytes of
 * `text` it takes and sets `*ret_len`; 0 when it is none, and the & stands for itself. In the value of an attribute a
 * reference without its semicolon before = or a letter or digit is none.
 */
size_t html_entity_decode(struct bytes text, bool attribute, uint8_t out[static HTML_ENTITY_MAX], size_t *ret_len);

/* The value of an attribute: references decoded, NUL as U+FFFD, CR LF as LF. A slice of `raw` when there is nothing to
 * do. */
NODISCARD enum err html_attr_decode(struct arena *arena, struct bytes raw, struct bytes *ret_value);
