/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate_rewrite.h: a message as it goes on from the proxy or back to spamc: our field on top, foreign ones of
 * ours out, the subject tagged. Lines are all that is looked at, for the whole header and however large it is, so that
 * no limit of the scanner, nor its death, lets a forged field through. Pure.
 */
#include "base/bytes.h"

struct rewrite {
	struct bytes field;    /* ours, with its line end */
	struct bytes tag;      /* before the first Subject; empty: the subject stays */
	struct bytes line_end; /* of what is added */
	void (*put)(void *ctx, struct bytes piece);
	void *ctx;
};

void rewrite_message(const struct rewrite *rewrite, struct bytes message);
