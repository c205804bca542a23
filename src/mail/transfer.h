/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/transfer.h: content transfer encodings (RFC 2045 6; uuencode of POSIX; yEnc 1.3), decoded as tolerantly as the
 * most tolerant client does. What was wrong is told, never an error.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "mail/mime.h"

struct transfer_result {
	struct bytes content;
	bool junk; /* base64: bytes outside the alphabet; quoted-printable: bad escapes; uu, yEnc: lines out of form */
	bool inner_padding; /* base64: data after a padding: another client would stop there */
	size_t first_end;   /* bytes of content up to that padding */
	bool padding_odd;   /* base64: that padding ended a group: clients that do not end one by it read something else
			     */
	bool truncated;     /* the last group is incomplete, or the end line is missing */
	bool checksum_bad;  /* yEnc: size or crc32 differ */
	bool raw_8bit;      /* quoted-printable or base64 holds bytes over 0x7f */
	struct bytes name;  /* uu, yEnc: the file name of the begin line */
};

/* Sole failure: ERR_NOMEM. TRANSFER_IDENTITY gives the input itself. */
NODISCARD enum err transfer_decode(struct arena *arena, enum transfer_encoding encoding, struct bytes in,
				   struct transfer_result *ret);

/* What clients make of a '=' within base64. They differ where data follows it. */
enum transfer_padding {
	TRANSFER_PADDING_ENDS,    /* it ends the group; transfer_decode() does so */
	TRANSFER_PADDING_SKIPPED, /* it is skipped, as PHP's decoder does in webmail */
	TRANSFER_PADDING_ZERO,    /* it is a sextet of zeros that shortens its group, as for Thunderbird */
};

NODISCARD enum err transfer_base64(struct arena *arena, struct bytes in, enum transfer_padding padding,
				   struct transfer_result *ret);

/* A uuencoded or yEnc file inside plain text, from `from` on: its range and kind. False when there is none. */
bool transfer_find_inline(struct bytes text, size_t from, enum transfer_encoding *ret_kind, size_t *ret_at,
			  size_t *ret_len);
