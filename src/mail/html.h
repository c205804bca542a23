/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/html.h: what a person would see of an HTML part, what is hidden from them, and where its links lead. Our own
 * tokenizer after the states of the WHATWG standard (13.2.5), no tree, no recursion.
 *
 * Owns:   results in the arena. Bounds: HTML_MAX_*; beyond them text is still collected and `limited` is set.
 * Input:  UTF-8 (mail/charset.h made it so). Time is linear.
 * Fails:  ERR_NOMEM only (the arena's budget).
 *
 * What is shown to some is treated by what most see: noscript is shown (mail clients run no scripts); the inside of a
 * conditional comment (<!--[if mso]>) is for Outlook alone, so its text is in `hidden` and its links are marked hidden,
 * but it is no reason in `hidden_why`, because honest mail is full of it. A tag that the end of the input cuts off is
 * dropped as browsers drop it, but its link is kept, marked hidden.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

#define HTML_MAX_LINKS 20000
#define HTML_MAX_DEPTH 512

enum html_link_kind {
	HTML_LINK_ANCHOR,  /* <a>, <area> */
	HTML_LINK_IMAGE,   /* src of img and the like, background, CSS url() */
	HTML_LINK_FORM,    /* action of <form>, formaction */
	HTML_LINK_REFRESH, /* <meta http-equiv=refresh> */
	HTML_LINK_FRAME,   /* iframe, frame, object, embed */
	HTML_LINK_OTHER,   /* link, script src */
};

struct html_link {
	enum html_link_kind kind;
	struct bytes url;  /* attribute value, entities decoded, blanks and line ends as browsers drop them, joined with
			      <base>; "https:" before a host alone when there is none */
	struct bytes text; /* of an anchor: what is shown, blanks folded; alt text where it is an image */
	bool hidden;       /* stands in hidden text */
	size_t at, len;    /* of the tag in the source */
};

/* Why text is hidden. */
enum html_hidden {
	HTML_HIDDEN_DISPLAY = 1 << 0,    /* display:none, visibility:hidden, hidden attribute */
	HTML_HIDDEN_FONT = 1 << 1,       /* font-size 0 or next to it */
	HTML_HIDDEN_COLOUR = 1 << 2,     /* colour = background, or transparent */
	HTML_HIDDEN_OFFSCREEN = 1 << 3,  /* positioned or indented out of sight, clipped, zero size */
	HTML_HIDDEN_ZERO_WIDTH = 1 << 4, /* zero-width characters between letters */
};

struct html_document {
	struct bytes visible; /* text as shown: blanks folded, a line end where a block ends */
	struct bytes hidden;  /* text that is there and not shown */
	unsigned hidden_why;  /* enum html_hidden */
	size_t hidden_at;     /* offset of the first hidden text in the source */
	size_t zero_width;    /* zero-width characters dropped from between letters */
	struct html_link *links;
	size_t n_links;
	struct bytes base; /* href of the first <base>; empty when none */
	struct bytes title;
	unsigned forms, password_inputs, inputs, scripts, images, iframes, tags, unknown_tags, comments_in_words;
	bool meta_refresh, event_handlers, data_urls, javascript_urls;
	bool entities_heavy; /* letters and digits written as numeric references, many of them */
	bool limited;
};

NODISCARD enum err html_parse(struct arena *arena, struct bytes source, struct html_document **ret_document);
