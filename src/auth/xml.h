/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/xml.h: XML from outside as a stream of elements (XML 1.0; UTF-8, UTF-16, ISO-8859-1, ASCII), without entities of
 * its own: a DOCTYPE is refused where it begins, so nothing can grow.
 *
 * Bounds: struct xml_limits; time is linear. Memory: the text of an element, a few times the longest tag, all names.
 * Fails:  ERR_SYNTAX (not well-formed, a DOCTYPE, bytes that are no characters), ERR_LIMIT, ERR_NOMEM, and whatever
 *         begin() or end() returned; reterr->at is the line, from 1 on, and the text says it too.
 */
#include "base/bytes.h"
#include "base/err.h"

struct xml_limits {
	size_t depth, elements;
	size_t text;  /* of one element; and what is between < and > */
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

struct buf;
/*
 * Adds `text` as the content of an element: escaped, malformed UTF-8 and what XML 1.0 cannot hold as U+FFFD; what would
 * steer a terminal on which somebody looks at it by its number.
 */
void xml_add_text(struct buf *buf, struct bytes text);
