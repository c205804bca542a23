/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/transaction.h"

#include <stdio.h>
#include <unistd.h>

#include "auth/authres.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/gate.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "wire/envelope.h"

#include "base/banned.h"

#define ARENA_BUDGET ((size_t)64 << 20) /* envelope and verdict */
#define WHOLE_MAX                                                                                                      \
	((size_t)64 << 10) /* goes to the scanner as it is: below it a memory file costs more than two copies */

#define AUTH_LINE_LONG 100 /* a line of Authentication-Results is folded at the next blank */

/* A message that is being kept. One with very many recipients is several items, each with some of them. */
struct store_wait {
	struct transaction *transaction;
	enum verdict_action fate;
	size_t next; /* the first recipient that is in no item yet */
	char id[TRACE_ID_LEN + 12];
	struct store_job *job;
	void (*stored)(void *ctx, struct transaction *transaction, bool ok);
	void *ctx;
};

/* Time, then chance: sorts by age and cannot be guessed. Base 32 without letters that look alike. */
static void make_id(int64_t now_ms, char out[static TRACE_ID_LEN + 1])
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	static uint64_t chances[32]; /* bought by the dozen */
	static size_t left;
	if (left == 0 && entropy_fill(chances, sizeof(chances)) == ERR_OK)
		left = ARRAY_LEN(chances);
	uint64_t chance = left > 0 ? chances[--left] : 0;
	if (chance == 0)
		chance = hash_sip((struct hash_key){(uint64_t)now_ms, clock_cpu_usec()}, bytes_make(out, TRACE_ID_LEN));
	uint64_t time_part = (uint64_t)now_ms;
	for (int i = 8; i >= 0; i--) {
		out[i] = alphabet[time_part & 31];
		time_part >>= 5;
	}
	for (size_t i = 9; i < TRACE_ID_LEN; i++) {
		out[i] = alphabet[chance & 31];
		chance >>= 5;
	}
	out[TRACE_ID_LEN] = '\0';
}

enum err transaction_new(struct gate *gate, struct transaction **ret_transaction)
{
	struct arena *arena = arena_create(ARENA_BUDGET);
	struct transaction *transaction = arena ? arena_new(arena, struct transaction, 1) : NULL;
	if (!transaction) {
		arena_free(&arena);
		return ERR_NOMEM;
	}
	*transaction = (struct transaction){
		.gate = gate,
		.arena = arena,
		.memfd = -1,
		.time_ms = clock_wall_ms(),
		.size_max = (size_t)gate->settings->message_size,
		.envelope = {.hostname = gate->hostname},
	};
	buf_init(&transaction->spool, (size_t)16 << 20);
	make_id(transaction->time_ms, transaction->id);
	*ret_transaction = transaction;
	return ERR_OK;
}

void transaction_free(struct transaction **transaction)
{
	struct transaction *gone = *transaction;
	if (!gone)
		return;
	gate_scan_cancel(&gone->job);
	if (gone->memfd >= 0)
		(void)close(gone->memfd);
	buf_done(&gone->spool);
	struct arena *arena = gone->arena;
	arena_free(&arena); /* runs the deferred cancels of stores */
	*transaction = NULL;
}

struct bytes transaction_keep(struct transaction *transaction, struct bytes b)
{
	struct bytes kept = arena_copy(transaction->arena, b);
	if (!kept.ptr)
		transaction->failed = true;
	return kept;
}

void transaction_add_recipient(struct transaction *transaction, struct bytes address)
{
	struct scan_envelope *envelope = &transaction->envelope;
	struct bytes *grown = arena_grow(transaction->arena, envelope->recipients, &transaction->recipients_capacity,
					 envelope->n_recipients, sizeof(*grown));
	struct bytes kept = transaction_keep(transaction, address);
	if (!grown || !kept.ptr) {
		transaction->failed = true;
		return;
	}
	envelope->recipients = grown;
	grown[envelope->n_recipients++] = kept;
}

