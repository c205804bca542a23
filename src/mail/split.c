/* SPDX-License-Identifier: Apache-2.0 */
#include "mail/split.h"

#include "base/arena.h"
#include "base/ascii.h"

#include "base/banned.h"

#define LOOKS_FACTOR  16
#define LOOKS_BASE    ((size_t)8 * 1024 * 1024)
#define PREFIX_LOOKS  8 /* lines whose declaration is looked for, a probe */
#define PREFIX_WINDOW ((size_t)64 * 1024)

/* True when a line that may be a delimiter begins at `at`: "--" and more than blanks, which is how signatures begin. */
static bool is_dash_line(struct bytes in, size_t at)
{
	if (at + 2 >= in.len || in.ptr[at] != '-' || in.ptr[at + 1] != '-')
		return false;
	for (at += 2; at < in.len && ascii_is_blank(in.ptr[at]); at++)
		;
	return at < in.len && ((in.ptr[at] != '\n' && in.ptr[at] != '\r') || in.ptr[at - 1] == '-');
}

/*
 * Counts the dash lines of in[*first, *end), and with `out` writes their offsets. Narrows the range to what holds them
 * all.
 */
static size_t walk_lines(struct bytes in, size_t *first, size_t *end, uint32_t *out)
{
	size_t count = 0, last = *first;
	for (size_t at = *first; at < *end;) {
		if (is_dash_line(in, at)) {
			if (out)
				out[count] = (uint32_t)at;
			if (count++ == 0)
				*first = at;
			last = at;
		}
		const uint8_t *hit = memchr(in.ptr + at, '\n', *end - at);
		if (!hit)
			break;
		at = (size_t)(hit - in.ptr) + 1;
	}
	*end = last + (count > 0);
	return count;
}

static bool has_bare_cr(struct bytes in)
{
	for (size_t at = 0; at < in.len; at++) {
		const uint8_t *hit = memchr(in.ptr + at, '\r', in.len - at);
		if (!hit)
			return false;
		at = (size_t)(hit - in.ptr);
		if (at + 1 < in.len && in.ptr[at + 1] != '\n' && in.ptr[at + 1] != '\r')
			return true;
	}
	return false;
}

/* Both kinds of lines in ascending order, where a source has both. */
static void merge_lines(struct bytes in, uint32_t *out)
{
	size_t count = 0;
	for (size_t at = 0; at < in.len; at++)
		if (in.ptr[at] == '-' && (at == 0 || in.ptr[at - 1] == '\n' || in.ptr[at - 1] == '\r') &&
		    is_dash_line(in, at))
			out[count++] = (uint32_t)at;
}

enum err split_index(struct arena *arena, struct split_source *source)
{
	struct bytes in = source->bytes;
	source->n_dashes = 0;
	if (in.len == 0 || in.len > UINT32_MAX)
		return ERR_OK;
	source->bare_cr = has_bare_cr(in);
	size_t first = 0, end = in.len;
	size_t count = walk_lines(in, &first, &end, NULL);
	if (source->bare_cr)
		for (size_t at = 1; at < in.len; at++)
			count += in.ptr[at - 1] == '\r' && is_dash_line(in, at);
	if (count == 0)
		return ERR_OK;
	uint32_t *dashes = arena_alloc_raw(arena, count * sizeof(*dashes));
	if (!dashes)
		return ERR_NOMEM;
	if (source->bare_cr)
		merge_lines(in, dashes);
	else
		(void)walk_lines(in, &first, &end, dashes);
	source->dashes = dashes;
	source->n_dashes = count;
	source->looks = count * LOOKS_FACTOR + LOOKS_BASE;
	return ERR_OK;
}

