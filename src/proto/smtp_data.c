/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/smtp_data.h"

#include "base/num.h"

#include "base/banned.h"

void smtp_data_init(struct smtp_data *data)
{
	*data = (struct smtp_data){.state = SMTP_DATA_LINE};
}

static void line_end(struct smtp_data *data)
{
	data->longest_line = MAX(data->longest_line, data->line);
	data->line = 0;
	data->state = SMTP_DATA_LINE;
}

/* `n` bytes of a line that hold no LF. */
static void count_text(struct smtp_data *data, struct bytes text)
{
	data->line += text.len;
	for (size_t at; (at = bytes_find_byte(text, '\r')) != BYTES_NONE; text = bytes_from(text, at + 1))
		data->bare_cr++;
}

/*
 * From inside a line on: how many bytes of `in` can be handed on as they are, which is up to the first line that begins
 * with a dot, or all. Leaves the state behind them.
 */
static size_t run_lines(struct smtp_data *data, struct bytes in)
{
	size_t at = 0;
	while (at < in.len) {
		if (data->state == SMTP_DATA_LINE && in.ptr[at] == '.')
			break;
		size_t lf = bytes_find_byte(bytes_from(in, at), '\n');
		struct bytes text = bytes_sub(in, at, lf);
		bool cr_before = data->state == SMTP_DATA_CR;
		if (lf == BYTES_NONE || lf > 0) {
			/* A CR that the last byte was is bare after all, unless only a LF comes. */
			data->bare_cr += cr_before;
			data->line += cr_before;
			cr_before = text.ptr[text.len - 1] == '\r';
			count_text(data, bytes_sub(text, 0, text.len - cr_before));
		}
		at += text.len;
		if (lf == BYTES_NONE) {
			data->state = cr_before ? SMTP_DATA_CR : SMTP_DATA_TEXT;
			break;
		}
		at++;
		if (cr_before) {
			line_end(data);
		} else {
			data->bare_lf++;
			data->line++;
			data->state = SMTP_DATA_TEXT;
		}
	}
	return at;
}

struct bytes smtp_data_next(struct smtp_data *data, struct bytes *in)
{
	struct bytes piece = {0};
	while (in->len > 0 && piece.len == 0 && data->state != SMTP_DATA_END) {
		uint8_t c = in->ptr[0];
		if (data->state == SMTP_DATA_LINE && c == '.') {
			data->state = SMTP_DATA_DOT;
			*in = bytes_from(*in, 1);
		} else if (data->state == SMTP_DATA_DOT && c == '\r') {
			data->state = SMTP_DATA_DOT_CR;
			*in = bytes_from(*in, 1);
		} else if (data->state == SMTP_DATA_DOT_CR && c == '\n') {
			data->state = SMTP_DATA_END;
			*in = bytes_from(*in, 1);
		} else if (data->state == SMTP_DATA_DOT_CR) {
			/* The CR was data; whether it is bare the next byte tells. */
			data->state = SMTP_DATA_CR;
			piece = BYTES_LIT("\r");
		} else {
			/* After a dot the line goes on, even when it begins with another. */
			if (data->state == SMTP_DATA_DOT)
				data->state = SMTP_DATA_TEXT;
			piece = bytes_sub(*in, 0, run_lines(data, *in));
			*in = bytes_from(*in, piece.len);
		}
	}
	data->size += piece.len;
	return piece;
}

/* -- Encoder ---- */

void smtp_data_encoder_init(struct smtp_data_encoder *encoder, bool repair)
{
	*encoder = (struct smtp_data_encoder){.repair = repair};
}

static void end_line(struct smtp_data_encoder *encoder, struct buf *out)
{
	buf_add_cstr(out, "\r\n");
	encoder->cr = encoder->inside = false;
}

/* One line or a part of one: `text` holds no LF. In repairing mode a CR at its end waits for what follows. */
static void encode_text(struct smtp_data_encoder *encoder, struct buf *out, struct bytes text)
{
	while (text.len > 0) {
		if (encoder->cr && encoder->repair)
			end_line(encoder, out);
		encoder->cr = false;
		if (!encoder->inside && text.ptr[0] == '.')
			buf_add_byte(out, '.');
		size_t cr = encoder->repair ? bytes_find_byte(text, '\r') : BYTES_NONE;
		struct bytes part = bytes_sub(text, 0, cr);
		buf_add(out, part);
		encoder->inside = true;
		encoder->cr = cr != BYTES_NONE || (part.len > 0 && part.ptr[part.len - 1] == '\r');
		text = bytes_from(text, part.len + (cr != BYTES_NONE));
	}
}

void smtp_data_encode(struct smtp_data_encoder *encoder, struct buf *out, struct bytes piece)
{
	while (piece.len > 0) {
		size_t lf = bytes_find_byte(piece, '\n');
		struct bytes text = bytes_sub(piece, 0, lf);
		encode_text(encoder, out, text);
		piece = bytes_from(piece, text.len);
		if (lf == BYTES_NONE)
			break;
		piece = bytes_from(piece, 1);
		if (encoder->repair) {
			end_line(encoder, out);
			continue;
		}
		buf_add_byte(out, '\n');
		encoder->inside = !encoder->cr;
		encoder->cr = false;
	}
}

void smtp_data_finish(struct smtp_data_encoder *encoder, struct buf *out)
{
	if (encoder->inside)
		end_line(encoder, out);
	buf_add_cstr(out, ".\r\n");
}
