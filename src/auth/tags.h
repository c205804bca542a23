/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/tags.h: tag=value lists, as signatures and key records have them (RFC 6376 3.2).
 *
 * Owns:   the tags live in the arena; spans are slices of the text.
 * Bounds: TAGS_MAX tags. One pass.
 * Fails:  ERR_NOMEM; ERR_SYNTAX with the byte (from 0 in the text) and a few words, which hold nothing of the text.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

#define TAGS_MAX 64

struct tag {
	struct bytes name;
	struct bytes value; /* without blanks and folds around it */
	size_t at;          /* of the name in the text */
	size_t value_at;    /* of `value` */
	size_t from, to;    /* all between "=" and ";" or the end: what b= is emptied by */
};

struct tags {
	struct tag *items;
	size_t count;
};

/* An empty text and a list that repeats a name are wrong. One ";" may end the list. */
NODISCARD enum err tags_parse(struct arena *arena, struct bytes text, struct tags *ret_tags, struct error *reterr);
/* NULL when it is not there. Names are compared byte by byte, as RFC 6376 says. */
const struct tag *tags_find(const struct tags *tags, const char *name);

/*
 * The pieces of a value between colons, without blanks around them: h=, k=, s=... True while there is one. An empty
 * value is one empty piece.
 */
struct tag_pieces {
	struct bytes rest;
	bool done;
};
struct tag_pieces tag_pieces_make(struct bytes value);
bool tag_pieces_next(struct tag_pieces *pieces, struct bytes *ret_piece);
/* Whether one of them is this word, in any case. */
bool tag_has_piece(struct bytes value, struct bytes word);

/* Base64 that may be folded anywhere (RFC 6376 2.10). ERR_SYNTAX: other characters, wrong padding, or empty. *ret_at
 * (may be NULL) is the byte that is wrong. */
NODISCARD enum err tag_base64(struct arena *arena, struct bytes value, struct bytes *ret_data, size_t *ret_at);
/* dkim-quoted-printable (RFC 6376 2.11): what blanks and folds stand in it means nothing; "=" before anything but two
 * hexadecimal digits stays. ERR_NOMEM. */
NODISCARD enum err tag_quoted_printable(struct arena *arena, struct bytes value, struct bytes *ret_text);
bool tag_is_blank(uint8_t c); /* of folds too: space, HT, CR, LF */
