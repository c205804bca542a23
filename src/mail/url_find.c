/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two marks lead to a URL: the colon after a scheme, and a dot inside a host. memchr finds them; each is looked at
 * once, looking back no further than the end of what was taken before, and at most URL_HOST_MAX bytes.
 */
#include "mail/url.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/url_host.h"

#include "base/banned.h"

#define LABEL_BACK 253 /* bytes of a host before its dot */

struct finder {
	struct arena *arena;
	struct bytes text;
	size_t done; /* all before is taken or given up */
	const struct mime_part *part;
	struct url_list *list;
};

static uint8_t byte_at(struct bytes text, size_t at)
{
	return at < text.len ? text.ptr[at] : 0;
}

/* Letters of languages that write blanks between words: they may go on in a path. Others end it. */
static bool is_word_letter(uint32_t code)
{
	return (code >= 0xc0 && code < 0x590 && code != 0xd7 && code != 0xf7) || (code >= 0x1e00 && code < 0x2000);
}

/* Characters that stand in host names of other scripts; full-width forms and punctuation do not. */
static bool is_host_letter(uint32_t code)
{
	return is_word_letter(code) || (code >= 0x590 && code < 0x1e00) ||
	       (code >= 0x3005 && code < 0xe000 && !(code >= 0x3008 && code < 0x3021)) ||
	       (code >= 0x20000 && code < 0x40000);
}

static bool is_url_byte(uint8_t c)
{
	static const bool marks[256] = {
		['<'] = true, ['>'] = true, ['"'] = true, ['`'] = true, ['{'] = true, ['}'] = true, ['^'] = true,
	};
	return c > ' ' && c < 0x7f && !marks[c];
}

/* Where the run of URL characters from `at` on ends. */
static size_t run_end(struct bytes text, size_t at)
{
	while (at < text.len && at <= text.len) {
		if (is_url_byte(text.ptr[at])) {
			at++;
			continue;
		}
		if (text.ptr[at] < 0x80)
			break;
		struct bytes rest = bytes_from(text, at);
		size_t before = rest.len;
		bool ok;
		if (!is_word_letter(utf8_next(&rest, &ok)) || !ok)
			break;
		at += before - rest.len;
	}
	return at;
}

/* Without punctuation that ends the sentence, and closing brackets that were not opened inside. */
static size_t trim_end(struct bytes text, size_t from, size_t end)
{
	int round = 0, square = 0;
	for (size_t i = from; i < end; i++) {
		round += (text.ptr[i] == '(') - (text.ptr[i] == ')');
		square += (text.ptr[i] == '[') - (text.ptr[i] == ']');
	}
	while (end > from) {
		uint8_t c = text.ptr[end - 1];
		if (c == ')' && round < 0)
			round++;
		else if (c == ']' && square < 0)
			square++;
		else if (memchr(".,;:!?'*|([", c, 11) == NULL)
			break;
		else {
			round -= c == '(';
			square -= c == '[';
		}
		end--;
	}
	return end;
}

/*
 * Where a host from `from` on ends: letters, digits, - _ . and letters of other scripts. Where words run together, as
 * in Japanese, the host ends after the last label that is a top-level domain; `*ret_tld` tells whether it has one.
 */
static size_t host_end(struct bytes text, size_t from, bool *ret_tld)
{
	size_t at = from, label = from, foreign = 0; /* `foreign`: where the last label stops to be ASCII */
	*ret_tld = false;
	while (at < text.len && at - from < URL_HOST_MAX) {
		uint8_t c = text.ptr[at];
		if (c == '.') {
			uint8_t next = byte_at(text, at + 1);
			if (!ascii_is_alnum(next) && next < 0x80)
				break;
			struct bytes rest = bytes_from(text, at + 1);
			if (next >= 0x80 && !is_host_letter(utf8_next(&rest, NULL)))
				break;
			label = ++at;
			foreign = 0;
		} else if (ascii_is_alnum(c) || c == '-' || c == '_') {
			at++;
		} else if (c >= 0x80) {
			struct bytes rest = bytes_from(text, at);
			size_t before = rest.len;
			bool ok;
			if (!is_host_letter(utf8_next(&rest, &ok)) || !ok)
				break;
			if (foreign == 0)
				foreign = at;
			at += before - rest.len;
		} else {
			break;
		}
	}
	if (label == from)
		return foreign ? foreign : at;
	if (foreign) {
		uint8_t out[URL_HOST_MAX];
		size_t len;
		unsigned flags = 0;
		if (url_host_parse(bytes_sub(text, label, at - label), out, &len, &flags) == ERR_OK &&
		    url_tld_known(bytes_make(out, len))) {
			*ret_tld = true;
			return at;
		}
		at = foreign;
	}
	*ret_tld = url_tld_known(bytes_sub(text, label, at - label));
	return at;
}