void transaction_drop_recipient(struct transaction *transaction, size_t n)
{
	if (n < transaction->envelope.n_recipients)
		transaction->envelope.n_recipients = n;
}

static void flush(struct transaction *transaction)
{
	if (transaction->memfd < 0 && memfd_new(&transaction->memfd) != ERR_OK)
		transaction->failed = true;
	if (transaction->failed || buf_err(&transaction->spool) != ERR_OK ||
	    file_write_all(transaction->memfd, buf_bytes(&transaction->spool)) != ERR_OK)
		transaction->failed = true;
	buf_clear(&transaction->spool);
}

/* All of it into the memory file, which nobody changes any more. */
static void seal(struct transaction *transaction)
{
	flush(transaction);
	buf_done(&transaction->spool);
	if (!transaction->failed && memfd_seal(transaction->memfd) != ERR_OK)
		transaction->failed = true;
}

static void begin(struct transaction *transaction)
{
	if (transaction->envelope_len > 0)
		return;
	envelope_encode(&transaction->spool, &transaction->envelope, transaction->time_ms / 1000);
	transaction->envelope_len = transaction->spool.len;
	if (buf_err(&transaction->spool) != ERR_OK)
		transaction->failed = true;
}

void transaction_write(struct transaction *transaction, struct bytes data)
{
	if (transaction->failed || transaction->too_large)
		return;
	begin(transaction);
	if (data.len > transaction->size_max - transaction->size) {
		/* What is over the limit is not kept; what came before it is judged, and the rest said to be
		 * unexamined. */
		data = bytes_sub(data, 0, transaction->size_max - transaction->size);
		transaction->too_large = true;
	}
	transaction->size += data.len;
	buf_add(&transaction->spool, data);
	if (transaction->spool.len > WHOLE_MAX)
		flush(transaction);
}

/* Whom it would reach unsigned, gets it later. */
static void hold_unsigned(struct transaction *transaction)
{
	metrics_add(METRIC_UNSIGNED, 1);
	log_event(LOG_ERROR, "message.unsigned", log_cstr("id", transaction->id));
	if (transaction->gate->settings->signing_failure == SET_UNSIGNED_DELIVER)
		return;
	bool any = false;
	for (size_t i = 0; i < transaction->envelope.n_recipients; i++)
		any = any || transaction->fates[i] == ACTION_DELIVER || transaction->fates[i] == ACTION_TAG;
	for (size_t i = 0; any && i < transaction->envelope.n_recipients; i++)
		transaction->fates[i] = ACTION_TEMPFAIL;
	if (any) {
		transaction->verdict.reason_en = BYTES_LIT("The message could not be signed, so it was not accepted.");
		transaction->verdict.reason_ja = BYTES_LIT("署名できなかったため、メールを受け付けませんでした。");
	}
}

static bool take_verdict(struct transaction *transaction, const struct wire_verdict *verdict)
{
	struct wire_verdict *kept = &transaction->verdict;
	struct bytes *const spans[] = {&kept->subject, &kept->from_address, &kept->from_name,    &kept->message_id,
				       &kept->ids,     &kept->reason_en,    &kept->reason_ja,    &kept->evidence,
				       &kept->symbols, &kept->released,     &kept->auth_results, &kept->relations,
				       &kept->tally,   &kept->signatures};
	*kept = *verdict;
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		*spans[i] = transaction_keep(transaction, *spans[i]);
	size_t n = transaction->envelope.n_recipients;
	transaction->fates = arena_new(transaction->arena, enum verdict_action, n + 1);
	if (transaction->failed || !transaction->fates || verdict->class >= CLASS_COUNT ||
	    verdict->own_class >= CLASS_COUNT || verdict->sender_policy > DMARC_POLICY_REJECT)
		return false;
	transaction->class = (enum verdict_class)verdict->class;
	enum verdict_class own_class = (enum verdict_class)verdict->own_class;
	enum dmarc_policy sender_policy = (enum dmarc_policy)verdict->sender_policy;
	if (transaction->too_large && transaction->class != CLASS_MALWARE && transaction->class != CLASS_PHISH) {
		transaction->class = own_class = CLASS_UNSCANNABLE;
		kept->reason_en = BYTES_LIT("The message is larger than is examined.");
		kept->reason_ja = BYTES_LIT("メールが検査できる大きさを超えています。");
	}
	for (size_t i = 0; i < n; i++)
		transaction->fates[i] = policy_fate(&transaction->gate->policy, own_class, (int)verdict->log_odds,
						    sender_policy, transaction->envelope.recipients[i]);
	if (verdict->unsigned_mail)
		hold_unsigned(transaction);
	return true;
}

