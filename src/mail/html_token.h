/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/html_token.h: cuts HTML into tokens after the states of the WHATWG standard (13.2.5), one call a token.
 *
 * Owns:    nothing; all spans are slices of the source, character references not yet decoded.
 * Bounds:  each byte is read once or twice; no allocation. Of attributes only those that are looked at are kept, by
 *          name, so that a flood of others costs their length and hides nothing. Of equal names the first counts.
 * Fails:   never.
 */
#include "base/bytes.h"

enum html_tag {
	HTML_TAG_UNKNOWN,
#define TAG(id, name, flags) HTML_TAG_##id,
#define ATTR(id, name)
#include "mail/html_names.def"
#undef TAG
#undef ATTR
	HTML_TAG_COUNT
};

enum html_attr {
	HTML_ATTR_UNKNOWN,
#define TAG(id, name, flags)
#define ATTR(id, name) HTML_ATTR_##id,
#include "mail/html_names.def"
#undef TAG
#undef ATTR
	HTML_ATTR_COUNT
};

enum html_tag_flag {
	HTML_VOID = 1 << 0,       /* never has content */
	HTML_BLOCK = 1 << 1,      /* text before and after it stands on other lines */
	HTML_FORMATTING = 1 << 2, /* goes on after the end of the block it was opened in */
	HTML_SPECIAL = 1 << 3,    /* outlives the end tag of a formatting element outside of it */
	HTML_CELL = 1 << 4,       /* ends what was opened inside, formatting too */
	HTML_SCOPE = 1 << 5,      /* end tags inside do not reach what was opened outside */
	HTML_NEVER = 1 << 6,      /* its content is not shown */
};

enum html_token_kind {
	HTML_TOKEN_END,
	HTML_TOKEN_TEXT,
	HTML_TOKEN_START,
	HTML_TOKEN_CLOSE,
	HTML_TOKEN_COMMENT,
	HTML_TOKEN_OTHER, /* doctype, processing instruction and other bogus comments */
};

/* How text is read; the reader of the tokens sets it after a start tag, the matching end tag sets it back. */
enum html_mode {
	HTML_MODE_DATA,
	HTML_MODE_RCDATA,  /* title, textarea: character references, no tags */
	HTML_MODE_RAWTEXT, /* style, xmp, iframe, noembed, noframes: neither */
	HTML_MODE_SCRIPT,
	HTML_MODE_PLAINTEXT,
};

struct html_token {
	enum html_token_kind kind;
	enum html_tag tag;
	struct bytes text;  /* of TEXT and COMMENT: as written */
	struct bytes name;  /* of a tag: as written */
	size_t at, len;     /* in the source */
	bool self_closing;  /* ends in "/>" */
	bool unfinished;    /* a tag that the end of the source cuts off */
	bool event_handler; /* has an attribute on... */
	bool literal;       /* TEXT without character references (rawtext, CDATA) */
	uint64_t has;       /* bit n: attribute n of enum html_attr is there */
	struct bytes attr[HTML_ATTR_COUNT];
};

struct html_tokenizer {
	struct bytes source;
	size_t at;
	enum html_mode mode;
	enum html_tag mode_tag; /* whose end tag ends the mode */
	bool foreign;           /* inside svg or math, where CDATA sections are text */
};

/* The next token; HTML_TOKEN_END for ever after the last. */
void html_token_next(struct html_tokenizer *tok, struct html_token *ret_token);

static inline bool html_token_has(const struct html_token *token, enum html_attr attr)
{
	return (token->has >> attr & 1) != 0;
}

/* The value as written; empty when the tag has no such attribute. (`attr` itself is not cleared for each token.) */
static inline struct bytes html_token_attr(const struct html_token *token, enum html_attr attr)
{
	return html_token_has(token, attr) ? token->attr[attr] : (struct bytes){NULL, 0};
}

/* enum html_tag_flag of an element. */
unsigned html_tag_flags(enum html_tag tag);
/* The mode that a start tag switches to. */
enum html_mode html_tag_mode(enum html_tag tag);