static enum err add(struct finder *f, size_t from, size_t end, struct bytes raw, unsigned flags)
{
	f->done = end;
	return url_add(f->arena, raw, (struct bytes){0}, f->part, from, end - from, flags, f->list);
}

/*
 * "<URL:http://...>" and "<http://...>": all up to the >, where lines were wrapped (RFC 3986, appendix C). `from` is at
 * the scheme. 0 when there is no such end near.
 */
static size_t bracket_end(struct bytes text, size_t from)
{
	size_t open = from;
	if (open >= 4 && bytes_eq_nocase(bytes_sub(text, open - 4, 4), BYTES_LIT("URL:")))
		open -= 4;
	if (open == 0 || text.ptr[open - 1] != '<')
		return 0;
	for (size_t at = from; at < text.len && at - from < URL_MAX_LEN; at++) {
		uint8_t c = text.ptr[at];
		if (c == '>')
			return at;
		if (is_url_byte(c) || c >= 0x80)
			continue;
		/* A blank stands only at the end or beginning of a line. */
		size_t gap = at;
		bool line = false;
		while (gap < text.len && ascii_is_space(text.ptr[gap]))
			line |= text.ptr[gap++] == '\n';
		if (!line && byte_at(text, gap) != '>')
			return 0;
		if (gap == at)
			return 0;
		at = gap - 1;
	}
	return 0;
}

static enum err add_bracketed(struct finder *f, size_t from, size_t end)
{
	uint8_t *out = arena_alloc_raw(f->arena, end - from + 1);
	size_t n = 0;
	if (!out)
		return ERR_NOMEM;
	for (size_t i = from; i < end; i++)
		if (!ascii_is_space(f->text.ptr[i]))
			out[n++] = f->text.ptr[i];
	return add(f, from, end, bytes_make(out, n), 0);
}

/* A colon: is there a scheme before it? Gives where it begins; BYTES_NONE when it is none that people write. */
static size_t scheme_before(const struct finder *f, size_t colon)
{
	static const struct bytes schemes[] = {BYTES_INIT("https"), BYTES_INIT("http"), BYTES_INIT("ftp"),
					       BYTES_INIT("hxxps"), BYTES_INIT("hxxp"), BYTES_INIT("mailto")};
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = schemes[i].len;
		if (colon - f->done >= len && bytes_eq_nocase(bytes_sub(f->text, colon - len, len), schemes[i]))
			return colon - len;
	}
	return BYTES_NONE;
}

static enum err at_colon(struct finder *f, size_t colon)
{
	struct bytes text = f->text;
	uint8_t next = byte_at(text, colon + 1);
	uint8_t before = colon > f->done ? text.ptr[colon - 1] | 0x20 : 0;

	/* All schemes end in p, s or o. */
	if (before != 'p' && before != 's' && before != 'o')
		return ERR_OK;
	size_t from = scheme_before(f, colon);
	if (from == BYTES_NONE)
		return ERR_OK;
	bool mail = before == 'o';
	if (mail ? !ascii_is_alnum(next) : next != '/' && next != '\\')
		return ERR_OK;
	size_t wrapped = bracket_end(text, from);
	if (wrapped)
		return add_bracketed(f, from, wrapped);
	size_t end;
	if (mail) {
		end = run_end(text, colon + 1);
	} else {
		size_t host = colon + 1;
		bool tld;
		while (byte_at(text, host) == '/' || byte_at(text, host) == '\\')
			host++;
		size_t authority = run_end(text, host);
		struct bytes ascii = bytes_sub(text, host, authority - host);
		size_t slash = MIN(bytes_find_byte(ascii, '/'), ascii.len);
		size_t user = bytes_rfind_byte(bytes_sub(ascii, 0, slash), '@');
		if (user != BYTES_NONE)
			host += user + 1;
		end = byte_at(text, host) == '[' || byte_at(text, host) == '%' ? host : host_end(text, host, &tld);
		/* Odd characters in a host are for the parser to judge, but what separates hosts in a list. */
		uint8_t odd = byte_at(text, end);
		if (odd < 0x80 && odd != ',' && odd != ';' && odd != '|')
			end = run_end(text, end);
		if (end == host) {
			f->done = end;
			return ERR_OK;
		}
	}
	end = trim_end(text, from, end);
	return end > colon + 1 ? add(f, from, end, bytes_sub(text, from, end - from), 0) : ERR_OK;
}

