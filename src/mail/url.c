/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/url.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/hash.h"
#include "base/num.h"
#include "mail/url_host.h"
#include "mail/url_unroll.h"

#include "base/banned.h"

#define USERINFO_MAX 256 /* what is longer is left out of the normal form */
#define SCHEME_MAX   32

struct scheme {
	struct bytes name;
	uint16_t port;
};
/* Those whose URLs have a host and are read leniently (WHATWG: special). */
static const struct scheme special[] = {
	{BYTES_INIT("http"), 80}, {BYTES_INIT("https"), 443}, {BYTES_INIT("ftp"), 21},
	{BYTES_INIT("ws"), 80},   {BYTES_INIT("wss"), 443},   {BYTES_INIT("file"), 0},
};

/* A buffer that is known to be large enough. */
struct out {
	uint8_t *ptr;
	size_t len;
};

static void put(struct out *out, struct bytes b)
{
	if (b.len > 0)
		memcpy(out->ptr + out->len, b.ptr, b.len);
	out->len += b.len;
}

static void put_byte(struct out *out, uint8_t c)
{
	out->ptr[out->len++] = c;
}

static void put_escape(struct out *out, uint8_t c)
{
	static const char digits[] = "0123456789ABCDEF";
	put_byte(out, '%');
	put_byte(out, (uint8_t)digits[c >> 4]);
	put_byte(out, (uint8_t)digits[c & 15]);
}

static bool is_unreserved(uint8_t c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* RFC 3986: what stands in a path, query or fragment without an escape. */
static bool is_allowed(uint8_t c)
{
	static const bool marks[256] = {
		['!'] = true, ['$'] = true, ['&'] = true, ['\''] = true, ['('] = true, [')'] = true,
		['*'] = true, ['+'] = true, [','] = true, [';'] = true,  ['='] = true, [':'] = true,
		['@'] = true, ['/'] = true, ['?'] = true, ['['] = true,  [']'] = true, ['|'] = true,
	};
	return is_unreserved(c) || marks[c];
}

/* Escapes in one way: unreserved characters never, others that are escaped in upper case, what must be always. */
static void put_normal(struct out *out, struct bytes raw, bool path, unsigned *flags)
{
	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.ptr[i];
		if (path && c == '\\') {
			c = '/';
			*flags |= URL_BACKSLASH;
		}
		if (c != '%') {
			if (is_allowed(c))
				put_byte(out, c);
			else
				put_escape(out, c);
			continue;
		}
		if (i + 2 >= raw.len || !ascii_is_xdigit(raw.ptr[i + 1]) || !ascii_is_xdigit(raw.ptr[i + 2])) {
			put_escape(out, '%');
			continue;
		}
		c = (uint8_t)(ascii_hex(raw.ptr[i + 1]) << 4 | ascii_hex(raw.ptr[i + 2]));
		i += 2;
		if (is_unreserved(c))
			put_byte(out, c);
		else
			put_escape(out, c);
	}
}

/* Takes "." and ".." segments out of the path from `from` on, which begins with a slash. */
static void drop_dots(struct out *out, size_t from)
{
	struct bytes path = bytes_make(out->ptr + from, out->len - from);
	size_t to = 0;
	for (size_t at = 0; at < path.len;) {
		size_t end = at + 1;
		while (end < path.len && path.ptr[end] != '/')
			end++;
		struct bytes segment = bytes_sub(path, at + 1, end - at - 1);
		bool last = end == path.len;
		bool up = bytes_eq(segment, BYTES_LIT(".."));
		if (up || bytes_eq(segment, BYTES_LIT("."))) {
			while (up && to > 0 && out->ptr[from + --to] != '/')
				;
			if (last)
				out->ptr[from + to++] = '/';
		} else {
			memmove(out->ptr + from + to, path.ptr + at, end - at);
			to += end - at;
		}
		at = end;
	}
	out->len = from + to;
}

