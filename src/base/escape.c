/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/utf8.h"

#include "base/banned.h"

static bool is_control(uint32_t code)
{
	return ascii_is_cntrl(code) || (code >= 0x80 && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

/* Without a width, or turning the direction of writing: what a person reads is not what stands there. */
static bool is_invisible(uint32_t code)
{
	return (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x2069) || code == 0xfeff;
}

static void json_control(struct buf *buf, uint32_t code)
{
	switch (code) {
	case '\n':
		buf_add(buf, BYTES_LIT("\\n"));
		break;
	case '\r':
		buf_add(buf, BYTES_LIT("\\r"));
		break;
	case '\t':
		buf_add(buf, BYTES_LIT("\\t"));
		break;
	default: { /* binary junk is full of these: no format is read for each */
		static const char digits[] = "0123456789abcdef";
		const uint8_t escaped[6] = {'\\',
					    'u',
					    (uint8_t)digits[code >> 12 & 15],
					    (uint8_t)digits[code >> 8 & 15],
					    (uint8_t)digits[code >> 4 & 15],
					    (uint8_t)digits[code & 15]};
		buf_add(buf, bytes_make(escaped, sizeof(escaped)));
	}
	}
}

/* Length of the front that needs no care in either form: printable ASCII without quote and backslash. */
static size_t plain_run(struct bytes text)
{
	size_t i = 0;
	while (i < text.len && ascii_is_print(text.ptr[i]) && text.ptr[i] != '"' && text.ptr[i] != '\\')
		i++;
	return i;
}

void escape_json(struct buf *buf, struct bytes text)
{
	while (text.len > 0) {
		size_t run = plain_run(text);
		buf_add(buf, bytes_sub(text, 0, run));
		text = bytes_from(text, run);
		if (text.len == 0)
			break;
		uint32_t code = utf8_next(&text, NULL);
		if (code == '"' || code == '\\') {
			buf_add_byte(buf, '\\');
			buf_add_byte(buf, (uint8_t)code);
		} else if (is_control(code) || is_invisible(code)) {
			json_control(buf, code);
		} else {
			uint8_t raw[4];
			buf_add(buf, bytes_make(raw, utf8_encode(code, raw)));
		}
	}
}

void escape_plain(struct buf *buf, struct bytes text)
{
	while (text.len > 0) {
		size_t run = plain_run(text);
		buf_add(buf, bytes_sub(text, 0, run));
		text = bytes_from(text, run);
		if (text.len == 0)
			break;
		uint32_t code = utf8_next(&text, NULL);
		if (is_invisible(code)) {
			buf_printf(buf, "<U+%04X>", code);
		} else {
			uint8_t raw[4];
			buf_add(buf, bytes_make(raw, utf8_encode(is_control(code) ? UTF8_REPLACEMENT : code, raw)));
		}
	}
}
