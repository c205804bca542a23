/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate_fields.h"

#include "base/ascii.h"
#include "base/buf.h"

#include "base/banned.h"

bool fields_take_last(struct bytes *fields, struct bytes *ret_name, struct bytes *ret_value)
{
	size_t at = fields->len;
	while (at > 0) {
		/* Behind the line end before the last line that is looked at. */
		size_t lf = at > 1 ? bytes_rfind_byte(bytes_sub(*fields, 0, at - 1), '\n') : BYTES_NONE;
		at = lf == BYTES_NONE ? 0 : lf + 1;
		if (!ascii_is_blank(fields->ptr[at]))
			break;
	}
	struct bytes field = bytes_from(*fields, at);
	size_t colon = bytes_find_byte(field, ':');
	*fields = bytes_sub(*fields, 0, at);
	if (colon == BYTES_NONE)
		return false;
	*ret_name = bytes_sub(field, 0, colon);
	*ret_value = bytes_chomp(bytes_from(field, colon + 1));
	if (ret_value->len > 0 && ret_value->ptr[0] == ' ')
		*ret_value = bytes_from(*ret_value, 1);
	return true;
}

bool fields_want_crlf(struct bytes message)
{
	size_t lf = bytes_find_byte(message, '\n');
	return lf != BYTES_NONE && lf > 0 && message.ptr[lf - 1] == '\r';
}

void fields_add_lines(struct buf *buf, struct bytes text, bool crlf)
{
	if (crlf) {
		buf_add(buf, text);
		return;
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '\r' || i + 1 == text.len || text.ptr[i + 1] != '\n')
			buf_add_byte(buf, text.ptr[i]);
}
