/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/transaction.h: one message on its way through a gate, whatever protocol brought it: envelope, bytes, verdict,
 * fates.
 *
 * Owns:  everything of the message in one arena, its bytes in a memory file. transaction_free() ends all of it; a scan
 * that is under way is cancelled. Life:  transaction_new() -> recipients, transaction_write()... -> transaction_judge()
 * -> judged() is called once -> the front end acts -> transaction_trace() -> transaction_free().
 */
#include "base/arena.h"
#include "base/buf.h"
#include "scan/case.h"
#include "scan/verdict.h"
#include "wire/wire.h"

struct gate;
struct scan_job;

#define TRACE_ID_LEN 16
#define RECIPIENTS_PACKED_MAX                                                                                          \
	((size_t)96 << 10) /* in one message to the vault; with the rest below sys/ipc.h's IPC_MAX */

struct transaction {
	struct gate *gate;
	struct arena *arena;
	char id[TRACE_ID_LEN + 1]; /* what postern trace finds, and X-Postern carries */
	int64_t time_ms;
	int64_t ended_usec; /* by the monotonic clock: its last byte was here; 0: it was not yet */
	struct scan_envelope envelope;
	size_t recipients_capacity;
	struct bytes queue_id;

	struct buf spool; /* what is not in the memory file yet; a small message stays here whole */
	int memfd;
	size_t envelope_len, size; /* `size` is of the message alone */
	size_t size_max;
	bool too_large;
	bool failed;       /* no memory, no descriptors: temporary failure */
	bool verdict_only; /* the client has no place for fields, so nothing is signed */

	struct scan_job *job;
	void (*judged)(void *ctx, struct transaction *transaction);
	void *ctx;

	bool has_verdict;            /* after judged(): false: nobody could judge, temporary failure */
	struct wire_verdict verdict; /* spans in the arena */
	enum verdict_class class;
	enum verdict_action *fates; /* of each recipient */
	unsigned items;             /* given to the vault */
};

NODISCARD enum err transaction_new(struct gate *gate, struct transaction **ret_transaction);
void transaction_free(struct transaction **transaction);
/* Copies into the arena of the message. */
struct bytes transaction_keep(struct transaction *transaction, struct bytes b);
void transaction_add_recipient(struct transaction *transaction, struct bytes address);
/* Forgets the recipients from the n-th on (a front end that learns that one was refused). */
void transaction_drop_recipient(struct transaction *transaction, size_t n);
/* Bytes of the message, CRLF line ends. The envelope is complete before the first one. */
void transaction_write(struct transaction *transaction, struct bytes data);
/* Hands the message to a scanner; judged(ctx, transaction) is called later, never from inside. */
void transaction_judge(struct transaction *transaction, void (*judged)(void *ctx, struct transaction *transaction),
		       void *ctx);

/* The whole message, mapped; transaction_unmap() after. Takes no memory but the pages that are read. */
NODISCARD enum err transaction_map(struct transaction *transaction, struct bytes *ret_message);
void transaction_unmap(struct transaction *transaction, struct bytes message);

/* Number of recipients with that fate. */
size_t transaction_count(const struct transaction *transaction, enum verdict_action fate);
/* What a client is told that is to come again: that this is so by configuration, or that it lies with us. */
struct bytes transaction_later(const struct transaction *transaction);
/*
 * Our fields as they stand on top of a message that goes on, whole, with CRLF: X-Postern, Authentication-Results where
 * somebody asked the DNS, and those that sign. Each name is there once, DKIM-Signature once for each key.
 */
void transaction_fields(const struct transaction *transaction, struct buf *buf);
/* Whether the subject is tagged in the one message that all get: none of them wants it as it was, and nothing signs it.
 */
bool transaction_tags_subject(const struct transaction *transaction);
/* Whether a field Authentication-Results with that value speaks in our name. */
bool transaction_speaks_for_us(void *transaction, struct bytes value);
/* "This message was refused: ...", by the configuration. */
void transaction_reject_text(const struct transaction *transaction, struct buf *buf);

/*
 * Keeps the message in the vault for the recipients whose fate is `fate`; stored(ctx, transaction, ok) once it is on
 * disk. What has more recipients than fit into one item becomes more of them: the id, id-2, id-3... So does what is
 * kept in a second call.
 */
void transaction_store(struct transaction *transaction, enum verdict_action fate,
		       void (*stored)(void *ctx, struct transaction *transaction, bool ok), void *ctx);
/* Records and logs what became of it. `status`: delivered tagged quarantined rejected discarded deferred refused
 * aborted
 * advised. */
void transaction_trace(struct transaction *transaction, const char *status, struct bytes reason_en,
		       struct bytes reason_ja);