size_t url_scheme_length(struct bytes text)
{
	size_t at = 0;
	if (text.len == 0 || !ascii_is_alpha(text.ptr[0]))
		return 0;
	while (at < text.len && at <= SCHEME_MAX &&
	       (ascii_is_alnum(text.ptr[at]) || text.ptr[at] == '+' || text.ptr[at] == '-' || text.ptr[at] == '.'))
		at++;
	return at < text.len && text.ptr[at] == ':' ? at : 0;
}

static const struct scheme *find_special(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		if (bytes_eq_nocase(name, special[i].name))
			return &special[i];
	return NULL;
}

/* Without controls and blanks at the ends, and without tab, CR and LF inside. `out` has room for all. */
static struct bytes strip(struct bytes raw, uint8_t *out, unsigned *flags)
{
	size_t n = 0;
	while (raw.len > 0 && raw.ptr[0] <= ' ')
		raw = bytes_from(raw, 1);
	while (raw.len > 0 && raw.ptr[raw.len - 1] <= ' ')
		raw.len--;
	for (size_t i = 0; i < raw.len; i++) {
		uint8_t c = raw.ptr[i];
		if (ascii_is_cntrl(c))
			*flags |= URL_CONTROL;
		if (c != '\t' && c != '\n' && c != '\r')
			out[n++] = c;
	}
	return bytes_make(out, n);
}

static bool is_slash(uint8_t c)
{
	return c == '/' || c == '\\';
}

/* Where the host and port end: at the first / \ ? or #. */
static size_t authority_end(struct bytes text)
{
	size_t at = 0;
	while (at < text.len && !is_slash(text.ptr[at]) && text.ptr[at] != '?' && text.ptr[at] != '#')
		at++;
	return at;
}

static enum err put_authority(struct out *out, struct bytes authority, const struct scheme *scheme, struct url *url)
{
	uint8_t host[URL_HOST_MAX];
	size_t host_len = 0;
	uint64_t port = 0;
	size_t at_sign = bytes_rfind_byte(authority, '@');

	if (at_sign != BYTES_NONE) {
		struct bytes user = bytes_sub(authority, 0, at_sign);
		url->flags |= URL_USERINFO;
		authority = bytes_from(authority, at_sign + 1);
		if (user.len > 0 && user.len <= USERINFO_MAX) {
			size_t from = out->len;
			put_normal(out, user, false, &url->flags);
			/* What would end the authority, or make two of it, is escaped. */
			struct bytes text = bytes_make(out->ptr + from, out->len - from);
			uint8_t copy[USERINFO_MAX * 3];
			memcpy(copy, text.ptr, text.len);
			out->len = from;
			for (size_t i = 0; i < text.len; i++)
				if (copy[i] == '@' || copy[i] == '/' || copy[i] == '?')
					put_escape(out, copy[i]);
				else
					put_byte(out, copy[i]);
			if (out->len - from <= USERINFO_MAX)
				put_byte(out, '@');
			else
				out->len = from;
		}
	}
	size_t colon = bytes_rfind_byte(authority, ':');
	if (colon != BYTES_NONE && !bytes_has(bytes_from(authority, colon), ']')) {
		struct bytes digits = bytes_from(authority, colon + 1);
		if (digits.len > 0 && num_parse(digits, 10, 65535, &port) != ERR_OK)
			return ERR_SYNTAX;
		authority = bytes_sub(authority, 0, colon);
	}
	if (authority.len > 0 || scheme->port != 0)
		TRY(url_host_parse(authority, host, &host_len, &url->flags));
	bool ipv6 = bytes_has(bytes_make(host, host_len), ':');
	if (ipv6)
		put_byte(out, '[');
	url->host = bytes_make(out->ptr + out->len, host_len);
	put(out, bytes_make(host, host_len));
	if (ipv6)
		put_byte(out, ']');
	if (port != 0 && port != scheme->port) {
		char text[8];
		int n = snprintf(text, sizeof(text), ":%u", (unsigned)port);
		put(out, bytes_make(text, (size_t)n));
		url->port = (uint16_t)port;
		url->flags |= URL_PORT;
	}
	return ERR_OK;
}

