/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/text.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "mail/charset.h"
#include "mail/entity.h"
#include "mail/html.h"
#include "mail/param.h"
#include "mail/sniff.h"

#include "base/banned.h"

/* -- What it is ---- */

/* Of files that a browser opens as HTML, or as something else that holds links and scripts as HTML does. */
static bool has_html_name(const struct mime_part *part)
{
	static const struct bytes endings[] = {BYTES_INIT(".html"),  BYTES_INIT(".htm"), BYTES_INIT(".shtml"),
					       BYTES_INIT(".xhtml"), BYTES_INIT(".xht"), BYTES_INIT(".svg"),
					       BYTES_INIT(".hta")};
	for (size_t i = 0; i < part->n_names; i++) {
		struct bytes name = part->names[i].text;
		while (name.len > 0 && (name.ptr[name.len - 1] == '.' || ascii_is_space(name.ptr[name.len - 1])))
			name.len--;
		for (size_t k = 0; k < ARRAY_LEN(endings); k++)
			if (name.len > endings[k].len &&
			    bytes_eq_nocase(bytes_from(name, name.len - endings[k].len), endings[k]))
				return true;
	}
	return false;
}

/*
 * What is shown as HTML: by its type, by its name (Thunderbird shows application/octet-stream by the name's ending, and
 * whoever opens a file sees it by that), or, where the type says nothing about text, by its bytes.
 */
static bool is_html(const struct mime_part *part)
{
	/* text/x-amp-html and text/watch-html too, which Gmail and Apple Mail show. */
	bool text = mime_type_is(part, "text/");
	if ((text && bytes_ends(part->type, BYTES_LIT("html"))) || mime_type_is(part, "application/xhtml+xml") ||
	    has_html_name(part))
		return true;
	if (text)
		return false;
	struct sniff sniff = sniff_content(part->content);
	struct bytes type = sniff.type ? bytes_from_cstr(sniff.type) : (struct bytes){0};
	return bytes_eq(type, BYTES_LIT("text/html")) || bytes_eq(type, BYTES_LIT("image/svg+xml")) ||
	       bytes_eq(type, BYTES_LIT("application/hta"));
}

/* Of no other type than text/ do most clients show anything; Thunderbird shows these as text as well. */
static bool is_text(const struct mime_part *part)
{
	return mime_type_is(part, "text/") || mime_type_is(part, "message/") ||
	       bytes_eq(part->type, BYTES_LIT("application/pgp")) ||
	       bytes_eq(part->type, BYTES_LIT("application/x-pgp-message")) || mime_type_is(part, "application/ics");
}

/* -- Characters ---- */

/* True when UTF-16 of unknown order is little-endian: most of its text is ASCII, whose high bytes are zero. */
static bool is_little_endian(struct bytes in)
{
	size_t zeros[2] = {0};
	for (size_t i = 0; i < in.len && i < 4096; i++)
		zeros[i & 1] += in.ptr[i] == 0;
	return zeros[1] > zeros[0];
}

/*
 * A byte order mark outdoes the label (WHATWG Encoding, 6), and is cut off. "utf-16" without one is big-endian by RFC
 * 2781, 4.3 and little-endian for browsers: whichever gives text.
 */
static const struct charset *find_charset(const struct mime_part *part, struct bytes *content)
{
	static const struct {
		struct bytes mark, name;
	} marks[] = {
		{BYTES_INIT("\xff\xfe\0\0"), BYTES_INIT("utf-32le")},
		{BYTES_INIT("\xff\xfe"), BYTES_INIT("utf-16le")},
		{BYTES_INIT("\xfe\xff"), BYTES_INIT("utf-16be")},
	};
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (bytes_starts(*content, marks[i].mark)) {
			*content = bytes_from(*content, marks[i].mark.len);
			return charset_find(marks[i].name);
		}
	}
	const struct charset *charset = charset_find(part->charset);
	if (charset && bytes_eq(bytes_from_cstr(charset_name(charset)), BYTES_LIT("utf-16")) &&
	    is_little_endian(*content))
		return charset_find(BYTES_LIT("utf-16le"));
	return charset;
}

