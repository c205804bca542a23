/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/intake.h: what every codec of this folder reads from: the bytes fed, and before them those that were left from
 * earlier feeds because they were not a whole unit yet. Nothing is copied while units are whole.
 *
 * Owns:   the bytes kept; what is fed stays the caller's and must live until the codec asks for more (ERR_AGAIN) or was
 *         told to hold.
 * Bounds: `max` bytes kept. Errors (ERR_LIMIT, ERR_NOMEM, and those of the codec) stick.
 */
#include "base/buf.h"

struct intake {
	struct buf kept; /* empty: `in` is in the caller's memory; else it is the end of this */
	struct bytes in; /* what is not taken yet */
	size_t seen;     /* of `in`: bytes already searched in vain for the end of a line */
	enum err err;
};

void intake_init(struct intake *intake, size_t max);
void intake_done(struct intake *intake);
void intake_feed(struct intake *intake, struct bytes data);
/* Sets the error of the codec, which sticks: what is there is dropped, and so is what will be fed. Returns it. */
enum err intake_fail(struct intake *intake, enum err err);
/* Keeps what is left for the next feed. ERR_AGAIN, or the error that sticks (so a caller may look later). */
enum err intake_keep(struct intake *intake);
/* Takes `n` bytes, or what is there when that is less. */
struct bytes intake_take(struct intake *intake, size_t n);
/*
 * Takes a line that ends with LF, which is part of it. ERR_AGAIN when there is none yet (what is there is kept),
 * ERR_LIMIT, not sticking, when there is none within `max` bytes.
 */
NODISCARD enum err intake_line(struct intake *intake, size_t max, struct bytes *ret_line);

/* Bytes that were fed and not taken: a unit that began and has not ended, or a peer that talks out of turn. */
static inline size_t intake_pending(const struct intake *intake)
{
	return intake->in.len;
}
