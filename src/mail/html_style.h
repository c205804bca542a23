/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/html_style.h: the part of CSS that decides whether text can be seen.
 *
 * Declarations are read from style attributes and from <style> blocks with simple selectors: tag, .class, #id,
 * tag.class, tag#id, * and lists of them. Rules with other selectors and conditional groups other than @media all and
 * screen are passed over, because they hold for some readers only.
 *
 * Owns:   a sheet lives in its arena. Bounds: HTML_MAX_RULES; values longer than 255 bytes are cut. Time is linear.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "mail/html_token.h"

struct arena;

#define HTML_MAX_RULES   1024
#define HTML_MAX_CLASSES 16 /* of one element that are looked up */

enum html_property {
	/* True or false: that the value given hides. */
	HTML_CSS_DISPLAY = 1 << 0,    /* none */
	HTML_CSS_VISIBILITY = 1 << 1, /* hidden or collapse; inherited, a child may be visible again */
	HTML_CSS_OPACITY = 1 << 2,    /* next to 0 */
	HTML_CSS_MSO_HIDE = 1 << 3,   /* all */
	HTML_CSS_POSITION = 1 << 4,   /* not static: offsets count */
	HTML_CSS_OFFSET = 1 << 5,     /* left, top, right, bottom far out */
	HTML_CSS_MARGIN = 1 << 6,     /* far out */
	HTML_CSS_INDENT = 1 << 7,     /* far out; inherited */
	HTML_CSS_CLIP = 1 << 8,       /* to nothing */
	HTML_CSS_TRANSFORM = 1 << 9,  /* scaled to nothing or moved far out */
	HTML_CSS_OVERFLOW = 1 << 10,  /* hidden */
	HTML_CSS_HEIGHT = 1 << 11,    /* zero, and so on */
	HTML_CSS_WIDTH = 1 << 12,
	HTML_CSS_MAX_HEIGHT = 1 << 13,
	HTML_CSS_MAX_WIDTH = 1 << 14,
	HTML_CSS_LINE_HEIGHT = 1 << 15, /* zero; inherited */
	HTML_CSS_PRE = 1 << 16,         /* white-space keeps line ends; inherited */
	/* With a value. */
	HTML_CSS_COLOUR = 1 << 17,
	HTML_CSS_BACKGROUND = 1 << 18,
	HTML_CSS_FONT_SIZE = 1 << 19,
};

/* A background that is an image: what is behind the text is not known. */
#define HTML_COLOUR_UNKNOWN 0x01010100u

struct html_style {
	uint32_t set;                /* enum html_property: which are given */
	uint32_t important;          /* and which of those with !important */
	uint32_t hides;              /* and which of the true-or-false ones are true */
	uint32_t colour, background; /* 0xRRGGBBAA */
	int32_t font_size;           /* in thousandths of a pixel, or of the parent's size */
	bool font_relative;
};

struct html_sheet;

/* Adds the declarations of `css` to `*style`; later ones win, important ones over others. */
void html_style_parse(struct bytes css, struct html_style *style);
/* Lays `over` over `*style`, as later declarations. */
void html_style_merge(struct html_style *style, const struct html_style *over);

/* A colour as CSS writes it: name, #rgb, #rgba, #rrggbb, #rrggbbaa, rgb(), hsl(). False when it is none. */
bool html_colour_parse(struct bytes text, uint32_t *ret_rgba);
/* A colour as color= and bgcolor= take it (WHATWG, legacy colour value): nearly anything is one. */
bool html_colour_legacy(struct bytes text, uint32_t *ret_rgba);

/* Takes what the next url() names out of `*css`; false when there is none. A slice, escapes not decoded. */
bool html_style_url(struct bytes *css, struct bytes *ret_url);

/* NULL when out of memory. */
struct html_sheet *html_sheet_new(struct arena *arena);
/* Adds the rules of a style block; false when the limit is met or memory is out, and rules are missing. */
bool html_sheet_add(struct html_sheet *sheet, struct bytes css);
/* Is a style sheet with this media list for the screen of a desk? An empty list is for all. */
bool html_sheet_for_screens(struct bytes media);
/* Lays the rules that hold for an element over `*style`. */
void html_sheet_apply(const struct html_sheet *sheet, enum html_tag tag, struct bytes classes, struct bytes id,
		      struct html_style *style);