static void count(const struct transaction *transaction)
{
	metrics_add((enum metric)(METRIC_MESSAGES_CLEAN + (int)transaction->class), 1);
	metrics_observe(HISTOGRAM_SIZE_BYTES, (int64_t)transaction->size);
	metrics_observe(HISTOGRAM_SCAN_CPU_USEC, (int64_t)transaction->verdict.total_usec);
	metrics_add(METRIC_MESSAGE_BYTES, (int64_t)transaction->size);
	metrics_add(METRIC_SCAN_USEC, (int64_t)transaction->verdict.total_usec);
	metrics_add(METRIC_PARSE_USEC, (int64_t)transaction->verdict.parse_usec);
	for (size_t i = 0; i < transaction->envelope.n_recipients; i++)
		metrics_add((enum metric)(METRIC_RECIPIENTS_DELIVER + (int)transaction->fates[i]), 1);
}

static void on_verdict(void *ctx, const struct wire_verdict *verdict)
{
	struct transaction *transaction = ctx;
	transaction->job = NULL;
	transaction->has_verdict = verdict && take_verdict(transaction, verdict);
	if (transaction->has_verdict)
		count(transaction);
	transaction->judged(transaction->ctx, transaction);
}

void transaction_judge(struct transaction *transaction, void (*judged)(void *ctx, struct transaction *transaction),
		       void *ctx)
{
	transaction->judged = judged;
	transaction->ctx = ctx;
	transaction->ended_usec = clock_monotonic_usec();
	begin(transaction);
	struct bytes whole = {0};
	if (transaction->memfd < 0 && transaction->spool.len <= WHOLE_MAX && buf_err(&transaction->spool) == ERR_OK)
		whole = buf_bytes(&transaction->spool);
	else
		seal(transaction);
	if (transaction->failed)
		whole = (struct bytes){0};
	int memfd = transaction->failed ? -1 : transaction->memfd;
	/* What is not here whole cannot be signed. */
	enum sign_right right = transaction->too_large || transaction->verdict_only
					? SIGN_NOTHING
					: gate_sign_right(transaction->gate, &transaction->envelope);
	if (gate_scan(transaction->gate, whole, memfd, transaction->envelope_len,
		      transaction->envelope_len + transaction->size, right, on_verdict, transaction,
		      &transaction->job) != ERR_OK)
		transaction->failed =
			true; /* the job said so by itself, or there is no memory even for that: the client waits */
}

enum err transaction_map(struct transaction *transaction, struct bytes *ret_message)
{
	struct bytes all;
	if (transaction->memfd < 0)
		all = buf_bytes(&transaction->spool);
	else
		TRY(memfd_map_lazily(transaction->memfd, transaction->envelope_len + transaction->size, &all));
	*ret_message = bytes_from(all, transaction->envelope_len);
	return ERR_OK;
}

void transaction_unmap(struct transaction *transaction, struct bytes message)
{
	if (transaction->memfd >= 0)
		memfd_unmap(bytes_make(message.ptr - transaction->envelope_len,
				       transaction->envelope_len + transaction->size));
}

size_t transaction_count(const struct transaction *transaction, enum verdict_action fate)
{
	size_t n = 0;
	for (size_t i = 0; i < transaction->envelope.n_recipients; i++)
		n += transaction->fates[i] == fate;
	return n;
}

