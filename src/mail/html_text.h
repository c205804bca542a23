/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/html_text.h: gathers text as it is shown: blanks folded, references decoded, characters without width dropped.
 */
#include "base/buf.h"
#include "base/bytes.h"

struct html_sink {
	struct buf buf;
	bool space, line;    /* a blank or a line end is due before the next character */
	size_t pending_zero; /* characters without width after a letter, to be counted if another follows */
	size_t zero_width;   /* those that stood between letters */
	size_t spelled;      /* letters and digits written as numeric references */
};

/* Adds a piece of source text. `literal`: without references. `pre`: line ends stay. */
void html_sink_add(struct html_sink *sink, struct bytes raw, bool literal, bool pre);

/* What follows stands on another line, or behind a gap. */
static inline void html_sink_line(struct html_sink *sink)
{
	sink->line = true;
}

static inline void html_sink_space(struct html_sink *sink)
{
	sink->space = true;
}
