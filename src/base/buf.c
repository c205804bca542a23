/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"

#include "base/banned.h"

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void buf_done(struct buf *buf)
{
	mem_free(buf->ptr);
	*buf = (struct buf){.max = buf->max};
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->err = ERR_OK;
}

uint8_t *buf_reserve(struct buf *buf, size_t n)
{
	if (buf->err != ERR_OK)
		return NULL;
	if (n > buf->max || buf->len > buf->max - n) {
		buf->err = ERR_LIMIT;
		return NULL;
	}
	if (buf->capacity - buf->len < n || buf->ptr == NULL) {
		/* Never more capacity than the maximum: buf_add_byte() relies on it. */
		size_t want = buf->capacity < 64 ? MIN((size_t)64, buf->max) : buf->capacity;
		while (want - buf->len < n)
			want = want > buf->max / 2 ? buf->max : want * 2;
		uint8_t *grown = mem_realloc(buf->ptr, want, 1);
		if (!grown) {
			buf->err = ERR_NOMEM;
			return NULL;
		}
		buf->ptr = grown;
		buf->capacity = want;
	}
	return buf->ptr + buf->len;
}

void buf_commit(struct buf *buf, size_t n)
{
	ASSERT(n <= buf->capacity - buf->len);
	buf->len += n;
}

void buf_add(struct buf *buf, struct bytes b)
{
	uint8_t *to = b.len ? buf_reserve(buf, b.len) : NULL;
	if (!to)
		return;
	memcpy(to, b.ptr, b.len);
	buf->len += b.len;
}

void buf_add_byte(struct buf *buf, uint8_t byte)
{
	if (buf->len < buf->capacity && buf->err == ERR_OK) {
		buf->ptr[buf->len++] = byte;
		return;
	}
	buf_add(buf, (struct bytes){&byte, 1});
}

void buf_add_cstr(struct buf *buf, const char *s)
{
	buf_add(buf, bytes_from_cstr(s));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 && buf->err == ERR_OK)
		buf->err = ERR_INTERNAL;
	/* One byte more for the NUL that vsnprintf writes; it is not kept. */
	if (len <= 0 || buf->err != ERR_OK)
		return;
	if ((size_t)len > buf->max || buf->len > buf->max - (size_t)len) {
		buf->err = ERR_LIMIT;
		return;
	}
	char small[512];
	char *text = (size_t)len < sizeof(small) ? small : mem_alloc((size_t)len + 1);
	if (!text) {
		buf->err = ERR_NOMEM;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	buf_add(buf, bytes_make(text, (size_t)len));
	if (text != small)
		mem_free(text);
}

void buf_add_be16(struct buf *buf, uint16_t v)
{
	const uint8_t raw[] = {(uint8_t)(v >> 8), (uint8_t)(v & 0xff)};
	buf_add(buf, bytes_make(raw, sizeof(raw)));
}

void buf_add_be32(struct buf *buf, uint32_t v)
{
	buf_add_be16(buf, (uint16_t)(v >> 16));
	buf_add_be16(buf, (uint16_t)(v & 0xffff));
}

void buf_add_be64(struct buf *buf, uint64_t v)
{
	buf_add_be32(buf, (uint32_t)(v >> 32));
	buf_add_be32(buf, (uint32_t)(v & 0xffffffff));
}

void buf_consume(struct buf *buf, size_t n)
{
	if (n >= buf->len) {
		buf->len = 0;
		return;
	}
	memmove(buf->ptr, buf->ptr + n, buf->len - n);
	buf->len -= n;
}