/* Top-level domains that in text are more often the end of a file's name, or a word after a point without its blank. */
static bool is_doubtful(struct bytes tld)
{
	static const char words[] =
		" ai am app as at be by bz cc do id in is it la me mk ml mov ms my no pl pm ps pub py "
		"rs sh so st to us zip md cab java bat ";
	uint8_t padded[8] = {' '};
	if (tld.len > 5)
		return false;
	for (size_t i = 0; i < tld.len; i++)
		padded[i + 1] = ascii_lower(tld.ptr[i]);
	padded[tld.len + 1] = ' ';
	return bytes_find(bytes_make(words, sizeof(words) - 1), bytes_make(padded, tld.len + 2)) != BYTES_NONE;
}

/* Does a bare host look like one? `path`: a path follows. */
static bool is_plausible(struct bytes host, bool path)
{
	size_t dot = bytes_rfind_byte(host, '.');
	struct bytes tld = bytes_from(host, dot + 1), name = bytes_sub(host, 0, dot);
	if (name.len == 0 || name.ptr[name.len - 1] == '-' || name.ptr[0] == '-' || bytes_has(tld, '_'))
		return false;
	if (bytes_starts_nocase(host, BYTES_LIT("www.")) || path)
		return true;
	/* "the end.The beginning": a capital begins a sentence, unless all is written so. */
	if (ascii_is_upper(tld.ptr[0]) && tld.len > 1 && ascii_is_lower(tld.ptr[1]))
		return false;
	return !is_doubtful(tld);
}

static enum err at_dot(struct finder *f, size_t dot)
{
	struct bytes text = f->text;
	size_t from = dot;
	uint8_t next = byte_at(text, dot + 1);

	if ((!ascii_is_alnum(next) && next < 0x80) || dot == f->done || !ascii_is_alnum(text.ptr[dot - 1]))
		return ERR_OK;
	while (from > f->done && dot - from < LABEL_BACK &&
	       (ascii_is_alnum(text.ptr[from - 1]) || text.ptr[from - 1] == '-' || text.ptr[from - 1] == '_'))
		from--;
	bool tld;
	size_t host = host_end(text, from, &tld);
	uint8_t after = byte_at(text, host), before = from > 0 ? text.ptr[from - 1] : 0;
	/* Looked at once, whatever it turns out to be. */
	f->done = MAX(host, dot + 1);
	bool www = bytes_starts_nocase(bytes_from(text, from), BYTES_LIT("www.")) && host > from + 4;
	bool joined = before != 0 && strchr("@/\\%&#.+~", before) != NULL;
	if ((!tld && !www) || joined || after == '@')
		return ERR_OK;
	/* A port, then what a path begins with. */
	size_t end = host;
	if (after == ':' && ascii_is_digit(byte_at(text, host + 1)))
		for (end++; ascii_is_digit(byte_at(text, end));)
			end++;
	uint8_t mark = byte_at(text, end);
	if (mark == '/' || mark == '?' || mark == '#')
		end = run_end(text, end);
	if (!is_plausible(bytes_sub(text, from, host - from), mark == '/' || end > host))
		return ERR_OK;
	end = trim_end(text, from, end);
	return add(f, from, end, bytes_sub(text, from, end - from), URL_SCHEMELESS);
}

static size_t next_mark(struct bytes text, size_t from, uint8_t mark)
{
	size_t at = bytes_find_byte(bytes_from(text, from), mark);
	return at == BYTES_NONE ? text.len : MIN(from, text.len) + at;
}

enum err url_find(struct arena *arena, struct bytes text, const struct mime_part *part, struct url_list *list)
{
	struct finder f = {.arena = arena, .text = text, .part = part, .list = list};
	size_t colon = next_mark(text, 0, ':'), dot = next_mark(text, 0, '.');

	while (colon < text.len || dot < text.len) {
		if (list->limited)
			break;
		bool first = colon < dot;
		TRY(first ? at_colon(&f, colon) : at_dot(&f, dot));
		if (colon < f.done || first)
			colon = next_mark(text, MAX(f.done, colon + 1), ':');
		if (dot < f.done || !first)
			dot = next_mark(text, MAX(f.done, first ? f.done : dot + 1), '.');
	}
	return ERR_OK;
}
