/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/gate.h: the inside of a gate: a process that talks to mail servers, has messages judged by scanners and kept
 * by the vault, and parses no mail itself. Only the gate's own files include this.
 */
#include "daemon/child.h"
#include "daemon/policy.h"
#include "daemon/transaction.h"
#include "sys/net.h"

struct ipc;
struct loop;
struct loop_timer;
struct stream;
struct stream_ops;

#define GATE_SCANNERS_MAX 64
#define GATE_FIELDS_MAX   ((size_t)64 << 10) /* bytes of our own fields */

struct scanner_link {
	struct gate *gate;
	uint32_t index, serial;
	struct ipc *ipc; /* NULL: free place */
	size_t in_flight;
	int64_t answered_ms; /* when it last said something, or got work after it had none */
};

struct gate {
	struct child *child;
	struct loop *loop;
	const struct settings *settings;
	struct policy policy;
	struct bytes hostname;
	struct bytes authserv_id; /* our name in Authentication-Results */
	bool draining, ending;    /* ending: all of Postern does, not only this gate */

	size_t sessions; /* open ones, of all front ends */
	struct gate_session *enlisted;
	struct scanner_link scanners[GATE_SCANNERS_MAX];
	struct scan_job *jobs; /* all that are not done */
	size_t waiting;        /* of them, those that no scanner has */
	uint64_t next_id;

	struct ipc *resolver; /* NULL: none */
	struct ipc *ledger;   /* NULL: away, or off */
	struct buf lessons;   /* for it, sent together */
	uint64_t n_lessons;   /* in it */
	struct loop_timer *lessons_due;
	struct ipc *signer;                    /* NULL: away, or there are no keys */
	struct scan_network *signing_networks; /* whose mail is signed */
	size_t n_signing_networks;
	struct ipc *vault;
	bool vault_ok;
	struct loop_timer *vault_away; /* runs while there is none, but the next is expected at once */
	struct trace_entry *traces_first, **traces_last; /* not yet acknowledged */
	size_t traces_bytes;
	uint64_t trace_sequence;
	struct report_entry *reports_first, **reports_last; /* parts of reports: those that the vault has come first */
	struct report_entry *report_next;                   /* the first that it does not have */
	size_t reports_bytes, reports_in_flight;
	bool reports_lost;        /* some since the last time that none waited; it was said */
	struct store_job *stores; /* not yet answered */

	struct net_address next_hop;
	struct listener *listeners;
	bool milter_limited; /* that a mail server lets us do less than we want: it was said */
};

/* A session opened or closed: for the limit of connections and for draining. */
bool gate_session_begin(struct gate *gate);
void gate_session_end(struct gate *gate);
/*
 * A front end's session, so that it can be let go when everything ends: end_if_idle(ctx) is called then, and does what
 * it says when the session is between messages; for one that is not the front end does so after its message, since
 * gate->ending stays true.
 */
struct gate_session {
	struct gate_session *next, **self; /* self NULL: not enlisted */
	void (*end_if_idle)(void *ctx);
	void *ctx;
};
void gate_session_enlist(struct gate *gate, struct gate_session *link, void (*end_if_idle)(void *ctx), void *ctx);
void gate_session_delist(struct gate_session *link);
/* Ends the process when it drains, nobody is left, and every trace and part of a report lasts. */
void gate_end_if_drained(struct gate *gate);
/* False while the vault cannot commit: then mail is refused for now. */
bool gate_can_take_mail(const struct gate *gate);

/* -- gate_scan.c ---- */
/*
 * Has a message judged, envelope first: from `whole`, or where that is empty from the memory file; both stay the
 * caller's until the end. Neither: nothing can be judged. done() is called later with the verdict, or with NULL when
 * nobody could judge it in time. `right`: as what it may be signed. The job is gone then. A scanner that dies over it
 * is replaced once; after the second death the verdict is "unscannable".
 */
