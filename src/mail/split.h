/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/split.h: where the parts of a multipart begin and end (RFC 2046, 5.1.1).
 *
 * All lines that begin with "--" are found once, in one pass over the source; every multipart looks only at those in
 * its range. So a body without such lines costs nothing however deep it is nested.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;

/* Bytes that hold entities: the message, or a container that was transfer decoded. */
struct split_source {
	struct bytes bytes;
	bool decoded; /* not the message itself; then offsets told are those of the encoded container: */
	size_t outer_at, outer_len;
	uint32_t *dashes; /* offsets of the lines that begin with "--" and hold more than blanks; ascending */
	size_t n_dashes;
	size_t looks; /* how many of those lines may yet be compared, all multiparts together: keeps the time linear */
	bool bare_cr; /* some lines end in a bare CR; those are in `dashes` as well */
};

/* `source->bytes` is set. Sources over 4 GiB have no lines. Sole failure: ERR_NOMEM. */
NODISCARD enum err split_index(struct arena *arena, struct split_source *source);

enum split_mode {
	SPLIT_LINES,   /* a delimiter is a line of its own, lines end in LF */
	SPLIT_BARE_CR, /* a bare CR ends a line as well */
	SPLIT_PREFIX,  /* a line that only begins with the delimiter is one (RFC 2046, 5.1.1, to the letter) */
	SPLIT_EMPTY,   /* as SPLIT_LINES; the boundary is the empty string */
};

/* What a boundary would find. */
struct split_probe {
	size_t open, open_cr; /* delimiters, by LF lines and by lines at a bare CR */
	bool closed;
	bool limited;     /* the lines were not compared: there were too many already */
	bool after_end;   /* delimiters stand behind the closing one */
	size_t prefix_at; /* the first line that only begins with it and is no boundary declared before it, or
			     BYTES_NONE */
};

struct split_probe split_probe(struct split_source *source, size_t at, size_t end, struct bytes boundary);

struct split_range {
	size_t at, end;
	bool after_end;
};

struct split_result {
	struct split_range *parts;
	size_t count;
	size_t preamble_end, epilogue_at; /* epilogue_at is `end` when the multipart is not closed */
	bool limited;                     /* there were more than `max` */
	bool closed;                      /* the last delimiter was there */
};

NODISCARD enum err split_parts(struct arena *arena, const struct split_source *source, size_t at, size_t end,
			       struct bytes boundary, enum split_mode mode, size_t max, struct split_result *ret);

/*
 * A boundary that nobody declared: the first line of the range that begins with "--" and has a Content field behind it.
 * Empty when there is none.
 */
struct bytes split_guess(struct split_source *source, size_t at, size_t end);
