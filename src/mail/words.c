/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/words.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "mail/charset.h"

#include "base/banned.h"

enum { WORD_MAX = 75, CHARSET_MAX = 60 };

/* "=?charset*language?X?" */
struct head {
	size_t at, text; /* where it begins, where its text begins */
	struct bytes charset;
	bool base64;
};

/*
 * Words of one charset that stand next to each other are collected in `pending` and decoded together. `next_head` and
 * `next_end` remember the last search, which only moves on, so that time is linear.
 */
struct decoder {
	struct arena *arena;
	struct bytes value;
	struct buf out, pending;
	const struct charset *charset; /* of what is pending */
	const struct charset *raw;
	struct head next_head;
	size_t next_end;
	bool loose, unknown, keep_nul;
};

static bool read_head(struct bytes value, size_t at, struct head *ret)
{
	size_t i = at + 2;
	while (i < value.len && i - at < CHARSET_MAX && value.ptr[i] > ' ' && value.ptr[i] < 0x7f &&
	       value.ptr[i] != '?' && value.ptr[i] != '=')
		i++;
	if (i == at + 2 || value.len - i < 3 || value.ptr[i] != '?' || value.ptr[i + 2] != '?')
		return false;
	uint8_t how = ascii_lower(value.ptr[i + 1]);
	struct bytes charset = bytes_sub(value, at + 2, i - at - 2);
	size_t star = bytes_find_byte(charset, '*');
	*ret = (struct head){at, i + 3, star == BYTES_NONE ? charset : bytes_sub(charset, 0, star), how == 'b'};
	return how == 'b' || how == 'q';
}

/* The first head at or behind `from`; one with .at == BYTES_NONE when there is none. */
static struct head find_head(struct decoder *d, size_t from)
{
	if (d->next_head.at >= from && d->next_head.at != 0)
		return d->next_head;
	for (;;) {
		size_t hit = bytes_find_byte(bytes_from(d->value, from), '=');
		if (hit == BYTES_NONE)
			break;
		from += hit;
		if (d->value.len - from > 1 && d->value.ptr[from + 1] == '?' &&
		    read_head(d->value, from, &d->next_head))
			return d->next_head;
		from++;
	}
	d->next_head = (struct head){.at = BYTES_NONE};
	return d->next_head;
}

/* Offset of the first "?=" at or behind `from`, or BYTES_NONE. */
static size_t find_end(struct decoder *d, size_t from)
{
	if (d->next_end >= from && d->next_end != 0)
		return d->next_end;
	size_t hit = bytes_find(bytes_from(d->value, from), BYTES_LIT("?="));
	d->next_end = hit == BYTES_NONE ? BYTES_NONE : from + hit;
	return d->next_end;
}

/* NUL becomes U+FFFD unless it is wanted; line ends vanish where they are folds, and are a space where they came out of
 * a word. */
static void add_text(struct decoder *d, struct bytes text, bool folds)
{
	struct buf *out = &d->out;
	size_t from = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if ((c != 0 || d->keep_nul) && c != '\r' && c != '\n')
			continue;
		buf_add(out, bytes_sub(text, from, i - from));
		if (c == 0)
			buf_add_cstr(out, "\xef\xbf\xbd");
		else if (!folds)
			buf_add_byte(out, ' ');
		from = i + 1;
	}
	buf_add(out, bytes_from(text, from));
}

static void add_raw(struct decoder *d, struct bytes raw)
{
	struct charset_result result = {.text = raw};
	bool escape = bytes_has(raw, 0x1b);
	if ((escape || !utf8_valid(raw)) && charset_decode(d->arena, escape ? NULL : d->raw, raw, &result) != ERR_OK)
		d->out.err = ERR_NOMEM;
	add_text(d, result.text, true);
}

static void flush(struct decoder *d)
{
	if (!d->charset)
		return;
	struct charset_result result;
	if (buf_err(&d->pending) != ERR_OK ||
	    charset_decode(d->arena, d->charset, buf_bytes(&d->pending), &result) != ERR_OK) {
		d->out.err = ERR_NOMEM;
		return;
	}
	d->loose = d->loose || result.errors > 0 || result.used != d->charset;
	add_text(d, result.text, false);
	buf_clear(&d->pending);
	d->charset = NULL;
}

