/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/arc_text.h: the free text that ARC fields have: comments between words, and results behind a semicolon.
 */
#include "base/bytes.h"

/* The offset behind blanks, folds and comments (CFWS of RFC 5322 3.2.2), which may be nested and left open. */
size_t arc_text_skip(struct bytes text, size_t at);
/* The instance that ARC-Authentication-Results begin with (RFC 8617 4.1.1), 1 to 50, or 0. *ret_rest is what stands
 * behind its semicolon, trimmed. */
unsigned arc_text_instance(struct bytes value, struct bytes *ret_rest);
/* What stands behind the authserv-id of Authentication-Results: all behind the first semicolon outside of comments and
 * quotes, without the blanks and semicolons at its ends. */
struct bytes arc_text_results(struct bytes value);
