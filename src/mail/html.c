/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector. Tokens come one by one; text goes to one of two sinks by the look of the innermost open element; tags
 * move the stack (html_view.h) and leave links. What an anchor shows is remembered as a range of a sink, and becomes a
 * span at the end, when the sinks no longer move.
 *
 * A conditional comment is a second tokenizer over its inside, run by the same loop: its tags leave links, marked
 * hidden, but do not touch the stack, as for all readers but one they are not there.
 */
#include "mail/html.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "mail/html_entity.h"
#include "mail/html_style.h"
#include "mail/html_text.h"
#include "mail/html_token.h"
#include "mail/html_view.h"
#include "mail/url.h"

#include "base/banned.h"

#define BASE_MAX       2048 /* bytes of <base href> that links are joined with */
#define SPELLED_MANY   16
#define NO_LINK        ((size_t)-1)
#define SINK_MAX(size) ((size) + (size) / 4 + 64)

/* What an anchor shows: ranges of the two sinks. */
struct shown {
	size_t visible, visible_end;
	size_t hidden, hidden_end;
	struct bytes alt;
};

struct collector {
	struct arena *arena;
	struct bytes source;
	struct html_document *doc;
	struct html_tokenizer outer, inner;
	bool conditional; /* reading `inner` */
	struct html_sink visible, hidden, title;
	struct html_view *view;
	struct html_sheet *sheet; /* NULL: no style block */
	enum html_tag raw;        /* whose raw text comes next */
	struct shown *shown;      /* beside doc->links */
	size_t links, shown_room; /* capacities */
	size_t anchor[2];         /* the open one, outside and inside of conditional comments */
	bool title_done;
	enum err err;
};

static void fail(struct collector *c, enum err err)
{
	if (c->err == ERR_OK)
		c->err = err;
}

static bool is_hidden(const struct collector *c)
{
	return c->conditional || html_view_look(c->view)->why != 0;
}

/* For what is no text, size and colour of the font do not count: pictures in cells of font-size 0 are everyday. */
static bool is_box_hidden(const struct collector *c)
{
	const struct html_look *look = html_view_look(c->view);
	return c->conditional || look->fixed != 0 || look->invisible;
}

static struct bytes decode(struct collector *c, struct bytes raw)
{
	struct bytes value;
	enum err err = html_attr_decode(c->arena, raw, &value);
	if (err == ERR_OK)
		return value;
	fail(c, err);
	return (struct bytes){0};
}

/* -- Links ---- */

/* Leading and trailing controls and blanks go, and tab, CR and LF anywhere (WHATWG URL, 4.4). */
static struct bytes clean_url(struct collector *c, struct bytes raw)
{
	size_t drop = 0;
	while (raw.len > 0 && raw.ptr[0] <= ' ')
		raw = bytes_from(raw, 1);
	while (raw.len > 0 && raw.ptr[raw.len - 1] <= ' ')
		raw.len--;
	for (size_t i = 0; i < raw.len; i++)
		drop += raw.ptr[i] == '\t' || raw.ptr[i] == '\n' || raw.ptr[i] == '\r';
	if (drop == 0)
		return raw;
	uint8_t *out = arena_alloc_raw(c->arena, raw.len - drop);
	if (!out) {
		fail(c, ERR_NOMEM);
		return (struct bytes){0};
	}
	size_t n = 0;
	for (size_t i = 0; i < raw.len; i++)
		if (raw.ptr[i] != '\t' && raw.ptr[i] != '\n' && raw.ptr[i] != '\r')
			out[n++] = raw.ptr[i];
	return bytes_make(out, n);
}

static void note_scheme(struct html_document *doc, struct bytes url)
{
	struct bytes scheme = bytes_sub(url, 0, url_scheme_length(url));
	doc->data_urls |= bytes_eq_nocase(scheme, BYTES_LIT("data"));
	doc->javascript_urls |=
		bytes_eq_nocase(scheme, BYTES_LIT("javascript")) || bytes_eq_nocase(scheme, BYTES_LIT("vbscript"));
}

