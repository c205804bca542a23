/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/recipients.h: a list of recipients as one value of a row, and what trace.c and quarantine.c ask of each other.
 */
#include "base/buf.h"
#include "store/store.h"

struct arena;

/* Those that fit; u32 lengths before address and fate. */
void store_recipients_pack(struct buf *buf, const struct store_recipient *recipients, size_t n);
NODISCARD enum err store_recipients_unpack(struct arena *arena, struct bytes packed,
					   const struct store_recipient **ret_recipients, size_t *ret_n);
/* The query as an expression of the full-text index; empty when no word is asked for. */
void store_match(struct buf *match, const struct store_query *query);
NODISCARD enum err store_forget_traces(struct store *store, int64_t before_ms, int steps, bool *ret_more,
				       struct error *reterr);
