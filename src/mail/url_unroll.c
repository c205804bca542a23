/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/url_unroll.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"

#include "base/banned.h"

#define ESCAPED_TIMES 3

struct unroll {
	struct arena *arena;
	struct bytes *inner;
	size_t count;
	bool failed; /* out of memory */
};

static bool is_web(struct bytes text)
{
	return bytes_starts_nocase(text, BYTES_LIT("http:/")) || bytes_starts_nocase(text, BYTES_LIT("https:/")) ||
	       bytes_starts_nocase(text, BYTES_LIT("http:\\")) || bytes_starts_nocase(text, BYTES_LIT("https:\\")) ||
	       bytes_starts_nocase(text, BYTES_LIT("ftp://"));
}

static void found(struct unroll *un, struct bytes url)
{
	if (un->count < URL_UNROLL_MAX)
		un->inner[un->count++] = url;
}

static uint8_t *room_for(struct unroll *un, size_t n)
{
	uint8_t *out = arena_alloc_raw(un->arena, n + 1);
	un->failed |= !out;
	return out;
}

static struct bytes unescape(struct unroll *un, struct bytes text)
{
	size_t n = 0;
	uint8_t *out = room_for(un, text.len);
	for (size_t i = 0; out && i < text.len; i++) {
		uint8_t c = text.ptr[i];
		if (c == '%' && i + 2 < text.len && ascii_is_xdigit(text.ptr[i + 1]) &&
		    ascii_is_xdigit(text.ptr[i + 2])) {
			c = (uint8_t)(ascii_hex(text.ptr[i + 1]) << 4 | ascii_hex(text.ptr[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	return bytes_make(out, n);
}

static int base64_value(uint8_t c)
{
	if (ascii_is_upper(c))
		return c - 'A';
	if (ascii_is_lower(c))
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Both alphabets, up to the first character of neither. */
static struct bytes unbase64(struct unroll *un, struct bytes text)
{
	size_t n = 0;
	uint32_t bits = 0;
	unsigned have = 0;
	uint8_t *out = room_for(un, text.len);
	for (size_t i = 0; out && i < text.len; i++) {
		int value = base64_value(text.ptr[i]);
		if (value < 0)
			break;
		bits = (bits << 6 | (uint32_t)value) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have & 0xff);
		}
	}
	return bytes_make(out, n);
}

/* "http:/" and "https:" in base64, at the front of `text`. */
static bool is_base64_web(struct bytes text)
{
	return bytes_starts(text, BYTES_LIT("aHR0cDov")) || bytes_starts(text, BYTES_LIT("aHR0cHM6"));
}

/* One value of a parameter or a whole fragment. */
static void try_value(struct unroll *un, struct bytes value)
{
	for (unsigned times = 0; times <= ESCAPED_TIMES && value.len > 0; times++) {
		if (is_web(value)) {
			found(un, value);
			return;
		}
		if (is_base64_web(value)) {
			value = unbase64(un, value);
			if (is_web(value))
				found(un, value);
			return;
		}
		if (!bytes_has(value, '%'))
			return;
		value = unescape(un, value);
	}
}

/* URL Defense version 2: u=https-3A__host_path is the URL with - for % and _ for /. */
static void try_defense2(struct unroll *un, struct bytes value)
{
	uint8_t *out = room_for(un, value.len);
	if (!out)
		return;
	for (size_t i = 0; i < value.len; i++)
		out[i] = value.ptr[i] == '-' ? '%' : value.ptr[i] == '_' ? '/' : value.ptr[i];
	try_value(un, bytes_make(out, value.len));
}

/*
 * Version 3: /v3/__URL__;BASE64!... Each * of the URL stands for the next byte of the decoded text, ** and a letter for
 * two or more of them.
 */
static void try_defense3(struct unroll *un, struct bytes text)
{
	size_t end = bytes_find(text, BYTES_LIT("__;"));
	if (end == BYTES_NONE)
		end = bytes_find(text, BYTES_LIT("__"));
	struct bytes url = bytes_sub(text, 0, MIN(end, text.len));
	struct bytes taken = unbase64(un, end == BYTES_NONE ? (struct bytes){0} : bytes_from(text, end + 3));
	uint8_t *out = room_for(un, url.len + taken.len);
	size_t n = 0;
	for (size_t i = 0; out && i < url.len; i++) {
		size_t count = 1;
		if (url.ptr[i] != '*') {
			out[n++] = url.ptr[i];
			continue;
		}
		if (i + 2 < url.len && url.ptr[i + 1] == '*' && base64_value(url.ptr[i + 2]) >= 0) {
			count = (size_t)base64_value(url.ptr[i + 2]) + 2;
			i += 2;
		}
		struct bytes piece = bytes_sub(taken, 0, count);
		taken = bytes_from(taken, piece.len);
		if (piece.len > 0)
			memcpy(out + n, piece.ptr, piece.len);
		n += piece.len;
	}
	if (is_web(bytes_make(out, n)))
		found(un, bytes_make(out, n));
}

static bool in_domain(struct bytes host, struct bytes domain)
{
	return bytes_ends(host, domain) && (host.len == domain.len || host.ptr[host.len - domain.len - 1] == '.');
}

/* A URL in the path goes on to the end of the whole when it is plain, else to the end of the path. */
static void try_path(struct unroll *un, const struct url *url)
{
	struct bytes path = url->path;
	for (size_t at = 1; at < path.len;) {
		struct bytes rest = bytes_from(path, at);
		size_t hit = bytes_find_nocase(rest, BYTES_LIT("http"));
		if (hit == BYTES_NONE)
			break;
		rest = bytes_from(rest, hit);
		if (is_web(rest)) {
			found(un, bytes_from(url->url, (size_t)(rest.ptr - url->url.ptr)));
			return;
		}
		size_t s = rest.len > 4 && (rest.ptr[4] | 0x20) == 's' ? 5 : 4;
		if (bytes_starts(bytes_from(rest, s), BYTES_LIT("%3A")) ||
		    bytes_starts(bytes_from(rest, s), BYTES_LIT("%253A"))) {
			try_value(un, rest);
			return;
		}
		at += hit + 4;
	}
	for (size_t i = 0; i < 2; i++) {
		size_t hit = bytes_find(path, i ? BYTES_LIT("aHR0cHM6") : BYTES_LIT("aHR0cDov"));
		if (hit != BYTES_NONE)
			try_value(un, bytes_from(path, hit));
	}
}

enum err url_unroll(struct arena *arena, const struct url *url, struct bytes inner[static URL_UNROLL_MAX],
		    size_t *ret_count)
{
	struct unroll un = {.arena = arena, .inner = inner};
	bool defense = in_domain(url->host, BYTES_LIT("urldefense.com")) ||
		       in_domain(url->host, BYTES_LIT("urldefense.proofpoint.com"));
	struct bytes query = url->query;

	*ret_count = 0;
	if (url->host.len == 0)
		return ERR_OK;
	if (defense && bytes_starts(url->path, BYTES_LIT("/v3/__"))) {
		size_t from = (size_t)(url->path.ptr - url->url.ptr) + 6;
		try_defense3(&un, bytes_from(url->url, from));
		query = (struct bytes){0};
	} else {
		try_path(&un, url);
	}
	for (struct bytes one; un.count < URL_UNROLL_MAX && bytes_split(&query, '&', &one);) {
		size_t equals = bytes_find_byte(one, '=');
		struct bytes value = equals == BYTES_NONE ? one : bytes_from(one, equals + 1);
		if (defense && bytes_starts(url->path, BYTES_LIT("/v2/")))
			try_defense2(&un, value);
		else
			try_value(&un, value);
	}
	for (struct bytes rest = url->fragment, one; bytes_split(&rest, '&', &one);) {
		size_t equals = bytes_find_byte(one, '=');
		try_value(&un, one);
		if (equals != BYTES_NONE && !is_web(one))
			try_value(&un, bytes_from(one, equals + 1));
	}
	*ret_count = un.count;
	return un.failed ? ERR_NOMEM : ERR_OK;
}
