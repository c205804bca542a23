/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/message.h: one message, parsed once, as every check sees it: the tree, the decoded header, text, HTML and URLs.
 *
 * Owns:   everything lives in the arena; the raw message must outlive it.
 * Bounds: limits of mail/mime.h, mail/html.h, mail/url.h. A limit that left bytes unread sets a defect that says so.
 * Fails:  never for what the message holds. When the arena's budget runs out the message as far as it got is returned
 *         with LIMIT_MEMORY; ERR_NOMEM only when not even that is possible.
 */
#include "mail/address.h"
#include "mail/mime.h"
#include "mail/received.h"
#include "mail/url.h"

struct message {
	struct arena *arena;
	struct bytes raw;
	struct mime_tree tree;
	const struct header *header; /* of the root */
	struct defect_list defects;

	struct bytes subject; /* decoded, unfolded, trimmed, UTF-8; {NULL, 0} when there is no Subject */
	struct address_list from, sender, reply_to, to, cc, bcc;
	bool has_date;
	int64_t date;            /* seconds since 1970, UTC */
	struct bytes message_id; /* without <>; {NULL, 0} */
	struct received_list received;
	struct url_list urls; /* of all text and HTML leaves, in order of appearance */
};

NODISCARD enum err message_parse(struct arena *arena, struct bytes raw, const struct mime_limits *limits,
				 struct message **ret_message);
