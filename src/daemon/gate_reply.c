/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/gate_reply.h"

#include "base/num.h"
#include "daemon/gate.h"
#include "daemon/gate_fields.h"
#include "daemon/gate_rewrite.h"
#include "proto/rspamd.h"

#include "base/banned.h"

size_t reply_symbols(struct transaction *transaction, struct rspamd_symbol **ret_symbols)
{
	struct bytes rest = transaction->verdict.symbols, line;
	struct rspamd_symbol *symbols = arena_new(transaction->arena, struct rspamd_symbol, RSPAMD_SYMBOLS_MAX);
	size_t n = 0;
	while (symbols && n < RSPAMD_SYMBOLS_MAX && bytes_split(&rest, '\n', &line)) {
		struct bytes name, score;
		uint64_t magnitude = 0;
		if (!bytes_split(&line, '\t', &name) || !bytes_split(&line, '\t', &score))
			continue;
		bool negative = bytes_starts(score, BYTES_LIT("-"));
		if (num_parse(bytes_from(score, negative ? 1 : 0), 10, 1000000, &magnitude) != ERR_OK)
			continue;
		symbols[n++] = (struct rspamd_symbol){
			.name = name, .description = line, .score = negative ? -(int)magnitude : (int)magnitude};
	}
	*ret_symbols = symbols;
	return n;
}

const char *reply_action(const struct transaction *transaction)
{
	/* The most severe of the recipients' fates: one answer is for all of them. */
	static const struct {
		enum verdict_action fate;
		const char *word;
	} words[] = {{ACTION_TEMPFAIL, "soft reject"},
		     {ACTION_REJECT, "reject"},
		     {ACTION_QUARANTINE, "quarantine"},
		     {ACTION_DISCARD, "discard"}};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (transaction_count(transaction, words[i].fate) > 0)
			return words[i].word;
	if (transaction_count(transaction, ACTION_TAG) > 0)
		return transaction_tags_subject(transaction) ? "rewrite subject" : "add header";
	return "no action";
}

/* -- What changes in the message ---- */

static struct rewrite rewrite_for(struct transaction *transaction)
{
	return (struct rewrite){.speaks_for_us = transaction_speaks_for_us, .ctx = transaction};
}

static struct bytes own_fields(struct transaction *transaction, bool crlf)
{
	CLEANUP(buf_done) struct buf fields = BUF_INIT(GATE_FIELDS_MAX), lines = BUF_INIT(GATE_FIELDS_MAX);
	transaction_fields(transaction, &fields);
	fields_add_lines(&lines, buf_bytes(&fields), crlf);
	return transaction_keep(transaction, buf_bytes(&lines));
}

void reply_changes(struct transaction *transaction, bool lf_alone, struct reply_changes *ret_changes)
{
	struct bytes message = {0}, fields, name, value;
	struct rewrite rewrite = rewrite_for(transaction);
	enum err err = transaction_map(transaction, &message);
	*ret_changes = (struct reply_changes){.removed = {"X-Postern", "X-Postern-Release"}, .n_removed = 2};
	fields = own_fields(transaction, !lf_alone && fields_want_crlf(message));
	if (err != ERR_OK || rewrite_finds_forged(&rewrite, message))
		ret_changes->removed[ret_changes->n_removed++] = "Authentication-Results";
	if (err == ERR_OK)
		transaction_unmap(transaction, message);
	struct bytes *first = ret_changes->signatures + REPLY_FIELDS_MAX;
	while (fields_take_last(&fields, &name, &value)) {
		if (bytes_eq(name, BYTES_LIT("DKIM-Signature")) && first > ret_changes->signatures)
			*--first = value;
		else if (ret_changes->n_added < REPLY_FIELDS_MAX)
			ret_changes->added[ret_changes->n_added++] = (struct rspamd_field){name, value};
	}
	ret_changes->first_signature = first;
	ret_changes->n_signatures = (size_t)(ret_changes->signatures + REPLY_FIELDS_MAX - first);
}

/* Where the header ends for spamc, which puts what it has behind that itself. */
static struct bytes header_of(struct bytes message)
{
	size_t crlf = bytes_find(message, BYTES_LIT("\r\n\r\n")), lf = bytes_find(message, BYTES_LIT("\n\n"));
	if (crlf == BYTES_NONE && lf == BYTES_NONE)
		return message;
	return bytes_sub(message, 0, lf == BYTES_NONE || crlf < lf ? crlf + 4 : lf + 2);
}

void reply_message(struct transaction *transaction, bool header_only, struct buf *out)
{
	struct bytes message, piece;
	if (transaction_map(transaction, &message) != ERR_OK) {
		out->err = ERR_NOMEM;
		return;
	}
	struct rewrite rewrite = rewrite_for(transaction);
	bool crlf = fields_want_crlf(message);
	rewrite.field = own_fields(transaction, crlf);
	rewrite.line_end = crlf ? BYTES_LIT("\r\n") : BYTES_LIT("\n");
	if (transaction_tags_subject(transaction))
		rewrite.tag = transaction->gate->settings->subject_tag;
	if (transaction->failed)
		out->err = ERR_NOMEM;
	struct bytes part = header_only ? header_of(message) : message;
	while ((piece = rewrite_next(&rewrite, part, SIZE_MAX)).len > 0)
		buf_add(out, piece);
	transaction_unmap(transaction, message);
}