/* Adds a link whose value is decoded; gives its index, or NO_LINK. */
static size_t add_link(struct collector *c, enum html_link_kind kind, struct bytes url, const struct html_token *token)
{
	struct html_document *doc = c->doc;

	url = clean_url(c, url);
	if (url.len == 0)
		return NO_LINK;
	note_scheme(doc, url);
	if (doc->n_links == HTML_MAX_LINKS) {
		doc->limited = true;
		return NO_LINK;
	}
	struct html_link *links = arena_grow(c->arena, doc->links, &c->links, doc->n_links, sizeof(*links));
	if (links)
		doc->links = links;
	struct shown *shown = arena_grow(c->arena, c->shown, &c->shown_room, doc->n_links, sizeof(*shown));
	if (shown)
		c->shown = shown;
	if (!links || !shown) {
		fail(c, ERR_NOMEM);
		return NO_LINK;
	}
	bool hidden = kind == HTML_LINK_ANCHOR && token->tag != HTML_TAG_AREA ? is_hidden(c) : is_box_hidden(c);
	links[doc->n_links] = (struct html_link){
		.kind = kind, .url = url, .hidden = hidden || token->unfinished, .at = token->at, .len = token->len};
	shown[doc->n_links] = (struct shown){0};
	return doc->n_links++;
}

static void end_anchor(struct collector *c)
{
	size_t *anchor = &c->anchor[c->conditional];
	if (*anchor == NO_LINK)
		return;
	c->shown[*anchor].visible_end = c->visible.buf.len;
	c->shown[*anchor].hidden_end = c->hidden.buf.len;
	*anchor = NO_LINK;
}

static void begin_anchor(struct collector *c, size_t link)
{
	end_anchor(c);
	c->anchor[c->conditional] = link;
	if (link == NO_LINK)
		return;
	c->shown[link].visible = c->visible.buf.len;
	c->shown[link].hidden = c->hidden.buf.len;
}

/* The url() of a style, which comes decoded. */
static void add_css_urls(struct collector *c, struct bytes css, const struct html_token *token)
{
	struct bytes url;
	if (bytes_has(css, '('))
		while (html_style_url(&css, &url))
			(void)add_link(c, HTML_LINK_IMAGE, url, token);
}

/* srcset: candidates with commas between them, each a URL and a size. */
static void add_srcset(struct collector *c, struct bytes set, const struct html_token *token)
{
	if (bytes_starts_nocase(bytes_trim(set), BYTES_LIT("data:"))) {
		(void)add_link(c, HTML_LINK_IMAGE, set, token);
		return;
	}
	for (struct bytes one; bytes_split(&set, ',', &one);) {
		one = bytes_trim(one);
		size_t end = 0;
		while (end < one.len && !ascii_is_space(one.ptr[end]))
			end++;
		(void)add_link(c, HTML_LINK_IMAGE, bytes_sub(one, 0, end), token);
	}
}

/* content="5; url='...'" of a meta refresh (WHATWG 4.2.5.3). */
static void add_refresh(struct collector *c, struct bytes content, const struct html_token *token)
{
	size_t at = 0;
	while (at < content.len &&
	       (ascii_is_digit(content.ptr[at]) || content.ptr[at] == '.' || ascii_is_space(content.ptr[at])))
		at++;
	if (at < content.len && (content.ptr[at] == ';' || content.ptr[at] == ','))
		at++;
	struct bytes rest = bytes_trim(bytes_from(content, at));
	if (bytes_starts_nocase(rest, BYTES_LIT("url"))) {
		struct bytes value = bytes_trim(bytes_from(rest, 3));
		if (value.len > 0 && value.ptr[0] == '=')
			rest = bytes_trim(bytes_from(value, 1));
	}
	if (rest.len > 0 && (rest.ptr[0] == '"' || rest.ptr[0] == '\'')) {
		uint8_t quote = rest.ptr[0];
		rest = bytes_from(rest, 1);
		rest = bytes_sub(rest, 0, MIN(bytes_find_byte(rest, quote), rest.len));
	}
	c->doc->meta_refresh = true;
	(void)add_link(c, HTML_LINK_REFRESH, rest, token);
}