struct bytes transaction_later(const struct transaction *transaction)
{
	return transaction->has_verdict && transaction_count(transaction, ACTION_TEMPFAIL) > 0
		       ? BYTES_LIT("Please try again later: such mail is put off here")
		       : BYTES_LIT("Please try again later: the mail filter is not ready");
}

static void add_verdict_field(const struct transaction *transaction, struct buf *buf)
{
	const struct wire_verdict *verdict = &transaction->verdict;
	struct bytes ids = verdict->ids, id;
	size_t column = buf->len;
	buf_printf(buf, "X-Postern: %s (%.4f)", verdict_class_name(transaction->class),
		   verdict_probability((int)verdict->log_odds));
	column = buf->len - column;
	bool first = true;
	while (bytes_split(&ids, ' ', &id) && id.len > 0) {
		buf_add_cstr(buf, first ? " " : ",");
		column += id.len + 1;
		if (column > 76) {
			/* A fold needs a blank; after a comma it changes nothing for who reads the list. */
			buf_add_cstr(buf, "\r\n\t");
			column = 8 + id.len;
		}
		buf_add(buf, id);
		first = false;
	}
	buf_printf(buf, ";\r\n\tid=%s\r\n", transaction->id);
}

/*
 * Folded behind the semicolons that end a result, and at other blanks where the line is long by then: those outside
 * quotes and comments, since authres_write() wrote it. One value is short enough that no line has more than the 998
 * bytes of RFC 5322 2.1.1, whatever a signature writes into its tags.
 */
static void add_auth_field(const struct transaction *transaction, struct buf *buf)
{
	struct bytes value = transaction->verdict.auth_results;
	bool quoted = false, comment = false;
	size_t line = buf->len;
	if (value.len == 0)
		return; /* nobody asked the DNS */
	buf_add_cstr(buf, "Authentication-Results: ");
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.ptr[i];
		bool blank = c == ' ' && !quoted && !comment;
		if (blank && (value.ptr[i > 0 ? i - 1 : 0] == ';' || buf->len - line > AUTH_LINE_LONG)) {
			buf_add_cstr(buf, "\r\n\t");
			line = buf->len;
			continue;
		}
		buf_add_byte(buf, c);
		if (c == '\\' && (quoted || comment) && i + 1 < value.len) {
			buf_add_byte(buf, value.ptr[++i]);
			continue;
		}
		quoted ^= c == '"' && !comment;
		comment = !quoted && (c == '(' || (comment && c != ')'));
	}
	buf_add_cstr(buf, "\r\n");
}

void transaction_fields(const struct transaction *transaction, struct buf *buf)
{
	add_verdict_field(transaction, buf);
	add_auth_field(transaction, buf);
	buf_add(buf, transaction->verdict.signatures);
}

bool transaction_tags_subject(const struct transaction *transaction)
{
	return transaction->gate->settings->subject_tag.len > 0 && transaction->verdict.signatures.len == 0 &&
	       transaction_count(transaction, ACTION_TAG) > 0 && transaction_count(transaction, ACTION_DELIVER) == 0;
}

bool transaction_speaks_for_us(void *transaction_, struct bytes value)
{
	struct transaction *transaction = transaction_;
	struct arena_mark mark = arena_mark(transaction->arena);
	bool ours = authres_is_ours(transaction->arena, value, transaction->gate->authserv_id);
	arena_rewind(transaction->arena, mark);
	return ours;
}

void transaction_reject_text(const struct transaction *transaction, struct buf *buf)
{
	policy_reject_text(buf, &transaction->gate->policy, transaction->verdict.reason_en,
			   bytes_from_cstr(transaction->id));
}

/* -- Vault ---- */

static void cancel_store(void *obj)
{
	struct store_wait *wait = obj;
	gate_store_cancel(&wait->job);
}