static int base64_value(uint8_t c)
{
	if (ascii_is_upper(c))
		return c - 'A';
	if (ascii_is_lower(c))
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padding ends a group, and another group may follow; what is not in the alphabet is skipped. */
static bool decode_base64(struct buf *out, struct bytes text)
{
	uint32_t bits = 0;
	unsigned n = 0;
	bool clean = true;
	for (size_t i = 0; i < text.len; i++) {
		int v = base64_value(text.ptr[i]);
		if (v < 0) {
			clean = clean && text.ptr[i] == '=';
			if (text.ptr[i] == '=')
				n = 0;
			continue;
		}
		bits = (bits << 6 | (uint32_t)v) & 0xffffu;
		n += 6;
		if (n >= 8) {
			n -= 8;
			buf_add_byte(out, (uint8_t)(bits >> n & 0xff));
		}
	}
	return clean && n < 6;
}

static bool decode_q(struct buf *out, struct bytes text)
{
	bool clean = true;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '=' && text.len - i > 2 && ascii_hex(text.ptr[i + 1]) >= 0 &&
		    ascii_hex(text.ptr[i + 2]) >= 0) {
			c = (uint8_t)(ascii_hex(text.ptr[i + 1]) * 16 + ascii_hex(text.ptr[i + 2]));
			i += 2;
		} else if (c == '\r' || c == '\n') {
			clean = false;
			continue;
		} else if (c == '_') {
			c = ' ';
		} else {
			clean = clean && c != '=' && c != ' ' && c < 0x7f;
		}
		buf_add_byte(out, c);
	}
	return clean;
}

/* Where the text of a word ends; `*ret_next` is what follows the word. */
static size_t word_end(struct decoder *d, const struct head *head, size_t *ret_next)
{
	size_t end = find_end(d, head->text);
	struct head next = find_head(d, head->text);
	if (end != BYTES_NONE && end < next.at) {
		*ret_next = end + 2;
		return end;
	}
	/* The "?=" is missing: the word ends where the next begins, or at a blank. */
	d->loose = true;
	size_t limit = next.at == BYTES_NONE ? d->value.len : next.at;
	end = head->text;
	while (end < limit && !ascii_is_space(d->value.ptr[end]))
		end++;
	*ret_next = end;
	if (end > head->text && d->value.ptr[end - 1] == '?')
		end--;
	return end;
}

static void decode_words(struct decoder *d)
{
	size_t at = 0;
	for (;;) {
		struct head head = find_head(d, at);
		if (head.at == BYTES_NONE)
			break;
		struct bytes gap = bytes_sub(d->value, at, head.at - at);
		const struct charset *charset = charset_find(head.charset);
		if (!charset &&
		    d->keep_nul) /* a name: clients that do not know it either decode the word all the same */
			charset = charset_utf8;
		size_t next, end = word_end(d, &head, &next);
		bool known = charset && !charset_is_utf7(charset);
		bool joined = d->charset && known && bytes_trim(gap).len == 0;
		if (!joined || charset != d->charset)
			flush(d);
		if (!joined)
			add_raw(d, gap);
		d->loose = d->loose || next - head.at > WORD_MAX ||
			   (gap.len > 0 && !ascii_is_space(gap.ptr[gap.len - 1])) || (gap.len == 0 && at > 0);
		at = next;
		if (!known) {
			d->unknown = true;
			add_raw(d, bytes_sub(d->value, head.at, next - head.at));
			continue;
		}
		d->charset = charset;
		struct bytes text = bytes_sub(d->value, head.text, end - head.text);
		bool clean = head.base64 ? decode_base64(&d->pending, text) : decode_q(&d->pending, text);
		d->loose = d->loose || !clean;
	}
	flush(d);
	add_raw(d, bytes_from(d->value, at));
}

/* Runs the decoder and takes the text out of it; its arena, raw and keep_nul are set. */
static struct bytes decode(struct decoder *d, struct bytes value)
{
	value = bytes_trim(value);
	if (value.len == 0)
		return BYTES_LIT("");
	if (utf8_valid(value) && !bytes_has(value, '\n') && !bytes_has(value, '\r') && !bytes_has(value, 0) &&
	    !bytes_has(value, 0x1b) && bytes_find(value, BYTES_LIT("=?")) == BYTES_NONE)
		return value;
	d->value = value;
	d->out = d->pending = (struct buf)BUF_INIT(SIZE_MAX / 2);
	decode_words(d);
	bool failed = buf_err(&d->out) != ERR_OK || buf_err(&d->pending) != ERR_OK;
	struct bytes text = failed ? (struct bytes){NULL, 0} : arena_copy(d->arena, bytes_trim(buf_bytes(&d->out)));
	buf_done(&d->out);
	buf_done(&d->pending);
	return text;
}

struct bytes words_decode(struct arena *arena, struct bytes value, const struct charset *raw, size_t at,
			  struct bytes header, struct defect_list *defects)
{
	struct decoder d = {.arena = arena, .raw = raw};
	struct bytes text = decode(&d, value);
	if (defects && d.loose)
		defect_add(defects, (struct defect){DEFECT_WORD_LOOSE, NULL, header, at, bytes_trim(value).len});
	if (defects && d.unknown)
		defect_add(defects, (struct defect){DEFECT_WORD_CHARSET, NULL, header, at, bytes_trim(value).len});
	return text;
}

struct bytes words_decode_name(struct arena *arena, struct bytes value)
{
	struct decoder d = {.arena = arena, .keep_nul = true};
	return decode(&d, value);
}
