/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/html_view.h"

#include <stdlib.h>

#include "base/num.h"

#include "base/banned.h"

#define NOT_OPEN     ((size_t)-1)
#define FONT_HIDDEN  2000 /* under two pixels nobody reads anything */
#define NEAR_COLOURS 30   /* sum over the channels; #f5f5f5 on white is 30 */
#define FAINT_ALPHA  26   /* of 255 */
#define KEEP_ALL     (1u << 31)

static const struct html_look root_look = {.ink = 0x000000ff, .ground = 0xffffffff, .font = 16000};

void html_view_init(struct html_view *view)
{
	memset(view, 0, offsetof(struct html_view, open));
}

const struct html_look *html_view_look(const struct html_view *view)
{
	if (view->over_at)
		return &view->over_look;
	return view->depth ? &view->open[view->depth - 1].look : &root_look;
}

static int channel(uint32_t rgba, unsigned shift)
{
	return (int)(rgba >> shift & 0xff);
}

static bool same_colour(const struct html_look *look)
{
	if ((look->ink & 0xff) < FAINT_ALPHA)
		return true;
	if (look->ground == HTML_COLOUR_UNKNOWN)
		return false;
	int distance = 0;
	for (unsigned shift = 8; shift < 32; shift += 8)
		distance += abs(channel(look->ink, shift) - channel(look->ground, shift));
	return distance <= NEAR_COLOURS;
}

/* What an element's own style makes of the look around it. */
static struct html_look look_in(const struct html_look *parent, const struct html_style *style)
{
	struct html_look look = *parent;
	uint32_t hides = style->hides;

	if (style->set == 0)
		return look;
	if (hides & (HTML_CSS_DISPLAY | HTML_CSS_MSO_HIDE))
		look.fixed |= HTML_HIDDEN_DISPLAY;
	if (hides & HTML_CSS_OPACITY)
		look.fixed |= HTML_HIDDEN_COLOUR;
	if ((hides & HTML_CSS_POSITION && hides & HTML_CSS_OFFSET) ||
	    hides & (HTML_CSS_MARGIN | HTML_CSS_CLIP | HTML_CSS_TRANSFORM) ||
	    (hides & HTML_CSS_OVERFLOW &&
	     hides & (HTML_CSS_HEIGHT | HTML_CSS_WIDTH | HTML_CSS_MAX_HEIGHT | HTML_CSS_MAX_WIDTH)))
		look.fixed |= HTML_HIDDEN_OFFSCREEN;
	if (style->set & HTML_CSS_VISIBILITY)
		look.invisible = (hides & HTML_CSS_VISIBILITY) != 0;
	if (style->set & HTML_CSS_INDENT)
		look.indented = (hides & HTML_CSS_INDENT) != 0;
	if (style->set & HTML_CSS_LINE_HEIGHT)
		look.flat = (hides & HTML_CSS_LINE_HEIGHT) != 0;
	if (style->set & HTML_CSS_PRE)
		look.pre = (hides & HTML_CSS_PRE) != 0;
	if (style->set & HTML_CSS_COLOUR)
		look.ink = style->colour;
	if (style->set & HTML_CSS_BACKGROUND &&
	    (style->background == HTML_COLOUR_UNKNOWN || (style->background & 0xff) >= 0x80))
		look.ground = style->background;
	if (style->set & HTML_CSS_FONT_SIZE)
		look.font = style->font_relative
				    ? (int32_t)MIN((int64_t)look.font * style->font_size / 1000, 1000000000)
				    : style->font_size;
	look.why = look.fixed;
	if (look.invisible)
		look.why |= HTML_HIDDEN_DISPLAY;
	if (look.font < FONT_HIDDEN || look.flat)
		look.why |= HTML_HIDDEN_FONT;
	if (look.indented)
		look.why |= HTML_HIDDEN_OFFSCREEN;
	if (same_colour(&look))
		look.why |= HTML_HIDDEN_COLOUR;
	return look;
}

static void look_again(struct html_view *view, size_t from)
{
	for (size_t i = from; i < view->depth; i++)
		view->open[i].look = look_in(i ? &view->open[i - 1].look : &root_look, &view->open[i].style);
}

/* Takes open[index] off, and of what is above it all whose flags `keep` does not name. */
static void take_off(struct html_view *view, size_t index, unsigned keep)
{
	size_t to = index;
	for (size_t i = index; i < view->depth; i++) {
		enum html_tag tag = view->open[i].tag;
		if (i > index && (html_tag_flags(tag) | KEEP_ALL) & keep) {
			if (to != i)
				view->open[to] = view->open[i];
			to++;
			continue;
		}
		view->count[tag]--;
		if (tag == HTML_TAG_A)
			view->anchor_ended = true;
	}
	view->depth = to;
	look_again(view, index);
}

static bool in_table(enum html_tag tag)
{
	return tag == HTML_TAG_TABLE || tag == HTML_TAG_TR || tag == HTML_TAG_TD || tag == HTML_TAG_TH ||
	       tag == HTML_TAG_TBODY || tag == HTML_TAG_THEAD || tag == HTML_TAG_TFOOT || tag == HTML_TAG_CAPTION;
}