/* Path, query and fragment of what follows the host. */
static void put_rest(struct out *out, struct bytes rest, struct url *url)
{
	size_t hash = bytes_find_byte(rest, '#');
	struct bytes fragment = hash == BYTES_NONE ? (struct bytes){0} : bytes_from(rest, hash + 1);
	rest = bytes_sub(rest, 0, MIN(hash, rest.len));
	size_t mark = bytes_find_byte(rest, '?');
	struct bytes query = mark == BYTES_NONE ? (struct bytes){0} : bytes_from(rest, mark + 1);
	struct bytes path = bytes_sub(rest, 0, MIN(mark, rest.len));

	size_t from = out->len;
	if (path.len == 0)
		put_byte(out, '/');
	put_normal(out, path, true, &url->flags);
	drop_dots(out, from);
	url->path = bytes_make(out->ptr + from, out->len - from);
	if (mark != BYTES_NONE) {
		put_byte(out, '?');
		url->query = bytes_make(out->ptr + out->len, 0);
		put_normal(out, query, false, &url->flags);
		url->query.len = (size_t)(out->ptr + out->len - url->query.ptr);
	}
	if (hash != BYTES_NONE) {
		put_byte(out, '#');
		url->fragment = bytes_make(out->ptr + out->len, 0);
		put_normal(out, fragment, false, &url->flags);
		url->fragment.len = (size_t)(out->ptr + out->len - url->fragment.ptr);
	}
}

/* mailto:, data:, javascript: and all that is not special: taken as it is, but printable. */
static void put_opaque(struct out *out, struct bytes rest, struct url *url)
{
	size_t from = out->len;
	for (size_t i = 0; i < rest.len; i++)
		if (rest.ptr[i] > ' ' && rest.ptr[i] < 0x7f)
			put_byte(out, rest.ptr[i]);
		else
			put_escape(out, rest.ptr[i]);
	url->path = bytes_make(out->ptr + from, out->len - from);
	size_t mark = bytes_find_byte(url->path, '?');
	if (mark != BYTES_NONE && bytes_eq(url->scheme, BYTES_LIT("mailto"))) {
		url->query = bytes_from(url->path, mark + 1);
		url->path.len = mark;
	}
}

/* The scheme of `*text`, which it is taken off, colon and slashes too. */
static enum err put_scheme(struct out *out, struct bytes *text, bool schemeless, const struct scheme **ret_scheme,
			   struct url *url)
{
	size_t len = url_scheme_length(*text);
	struct bytes name = bytes_sub(*text, 0, len);
	bool host = len > 0 && schemeless && !find_special(name) &&
		    (bytes_has(name, '.') || (len + 1 < text->len && ascii_is_digit(text->ptr[len + 1])));
	if (len == 0 || host) {
		if (!schemeless)
			return ERR_SYNTAX;
		url->flags |= URL_SCHEMELESS;
		name = BYTES_LIT("http");
	} else {
		*text = bytes_from(*text, len + 1);
		if (bytes_eq_nocase(name, BYTES_LIT("hxxp")) || bytes_eq_nocase(name, BYTES_LIT("hxxps"))) {
			url->flags |= URL_DEFANGED;
			name = name.len == 5 ? BYTES_LIT("https") : BYTES_LIT("http");
		}
	}
	*ret_scheme = find_special(name);
	url->scheme = bytes_make(out->ptr, name.len);
	for (size_t i = 0; i < name.len; i++)
		put_byte(out, ascii_lower(name.ptr[i]));
	put_byte(out, ':');
	if (!*ret_scheme)
		return ERR_OK;
	size_t slashes = 0;
	/* A file URL has two slashes before its host; of the others any number is taken. */
	while (slashes < text->len && is_slash(text->ptr[slashes]) && ((*ret_scheme)->port != 0 || slashes < 2))
		if (text->ptr[slashes++] == '\\')
			url->flags |= URL_BACKSLASH;
	*text = bytes_from(*text, slashes);
	put(out, BYTES_LIT("//"));
	return ERR_OK;
}