static enum html_link_kind kind_of_src(enum html_tag tag)
{
	switch ((int)tag) {
	case HTML_TAG_IFRAME:
	case HTML_TAG_FRAME:
	case HTML_TAG_EMBED:
		return HTML_LINK_FRAME;
	case HTML_TAG_SCRIPT:
		return HTML_LINK_OTHER;
	default:
		return HTML_LINK_IMAGE;
	}
}

static void add_href(struct collector *c, const struct html_token *token, struct bytes href)
{
	if (token->tag == HTML_TAG_BASE) {
		if (c->doc->base.len == 0 && !c->conditional)
			c->doc->base = clean_url(c, href);
	} else if (token->tag == HTML_TAG_LINK) {
		(void)add_link(c, HTML_LINK_OTHER, href, token);
	} else {
		size_t link = add_link(c, HTML_LINK_ANCHOR, href, token);
		if (token->tag == HTML_TAG_A && !token->unfinished)
			begin_anchor(c, link);
	}
}

/* Links of a start tag, by attribute: elements that HTML does not know (v:fill of Word) carry them too. */
static void add_links(struct collector *c, const struct html_token *token)
{
	static const struct {
		enum html_attr attr;
		enum html_tag only; /* HTML_TAG_UNKNOWN: any */
		enum html_link_kind kind;
	} simple[] = {
		{HTML_ATTR_ACTION, HTML_TAG_FORM, HTML_LINK_FORM},
		{HTML_ATTR_FORMACTION, HTML_TAG_UNKNOWN, HTML_LINK_FORM},
		{HTML_ATTR_BACKGROUND, HTML_TAG_UNKNOWN, HTML_LINK_IMAGE},
		{HTML_ATTR_LOWSRC, HTML_TAG_UNKNOWN, HTML_LINK_IMAGE},
		{HTML_ATTR_POSTER, HTML_TAG_UNKNOWN, HTML_LINK_IMAGE},
		{HTML_ATTR_DATA, HTML_TAG_OBJECT, HTML_LINK_FRAME},
	};
	if (html_token_has(token, HTML_ATTR_HREF))
		add_href(c, token, decode(c, html_token_attr(token, HTML_ATTR_HREF)));
	else if (html_token_has(token, HTML_ATTR_XLINK_HREF))
		add_href(c, token, decode(c, html_token_attr(token, HTML_ATTR_XLINK_HREF)));
	if (html_token_has(token, HTML_ATTR_SRC))
		(void)add_link(c, kind_of_src(token->tag), decode(c, html_token_attr(token, HTML_ATTR_SRC)), token);
	if (html_token_has(token, HTML_ATTR_SRCSET))
		add_srcset(c, decode(c, html_token_attr(token, HTML_ATTR_SRCSET)), token);
	for (size_t i = 0; i < ARRAY_LEN(simple); i++)
		if (html_token_has(token, simple[i].attr) &&
		    (simple[i].only == HTML_TAG_UNKNOWN || simple[i].only == token->tag))
			(void)add_link(c, simple[i].kind, decode(c, html_token_attr(token, simple[i].attr)), token);
	if (token->tag == HTML_TAG_META && html_token_has(token, HTML_ATTR_CONTENT) &&
	    bytes_eq_nocase(bytes_trim(html_token_attr(token, HTML_ATTR_HTTP_EQUIV)), BYTES_LIT("refresh")))
		add_refresh(c, decode(c, html_token_attr(token, HTML_ATTR_CONTENT)), token);
}

/* -- Elements ---- */

static void add_colour(struct html_style *style, uint32_t property, uint32_t *colour, struct bytes value)
{
	if (html_colour_legacy(value, colour))
		style->set |= property;
}