static void client_ip_text(const struct transaction *transaction, char out[static NET_TEXT_MAX])
{
	out[0] = '\0';
	if (transaction->envelope.has_client)
		(void)ip_format(transaction->envelope.client_ip, out);
}

/* The recipients of that fate from `from` on, as many as fit; returns the first that does not, or their number. */
static size_t pack_fate(const struct transaction *transaction, enum verdict_action fate, size_t from, struct buf *buf)
{
	for (; from < transaction->envelope.n_recipients; from++) {
		size_t len = buf->len;
		if (transaction->fates[from] != fate)
			continue;
		recipients_add(buf, transaction->envelope.recipients[from], bytes_from_cstr(verdict_action_name(fate)));
		if (buf_err(buf) != ERR_OK) {
			buf->err = ERR_OK;
			buf->len = len;
			break;
		}
	}
	return from;
}

static void store_item(struct store_wait *wait);

static void on_stored(void *ctx, bool ok)
{
	struct store_wait *wait = ctx;
	const struct transaction *transaction = wait->transaction;
	wait->job = NULL;
	while (wait->next < transaction->envelope.n_recipients && transaction->fates[wait->next] != wait->fate)
		wait->next++;
	if (ok && wait->next < transaction->envelope.n_recipients)
		store_item(wait);
	else
		wait->stored(wait->ctx, wait->transaction, ok);
}

static void store_item(struct store_wait *wait)
{
	struct transaction *transaction = wait->transaction;
	const struct wire_verdict *verdict = &transaction->verdict;
	CLEANUP(buf_done) struct buf recipients = BUF_INIT(RECIPIENTS_PACKED_MAX);
	char ip[NET_TEXT_MAX];
	size_t begin = wait->next;
	client_ip_text(transaction, ip);
	wait->next = pack_fate(transaction, wait->fate, begin, &recipients);
	if (transaction->items++ == 0)
		(void)snprintf(wait->id, sizeof(wait->id), "%s", transaction->id);
	else
		(void)snprintf(wait->id, sizeof(wait->id), "%s-%u", transaction->id, transaction->items);
	struct wire_store store = {
		.time_ms = transaction->time_ms,
		.trace_id = bytes_from_cstr(wait->id),
		.at = transaction->envelope_len,
		.size = transaction->size,
		.mail_from = transaction->envelope.from,
		.recipients = buf_bytes(&recipients),
		.from_address = verdict->from_address,
		.subject = verdict->subject,
		.message_id = verdict->message_id,
		.client_ip = bytes_from_cstr(ip),
		.class = bytes_from_cstr(verdict_class_name(transaction->class)),
		.ids = verdict->ids,
		.reason_en = verdict->reason_en,
		.reason_ja = verdict->reason_ja,
	};
	if (recipients.len == 0 ||
	    gate_store(transaction->gate, transaction->memfd, &store, on_stored, wait, &wait->job) != ERR_OK)
		wait->stored(wait->ctx, transaction, false);
}

void transaction_store(struct transaction *transaction, enum verdict_action fate,
		       void (*stored)(void *ctx, struct transaction *transaction, bool ok), void *ctx)
{
	struct store_wait *wait = arena_new(transaction->arena, struct store_wait, 1);
	if (wait)
		*wait = (struct store_wait){.transaction = transaction, .fate = fate, .stored = stored, .ctx = ctx};
	/* The vault takes memory files only. */
	if (transaction->memfd < 0)
		seal(transaction);
	if (!wait || transaction->failed || arena_defer(transaction->arena, cancel_store, wait) != ERR_OK)
		stored(ctx, transaction, false);
	else
		store_item(wait);
}

/* All recipients with their fates, or with `override`, packed. */
static void pack_all(const struct transaction *transaction, const char *override, struct buf *buf)
{
	for (size_t i = 0; i < transaction->envelope.n_recipients; i++) {
		const char *name = override                   ? override
				   : transaction->has_verdict ? verdict_action_name(transaction->fates[i])
							      : "";
		recipients_add(buf, transaction->envelope.recipients[i], bytes_from_cstr(name));
	}
}

