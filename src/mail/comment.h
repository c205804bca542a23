/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/comment.h: comments in structured fields (RFC 5322 3.2.2): they nest, and a backslash takes the byte behind it.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

/* Behind the comment whose "(" stands at `at`; BYTES_NONE: it is not closed. */
size_t comment_end(struct bytes value, size_t at);

/* The value without its comments, and without blanks around it; quoted strings stay. In the arena. Sole failure:
 * ERR_NOMEM. */
NODISCARD enum err comment_cut(struct arena *arena, struct bytes value, struct bytes *ret_value);