/* Weakest first: what the element is, presentational attributes, style blocks, its own style. */
static void style_of(struct collector *c, const struct html_token *token, struct html_style *style)
{
	enum html_tag tag = token->tag;
	if (html_tag_flags(tag) & HTML_NEVER || html_token_has(token, HTML_ATTR_HIDDEN) ||
	    (tag == HTML_TAG_DIALOG && !html_token_has(token, HTML_ATTR_OPEN))) {
		style->set |= HTML_CSS_DISPLAY;
		style->hides |= HTML_CSS_DISPLAY;
	}
	if (tag == HTML_TAG_PRE || tag == HTML_TAG_LISTING || tag == HTML_TAG_XMP || tag == HTML_TAG_PLAINTEXT ||
	    tag == HTML_TAG_TEXTAREA) {
		style->set |= HTML_CSS_PRE;
		style->hides |= HTML_CSS_PRE;
	}
	if (tag >= HTML_TAG_H1 && tag <= HTML_TAG_H6) {
		style->set |= HTML_CSS_FONT_SIZE;
		style->font_size = 1500;
		style->font_relative = true;
	}
	if (tag == HTML_TAG_FONT && html_token_has(token, HTML_ATTR_SIZE)) {
		style->set |= HTML_CSS_FONT_SIZE; /* seven sizes, none of which hides */
		style->font_size = 16000;
	}
	if (html_token_has(token, HTML_ATTR_COLOR) && tag == HTML_TAG_FONT)
		add_colour(style, HTML_CSS_COLOUR, &style->colour, decode(c, html_token_attr(token, HTML_ATTR_COLOR)));
	if (html_token_has(token, HTML_ATTR_TEXT) && tag == HTML_TAG_BODY)
		add_colour(style, HTML_CSS_COLOUR, &style->colour, decode(c, html_token_attr(token, HTML_ATTR_TEXT)));
	if (html_token_has(token, HTML_ATTR_BGCOLOR))
		add_colour(style, HTML_CSS_BACKGROUND, &style->background,
			   decode(c, html_token_attr(token, HTML_ATTR_BGCOLOR)));
	if (html_token_has(token, HTML_ATTR_BACKGROUND)) {
		style->set |= HTML_CSS_BACKGROUND;
		style->background = HTML_COLOUR_UNKNOWN;
	}
	if (c->sheet)
		html_sheet_apply(c->sheet, tag, html_token_attr(token, HTML_ATTR_CLASS),
				 html_token_attr(token, HTML_ATTR_ID), style);
	if (html_token_has(token, HTML_ATTR_STYLE)) {
		struct bytes css = decode(c, html_token_attr(token, HTML_ATTR_STYLE));
		html_style_parse(css, style);
		add_css_urls(c, css, token);
	}
}

static void count_element(struct html_document *doc, const struct html_token *token)
{
	doc->event_handlers |= token->event_handler;
	switch ((int)token->tag) {
	case HTML_TAG_UNKNOWN:
		doc->unknown_tags += !bytes_has(token->name, ':'); /* o:p and the like are Word's */
		break;
	case HTML_TAG_FORM:
		doc->forms++;
		break;
	case HTML_TAG_INPUT: {
		struct bytes type = bytes_trim(html_token_attr(token, HTML_ATTR_TYPE));
		doc->inputs += !bytes_eq_nocase(type, BYTES_LIT("hidden"));
		doc->password_inputs += bytes_eq_nocase(type, BYTES_LIT("password"));
		break;
	}
	case HTML_TAG_SCRIPT:
		doc->scripts++;
		break;
	case HTML_TAG_IMG:
	case HTML_TAG_IMAGE:
		doc->images++;
		break;
	case HTML_TAG_IFRAME:
	case HTML_TAG_FRAME:
		doc->iframes++;
		break;
	default:
		break;
	}
}

