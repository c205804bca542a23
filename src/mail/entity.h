/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/entity.h: what the header of one entity says about its body, in every way that mail clients take it: the type,
 * boundary, charset and encoding of each reading, and all file names. Inner to the MIME parser.
 */
#include "mail/mime.h"
#include "mail/split.h"

#define ENTITY_VARIANTS 12
#define ENTITY_NAMES    32

/* One reading of an entity. */
struct entity_variant {
	struct bytes type, charset, encoding;
	struct bytes boundary; /* of a multipart with delimiters in its body; empty when there is none */
	enum transfer_encoding transfer;
	enum split_mode mode;
	size_t body_at;             /* in the source */
	bool decode;                /* a message whose body is decoded before it is parsed */
	struct split_source *inner; /* a multipart that is split after decoding: its decoded body, or NULL */
};

struct entity {
	struct split_source *source;
	size_t at, end; /* in the source, header included */
	bool digest;    /* the default type is message/rfc822 (RFC 2046, 5.1.5) */
	struct header header;
	struct bytes disposition;
	struct mime_name *names;
	size_t n_names;
	struct entity_variant variants[ENTITY_VARIANTS]; /* the likeliest first */
	size_t n_variants;
	bool limited; /* there were more */
};

/*
 * Reads the header at entity->at and fills the rest. `part` is what defects are of. The first four members are set.
 * Sole failure: ERR_NOMEM.
 */
NODISCARD enum err entity_parse(struct arena *arena, const struct header_limits *limits, const struct mime_part *part,
				struct defect_list *defects, struct entity *entity);

/* The names of the part, from all its fields (names.c). */
NODISCARD enum err entity_names(struct arena *arena, const struct mime_part *part, struct defect_list *defects,
				struct entity *entity);

/* The value without NULs, or up to the first; a slice when there is none. */
struct bytes entity_without_nul(struct arena *arena, struct bytes value);
static inline struct bytes entity_until_nul(struct bytes value)
{
	size_t nul = bytes_find_byte(value, 0);
	return nul == BYTES_NONE ? value : bytes_sub(value, 0, nul);
}

static inline bool entity_is_multipart(const struct entity_variant *variant)
{
	return bytes_starts(variant->type, BYTES_LIT("multipart/"));
}

/* A container that holds a message (RFC 2046 5.2.1, RFC 6532 3.7; message/news, RFC 1036, is shown as one). */
static inline bool entity_is_message(const struct entity_variant *variant)
{
	return bytes_eq(variant->type, BYTES_LIT("message/rfc822")) ||
	       bytes_eq(variant->type, BYTES_LIT("message/global")) ||
	       bytes_eq(variant->type, BYTES_LIT("message/news"));
}
