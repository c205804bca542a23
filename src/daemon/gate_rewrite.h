/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate_rewrite.h: a message as it goes on from the proxy or back to spamc: our field on top, foreign ones of
 * ours out, the subject tagged. Lines are all that is looked at, for the whole header and however large it is, so that
 * no limit of the scanner, nor its death, lets a forged field through. Pure.
 *
 * The result comes piece by piece, so that a large message never stands in memory a second time.
 */
#include "base/bytes.h"

enum rewrite_place { REWRITE_TOP, REWRITE_HEADER, REWRITE_END };

struct rewrite_piece {
	const uint8_t *text; /* NULL: of the message */
	size_t at, len;
};

struct rewrite {
	struct bytes field;    /* ours, with its line end */
	struct bytes tag;      /* before the first Subject; empty: the subject stays */
	struct bytes line_end; /* of what is added */
	/* Whether a field Authentication-Results with that value speaks in our name, and so goes out. NULL: none does.
	 */
	bool (*speaks_for_us)(void *ctx, struct bytes value);
	void *ctx;

	/* How far it has come; zero at the start. */
	enum rewrite_place place;
	bool tagged;
	size_t at, kept; /* looked at; handed on or left out */
	struct rewrite_piece pieces[8];
	size_t first, count; /* of `pieces`: not handed on yet */
};

/*
 * The next piece, of at most `max` bytes, a slice of the message or of `rewrite`; empty at the end. The message is the
 * same in every call, but may have moved.
 */
struct bytes rewrite_next(struct rewrite *rewrite, struct bytes message, size_t max);
/* Whether a field Authentication-Results would go out. */
bool rewrite_finds_forged(const struct rewrite *rewrite, struct bytes message);