/* Where the box of an element begins or ends, seen from inside. What is not displayed at all breaks no shown line. */
static void break_lines(struct collector *c, enum html_tag tag)
{
	bool displayed = (html_view_look(c->view)->why & HTML_HIDDEN_DISPLAY) == 0;
	if (html_tag_flags(tag) & HTML_BLOCK) {
		html_sink_line(&c->hidden);
		if (displayed)
			html_sink_line(&c->visible);
	} else if (html_tag_flags(tag) & HTML_CELL || tag == HTML_TAG_IMG || tag == HTML_TAG_INPUT ||
		   tag == HTML_TAG_SELECT || tag == HTML_TAG_BUTTON || tag == HTML_TAG_TEXTAREA) {
		html_sink_space(&c->hidden);
		if (displayed)
			html_sink_space(&c->visible);
	}
}

static void note_anchor_end(struct collector *c)
{
	if (c->view->anchor_ended)
		end_anchor(c);
	c->view->anchor_ended = false;
}

static void start_tag(struct collector *c, const struct html_token *token)
{
	enum html_tag tag = token->tag;
	struct html_tokenizer *tok = c->conditional ? &c->inner : &c->outer;

	c->doc->tags++;
	if (token->unfinished) {
		add_links(c, token);
		return;
	}
	count_element(c->doc, token);
	tok->mode = html_tag_mode(tag);
	tok->mode_tag = c->raw = tag;
	if (tag == HTML_TAG_A)
		end_anchor(c);
	if (!c->conditional) {
		struct html_style style;
		memset(&style, 0, sizeof(style));
		style_of(c, token, &style);
		html_view_start(c->view, tag, &style);
		break_lines(c, tag);
		note_anchor_end(c);
		if (token->self_closing && (tag == HTML_TAG_SVG || tag == HTML_TAG_MATH))
			html_view_close(c->view, tag);
		tok->foreign = c->view->count[HTML_TAG_SVG] + c->view->count[HTML_TAG_MATH] > 0;
	}
	if (token->has == 0)
		return;
	add_links(c, token);
	size_t anchor = c->anchor[c->conditional];
	if (anchor != NO_LINK && (tag == HTML_TAG_IMG || tag == HTML_TAG_IMAGE) && !is_box_hidden(c))
		c->doc->links[anchor].hidden = false;
	if (anchor != NO_LINK && html_token_has(token, HTML_ATTR_ALT) && c->shown[anchor].alt.len == 0)
		c->shown[anchor].alt = bytes_trim(decode(c, html_token_attr(token, HTML_ATTR_ALT)));
}

static void end_tag(struct collector *c, const struct html_token *token)
{
	if (token->unfinished)
		return;
	if (token->tag == HTML_TAG_A)
		end_anchor(c);
	if (c->conditional)
		return;
	/* One that closes nothing leaves no trace, but for </p> and </br>. */
	bool body = token->tag == HTML_TAG_BODY || token->tag == HTML_TAG_HTML;
	if ((c->view->count[token->tag] > 0 && !body) || c->view->over > 0 || token->tag == HTML_TAG_P ||
	    token->tag == HTML_TAG_BR)
		break_lines(c, token->tag);
	html_view_close(c->view, token->tag);
	note_anchor_end(c);
	c->outer.foreign = c->view->count[HTML_TAG_SVG] + c->view->count[HTML_TAG_MATH] > 0;
}

/* -- Text and comments ---- */

static void add_hidden(struct collector *c, const struct html_token *token, unsigned why)
{
	size_t before = c->hidden.buf.len;
	html_sink_add(&c->hidden, token->text, token->literal, false);
	if (c->hidden.buf.len == before || why == 0)
		return;
	if (c->doc->hidden_why == 0)
		c->doc->hidden_at = token->at;
	c->doc->hidden_why |= why;
}

static void text(struct collector *c, const struct html_token *token)
{
	enum html_tag raw = c->raw;
	c->raw = HTML_TAG_UNKNOWN;
	switch ((int)raw) {
	case HTML_TAG_SCRIPT:
		return;
	case HTML_TAG_STYLE:
		add_css_urls(c, token->text, token);
		return;
	case HTML_TAG_TITLE:
		if (!c->title_done && !c->conditional)
			html_sink_add(&c->title, token->text, false, false);
		c->title_done |= !c->conditional;
		return;
	case HTML_TAG_IFRAME:
	case HTML_TAG_NOEMBED:
	case HTML_TAG_NOFRAMES:
		add_hidden(c, token, 0); /* for readers that cannot show the other thing */
		return;
	default:
		break;
	}
	const struct html_look *look = html_view_look(c->view);
	if (c->conditional)
		add_hidden(c, token, 0);
	else if (look->why)
		add_hidden(c, token, look->why);
	else
		html_sink_add(&c->visible, token->text, token->literal, look->pre);
}