/* Index of the first dash line at or behind `at`. */
static size_t lower_bound(const struct split_source *source, size_t at)
{
	size_t lo = 0, hi = source->n_dashes;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (source->dashes[mid] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Takes the lines of a range from what may be looked at, twice: a probe is followed by a split. */
static bool take_looks(struct split_source *source, size_t at, size_t end)
{
	size_t lines = 2 * (lower_bound(source, end) - lower_bound(source, at));
	if (lines > source->looks)
		return false;
	source->looks -= lines;
	return true;
}

enum match {
	MATCH_NO,
	MATCH_OPEN,
	MATCH_CLOSE,
	MATCH_PREFIX,
};

struct hit {
	enum match match;
	bool cr;           /* it begins or ends at a bare CR */
	size_t next;       /* behind the line */
	struct bytes tail; /* of a prefix: what stands behind the dashes, trimmed */
};

/* Compares the line at `at` to the boundary: "--", boundary, perhaps "--", then blanks only (RFC 2046, 5.1.1). */
static struct hit match_line(const struct split_source *source, size_t at, size_t end, struct bytes boundary)
{
	struct bytes in = bytes_sub(source->bytes, 0, end);
	struct bytes text = bytes_from(in, at + 2);
	struct hit hit = {.match = MATCH_NO};
	if (!bytes_starts(text, boundary))
		return hit;
	size_t len = boundary.len;
	while (len < text.len && text.ptr[len] != '\n' && text.ptr[len] != '\r')
		len++;
	size_t stop = len;
	while (stop < text.len && text.ptr[stop] == '\r')
		stop++;
	bool lf = stop < text.len && text.ptr[stop] == '\n';
	if (lf)
		stop++;
	else if (len < text.len)
		stop = len + 1;
	hit.cr = (at > 0 && in.ptr[at - 1] == '\r') || (!lf && len < text.len);
	hit.next = at + 2 + stop;
	struct bytes rest = bytes_trim(bytes_sub(text, boundary.len, len - boundary.len));
	hit.tail = bytes_trim(bytes_sub(text, 0, len));
	if (rest.len == 0)
		hit.match = MATCH_OPEN;
	else if (bytes_eq(rest, BYTES_LIT("--")) && text.ptr[boundary.len] == '-')
		hit.match = MATCH_CLOSE;
	else
		hit.match = MATCH_PREFIX;
	return hit;
}

/* True when `tail` was declared as a boundary shortly before: it is then the line of an inner multipart. */
static bool is_declared(const struct split_source *source, size_t at, size_t line, struct bytes tail)
{
	if (bytes_ends(tail, BYTES_LIT("--")))
		tail.len -= 2;
	if (tail.len == 0)
		return false;
	if (line - at > PREFIX_WINDOW)
		at = line - PREFIX_WINDOW;
	struct bytes before = bytes_sub(source->bytes, at, line - at);
	for (;;) {
		size_t hit = bytes_find(before, tail);
		if (hit == BYTES_NONE)
			return false;
		if (hit > 0 && (before.ptr[hit - 1] == '"' || before.ptr[hit - 1] == '='))
			return true;
		before = bytes_from(before, hit + 1);
	}
}

struct split_probe split_probe(struct split_source *source, size_t at, size_t end, struct bytes boundary)
{
	struct split_probe probe = {.prefix_at = BYTES_NONE};
	struct bytes last = {0};
	size_t looks = 0;
	if (!take_looks(source, at, end)) {
		probe.limited = true;
		return probe;
	}
	for (size_t i = lower_bound(source, at); i < source->n_dashes && source->dashes[i] < end; i++) {
		struct hit hit = match_line(source, source->dashes[i], end, boundary);
		if (hit.match == MATCH_OPEN) {
			probe.after_end = probe.after_end || (probe.closed && !hit.cr);
			probe.open += !hit.cr;
			probe.open_cr += hit.cr;
		} else if (hit.match == MATCH_CLOSE) {
			probe.closed = true;
		} else if (hit.match == MATCH_PREFIX && boundary.len > 0 && probe.prefix_at == BYTES_NONE &&
			   looks < PREFIX_LOOKS) {
			if (bytes_eq(hit.tail, last))
				continue;
			last = hit.tail;
			looks++;
			if (!is_declared(source, at, source->dashes[i], hit.tail))
				probe.prefix_at = source->dashes[i];
		}
	}
	return probe;
}

/* The line break before a delimiter belongs to the delimiter. */
static size_t before_break(struct bytes in, size_t from, size_t at)
{
	if (at > from && in.ptr[at - 1] == '\n')
		at--;
	else if (at > from && in.ptr[at - 1] == '\r')
		return at - 1;
	else
		return at;
	if (at > from && in.ptr[at - 1] == '\r')
		at--;
	return at;
}

/*
 * For those who compare the beginning of a line only, "--" at its end closes; behind the boundary it does where nothing
 * follows. Where something does, it is read as a part, so that none is missed.
 */
static bool ends_by_prefix(struct bytes in, const struct hit *hit, struct bytes boundary)
{
	size_t next = hit->next;
	if (bytes_ends(hit->tail, BYTES_LIT("--")))
		return true;
	while (next < in.len && ascii_is_space(in.ptr[next]))
		next++;
	return next >= in.len && bytes_starts(bytes_from(hit->tail, boundary.len), BYTES_LIT("--"));
}

enum err split_parts(struct arena *arena, const struct split_source *source, size_t at, size_t end,
		     struct bytes boundary, enum split_mode mode, size_t max, struct split_result *ret)
{
	size_t capacity = 0, open = BYTES_NONE;
	bool ended = false, late = false;
	*ret = (struct split_result){.preamble_end = end, .epilogue_at = end};
	for (size_t i = lower_bound(source, at); i <= source->n_dashes; i++) {
		bool last = i == source->n_dashes || source->dashes[i] >= end;
		size_t line = last ? end : source->dashes[i];
		struct hit hit = {.match = MATCH_OPEN};
		if (!last) {
			if (open != BYTES_NONE && line < open)
				continue;
			hit = match_line(source, line, end, boundary);
			if (hit.match == MATCH_PREFIX && mode == SPLIT_PREFIX)
				hit.match = ends_by_prefix(bytes_sub(source->bytes, 0, end), &hit, boundary)
						    ? MATCH_CLOSE
						    : MATCH_OPEN;
			if (hit.match == MATCH_NO || hit.match == MATCH_PREFIX || (hit.cr && mode != SPLIT_BARE_CR))
				continue;
		}
		if (open != BYTES_NONE) {
			if (ret->count >= max) {
				ret->limited = true;
				return ERR_OK;
			}
			struct split_range *parts =
				arena_grow(arena, ret->parts, &capacity, ret->count, sizeof(*parts));
			if (!parts)
				return ERR_NOMEM;
			ret->parts = parts;
			size_t stop = last ? end : before_break(source->bytes, open, line);
			parts[ret->count++] = (struct split_range){.at = open, .end = stop, .after_end = late};
		}
		if (last)
			break;
		if (ret->preamble_end == end && !ended && ret->count == 0 && open == BYTES_NONE)
			ret->preamble_end = line;
		open = hit.match == MATCH_OPEN ? hit.next : BYTES_NONE;
		late = ended;
		if (hit.match == MATCH_CLOSE && !ended) {
			ended = ret->closed = true;
			ret->epilogue_at = hit.next;
		}
	}
	return ERR_OK;
}

struct bytes split_guess(struct split_source *source, size_t at, size_t end)
{
	struct bytes in = bytes_sub(source->bytes, 0, end);
	if (!take_looks(source, at, end))
		return (struct bytes){0};
	for (size_t i = lower_bound(source, at); i < source->n_dashes && source->dashes[i] < end; i++) {
		size_t line = source->dashes[i], stop = line;
		while (stop < in.len && in.ptr[stop] != '\n' && in.ptr[stop] != '\r')
			stop++;
		size_t next = stop;
		while (next < in.len && next - stop < 2 && (in.ptr[next] == '\n' || in.ptr[next] == '\r'))
			next++;
		if (bytes_starts_nocase(bytes_from(in, next), BYTES_LIT("Content-")))
			return bytes_trim(bytes_sub(in, line + 2, stop - line - 2));
	}
	return (struct bytes){0};
}
