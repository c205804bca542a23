/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/buf.h"

#include "base/banned.h"

/* Unicode 15, table 3-7: what the first byte allows of the second. Zero length: no first byte. */
static size_t lead(uint8_t first, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0) {
		if (first == 0xe0)
			*low = 0xa0;
		else if (first == 0xed)
			*high = 0x9f;
		return 3;
	}
	if (first == 0xf0)
		*low = 0x90;
	else if (first == 0xf4)
		*high = 0x8f;
	return first < 0xf5 ? 4 : 0;
}

uint32_t utf8_next_wide(struct bytes *text, bool *ret_ok)
{
	uint8_t low, high;
	uint8_t first = text->ptr[0];
	size_t want = lead(first, &low, &high);
	size_t have = 1;
	uint32_t code = want == 1 ? first : first & (0x7fu >> want);

	while (have < want && have < text->len && text->ptr[have] >= low && text->ptr[have] <= high) {
		code = code << 6 | (text->ptr[have] & 0x3fu);
		have++;
		low = 0x80;
		high = 0xbf;
	}
	*text = bytes_from(*text, have);
	if (ret_ok)
		*ret_ok = have == want;
	return have == want ? code : UTF8_REPLACEMENT;
}

size_t utf8_encode_wide(uint32_t code, uint8_t out[static 4])
{
	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		code = UTF8_REPLACEMENT;
	if (code < 0x800) {
		out[0] = (uint8_t)(0xc0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (uint8_t)(0xe0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | code >> 18);
	out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (code & 0x3f));
	return 4;
}

/* Length of the ASCII run at the front. */
static size_t ascii_run(struct bytes text)
{
	size_t i = 0;
	for (; i + 32 <= text.len; i += 32) {
		uint64_t words[4];
		memcpy(words, text.ptr + i, sizeof(words));
		if ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u)
			break;
	}
	while (i < text.len && text.ptr[i] < 0x80)
		i++;
	return i;
}

bool utf8_is_ascii(struct bytes text)
{
	return ascii_run(text) == text.len;
}

/* Length of the well-formed run at the front. */
static size_t valid_run(struct bytes text)
{
	struct bytes rest = text;
	for (;;) {
		bool ok;
		rest = bytes_from(rest, ascii_run(rest));
		if (rest.len == 0)
			return text.len;
		struct bytes before = rest;
		(void)utf8_next(&rest, &ok);
		if (!ok)
			return text.len - before.len;
	}
}

bool utf8_valid(struct bytes text)
{
	return valid_run(text) == text.len;
}

void utf8_add_sanitized(struct buf *buf, struct bytes text)
{
	while (text.len > 0) {
		size_t good = valid_run(text);
		buf_add(buf, bytes_sub(text, 0, good));
		text = bytes_from(text, good);
		if (text.len > 0) {
			(void)utf8_next(&text, NULL);
			buf_add(buf, BYTES_LIT("\xef\xbf\xbd"));
		}
	}
}

struct bytes utf8_prefix(struct bytes text, size_t max)
{
	if (text.len <= max)
		return text;
	size_t end = max;
	for (size_t back = 0; back < 3 && end > 0 && (text.ptr[end] & 0xc0) == 0x80; back++)
		end--;
	/* Four continuation bytes in a row are no character: cut where we were told. */
	if ((text.ptr[end] & 0xc0) == 0x80)
		end = max;
	return bytes_sub(text, 0, end);
}