static bool letter_at(const struct collector *c, size_t at)
{
	return at < c->source.len && (ascii_is_alnum(c->source.ptr[at]) || c->source.ptr[at] > 0x7f);
}

static void comment(struct collector *c, const struct html_token *token)
{
	if (c->conditional)
		return;
	if (token->at > 0 && letter_at(c, token->at - 1) && letter_at(c, token->at + token->len))
		c->doc->comments_in_words++;
	struct bytes condition = bytes_trim(token->text);
	if (!bytes_starts_nocase(condition, BYTES_LIT("[if")))
		return;
	size_t end = bytes_find(condition, BYTES_LIT("]>"));
	if (end == BYTES_NONE)
		return;
	const uint8_t *from = condition.ptr + end + 2;
	c->inner = (struct html_tokenizer){
		.source = bytes_sub(c->source, 0, (size_t)(token->text.ptr - c->source.ptr) + token->text.len),
		.at = (size_t)(from - c->source.ptr),
	};
	c->conditional = true;
	html_sink_line(&c->hidden);
}

static void end_conditional(struct collector *c)
{
	end_anchor(c);
	c->conditional = false;
	c->raw = HTML_TAG_UNKNOWN;
	html_sink_line(&c->hidden);
}

static void collect(struct collector *c)
{
	struct html_token token;
	while (c->err == ERR_OK) {
		html_token_next(c->conditional ? &c->inner : &c->outer, &token);
		switch (token.kind) {
		case HTML_TOKEN_END:
			if (!c->conditional)
				return;
			end_conditional(c);
			break;
		case HTML_TOKEN_TEXT:
			text(c, &token);
			break;
		case HTML_TOKEN_START:
			start_tag(c, &token);
			break;
		case HTML_TOKEN_CLOSE:
			c->raw = HTML_TAG_UNKNOWN;
			end_tag(c, &token);
			break;
		case HTML_TOKEN_COMMENT:
			comment(c, &token);
			break;
		case HTML_TOKEN_OTHER:
			break;
		}
	}
}

/* -- Before and after ---- */

/* Where the last "<style" begins, as far as a search can tell; 0 when there is none. */
static size_t last_style(struct bytes source)
{
	size_t last = 0;
	for (size_t at = 0; at < source.len; at++) {
		size_t hit = bytes_find_byte(bytes_from(source, at), '<');
		if (hit == BYTES_NONE)
			break;
		at += hit;
		if (bytes_starts_nocase(bytes_from(source, at), BYTES_LIT("<style")))
			last = at + 1;
	}
	return last;
}

/* Style blocks hold for what stands before them too, so they are read first, by a run over the tokens up to the last.
 */
static void read_sheets(struct collector *c)
{
	size_t last = last_style(c->source);
	struct html_tokenizer tok = {.source = c->source};
	struct html_token token;
	bool style = false;

	while (tok.at < last || style) {
		html_token_next(&tok, &token);
		if (token.kind == HTML_TOKEN_END)
			break;
		if (style && token.kind == HTML_TOKEN_TEXT) {
			if (!c->sheet && !(c->sheet = html_sheet_new(c->arena))) {
				fail(c, ERR_NOMEM);
				return;
			}
			c->doc->limited |= !html_sheet_add(c->sheet, token.text);
		}
		style = token.kind == HTML_TOKEN_START && token.tag == HTML_TAG_STYLE && !token.unfinished &&
			html_sheet_for_screens(html_token_attr(&token, HTML_ATTR_MEDIA));
		if (token.kind == HTML_TOKEN_START && !token.unfinished) {
			tok.mode = html_tag_mode(token.tag);
			tok.mode_tag = token.tag;
		}
	}
}

