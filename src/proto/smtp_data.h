/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * proto/smtp_data.h: the message as DATA carries it (RFC 5321, 4.5.2): dots doubled at the start of a line, a lone dot
 * ends it. Zero copy when decoding: pieces are slices of what came.
 *
 * Only CRLF ends a line and only CRLF.CRLF the message. A bare CR or LF is data, never a line end, and is counted,
 * since other servers may read it otherwise (SMTP smuggling): the caller decides.
 */
#include "base/buf.h"

/*
 * States of the decoder:
 *   LINE     at the start of a line (also at the start of the message)
 *   TEXT     inside a line
 *   CR       after a CR inside a line, which was handed on
 *   DOT      after a dot at the start of a line, which was not handed on
 *   DOT_CR   after that dot and a CR, which was not handed on
 *   END      the message has ended
 */
enum smtp_data_state { SMTP_DATA_LINE, SMTP_DATA_TEXT, SMTP_DATA_CR, SMTP_DATA_DOT, SMTP_DATA_DOT_CR, SMTP_DATA_END };

struct smtp_data {
	enum smtp_data_state state;
	uint64_t size;             /* bytes handed on */
	uint64_t bare_cr, bare_lf; /* how many were among them */
	size_t line, longest_line; /* bytes of the current and the longest line, without its CRLF */
};

void smtp_data_init(struct smtp_data *data);
/*
 * Takes bytes off the front of `*in` and gives the next piece of the message, which may be empty only when `*in` is
 * used up or the message has ended (state SMTP_DATA_END: what is left in `*in` are commands).
 */
struct bytes smtp_data_next(struct smtp_data *data, struct bytes *in);

struct smtp_data_encoder {
	bool repair; /* bare CR and bare LF become CRLF: nobody behind can read them as something else */
	bool inside; /* a line: not at its start */
	bool cr;     /* the last byte was CR */
};

void smtp_data_encoder_init(struct smtp_data_encoder *encoder, bool repair);
void smtp_data_encode(struct smtp_data_encoder *encoder, struct buf *out, struct bytes piece);
/* Ends the last line if need be, and the message. */
void smtp_data_finish(struct smtp_data_encoder *encoder, struct buf *out);
