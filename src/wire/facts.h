/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * wire/facts.h: questions and facts as the messages ASK, ANSWER, SCAN and PREFETCHED carry them, many in one span.
 *
 * Form: a question is u8 kind, u16 length, key; a fact u8 kind, u8 state, u16 length, key, u32 length, answer.
 */
#include "base/buf.h"
#include "base/cursor.h"
#include "scan/fact.h"

/*
 * How long a message waits for facts, in all its rounds together; then what is missing counts as failed. Below what a
 * gate waits for a verdict, and what mail servers wait for us.
 */
#define FACTS_WAIT_MS 20000

void facts_add_question(struct buf *buf, enum fact_kind kind, struct bytes key);
void facts_add(struct buf *buf, enum fact_kind kind, enum fact_state state, struct bytes key, struct bytes answer);

/* Whose SPF is asked, as ASK and PREFETCH carry it. ERR_SYNTAX. */
struct facts_sender {
	uint8_t ip[16];
	struct bytes helo, from;
};
void facts_pack_sender(struct buf *buf, const struct facts_sender *sender);
NODISCARD enum err facts_unpack_sender(struct bytes packed, struct facts_sender *ret_sender);

/* The next one of the span that the cursor is over; false at its end. What is not of the form sets the cursor's error.
 */
bool facts_next_question(struct cursor *cur, enum fact_kind *ret_kind, struct bytes *ret_key);
bool facts_next(struct cursor *cur, struct fact *ret_fact);