static struct bytes keep(struct collector *c, const struct buf *buf)
{
	if (buf_err(buf) != ERR_OK)
		fail(c, ERR_NOMEM);
	struct bytes copy = arena_copy(c->arena, buf_bytes(buf));
	if (!copy.ptr)
		fail(c, ERR_NOMEM);
	return copy;
}

/* One line of a range of shown text: blanks for line ends. A slice when there are none. */
static struct bytes one_line(struct collector *c, struct bytes text)
{
	text = bytes_trim(text);
	if (!bytes_has(text, '\n'))
		return text;
	uint8_t *out = arena_alloc_raw(c->arena, text.len);
	if (!out) {
		fail(c, ERR_NOMEM);
		return (struct bytes){0};
	}
	for (size_t i = 0; i < text.len; i++)
		out[i] = text.ptr[i] == '\n' ? ' ' : text.ptr[i];
	return bytes_make(out, text.len);
}

static void finish(struct collector *c)
{
	struct html_document *doc = c->doc;

	end_anchor(c);
	doc->visible = keep(c, &c->visible.buf);
	doc->hidden = keep(c, &c->hidden.buf);
	doc->title = keep(c, &c->title.buf);
	doc->zero_width = c->visible.zero_width;
	if (doc->zero_width)
		doc->hidden_why |= HTML_HIDDEN_ZERO_WIDTH;
	doc->entities_heavy = c->visible.spelled >= SPELLED_MANY && c->visible.spelled >= doc->visible.len / 8;
	doc->limited |= c->view->limited;
	struct bytes base = doc->base.len <= BASE_MAX ? doc->base : (struct bytes){0};
	for (size_t i = 0; i < doc->n_links && c->err == ERR_OK; i++) {
		struct html_link *link = &doc->links[i];
		const struct shown *shown = &c->shown[i];
		if (base.len > 0) {
			link->url = url_join(c->arena, base, link->url);
			if (!link->url.ptr)
				fail(c, ERR_NOMEM);
		} else if (link->url.len > 2 && (link->url.ptr[0] == '/' || link->url.ptr[0] == '\\') &&
			   (link->url.ptr[1] == '/' || link->url.ptr[1] == '\\')) {
			/* A host without a scheme: that of the page, which in webmail is https. */
			link->url = arena_printf(c->arena, "https:%.*s", BYTES_FMT(link->url));
			if (!link->url.ptr)
				fail(c, ERR_NOMEM);
		}
		if (link->kind != HTML_LINK_ANCHOR)
			continue;
		link->text = one_line(c, bytes_sub(doc->visible, shown->visible, shown->visible_end - shown->visible));
		if (link->text.len > 0)
			link->hidden = false;
		else
			link->text = shown->alt;
		if (link->text.len == 0)
			link->text =
				one_line(c, bytes_sub(doc->hidden, shown->hidden, shown->hidden_end - shown->hidden));
	}
}

enum err html_parse(struct arena *arena, struct bytes source, struct html_document **ret_document)
{
	struct html_document *doc = arena_new(arena, struct html_document, 1);
	struct collector c = {
		.arena = arena,
		.source = source,
		.doc = doc,
		.outer = {.source = source},
		.visible.buf = BUF_INIT(SINK_MAX(source.len)),
		.hidden.buf = BUF_INIT(SINK_MAX(source.len)),
		.title.buf = BUF_INIT(SINK_MAX(source.len)),
		.anchor = {NO_LINK, NO_LINK},
		.view = arena_alloc_raw(arena, sizeof(struct html_view)),
	};
	if (!doc || !c.view)
		return ERR_NOMEM;
	html_view_init(c.view);
	read_sheets(&c);
	collect(&c);
	if (c.err == ERR_OK)
		finish(&c);
	buf_done(&c.visible.buf);
	buf_done(&c.hidden.buf);
	buf_done(&c.title.buf);
	if (c.err == ERR_OK)
		*ret_document = doc;
	return c.err;
}