/* CRLF becomes LF; a slice when there is none. */
static enum err normalize_lines(struct arena *arena, struct bytes in, struct bytes *ret)
{
	*ret = in;
	if (bytes_find(in, BYTES_LIT("\r\n")) == BYTES_NONE)
		return ERR_OK;
	uint8_t *out = arena_alloc_raw(arena, in.len);
	size_t len = 0;
	if (!out)
		return ERR_NOMEM;
	for (size_t at = 0; at < in.len;) {
		size_t cr = bytes_find_byte(bytes_from(in, at), '\r');
		size_t n = cr == BYTES_NONE ? in.len - at : cr;
		memcpy(out + len, in.ptr + at, n);
		len += n;
		at += n;
		if (at >= in.len)
			break;
		if (at + 1 < in.len && in.ptr[at + 1] == '\n')
			at++;
		out[len++] = in.ptr[at++];
	}
	arena_shrink(arena, out, in.len, len);
	*ret = bytes_make(out, len);
	return ERR_OK;
}

/* True when a CR stands alone within the text: neither at its end nor before another one. */
static bool has_bare_cr(struct bytes text)
{
	for (size_t at = 0; at < text.len; at++) {
		size_t cr = bytes_find_byte(bytes_from(text, at), '\r');
		if (cr == BYTES_NONE)
			return false;
		at += cr;
		if (at + 1 < text.len && text.ptr[at + 1] != '\n' && text.ptr[at + 1] != '\r')
			return true;
	}
	return false;
}

static void mark(struct message *message, enum defect_id id, const struct mime_part *part)
{
	defect_add(&message->defects,
		   (struct defect){.id = id, .part = part, .at = part->body_at, .len = part->body.len});
}

/* -- Links ---- */

/* All links of a document that was made of the part. `whole`: not of its text itself, so their place is all of it. */
static enum err add_links(struct message *message, struct mime_part *part, const struct html_document *html, bool whole)
{
	struct url_list *urls = &message->urls;
	for (size_t i = 0; i < html->n_links; i++) {
		const struct html_link *link = &html->links[i];
		unsigned flags = URL_FROM_HTML | (link->hidden ? (unsigned)URL_HIDDEN : 0u);
		struct bytes text = link->kind == HTML_LINK_ANCHOR ? link->text : (struct bytes){0};
		TRY(url_add(message->arena, link->url, text, part, whole ? 0 : link->at,
			    whole ? part->text.len : link->len, flags, urls));
	}
	if (html->n_links >= HTML_MAX_LINKS)
		urls->limited = true;
	if (html->base.len > 0) /* an empty link leads there */
		TRY(url_add(message->arena, html->base, (struct bytes){0}, part, 0, part->text.len, URL_FROM_HTML,
			    urls));
	size_t before = urls->count;
	TRY(url_find(message->arena, html->visible, part, urls));
	size_t visible = urls->count;
	TRY(url_find(message->arena, html->hidden, part, urls));
	for (size_t i = before; i < urls->count; i++)
		urls->items[i].flags |= URL_FROM_HTML | (i >= visible ? (unsigned)URL_HIDDEN : 0u);
	return ERR_OK;
}

/* What stands in a line of format=flowed: without its quote marks and the blank that stuffs it (RFC 3676, 4.4 and 4.5).
 */
static struct bytes flowed_line(struct bytes line)
{
	while (line.len > 0 && line.ptr[0] == '>')
		line = bytes_from(line, 1);
	return line.len > 0 && line.ptr[0] == ' ' ? bytes_from(line, 1) : line;
}

/* The text with its flowed lines joined as DelSp=Yes says (RFC 3676, 4.1): links go on over their ends. */
static struct bytes join_flowed(struct arena *arena, struct bytes text)
{
	uint8_t *out = arena_alloc_raw(arena, text.len + 1);
	size_t len = 0;
	while (out && text.len > 0) {
		size_t lf = bytes_find_byte(text, '\n');
		struct bytes line = flowed_line(lf == BYTES_NONE ? text : bytes_sub(text, 0, lf));
		bool soft = line.len > 0 && line.ptr[line.len - 1] == ' ' && !bytes_eq(line, BYTES_LIT("-- "));
		line.len -= soft;
		if (line.len > 0)
			memcpy(out + len, line.ptr, line.len);
		len += line.len;
		if (!soft)
			out[len++] = '\n';
		text = lf == BYTES_NONE ? (struct bytes){0} : bytes_from(text, lf + 1);
	}
	return bytes_make(out, len);
}

