/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/mime.h: turns one message into a tree of parts (RFC 2045, 2046, 2183, 2231).
 *
 * Owns:     all results live in the caller's arena; raw text is slices of the message, decoded text is copied.
 * Bounds:   struct mime_limits; reaching one leaves a defect, it does not fail. No recursion. Time is linear in the
 *         size.
 * Fails:    ERR_NOMEM only (the arena's budget). Malformed mail is data: see mail/defect.h.
 * Readings: where mail clients differ (two Content-Types, a missing boundary, a quoted encoding name...) the nodes that
 *         only another client would show are in the tree as well, with reading 2 and up. Such a node has the path that
 *         this client would give it, follows the node it differs from (and all below that), and is its sibling; what it
 *         holds has its reading. So path and reading together name one node.
 * Decoded: a container that is transfer encoded holds parts whose bytes stand nowhere in the message; their offsets are
 *         those of the encoded container.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "mail/defect.h"
#include "mail/header.h"

struct html_document;

struct mime_limits {
	size_t parts;
	size_t depth;
	struct header_limits header;
	size_t readings; /* other readings, in all */
};
/* What the engine uses unless told otherwise. */
extern const struct mime_limits mime_limits_default;

enum transfer_encoding {
	TRANSFER_IDENTITY, /* 7bit, 8bit, binary, and what nobody knows */
	TRANSFER_BASE64,
	TRANSFER_QUOTED_PRINTABLE,
	TRANSFER_UUENCODE,
	TRANSFER_YENC,
};

/* One way in which a client would name the part. */
struct mime_name {
	struct bytes text; /* UTF-8, path not cut off */
};

struct mime_part {
	struct mime_part *parent, *first_child, *last_child, *next_sibling;
	struct bytes path;     /* "2.1", as FORMATS.md says */
	unsigned reading;      /* 1: what we hold most likely */
	unsigned depth;        /* 0 at the root */
	bool leaf;             /* no container by its type; a file that wraps a message is a leaf with a child */
	bool multipart;        /* type is multipart/something */
	bool attached_message; /* a parsed message/rfc822, message/global or message/news, or a file that wraps one
				  (mail/wrapped.h); its only child is the root of that message */
	struct header header;  /* of the part; of a message's root: the message's own header */

	struct bytes type;        /* lower case, "text/plain"; never empty */
	struct bytes charset;     /* as declared, lower case; {NULL, 0} when not */
	struct bytes disposition; /* lower case token; {NULL, 0} when there is none */
	struct bytes encoding;    /* lower case token as used; "7bit" by default */
	enum transfer_encoding transfer;
	struct bytes boundary;   /* of a multipart; {NULL, 0} when there is none */
	struct mime_name *names; /* the best first; every distinct name that some client would use */
	size_t n_names;

	struct bytes body;    /* as in the message, still encoded */
	size_t body_at;       /* its offset in the message */
	struct bytes content; /* decoded; body itself where nothing had to be decoded */

	/* Filled by message_parse() for text leaves. */
	struct bytes text;          /* content in UTF-8 by the charset used, CRLF as LF; of text/html the source */
	struct html_document *html; /* NULL unless it is HTML */
};

struct mime_tree {
	struct mime_part *root;
	struct mime_part **parts; /* every node in order of appearance, containers before what they hold */
	size_t n_parts;
};

/* Parses `message`, which must outlive the tree. */
NODISCARD enum err mime_parse(struct arena *arena, struct bytes message, const struct mime_limits *limits,
			      struct defect_list *defects, struct mime_tree *ret_tree);

/* "text/html" against "text/": true when the part's type begins so. */
static inline bool mime_type_is(const struct mime_part *part, const char *prefix)
{
	return bytes_starts(part->type, bytes_from_cstr(prefix));
}
