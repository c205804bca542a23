/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/store.h: the trace of every session and the quarantine, on one machine: SQLite in WAL mode and message bodies
 * as compressed files. No name of SQLite appears here: another database goes behind the same calls.
 *
 * Who:    the vault writes; the command line reads, and writes for a release. Any number of processes, one writer at a
 *         time; a second one waits two seconds for the first.
 *
 * Bounds: texts are cut at STORE_TEXT_MAX bytes; a query gives at most its limit.
 *
 * Fails:  ERR_IO (disk full, read only, locked, not there: *reterr says which), ERR_SYNTAX (the database or a body is
 *         damaged), ERR_NOMEM, ERR_UNSUPPORTED (a query that cannot be answered, no such item, a newer database). After
 *         a failed call in a transaction the whole transaction is to be rolled back: nothing is half done.
 */
#include "base/bytes.h"
#include "base/err.h"

struct store;

#define STORE_TEXT_MAX ((size_t)100 << 10)

/* Opens, makes or migrates the database below `folder`, which must exist. `read_only`: ERR_IO when there is none. */
NODISCARD enum err store_open(const char *folder, bool read_only, struct store **ret_store, struct error *reterr);
void store_close(struct store **store);

/* All between lasts together, or not at all; `durable`: it is on the disk before commit returns (else: soon after). */
NODISCARD enum err store_begin(struct store *store, bool durable, struct error *reterr);
NODISCARD enum err store_commit(struct store *store, struct error *reterr);
void store_rollback(struct store *store);
/* Whether a transaction could be committed now: writes and commits a row. */
NODISCARD enum err store_probe(struct store *store, struct error *reterr);
/* Reads the whole database: ERR_SYNTAX where it is damaged. Takes seconds for a large one; not for the vault. */
NODISCARD enum err store_check(struct store *store, struct error *reterr);

/* -- Trace ---- */

struct store_recipient {
	struct bytes address, fate;
};

struct store_trace {
	int64_t time_ms;
	struct bytes id, frontend, client_ip, client_name, helo, user, mail_from;
	const struct store_recipient *recipients;
	size_t n_recipients;
	struct bytes from_address, from_name, subject, message_id, queue_id;
	uint64_t size;
	struct bytes class, action, status, reason_en, reason_ja,
		evidence; /* evidence: JSON, kept whole or not at all */
	int64_t log_odds;
	uint64_t usec;
	struct bytes released; /* id of the quarantined message that this one is, when it is one */
};

/* Adding the same id again changes nothing. */
NODISCARD enum err store_trace_add(struct store *store, const struct store_trace *trace, struct error *reterr);
/* Whether the call before this one, which added a trace, found no such id. */
bool store_trace_was_new(const struct store *store);

/*
 * All that is given must hold; what is empty or 0 is not asked.
 *
 * Addresses (`address`: sender or any recipient; `sender`: of the envelope or the header), without regard to case:
 * with "@" or "*" the whole address is meant, "*" standing for anything ("*@example.com", "alice@", "al*@*.example.*");
 * else whole words in their order ("example.com" finds alice@mx.example.com; a sender's display name has words too).
 * `subject`: all of these words, Japanese from two characters on. `ip`: an address or a network, "192.0.2.0/24".
 * `status`: of a trace; of an item its state. `before`: rows older than the one of this id, for the next page.
 */
struct store_query {
	int64_t since_ms, until_ms;
	struct bytes id, address, sender, recipient, subject, ip, status, class, message_id, before;
	int64_t limit;
};

/* Calls row() for each, the newest first, until it returns false. What a row points at lasts for the call. */
NODISCARD enum err store_trace_find(struct store *store, const struct store_query *query,
				    bool (*row)(void *ctx, const struct store_trace *trace), void *ctx,
				    struct error *reterr);

/* -- Quarantine ---- */

struct store_item {
	int64_t time_ms;
	struct bytes id, mail_from, from_address, subject, message_id, client_ip, class, ids, reason_en, reason_ja;
	const struct store_recipient *recipients; /* fate unused */
	size_t n_recipients;
	uint64_t size;
	struct bytes state; /* "held", "released" */
	int64_t changed_ms;
};

/*
 * Writes the body to its file (fsync, rename, fsync of the folder), then adds the row to the open transaction, which
 * must be a durable one. Adding the same id again replaces it. A crash between leaves a file that store_forget()
 * sweeps.
 */
NODISCARD enum err store_quarantine_put(struct store *store, const struct store_item *item, struct bytes body,
					struct error *reterr);
NODISCARD enum err store_quarantine_find(struct store *store, const struct store_query *query,
					 bool (*row)(void *ctx, const struct store_item *item), void *ctx,
					 struct error *reterr);
/* The body, decompressed, into memory that the caller frees with mem_free(). ERR_IO when it is not there. */
NODISCARD enum err store_quarantine_body(struct store *store, struct bytes id, uint8_t **ret_body, size_t *ret_len,
					 struct error *reterr);
/* ERR_UNSUPPORTED when there is no such item. */
NODISCARD enum err store_quarantine_set_state(struct store *store, struct bytes id, const char *state,
					      struct error *reterr);
/* The body's file goes when the transaction is committed. */
NODISCARD enum err store_quarantine_delete(struct store *store, struct bytes id, struct error *reterr);

/*
 * A release: the message may come back once more with this token and exactly this body (hex SHA-256 as scan/release.h
 * computes it); the evidence of the item does not count then.
 */
NODISCARD enum err store_release_add(struct store *store, struct bytes id, struct bytes token, struct bytes body_hash,
				     int64_t now_ms, struct error *reterr);
/* ERR_OK and the overruled evidence ids (copied to `ids`), or ERR_DENIED when there is no such release. */
NODISCARD enum err store_release_find(struct store *store, struct bytes id, struct bytes token, struct bytes body_hash,
				      int64_t now_ms, char *ids, size_t ids_size, struct error *reterr);

/* -- Upkeep ---- */

/*
 * One small step of upkeep, in transactions of its own: forgets what is too old, or too much (the oldest first), sweeps
 * files that no row knows, and gives space back when much of the database is empty. *ret_more: there is more to do.
 */
NODISCARD enum err store_forget(struct store *store, int64_t trace_before_ms, int64_t quarantine_before_ms,
				uint64_t quarantine_bytes_max, bool *ret_more, struct error *reterr);
