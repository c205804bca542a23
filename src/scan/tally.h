/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/tally.h: what the report to an author domain counts of one message (RFC 9990): made where the message was
 * judged, packed, and read where what became of it is known.
 *
 * Owns:   what is read lives in the arena, or is slices of what was packed.
 * Bounds: TALLY_MAX bytes packed, TALLY_DKIM_MAX signatures; those come in the order of RFC 9990, 3.1.3, so that what
 * is left out matters least. Fails:  ERR_NOMEM, ERR_SYNTAX.
 */
#include "auth/report_dmarc.h"
#include "scan/auth.h"

#define TALLY_MAX      ((size_t)8 << 10)
#define TALLY_DKIM_MAX ((size_t)10)

struct tally {
	struct report_policy policy; /* as published */
	struct bytes rua;            /* "mailto:a@example.com, mailto:b@example.net" */
	struct report_record record; /* one message */
};

/*
 * Adds the tally of a message; nothing where nobody asks for one: no record applies, it names no address for reports,
 * or it is not known whose the message is.
 */
void tally_pack(struct arena *arena, const struct scan_auth *auth, enum dmarc_mode mode, struct buf *buf);

/*
 * With what was done to the message: NONE (delivered, whatever was written on it), QUARANTINE or REJECT. Where that is
 * not what the author domain asked for, it was our own policy, and the record says so.
 */
NODISCARD enum err tally_read(struct arena *arena, struct bytes packed, enum dmarc_policy done,
			      struct tally *ret_tally);
