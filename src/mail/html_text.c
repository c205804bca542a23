/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_text.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include "mail/html_entity.h"

#include "base/banned.h"

/* What a byte may begin; 0: itself and nothing else. */
enum begins { PLAIN, SPACE, DROPPED, REFERENCE, MAYBE };

static const uint8_t begins[256] = {
	[0] = DROPPED,
	[1] = DROPPED,
	[2] = DROPPED,
	[3] = DROPPED,
	[4] = DROPPED,
	[5] = DROPPED,
	[6] = DROPPED,
	[7] = DROPPED,
	[8] = DROPPED,
	[11] = DROPPED,
	[14] = DROPPED,
	[15] = DROPPED,
	[16] = DROPPED,
	[17] = DROPPED,
	[18] = DROPPED,
	[19] = DROPPED,
	[20] = DROPPED,
	[21] = DROPPED,
	[22] = DROPPED,
	[23] = DROPPED,
	[24] = DROPPED,
	[25] = DROPPED,
	[26] = DROPPED,
	[27] = DROPPED,
	[28] = DROPPED,
	[29] = DROPPED,
	[30] = DROPPED,
	[31] = DROPPED,
	[127] = DROPPED,
	['\t'] = SPACE,
	['\n'] = SPACE,
	['\f'] = SPACE,
	['\r'] = SPACE,
	[' '] = SPACE,
	['&'] = REFERENCE,
	/* The lead bytes of blanks and of characters without width. */
	[0xc2] = MAYBE,
	[0xcd] = MAYBE,
	[0xd8] = MAYBE,
	[0xe1] = MAYBE,
	[0xe2] = MAYBE,
	[0xef] = MAYBE,
	[0xf0] = MAYBE,
	[0xf3] = MAYBE,
};

static bool is_blank(uint32_t code)
{
	return code == 0xa0 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
	       code == 0x202f || code == 0x205f;
}

/* Default ignorable code points but those that change how others look: bidi controls stay, for they reorder. */
static bool has_no_width(uint32_t code)
{
	return code == 0xad || code == 0x34f || code == 0x61c || code == 0x115f || code == 0x1160 ||
	       (code >= 0x180b && code <= 0x180e) || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2060 && code <= 0x2064) || (code >= 0x206a && code <= 0x206f) ||
	       (code >= 0xfe00 && code <= 0xfe0f) || code == 0xfeff || code == 0xffa0 ||
	       (code >= 0x1d173 && code <= 0x1d17a) || (code >= 0xe0000 && code <= 0xe0fff);
}

/* Letters of scripts in which nothing without width has a use between two of them. */
static bool is_letter(uint32_t code)
{
	return (code < 0x80 && ascii_is_alnum(code)) || (code >= 0xc0 && code < 0x590) ||
	       (code >= 0x3041 && code < 0x3100) || (code >= 0x3400 && code < 0xa000) ||
	       (code >= 0xac00 && code < 0xd7a4) || (code >= 0xff10 && code < 0xff5b);
}

static uint32_t first_code(struct bytes text)
{
	return text.len ? utf8_next(&text, NULL) : ' ';
}

/* The last character before the place where the next one goes; a blank when one is due. */
static uint32_t last_code(const struct html_sink *sink)
{
	size_t at = sink->buf.len;
	if (at == 0 || sink->space || sink->line)
		return ' ';
	do
		at--;
	while (at > 0 && sink->buf.len - at < 4 && (sink->buf.ptr[at] & 0xc0) == 0x80);
	return first_code(bytes_make(sink->buf.ptr + at, sink->buf.len - at));
}

static void emit(struct html_sink *sink, struct bytes run)
{
	struct buf *buf = &sink->buf;
	if (run.len == 0)
		return;
	if (sink->pending_zero) {
		if (!sink->space && !sink->line && is_letter(first_code(run)))
			sink->zero_width += sink->pending_zero;
		sink->pending_zero = 0;
	}
	if ((sink->line || sink->space) && buf->len > 0)
		buf_add_byte(buf, sink->line ? '\n' : ' ');
	sink->line = sink->space = false;
	buf_add(buf, run);
}

/* One character that is not plain; `raw` are its bytes. */
static void emit_code(struct html_sink *sink, uint32_t code, struct bytes raw)
{
	if (is_blank(code) || ascii_is_space(code)) {
		sink->space = true;
	} else if (has_no_width(code)) {
		uint32_t last = last_code(sink);
		bool joiner = code == 0x200c || code == 0x200d;
		if (is_letter(last))
			sink->pending_zero += code < 0xfe00 || code > 0xfe0f;
		else if (joiner && last >= 0x590)
			emit(sink, raw); /* Indic, Arabic and emoji are written with joiners */
	} else if (!ascii_is_cntrl(code)) {
		emit(sink, raw);
	}
}

static size_t emit_reference(struct html_sink *sink, struct bytes rest)
{
	uint8_t out[HTML_ENTITY_MAX];
	size_t len = 0;
	size_t taken = html_entity_decode(rest, false, out, &len);
	if (taken == 0) {
		emit(sink, bytes_sub(rest, 0, 1));
		return 1;
	}
	if (rest.ptr[1] == '#' && len == 1 && ascii_is_alnum(out[0]))
		sink->spelled++;
	for (struct bytes text = bytes_make(out, len); text.len > 0;) {
		struct bytes from = text;
		uint32_t code = utf8_next(&text, NULL);
		emit_code(sink, code, bytes_sub(from, 0, from.len - text.len));
	}
	return taken;
}

void html_sink_add(struct html_sink *sink, struct bytes raw, bool literal, bool pre)
{
	size_t at = 0;
	while (at < raw.len) {
		/* A run of plain bytes, with single blanks inside it. */
		size_t from = at;
		while (at < raw.len &&
		       (begins[raw.ptr[at]] == PLAIN ||
			(raw.ptr[at] == ' ' && at > from && at + 1 < raw.len && begins[raw.ptr[at + 1]] == PLAIN)))
			at++;
		emit(sink, bytes_sub(raw, from, at - from));
		if (at >= raw.len)
			break;
		struct bytes rest = bytes_from(raw, at);
		switch ((enum begins)begins[raw.ptr[at]]) {
		case SPACE:
			if (pre && (raw.ptr[at] == '\n' || raw.ptr[at] == '\r'))
				sink->line = true;
			else
				sink->space = true;
			at++;
			break;
		case REFERENCE:
			if (!literal) {
				at += emit_reference(sink, rest);
				break;
			}
			emit(sink, bytes_sub(rest, 0, 1));
			at++;
			break;
		case MAYBE: {
			struct bytes after = rest;
			uint32_t code = utf8_next(&after, NULL);
			emit_code(sink, code, bytes_sub(rest, 0, rest.len - after.len));
			at += rest.len - after.len;
			break;
		}
		case DROPPED:
		case PLAIN:
			at++;
			break;
		}
	}
}