/* The innermost open element of that name which an end tag here would reach. */
static size_t find_open(const struct html_view *view, enum html_tag tag)
{
	if (view->count[tag] == 0)
		return NOT_OPEN;
	for (size_t i = view->depth; i-- > 0;) {
		enum html_tag open = view->open[i].tag;
		if (open == tag)
			return i;
		if (in_table(tag) ? open == HTML_TAG_TABLE : (html_tag_flags(open) & HTML_SCOPE) != 0)
			return NOT_OPEN;
	}
	return NOT_OPEN;
}

static void close_found(struct html_view *view, size_t index)
{
	enum html_tag tag = view->open[index].tag;
	if (in_table(tag)) {
		take_off(view, index, 0);
		return;
	}
	if (html_tag_flags(tag) & HTML_FORMATTING) {
		/* With a block inside, only this one goes: its content stays in the block (adoption agency). */
		for (size_t i = view->depth; i-- > index + 1;)
			if (html_tag_flags(view->open[i].tag) & HTML_SPECIAL) {
				take_off(view, index, KEEP_ALL);
				return;
			}
	}
	take_off(view, index, HTML_FORMATTING);
}

void html_view_close(struct html_view *view, enum html_tag tag)
{
	/* What comes after them is shown as if they came at the end. */
	if (tag == HTML_TAG_BODY || tag == HTML_TAG_HTML || html_tag_flags(tag) & HTML_VOID)
		return;
	if (view->over > 0) {
		view->over--;
		if (view->over < view->over_at)
			view->over_at = 0;
		return;
	}
	size_t index = find_open(view, tag);
	if (index != NOT_OPEN)
		close_found(view, index);
}

/* An open element of either name, not beyond a special one that is neither address, div nor p. */
static void close_item(struct html_view *view, enum html_tag one, enum html_tag other)
{
	if (view->count[one] + view->count[other] == 0)
		return;
	for (size_t i = view->depth; i-- > 0;) {
		enum html_tag open = view->open[i].tag;
		if (open == one || open == other) {
			close_found(view, i);
			return;
		}
		if (html_tag_flags(open) & HTML_SPECIAL && open != HTML_TAG_ADDRESS && open != HTML_TAG_DIV &&
		    open != HTML_TAG_P)
			return;
	}
}

static void close_if_open(struct html_view *view, enum html_tag tag)
{
	size_t index = find_open(view, tag);
	if (index != NOT_OPEN)
		close_found(view, index);
}

static void close_implied(struct html_view *view, enum html_tag tag)
{
	switch ((int)tag) {
	case HTML_TAG_A:
	case HTML_TAG_NOBR:
	case HTML_TAG_BUTTON:
		close_if_open(view, tag);
		return;
	case HTML_TAG_OPTION:
	case HTML_TAG_OPTGROUP:
		close_if_open(view, HTML_TAG_OPTION);
		return;
	case HTML_TAG_LI:
		close_item(view, HTML_TAG_LI, HTML_TAG_LI);
		break;
	case HTML_TAG_DD:
	case HTML_TAG_DT:
		close_item(view, HTML_TAG_DD, HTML_TAG_DT);
		break;
	case HTML_TAG_TBODY:
	case HTML_TAG_THEAD:
	case HTML_TAG_TFOOT:
		close_if_open(view, HTML_TAG_TBODY);
		close_if_open(view, HTML_TAG_THEAD);
		close_if_open(view, HTML_TAG_TFOOT);
		return;
	case HTML_TAG_TR:
		close_if_open(view, HTML_TAG_TR);
		close_if_open(view, HTML_TAG_CAPTION);
		return;
	case HTML_TAG_TD:
	case HTML_TAG_TH:
		close_if_open(view, HTML_TAG_TD);
		close_if_open(view, HTML_TAG_TH);
		return;
	case HTML_TAG_BR:
	case HTML_TAG_BODY:
	case HTML_TAG_CAPTION:
	case HTML_TAG_FRAMESET:
	case HTML_TAG_LEGEND:
	case HTML_TAG_TABLE:
		return;
	default:
		break;
	}
	if (html_tag_flags(tag) & HTML_BLOCK)
		close_if_open(view, HTML_TAG_P);
}

void html_view_start(struct html_view *view, enum html_tag tag, const struct html_style *style)
{
	if (view->over == 0)
		close_implied(view, tag);
	if (html_tag_flags(tag) & HTML_VOID)
		return;
	if (view->depth < HTML_MAX_DEPTH) {
		struct html_open *open = &view->open[view->depth];
		*open = (struct html_open){tag, *style, look_in(html_view_look(view), style)};
		view->depth++;
		view->count[tag]++;
		return;
	}
	view->limited = true;
	view->over++;
	if (view->over_at == 0) {
		struct html_look look = look_in(html_view_look(view), style);
		if (look.why) {
			view->over_at = view->over;
			view->over_look = look;
		}
	}
}
