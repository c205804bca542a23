/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/url.h: finds URLs in text, and brings a URL into one normal form (WHATWG URL, RFC 3986, UTS 46) so that what a
 * browser would open is compared, not what was written.
 *
 * Bounds: URL_MAX a message, URL_MAX_LEN bytes each. Time is linear.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct mime_part;

#define URL_MAX     20000
#define URL_MAX_LEN 8192

enum url_flag {
	URL_IDN = 1 << 0,           /* the host has xn-- or non-ASCII labels */
	URL_IP_HOST = 1 << 1,       /* the host is an address, in any spelling that browsers take */
	URL_IP_ODD = 1 << 2,        /* ... and not plain dotted decimal */
	URL_USERINFO = 1 << 3,      /* user@ before the host */
	URL_PORT = 1 << 4,          /* a port that is not the scheme's own */
	URL_ESCAPED_HOST = 1 << 5,  /* percent escapes in the host */
	URL_BACKSLASH = 1 << 6,     /* \ where / belongs */
	URL_CONTROL = 1 << 7,       /* tab, CR, LF or other controls inside */
	URL_SCHEMELESS = 1 << 8,    /* "www.example.com/..." or "example.com/..." in text */
	URL_UNROLLED = 1 << 9,      /* taken out of another URL (a redirector's parameter, by its form) */
	URL_MIXED_SCRIPT = 1 << 10, /* a label mixes scripts that no language mixes (UTS 39) */
	URL_FROM_HTML = 1 << 11,
	URL_HIDDEN = 1 << 12,   /* stands in hidden text */
	URL_DEFANGED = 1 << 13, /* written as hxxp: */
};

struct url {
	struct bytes
		url; /* normalised: scheme and host lower case, host in A-labels, default port out, dot segments out */
	struct bytes scheme;                /* slices of `url` */
	struct bytes host;                  /* without brackets of IPv6 */
	struct bytes path, query, fragment; /* query and fragment without their ? and # */
	uint16_t port;                      /* 0: the scheme's own */
	struct bytes text;                  /* what is shown for it; {NULL, 0} outside HTML anchors */
	const struct mime_part *part;
	size_t at, len; /* in the text or HTML source of the part */
	unsigned flags; /* enum url_flag */
	uint32_t hash;  /* of url and text, to find duplicates */
};

struct url_list {
	struct url *items;
	size_t count, capacity;
	/* 2 * capacity places, found by hash. The hash stands beside: who makes many collide reads one array, in order.
	 */
	struct url_place {
		uint32_t hash, item; /* 1 + the place in `items`; 0: free */
	} * index;
	bool limited;
};

/*
 * Normalises one URL; one without a scheme only with `schemeless` (then it is http). ERR_SYNTAX when a browser would
 * open nothing. Where the normal form is stricter than WHATWG: escapes of unreserved characters are decoded, all others
 * are in upper case, a lone % becomes %25, and dots at the end of the host go. What is longer than URL_MAX_LEN is
 * cut. The result is a fixed point: normalising `ret_url->url` again gives the same.
 * For a host that is not ASCII ICU is asked; it opens no file (its tables are in its library) and takes heap of its
 * own.
 */
NODISCARD enum err url_parse(struct arena *arena, struct bytes raw, bool schemeless, struct url *ret_url);

/* Finds URLs in plain text (bare hosts with a known top-level domain too) and adds them. */
NODISCARD enum err url_find(struct arena *arena, struct bytes text, const struct mime_part *part,
			    struct url_list *list);

/* Adds one known URL (a link of HTML) and what it unrolls to; duplicates (same URL, part and text) once. */
NODISCARD enum err url_add(struct arena *arena, struct bytes raw, struct bytes text, const struct mime_part *part,
			   size_t at, size_t len, unsigned flags, struct url_list *list);

/* What `reference` means in a document at `base` (WHATWG, RFC 3986 5.2); `reference` itself when it has a scheme or
 * `base` is no hierarchical URL. Not normalised. {NULL, 0} when out of memory. */
struct bytes url_join(struct arena *arena, struct bytes base, struct bytes reference);

/* Does it begin with a scheme and a colon? Gives the length of the scheme, or 0. */
size_t url_scheme_length(struct bytes text);

/*
 * The registrable domain of a host by the public suffix rules that are compiled in, or the host itself when it is an
 * address or a suffix. A slice of `host`.
 */
struct bytes url_registrable(struct bytes host);

/* Is the host a public suffix as a whole? Hosts in A-labels, in any case. */
bool url_is_suffix(struct bytes host);

/* Is it a top-level domain that the public suffix rules know? */
bool url_tld_known(struct bytes label);