/* Packed recipients are cut rather than lost with the whole record. */
static void fit(struct buf *buf)
{
	if (buf_err(buf) != ERR_OK)
		buf->err = ERR_OK;
}

/* The strictest that became of it, in DMARC's words: who asked for a report wants to know what was done. */
static enum dmarc_policy done_to(const struct transaction *transaction)
{
	return transaction_count(transaction, ACTION_REJECT) + transaction_count(transaction, ACTION_DISCARD) > 0
		       ? DMARC_POLICY_REJECT
	       : transaction_count(transaction, ACTION_QUARANTINE) > 0 ? DMARC_POLICY_QUARANTINE
								       : DMARC_POLICY_NONE;
}

void transaction_trace(struct transaction *transaction, const char *status, struct bytes reason_en,
		       struct bytes reason_ja)
{
	const struct wire_verdict *verdict = &transaction->verdict;
	const struct scan_envelope *envelope = &transaction->envelope;
	CLEANUP(buf_done) struct buf recipients = BUF_INIT(RECIPIENTS_PACKED_MAX);
	char ip[NET_TEXT_MAX];
	client_ip_text(transaction, ip);
	bool refused =
		strcmp(status, "deferred") == 0 || strcmp(status, "aborted") == 0 || strcmp(status, "refused") == 0;
	pack_all(transaction, refused ? status : NULL, &recipients);
	fit(&recipients);
	const char *action = transaction->has_verdict && envelope->n_recipients > 0
				     ? verdict_action_name(transaction->fates[0])
				     : "";
	struct wire_trace trace = {
		.time_ms = transaction->time_ms,
		.trace_id = bytes_from_cstr(transaction->id),
		.frontend = envelope->frontend,
		.client_ip = bytes_from_cstr(ip),
		.client_name = envelope->client_name,
		.helo = envelope->helo,
		.user = envelope->user,
		.mail_from = envelope->from,
		.recipients = buf_bytes(&recipients),
		.from_address = verdict->from_address,
		.from_name = verdict->from_name,
		.subject = verdict->subject,
		.message_id = verdict->message_id,
		.queue_id = transaction->queue_id,
		.size = transaction->size,
		.class = bytes_from_cstr(transaction->has_verdict ? verdict_class_name(transaction->class) : ""),
		.log_odds = verdict->log_odds,
		.action = bytes_from_cstr(action),
		.status = bytes_from_cstr(status),
		.reason_en = reason_en.len > 0 ? reason_en : verdict->reason_en,
		.reason_ja = reason_ja.len > 0 ? reason_ja : verdict->reason_ja,
		.evidence = verdict->evidence,
		.usec = verdict->total_usec,
		.released = verdict->released,
		/* What comes again is counted then. */
		.tally = refused ? (struct bytes){0} : verdict->tally,
		.done = transaction->has_verdict ? (uint32_t)done_to(transaction) : DMARC_POLICY_NONE,
	};
	gate_trace(transaction->gate, &trace);
	gate_learn(transaction->gate, transaction, status);
	/* Front ends record what they are about to answer; nobody is answered who has gone. */
	if (transaction->ended_usec > 0 && strcmp(status, "aborted") != 0)
		metrics_observe(HISTOGRAM_ANSWER_USEC, clock_monotonic_usec() - transaction->ended_usec);
	log_event(LOG_NOTICE, "message", log_cstr("id", transaction->id), log_cstr("status", status),
		  log_str("frontend", envelope->frontend), log_cstr("client", ip),
		  log_str("queue", transaction->queue_id), log_str("from", envelope->from),
		  log_int("recipients", (int64_t)envelope->n_recipients), log_int("size", (int64_t)transaction->size),
		  log_str("class", trace.class), log_int("log_odds", verdict->log_odds),
		  log_str("evidence", verdict->ids), log_int("usec", (int64_t)verdict->total_usec));
}
