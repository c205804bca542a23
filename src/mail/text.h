/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/text.h: the text of a leaf as clients show it, and the links in it. Inner to message_parse().
 *
 * Owns:    part->text and part->html, and the URLs that it adds to the message, in the message's arena.
 * Views:   where clients differ in the text itself (NULs that some drop, lines that some join), the links of the other
 *          view are added too, with the whole part as their place. Time is linear.
 * Fails:   ERR_NOMEM only.
 */
#include "mail/message.h"

/* Nothing is done for what is no text: see is_html() in text.c for what counts as HTML. */
NODISCARD enum err text_read(struct message *message, struct mime_part *part);
