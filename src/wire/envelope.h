/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/envelope.h: the envelope of a message as it lies before the message in the memory file, and lists of recipients
 * with what became of each. A frontend writes them, a scanner and the vault read them.
 */
#include "base/buf.h"
#include "scan/case.h"

struct arena;

/* How the message is to be read, packed with the envelope: the time of the case in seconds since 1970. */
void envelope_encode(struct buf *buf, const struct scan_envelope *envelope, int64_t now);
/* Spans are slices of `data`; the list of recipients is in the arena. ERR_SYNTAX, ERR_NOMEM. */
NODISCARD enum err envelope_decode(struct arena *arena, struct bytes data, struct scan_envelope *ret_envelope,
				   int64_t *ret_now);

/* One recipient and its fate ("deliver", "quarantine"...; may be empty). */
void recipients_add(struct buf *buf, struct bytes address, struct bytes fate);
/* Takes the next one off the front; false at the end or where the list is broken. */
bool recipients_next(struct bytes *list, struct bytes *ret_address, struct bytes *ret_fate);
