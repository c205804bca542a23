/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate_reply.h: a verdict in the words of rspamd's and of spamd's protocol, whose clients act on it themselves:
 * the word for the fate, the symbols, and what changes in the message, told or done.
 */
#include "daemon/transaction.h"
#include "proto/rspamd.h"

#define REPLY_FIELDS_MAX 16 /* ours: X-Postern, Authentication-Results, three of a seal; and as many signatures */

/* The symbols of the verdict, in the arena of the transaction. */
size_t reply_symbols(struct transaction *transaction, struct rspamd_symbol **ret_symbols);
/* rspamd's word for the fate. */
const char *reply_action(const struct transaction *transaction);

/* What the client is to change in the message; spans in the arena of the transaction. */
struct reply_changes {
	const char *removed[3]; /* all fields of each name */
	size_t n_removed;
	struct rspamd_field added[REPLY_FIELDS_MAX]; /* on top, the lowest first */
	size_t n_added;
	struct bytes signatures[REPLY_FIELDS_MAX]; /* the last `n_signatures` of them */
	const struct bytes *first_signature;
	size_t n_signatures;
};

/* Folds have the line ends of the message, or `lf_alone`, as milters do. */
void reply_changes(struct transaction *transaction, bool lf_alone, struct reply_changes *ret_changes);

/*
 * Adds the message as it is to go on, or its header with the empty line alone: our fields on top, foreign ones of ours
 * out, the subject tagged where it is to be; all with the line ends that the message has. Errors stick in `out`.
 */
void reply_message(struct transaction *transaction, bool header_only, struct buf *out);