/* The lines of a calendar or a card without their folds (RFC 5545, 3.1; RFC 6350, 3.2). */
static struct bytes join_folds(struct arena *arena, struct bytes text)
{
	uint8_t *out = arena_alloc_raw(arena, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; out && i < text.len; i++) {
		if (text.ptr[i] == '\n' && i + 1 < text.len && ascii_is_blank(text.ptr[i + 1]))
			i++;
		else
			out[len++] = text.ptr[i];
	}
	return bytes_make(out, len);
}

/* Is it folded as calendars and cards are? */
static bool is_folded(const struct mime_part *part)
{
	static const char *const types[] = {"text/calendar",    "text/vcard",     "text/x-vcard",
					    "text/x-vcalendar", "text/directory", "application/ics"};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (mime_type_is(part, types[i]))
			return true;
	return false;
}

/* Is it format=flowed; delsp=yes? */
static enum err is_joined(struct arena *arena, const struct mime_part *part, bool *ret_joined)
{
	const struct header_field *field = header_find(&part->header, HEADER_CONTENT_TYPE, 0);
	struct param_list list;
	*ret_joined = false;
	if (!field || !mime_type_is(part, "text/plain") ||
	    bytes_find_nocase(field->value, BYTES_LIT("delsp")) == BYTES_NONE)
		return ERR_OK;
	struct bytes value = header_unfold(arena, field->value);
	if (!value.ptr)
		return ERR_NOMEM;
	TRY(param_parse(arena, value, &list));
	for (size_t i = 0; i < list.count; i++)
		if (bytes_eq(list.items[i].name, BYTES_LIT("delsp")) &&
		    bytes_eq_nocase(list.items[i].value, BYTES_LIT("yes")))
			*ret_joined = true;
	return ERR_OK;
}

/* The links that a client sees which makes another text of it than ours. */
static enum err read_view(struct message *message, struct mime_part *part, struct bytes text, bool html)
{
	struct html_document *document;
	size_t before = message->urls.count;
	if (!text.ptr)
		return ERR_NOMEM;
	if (html) {
		TRY(html_parse(message->arena, text, &document));
		return add_links(message, part, document, true);
	}
	TRY(url_find(message->arena, text, part, &message->urls));
	for (size_t i = before; i < message->urls.count; i++) {
		message->urls.items[i].at = 0;
		message->urls.items[i].len = part->text.len;
	}
	return ERR_OK;
}

enum err text_read(struct message *message, struct mime_part *part)
{
	struct charset_result result;
	struct arena *arena = message->arena;
	bool html = part->leaf && is_html(part);
	if (!part->leaf || (!html && !is_text(part)))
		return ERR_OK;
	struct bytes content = part->content;
	const struct charset *charset = find_charset(part, &content);
	TRY(charset_decode(arena, charset, content, &result));
	TRY(normalize_lines(arena, result.text, &part->text));
	if (has_bare_cr(part->text))
		mark(message, DEFECT_BODY_BARE_CR, part);
	if (html) {
		TRY(html_parse(arena, part->text, &part->html));
		TRY(add_links(message, part, part->html, false));
	} else {
		TRY(url_find(arena, part->text, part, &message->urls));
	}
	if (bytes_has(part->text, 0)) {
		mark(message, DEFECT_BODY_NUL, part);
		TRY(read_view(message, part, entity_without_nul(arena, part->text), html));
	}
	bool joined;
	if (is_folded(part) && !html)
		TRY(read_view(message, part, join_folds(arena, part->text), false));
	TRY(is_joined(arena, part, &joined));
	return joined ? read_view(message, part, join_flowed(arena, part->text), false) : ERR_OK;
}
