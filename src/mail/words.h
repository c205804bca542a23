/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/words.h: RFC 2047 encoded words, read as mail clients read them: adjacent words of one charset are joined before
 * the charset is decoded (multibyte characters are split in practice), spaces and other errors inside words are
 * tolerated and marked, raw 8-bit text is guessed.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "mail/defect.h"

struct charset;

/*
 * Unfolded, decoded UTF-8 of a field value (unstructured, or a phrase: the caller cut it). Never fails on content: what
 * cannot be decoded stays as it stands. {NULL, 0} only when the arena is out of budget. `at` and `header` as in
 * address_parse(); `defects` may be NULL. `raw`: of bytes that are neither ASCII, UTF-8 nor ISO-2022-JP; NULL: guessed.
 */
struct bytes words_decode(struct arena *arena, struct bytes value, const struct charset *raw, size_t at,
			  struct bytes header, struct defect_list *defects);

/* As above, for a file name: a NUL is kept, since it ends the name for some clients. */
struct bytes words_decode_name(struct arena *arena, struct bytes value);