NODISCARD enum err gate_scan(struct gate *gate, struct bytes whole, int memfd, size_t envelope_len, size_t size,
			     enum sign_right right, void (*done)(void *ctx, const struct wire_verdict *verdict),
			     void *ctx, struct scan_job **ret_job);
void gate_scan_cancel(struct scan_job **job);
void gate_scan_peer(struct gate *gate, uint32_t index, uint32_t serial, int socket);
/* The vault's answer to what a scanner asked. */
void gate_scan_answer(struct gate *gate, const struct wire_answer *answer);
/* A vault came that knows nothing of what the last one was asked. */
void gate_scan_ask_again(struct gate *gate);

/* -- gate_resolver.c ---- */
void gate_resolver_peer(struct gate *gate, int socket);
/* The sender is known: what will be asked about it can be on its way while the message comes. */
void gate_prefetch(struct gate *gate, const struct scan_envelope *envelope);

/* The signer's answer to what a scanner wanted signed; and a signer that knows nothing of what the last one was asked.
 */
void gate_scan_signature(struct gate *gate, const struct wire_signature *signature);
void gate_scan_sign_again(struct gate *gate);

/* -- gate_sign.c ---- */
void gate_sign_peer(struct gate *gate, int socket);
/* As what that message may be signed, by configuration and envelope. */
enum sign_right gate_sign_right(const struct gate *gate, const struct scan_envelope *envelope);
/* Whether a message with that right may have that signed. */
bool gate_may_sign(const struct gate *gate, enum sign_right right, const struct wire_sign *sign);
/* An encoded SIGN; when the signer is away the next one is asked by gate_scan_sign_again(). */
void gate_sign_ask(struct gate *gate, struct bytes question);

/* -- gate_vault.c ---- */
void gate_vault_peer(struct gate *gate, int socket);
/* A new gate: the vault will say in a moment how it is, and until then mail need not be refused. */
void gate_vault_expect(struct gate *gate);
/* It did not come, or not come back, in time. */
void gate_vault_missed(void *gate);
/* Asks for a fact: an encoded ASK; when the vault is away the next one is asked by gate_scan_ask_again(). */
void gate_vault_ask(struct gate *gate, struct bytes question);
/* Sequence is filled in here. */
void gate_trace(struct gate *gate, struct wire_trace *trace);
/* Keeps a part of a report until it lasts; the vault gets few of them at a time. */
void gate_keep_report(struct gate *gate, const struct wire_report *report);
/* Everything ends: no more of them are kept than can last until then. */
void gate_cut_reports(struct gate *gate);
/* id is filled in here. `memfd` stays the caller's. done(ctx, ok) is called later, unless cancelled. */
struct store_job;
NODISCARD enum err gate_store(struct gate *gate, int memfd, struct wire_store *store, void (*done)(void *ctx, bool ok),
			      void *ctx, struct store_job **ret_job);
void gate_store_cancel(struct store_job **job);

/* -- gate_ledger.c ---- */
void gate_ledger_peer(struct gate *gate, int socket);
/* Sends what is to be learned; at the end, and by its timer. */
void gate_learn_now(void *gate);
/* What became of a message; `status` as transaction_trace() has it. */
void gate_learn(struct gate *gate, const struct transaction *transaction, const char *status);

/*
 * Half of a front end's session: `size` bytes for it, and its stream, whose time-out runs. NULL when there is no
 * memory: the connection is closed then, and without a session gate_session_end() was called.
 */
void *gate_session_new(struct gate *gate, int fd, size_t size);
struct stream *gate_stream_new(struct gate *gate, int fd, const struct net_address *peer, const struct stream_ops *ops,
			       void *session);

/* -- Front ends: a new connection, counted by gate_session_begin() ---- */
void gate_milter_accept(struct gate *gate, int fd, const struct net_address *peer);
void gate_smtp_accept(struct gate *gate, int fd, const struct net_address *peer);
void gate_http_accept(struct gate *gate, int fd, const struct net_address *peer);
void gate_spamd_accept(struct gate *gate, int fd, const struct net_address *peer);