/* One pass; `text` is stripped. The result may be longer than URL_MAX_LEN. */
static enum err parse_once(struct out *out, struct bytes text, bool schemeless, struct url *url)
{
	const struct scheme *scheme;
	TRY(put_scheme(out, &text, schemeless, &scheme, url));
	if (scheme) {
		size_t end = authority_end(text);
		TRY(put_authority(out, bytes_sub(text, 0, end), scheme, url));
		put_rest(out, bytes_sub(text, end, URL_MAX_LEN), url);
	} else {
		put_opaque(out, bytes_sub(text, 0, URL_MAX_LEN), url);
	}
	url->url = bytes_make(out->ptr, out->len);
	return ERR_OK;
}

/* The span of `old` that `slice` is, in the copy `copy`. */
static struct bytes rebase(struct bytes slice, struct bytes old, struct bytes copy)
{
	return slice.ptr ? bytes_sub(copy, (size_t)(slice.ptr - old.ptr), slice.len) : slice;
}

enum err url_parse(struct arena *arena, struct bytes raw, bool schemeless, struct url *ret_url)
{
	struct url url = {0};
	/* Of the part before the path only a host is kept, of at most URL_HOST_MAX; the rest grows threefold at most.
	 */
	size_t room = 3 * (MIN(raw.len, (size_t)URL_MAX_LEN) + USERINFO_MAX + SCHEME_MAX) + URL_HOST_MAX + 16;
	size_t strip_room = MAX(raw.len, MIN(room, (size_t)URL_MAX_LEN));
	uint8_t *scratch = arena_alloc_raw(arena, strip_room + room);
	if (!scratch)
		return ERR_NOMEM;
	struct out out = {scratch + strip_room, 0};

	enum err err = parse_once(&out, strip(raw, scratch, &url.flags), schemeless, &url);
	if (err == ERR_OK && out.len > URL_MAX_LEN) {
		/* Cut, not inside an escape, and read again: a cut may leave a dot segment at the end. */
		size_t len = URL_MAX_LEN;
		while (out.ptr[len - 1] == '%' || out.ptr[len - 2] == '%')
			len--;
		memcpy(scratch, out.ptr, len);
		out.len = 0;
		url = (struct url){.flags = url.flags};
		err = parse_once(&out, bytes_make(scratch, len), false, &url);
	}
	if (err == ERR_OK) {
		struct bytes copy = bytes_make(scratch, out.len);
		memmove(scratch, out.ptr, out.len);
		*ret_url = url;
		ret_url->url = copy;
		ret_url->scheme = rebase(url.scheme, url.url, copy);
		ret_url->host = rebase(url.host, url.url, copy);
		ret_url->path = rebase(url.path, url.url, copy);
		ret_url->query = rebase(url.query, url.url, copy);
		ret_url->fragment = rebase(url.fragment, url.url, copy);
	}
	arena_shrink(arena, scratch, strip_room + room, err == ERR_OK ? out.len : 0);
	return err;
}

struct bytes url_join(struct arena *arena, struct bytes base, struct bytes reference)
{
	size_t scheme = url_scheme_length(base);
	struct bytes rest = bytes_from(base, scheme + 1);

	if (url_scheme_length(reference) || scheme == 0 || rest.len < 2 || !is_slash(rest.ptr[0]))
		return reference.ptr ? reference : bytes_make("", 0);
	size_t slashes = 0;
	while (slashes < rest.len && is_slash(rest.ptr[slashes]))
		slashes++;
	size_t root = scheme + 1 + slashes + authority_end(bytes_from(rest, slashes));
	size_t path_end = root;
	while (path_end < base.len && base.ptr[path_end] != '?' && base.ptr[path_end] != '#')
		path_end++;
	size_t keep = path_end;
	uint8_t first = reference.len > 0 ? reference.ptr[0] : '#';
	if (reference.len > 1 && is_slash(first) && is_slash(reference.ptr[1]))
		keep = scheme + 1;
	else if (is_slash(first))
		keep = root;
	else if (first == '#')
		keep = MIN(bytes_find_byte(base, '#'), base.len);
	else if (first != '?')
		while (keep > root && !is_slash(base.ptr[keep - 1]))
			keep--;
	bool slash = keep == root && !is_slash(first) && first != '#';
	uint8_t *out = arena_alloc_raw(arena, keep + slash + reference.len + 1);
	if (!out)
		return (struct bytes){0};
	struct out text = {out, 0};
	put(&text, bytes_sub(base, 0, keep));
	if (slash)
		put_byte(&text, '/');
	put(&text, reference);
	return bytes_make(out, text.len);
}

