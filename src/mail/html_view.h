/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/html_view.h: the open elements and how text inside them looks.
 *
 * A bounded stack that does of the tree construction of WHATWG (13.2.6) what decides where a style ends: implied end
 * tags, scopes of tables, and formatting elements that go on after the end of the block they were opened in. Elements
 * beyond HTML_MAX_DEPTH are counted, and the first of them that hides its text is remembered.
 */
#include "mail/html.h"
#include "mail/html_style.h"
#include "mail/html_token.h"

struct html_look {
	uint32_t ink, ground; /* 0xRRGGBBAA; `ground` may be HTML_COLOUR_UNKNOWN */
	int32_t font;         /* thousandths of a pixel */
	unsigned fixed;       /* enum html_hidden that nothing inside can undo */
	bool invisible, indented, flat, pre;
	unsigned why; /* enum html_hidden: all that hides text here; 0 is visible */
};

struct html_open {
	enum html_tag tag;
	struct html_style style;
	struct html_look look;
};

struct html_view {
	size_t depth;
	unsigned count[HTML_TAG_COUNT]; /* of open elements by name */
	size_t over;                    /* elements beyond the depth */
	size_t over_at;                 /* which of them first hides its text; 0: none */
	struct html_look over_look;
	bool anchor_ended; /* an open <a> went off the stack; the caller clears it */
	bool limited;
	struct html_open open[HTML_MAX_DEPTH]; /* last: html_view_init() leaves it as it is */
};

void html_view_init(struct html_view *view);

/* How text looks at this place. */
const struct html_look *html_view_look(const struct html_view *view);
/* A start tag whose element has `style`: closes what it implies, and opens it unless it is void. */
void html_view_start(struct html_view *view, enum html_tag tag, const struct html_style *style);
void html_view_close(struct html_view *view, enum html_tag tag);
