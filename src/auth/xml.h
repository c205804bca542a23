/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/xml.h: XML from outside as a stream of elements (XML 1.0; UTF-8, UTF-16, ISO-8859-1, ASCII), without entities of
 * its own: a DOCTYPE is refused where it begins, so nothing can grow.
 *
 * Bounds: struct xml_limits; time is linear. Memory: the text of an element, a few times the longest tag, all names. A
 *         comment or processing instruction is as long as a tag at most.
 * Fails:  ERR_SYNTAX (not well-formed, a DOCTYPE, bytes that are no characters), ERR_LIMIT, ERR_NOMEM, and whatever
 *         begin() or end() returned; reterr->at is the line, from 1 on, and the text says it too.
 */
#include "base/bytes.h"
#include "base/err.h"

struct xml_limits {
	size_t depth, elements;
	size_t text;  /* of one element; about so much, what is between < and > */
	size_t names; /* different ones of elements and attributes: each is remembered to the end */
};

/*
 * Names are as written, prefix included ("ns:record"). Spans last for the call. An error ends the reading; a text for
 * it goes to *reterr, without the line.
 */
struct xml_handler {
	/* `xmlns`: the namespace that the element declares for its own prefix, or {NULL, 0}. */
	enum err (*begin)(void *ctx, struct bytes name, struct bytes xmlns, struct error *reterr);
	/* `text`: all between the last tag and this one, in UTF-8: of an element without children its whole text. */
	enum err (*end)(void *ctx, struct bytes name, struct bytes text, struct error *reterr);
	void *ctx;
};

NODISCARD enum err xml_read(struct bytes document, const struct xml_limits *limits, const struct xml_handler *handler,
			    struct error *reterr);

/*
 * The same piece by piece, as it comes. `seed`: what is hard to foresee for who writes the document, such as a hash of
 * all of it. The handler must outlive the reading, the limits too. xml_feed(): `last` may come with an empty piece;
 * after it, or an error, xml_free() only.
 */
struct xml;
NODISCARD enum err xml_open(uint64_t seed, const struct xml_limits *limits, const struct xml_handler *handler,
			    struct xml **ret_xml, struct error *reterr);
NODISCARD enum err xml_feed(struct xml *xml, struct bytes piece, bool last, struct error *reterr);
void xml_free(struct xml **xml);
/* A seed for it. */
uint64_t xml_seed(struct bytes document);

struct buf;
/*
 * Adds `text` as the content of an element: escaped, malformed UTF-8 and what XML 1.0 cannot hold as U+FFFD; what would
 * steer a terminal on which somebody looks at it by its number.
 */
void xml_add_text(struct buf *buf, struct bytes text);