/* -- Lists ---- */

/* Its place in the index: where it stands, or where it would. */
static struct url_place *find_place(const struct url_list *list, const struct url *url)
{
	size_t mask = 2 * list->capacity - 1;
	for (size_t at = url->hash & mask;; at = (at + 1) & mask) {
		struct url_place *place = &list->index[at];
		if (place->item == 0)
			return place;
		if (place->hash != url->hash)
			continue;
		const struct url *have = &list->items[place->item - 1];
		if (have->part == url->part && bytes_eq(have->url, url->url) && bytes_eq(have->text, url->text))
			return place;
	}
}

/* Room for one more; the capacity is a power of two, and so is that of the index. */
static enum err make_room(struct arena *arena, struct url_list *list)
{
	size_t capacity = list->capacity;
	struct url *items = arena_grow(arena, list->items, &capacity, list->count, sizeof(*items));
	if (!items)
		return ERR_NOMEM;
	if (capacity > list->capacity) {
		struct url_place *index = arena_new(arena, struct url_place, 2 * capacity);
		if (!index)
			return ERR_NOMEM;
		list->index = index;
		list->capacity = capacity;
		list->items = items;
		for (size_t i = 0; i < list->count; i++)
			*find_place(list, &items[i]) = (struct url_place){items[i].hash, (uint32_t)i + 1};
	}
	return ERR_OK;
}

static enum err append(struct arena *arena, struct url_list *list, struct url *url)
{
	/* Only compared within one list, so the key does not matter; what is equal by it is compared. */
	static const struct hash_key key = {0};
	uint64_t hash = hash_sip(key, url->url) + (url->text.len > 0 ? 3 * hash_sip(key, url->text) : 0);
	url->hash = (uint32_t)(hash >> 32);
	TRY(make_room(arena, list));
	struct url_place *place = find_place(list, url);
	if (place->item > 0) {
		if (!(url->flags & URL_HIDDEN))
			list->items[place->item - 1].flags &= ~(unsigned)URL_HIDDEN;
	} else if (list->count == URL_MAX) {
		list->limited = true;
	} else {
		list->items[list->count++] = *url;
		*place = (struct url_place){url->hash, (uint32_t)list->count};
	}
	return ERR_OK;
}

enum err url_add(struct arena *arena, struct bytes raw, struct bytes text, const struct mime_part *part, size_t at,
		 size_t len, unsigned flags, struct url_list *list)
{
	struct {
		struct bytes raw;
		unsigned depth;
	} queue[1 + URL_UNROLL_MAX * URL_UNROLL_DEPTH] = {{raw, 0}};
	size_t n = 1;

	for (size_t i = 0; i < n; i++) {
		struct url url;
		struct bytes inner[URL_UNROLL_MAX];
		size_t found = 0;
		enum err err = url_parse(arena, queue[i].raw, (flags & URL_SCHEMELESS) != 0 && i == 0, &url);
		if (err == ERR_SYNTAX)
			continue;
		TRY(err);
		url.text = text;
		url.part = part;
		url.at = at;
		url.len = len;
		url.flags |= flags & ~(unsigned)(i > 0 ? URL_SCHEMELESS : 0);
		if (i > 0)
			url.flags |= URL_UNROLLED;
		TRY(append(arena, list, &url));
		if (queue[i].depth < URL_UNROLL_DEPTH)
			TRY(url_unroll(arena, &url, inner, &found));
		for (size_t j = 0; j < found && n < ARRAY_LEN(queue); j++) {
			queue[n].raw = inner[j];
			queue[n++].depth = queue[i].depth + 1;
		}
	}
	return ERR_OK;
}
