/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner: reads one memory file and the definitions, thinks, answers. Several messages may be under way: while one
 * waits for facts, the next is judged.
 */
#include <stdio.h>
#include <unistd.h>

#include "auth/authres.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/child.h"
#include "daemon/peer.h"
#include "daemon/scanner_report.h"
#include "daemon/scanner_sign.h"
#include "mail/charset.h"
#include "mail/digest.h"
#include "mail/received.h"
#include "scan/auth.h"
#include "scan/local_list.h"
#include "scan/relation.h"
#include "scan/release.h"
#include "scan/report.h"
#include "scan/scan.h"
#include "scan/tally.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/envelope.h"
#include "wire/facts.h"
#include "wire/load.h"

#include "base/banned.h"

#define RELATIONS_TOLD_MAX ((size_t)24 << 10) /* with the rest below IPC_MAX; what is longer is not learned */
#define EVIDENCE_TOLD      40                 /* pieces of evidence that leave the process; the heaviest come first */
#define SPARE_ARENAS       4

#define LONG_WAIT_MS 50 /* a wait of more than this is said to the gate */

/*
 * How long the ledger may think, and the resolver beyond the time that it gives the DNS. Who says nothing for longer is
 * stuck: what it was asked counts as failed, and nobody waits for it until it speaks again; once a second it is asked.
 */
#define PATIENCE_MS 2000
#define PROBE_MS    1000
/* Answers come in bursts: when some are there and others are not, those are waited for so long before judging on. */
#define BURST_MS 5

/* A message that waits for facts, or is being judged. */
struct task {
	struct task *next;
	struct scanner *scanner;
	struct peer_link *from;
	uint64_t id;     /* the gate's number for it */
	uint64_t serial; /* ours, for the others */
	struct bytes mapped;
	size_t envelope_len;
	struct arena *arena;
	struct scan_case scan_case;
	struct scan *scan;
	uint64_t parse_usec, total_usec;
	size_t questions; /* of the scan's facts, how many were sent on */
	struct loop_timer *timer;
	int64_t wait_end;        /* when its patience is over; 0: it has not waited yet */
	bool burst;              /* answers have come, and the rest of them is waited for a moment */
	int64_t asked_ms;        /* when it began to wait for what it waits for now */
	bool told_wait;          /* the gate knows that it waits */
	bool waited_long;        /* ... or was told so before: then it is told of each wait at once */
	enum sign_right right;   /* as what it may be signed */
	int64_t now;             /* of the case */
	struct signing *signing; /* the signatures that it waits for; NULL: none */
	bool judged;             /* the scan is done: facts that come now are late */
	bool unsigned_mail;      /* the signer failed */
	bool told_sender;        /* the resolver knows whose SPF is judged */
};

/* Who answers questions. */
struct source {
	struct peer_link *link; /* NULL while there is none */
	int64_t patience;
	int64_t silent_since; /* it was asked then, and has said nothing since; 0: it owes nothing */
	int64_t probed;       /* when it was last asked while it was silent for too long */
	bool stuck;           /* that was said */
};

struct scanner {
	struct child *child;
	struct arena *static_arena;
	struct scan_plan *plan;
	struct scan_settings settings;
	struct bytes lists_image;
	struct local_lists lists;
	struct keyring ring; /* which keys sign; no secrets */
	struct peers peers;  /* gates, and who answers questions */
	struct source resolver, ledger;
	struct scanner_reports *reports; /* that messages brought; NULL: none yet */
	struct task *tasks;
	uint64_t next_serial;
	struct arena *spare[SPARE_ARENAS]; /* warm memory for the next messages */
	size_t n_spare;
};

/* -- Answers ---- */

/* The evidence as JSON, cut to what fits into a message. */
static void evidence_json(struct buf *buf, const struct verdict *verdict)
{
	struct verdict told = *verdict;
	struct json json;
	for (size_t n = EVIDENCE_TOLD;; n /= 2) {
		told.n_evidence = verdict->n_evidence < n ? verdict->n_evidence : n;
		buf_clear(buf);
		jsonw_init(&json, buf);
		report_evidence(&json, NULL, &told);
		if (buf_err(buf) == ERR_OK || n == 0)
			return;
	}
}

static void lists(const struct verdict *verdict, struct buf *ids, struct buf *symbols)
{
	for (size_t i = 0; i < verdict->n_evidence && i < EVIDENCE_TOLD; i++) {
		const struct evidence *evidence = &verdict->evidence[i];
		if (i > 0 && bytes_eq(bytes_from_cstr(verdict->evidence[i - 1].check->symbol),
				      bytes_from_cstr(evidence->check->symbol)))
			continue;
		buf_printf(ids, "%s%s", ids->len ? " " : "", evidence->check->symbol);
		buf_printf(symbols, "%s\t%d\t%.*s\n", evidence->check->symbol, evidence->weight,
			   BYTES_FMT(evidence->text_en));
	}
}

static void answer(struct task *task)
{
	const struct verdict *verdict = scan_verdict(task->scan);
	const struct message *message = scan_message(task->scan);
	struct bytes signatures =
		task->signing && !task->unsigned_mail ? signing_fields(task->signing) : (struct bytes){0};
	/* Of what is told evidence is the most, and the first to be cut. */
	CLEANUP(buf_done) struct buf evidence = BUF_INIT(((size_t)64 << 10) - signatures.len);
	CLEANUP(buf_done) struct buf ids = BUF_INIT((size_t)4 << 10);
	CLEANUP(buf_done) struct buf symbols = BUF_INIT((size_t)32 << 10);
	evidence_json(&evidence, verdict);
	lists(verdict, &ids, &symbols);
	CLEANUP(buf_done) struct buf auth_results = BUF_INIT(AUTHRES_FIELD_MAX + 1024);
	const struct scan_auth *auth = scan_auth_result(task->scan);
	if (auth != &scan_auth_unknown)
		scan_auth_field(&auth_results, auth, task->scan_case.settings.authserv_id);
	CLEANUP(buf_done) struct buf tally = BUF_INIT(TALLY_MAX);
	if (child_heritage(task->scanner->child)->settings->report_dmarc && task->scan_case.envelope.user.len == 0)
		tally_pack(task->arena, auth, task->scan_case.settings.dmarc_mode, &tally);
	const struct evidence *reason = verdict_reason(verdict);
	bool unexamined = verdict->class == CLASS_UNSCANNABLE;
	const struct address *author = message->from.count > 0 ? &message->from.items[0] : NULL;
	struct bytes released = {0}, relations = scan_relations_key(task->scan);
	size_t i = 0;
	for (const struct fact_list *facts = scan_facts(task->scan); i < facts->count; i++)
		if (facts->items[i].kind == FACT_RELEASE && facts->items[i].state == FACT_KNOWN)
			released = bytes_sub(facts->items[i].key, 0, bytes_find_byte(facts->items[i].key, ' '));
	struct wire_any any = {
		.type = WIRE_VERDICT,
		.verdict =
			{
				.id = task->id,
				.class = (uint32_t)verdict->class,
				.own_class = (uint32_t)verdict->own_class,
				.sender_policy = (uint32_t)verdict->sender_policy,
				.log_odds = verdict->log_odds,
				.parse_usec = task->parse_usec,
				.total_usec = task->total_usec,
				.subject = bytes_sub(message->subject, 0, 2048),
				.from_address = author ? bytes_sub(author->address, 0, 512) : (struct bytes){0},
				.from_name = author ? bytes_sub(author->name, 0, 512) : (struct bytes){0},
				.message_id = bytes_sub(message->message_id, 0, 998),
				.ids = buf_bytes(&ids),
				.reason_en = unexamined ? BYTES_LIT("The message could not be examined whole.")
					     : reason   ? reason->text_en
							: (struct bytes){0},
				.reason_ja = unexamined ? BYTES_LIT("メールの全体を検査できませんでした。")
					     : reason ? reason->text_ja
						      : (struct bytes){0},
				.evidence = buf_bytes(&evidence),
				.symbols = buf_bytes(&symbols),
				.released = released,
				.signatures = signatures,
				.unsigned_mail = task->unsigned_mail,
				.auth_results =
					buf_err(&auth_results) == ERR_OK ? buf_bytes(&auth_results) : (struct bytes){0},
				.relations = relations.len <= RELATIONS_TOLD_MAX ? relations : (struct bytes){0},
				.tally = buf_err(&tally) == ERR_OK ? buf_bytes(&tally) : (struct bytes){0},
			},
	};
	peer_say(task->from, &any);
}

/* -- Tasks ---- */

static struct arena *take_arena(struct scanner *scanner)
{
	if (scanner->n_spare > 0)
		return scanner->spare[--scanner->n_spare];
	return arena_create(scanner->settings.max_memory);
}

static void task_free(struct scanner *scanner, struct task *task)
{
	for (struct task **link = &scanner->tasks; *link; link = &(*link)->next) {
		if (*link == task) {
			*link = task->next;
			break;
		}
	}
	loop_timer_free(&task->timer);
	memfd_unmap(task->mapped);
	if (task->arena && scanner->n_spare < SPARE_ARENAS) {
		arena_reset(task->arena);
		scanner->spare[scanner->n_spare++] = task->arena;
	} else {
		arena_free(&task->arena);
	}
	mem_free(task);
}

/* -- Facts ---- */

static int64_t now_ms(const struct scanner *scanner)
{
	return loop_now_ms(child_loop(scanner->child));
}

/* NULL: no process of its own answers that. */
static struct source *source_of(struct scanner *scanner, enum fact_kind kind)
{
	return kind == FACT_DNS ? &scanner->resolver : kind == FACT_RELATION ? &scanner->ledger : NULL;
}

/* Where a question of that kind goes; NULL: nobody there can answer. */
static struct peer_link *who_knows(struct task *task, enum fact_kind kind)
{
	const struct source *source = source_of(task->scanner, kind);
	return source ? source->link : kind == FACT_RELEASE ? task->from : NULL;
}

/* Its answer is not worth a wait. It is said once. */
static bool is_stuck(struct scanner *scanner, struct source *source)
{
	if (source->silent_since == 0 || now_ms(scanner) - source->silent_since <= source->patience)
		return false;
	if (!source->stuck && source->link)
		log_event(LOG_WARNING, "peer.stuck", log_cstr("role", wire_role_name(source->link->role)));
	source->stuck = true;
	return true;
}

static void on_asked(struct scanner *scanner, struct source *source)
{
	source->probed = now_ms(scanner);
	if (source->silent_since == 0)
		source->silent_since = source->probed;
}

static void on_heard(struct source *source)
{
	source->silent_since = 0;
	source->stuck = false;
}

#define PLACES 3 /* that who_knows() names */

struct questions {
	struct peer_link *to;
	struct buf buf;
};

/* Whose SPF is to be judged, the first time that the resolver is asked; nothing later. */
static struct bytes tell_sender(struct task *task, struct buf *buf)
{
	const struct spf_query *query = task->told_sender ? NULL : scan_auth_query(task->scan);
	task->told_sender = true;
	if (!query)
		return (struct bytes){0};
	struct facts_sender sender = {.helo = query->helo, .from = query->from};
	memcpy(sender.ip, query->ip, sizeof(sender.ip));
	facts_pack_sender(buf, &sender);
	return buf_err(buf) == ERR_OK ? buf_bytes(buf) : (struct bytes){0};
}

static void ask(struct task *task, struct questions *questions)
{
	if (questions->buf.len == 0)
		return;
	CLEANUP(buf_done) struct buf sender = BUF_INIT(4096);
	struct wire_ask question = {.id = questions->to->role == ROLE_GATE ? task->id : task->serial,
				    .questions = buf_bytes(&questions->buf)};
	if (questions->to->role == ROLE_RESOLVER)
		question.sender = tell_sender(task, &sender);
	peer_say(questions->to, &(struct wire_any){.type = WIRE_ASK, .ask = question});
	buf_clear(&questions->buf);
}

/* From our own lists, which are in this process. */
static bool answer_from_lists(struct task *task, const struct fact *fact)
{
	CLEANUP(buf_done) struct buf entries = BUF_INIT((size_t)64 << 10);
	bool found = local_lists_answer(&task->scanner->lists, fact->key, &entries);
	return scan_answer(task->scan, FACT_LIST, fact->key, found ? FACT_KNOWN : FACT_NEGATIVE, buf_bytes(&entries)) ==
	       ERR_OK;
}

static bool answer_here(struct task *task, const struct fact *fact)
{
	if (fact->kind == FACT_LIST)
		return answer_from_lists(task, fact);
	return scan_answer(task->scan, fact->kind, fact->key, FACT_FAILED, (struct bytes){0}) == ERR_OK;
}

static void add_question(struct task *task, struct questions *places, struct peer_link *to, const struct fact *fact)
{
	struct questions *place = places;
	while (place->to && place->to != to)
		place++;
	place->to = to;
	facts_add_question(&place->buf, fact->kind, fact->key);
	if (place->buf.len > IPC_MAX / 4)
		ask(task, place);
}

/*
 * Sends on what the scan has asked; what nobody can answer, or nobody in time, is answered at once. True: something was
 * answered here.
 */
static bool ask_all(struct task *task)
{
	struct scanner *scanner = task->scanner;
	struct questions places[PLACES] = {0};
	bool answered = false;
	for (size_t i = 0; i < PLACES; i++)
		buf_init(&places[i].buf, IPC_MAX - 1024);
	for (const struct fact *fact; (fact = scan_question(task->scan, &task->questions)) != NULL;) {
		struct peer_link *to = who_knows(task, fact->kind);
		struct source *source = source_of(scanner, fact->kind);
		bool stuck = source && is_stuck(scanner, source);
		if (to && (!stuck || now_ms(scanner) - source->probed >= PROBE_MS)) {
			add_question(task, places, to, fact);
			if (source)
				on_asked(scanner, source);
		}
		if (!to || stuck)
			answered |= answer_here(task, fact);
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		ask(task, &places[i]);
		buf_done(&places[i].buf);
	}
	return answered;
}

/* When the task has waited long enough for facts of that kind. */
static int64_t end_of_wait(const struct task *task, enum fact_kind kind)
{
	const struct source *source = source_of(task->scanner, kind);
	int64_t end = source ? task->asked_ms + source->patience : task->wait_end;
	return end < task->wait_end ? end : task->wait_end;
}

/* What it has waited for long enough counts as failed; *ret_next: when the next of the rest has to come. */
static bool give_up_facts(struct task *task, int64_t now, int64_t *ret_next)
{
	bool answered = false;
	size_t i = 0;
	*ret_next = task->wait_end;
	for (const struct fact *fact; (fact = scan_question(task->scan, &i)) != NULL;) {
		int64_t end = end_of_wait(task, fact->kind);
		if (end > now) {
			*ret_next = end < *ret_next ? end : *ret_next;
			continue;
		}
		metrics_add(METRIC_FACTS_LATE, 1);
		answered |= scan_answer(task->scan, fact->kind, fact->key, FACT_FAILED, (struct bytes){0}) == ERR_OK;
	}
	return answered;
}

static void tell_wait(struct task *task, bool waits)
{
	if (task->told_wait == waits)
		return;
	task->told_wait = waits;
	peer_say(task->from, &(struct wire_any){.type = WIRE_WAITS, .waits = {.id = task->id, .waits = waits}});
}

/* -- Signatures ---- */

static void begin_signing(struct scanner *scanner, struct task *task)
{
	const struct address_list *from = &scan_message(task->scan)->from;
	const struct signing_input input = {.right = task->right,
					    .ring = &scanner->ring,
					    .scan = task->scan,
					    .scan_case = &task->scan_case,
					    .author = from->count > 0 ? from->items[0].domain : (struct bytes){0},
					    .arc_domain = child_heritage(scanner->child)->settings->signing_arc_domain,
					    .authserv_id = scanner->settings.authserv_id,
					    .now = task->now};
	if (signing_begin(task->arena, &input, &task->signing) != ERR_OK)
		task->unsigned_mail = task->right == SIGN_AS_AUTHOR;
}

/* Wants the next signature, or answers and ends the task. */
static void go_on_signing(struct task *task)
{
	struct wire_any any = {.type = WIRE_SIGN};
	if (task->signing && !task->unsigned_mail && signing_want(task->signing, &any.sign)) {
		any.sign.id = task->id;
		peer_say(task->from, &any);
		return;
	}
	answer(task);
	scanner_reports_take(&task->scanner->reports, task->scanner->child, task->from, task->scan, &task->scan_case);
	task_free(task->scanner, task);
}

/* A gate that says nothing more is gone, and its tasks with it. */
static void on_signature(struct peer_link *from, const struct wire_signature *signature)
{
	const struct scanner *scanner = from->peers->owner;
	struct task *task = scanner->tasks;
	while (task && (task->from != from || task->id != signature->id))
		task = task->next;
	if (!task || !task->signing)
		return;
	if (!signature->ok || signing_add(task->signing, signature->signature) != ERR_OK) {
		task->unsigned_mail = task->right == SIGN_AS_AUTHOR;
		if (!task->unsigned_mail)
			task->signing = NULL; /* it goes on without a seal */
	}
	go_on_signing(task);
}

/* Judges on; asks what is missing, or answers and ends the task. */
static void go_on(struct scanner *scanner, struct task *task)
{
	enum scan_state state;
	/* The clock of the CPU is a system call: once at each end. */
	uint64_t begin = clock_cpu_usec();
	task->burst = false;
	tell_wait(task, false);
	do
		state = scan_run(task->scan);
	while (state == SCAN_WAIT && ask_all(task));
	if (state == SCAN_DONE)
		begin_signing(scanner, task);
	task->total_usec += clock_cpu_usec() - begin;
	if (state == SCAN_WAIT) {
		task->asked_ms = now_ms(scanner);
		if (task->wait_end == 0)
			task->wait_end = task->asked_ms + FACTS_WAIT_MS;
		tell_wait(task, task->waited_long);
		loop_timer_set(task->timer, LONG_WAIT_MS);
		return;
	}
	loop_timer_stop(task->timer);
	task->judged = true;
	go_on_signing(task);
}

static void on_timer(void *ctx)
{
	struct task *task = ctx;
	if (task->burst) {
		go_on(task->scanner, task);
		return;
	}
	int64_t now = now_ms(task->scanner), next;
	task->waited_long = true;
	if (give_up_facts(task, now, &next)) {
		go_on(task->scanner, task);
	} else {
		tell_wait(task, true);
		loop_timer_set(task->timer, next - now);
	}
}

/* Nobody will answer what was asked there. */
static void lose_facts(struct scanner *scanner, enum fact_kind kind)
{
	for (struct task *task = scanner->tasks, *next; task; task = next) {
		size_t i = 0;
		bool answered = false;
		next = task->next;
		for (const struct fact *fact; !task->judged && (fact = scan_question(task->scan, &i)) != NULL;)
			answered |= fact->kind == kind && scan_answer(task->scan, fact->kind, fact->key, FACT_FAILED,
								      (struct bytes){0}) == ERR_OK;
		if (answered)
			go_on(scanner, task);
	}
}

/* Another one answers from now on, or nobody; what the one before was asked is lost, if its end was seen or not. */
static void set_source(struct scanner *scanner, enum fact_kind kind, struct peer_link *link)
{
	struct source *source = source_of(scanner, kind);
	bool before = source->link != NULL;
	source->link = link;
	on_heard(source);
	if (before)
		lose_facts(scanner, kind);
}

/* -- Tasks ---- */

/* The time of the case, which the envelope brings. */
static enum err set_time(struct task *task, int64_t now)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)now);
	return fact_set(task->arena, &task->scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN,
			bytes_make(text, (size_t)len));
}

/* What is known before anybody asked. */
static enum err set_facts(struct task *task, struct bytes facts)
{
	struct cursor cur = cursor_make(facts);
	struct fact fact;
	while (facts_next(&cur, &fact))
		if (fact.kind != FACT_TIME)
			TRY(fact_set(task->arena, &task->scan_case.facts, fact.kind, fact.key, fact.state,
				     fact.answer));
	return cur.err;
}

static enum err begin_task(struct scanner *scanner, struct task *task, const struct wire_scan *scan, int memfd)
{
	int64_t now = 0;
	uint64_t begin = clock_cpu_usec();
	if (!(task->arena = take_arena(scanner)))
		return ERR_NOMEM;
	struct bytes whole = scan->whole;
	if (whole.len > 0) {
		if (whole.len != scan->size || !(whole = arena_copy(task->arena, whole)).ptr)
			return ERR_NOMEM;
	} else {
		TRY(memfd_map(memfd, (size_t)scan->size, &task->mapped));
		whole = task->mapped;
	}
	task->scan_case = (struct scan_case){
		.message = bytes_from(whole, (size_t)scan->envelope_len),
		.settings = scanner->settings,
		.definitions = bytes_from_cstr(plan_definitions(scanner->plan)),
	};
	TRY(envelope_decode(task->arena, bytes_sub(whole, 0, (size_t)scan->envelope_len), &task->scan_case.envelope,
			    &now));
	task->scan_case.envelope.submitted = task->right == SIGN_AS_AUTHOR;
	TRY(set_time(task, now));
	task->now = now;
	TRY(set_facts(task, scan->facts));
	TRY(loop_timer_new(child_loop(scanner->child), on_timer, task, &task->timer));
	TRY(scan_new(task->arena, scanner->plan, &task->scan_case, &task->scan));
	TRY(scan_parse(task->scan));
	task->parse_usec = task->total_usec = clock_cpu_usec() - begin;
	return ERR_OK;
}

static void on_scan(struct peer_link *from, const struct wire_scan *scan, int memfd)
{
	struct scanner *scanner = from->peers->owner;
	struct task *task = mem_new(struct task, 1);
	if (!task)
		_exit(1); /* the message is tried on a fresh process */
	*task = (struct task){.next = scanner->tasks,
			      .scanner = scanner,
			      .from = from,
			      .id = scan->id,
			      .right = scan->sign <= SIGN_AS_FORWARDER ? (enum sign_right)scan->sign : SIGN_NOTHING,
			      .serial = ++scanner->next_serial};
	scanner->tasks = task;
	enum err err = begin_task(scanner, task, scan, memfd);
	if (err != ERR_OK) {
		log_event(LOG_ERROR, "scan.failed", log_cstr("why", err_name(err)),
			  log_int("size", (int64_t)scan->size));
		struct wire_any any = {
			.type = WIRE_VERDICT,
			.verdict = {.id = scan->id,
				    .class = CLASS_UNSCANNABLE,
				    .own_class = CLASS_UNSCANNABLE,
				    .ids = BYTES_LIT("SCAN_FAILED"),
				    .reason_en = BYTES_LIT("The message needs more memory than one message may have."),
				    .reason_ja = BYTES_LIT("検査に必要なメモリーが上限を超えました。"),
				    .evidence = BYTES_LIT("[]")}};
		peer_say(from, &any);
		task_free(scanner, task);
		return;
	}
	go_on(scanner, task);
}

static void on_answer(struct peer_link *from, const struct wire_answer *answer_)
{
	struct scanner *scanner = from->peers->owner;
	struct task *task = scanner->tasks;
	bool answered = false;
	if (from->role == ROLE_GATE)
		while (task && (task->from != from || task->id != answer_->id))
			task = task->next;
	else
		while (task && task->serial != answer_->id)
			task = task->next;
	if (from->role == ROLE_RESOLVER || from->role == ROLE_LEDGER)
		on_heard(from->role == ROLE_RESOLVER ? &scanner->resolver : &scanner->ledger);
	if (!task || task->judged)
		return;
	struct cursor cur = cursor_make(answer_->facts);
	struct fact fact;
	/* Only what this peer may know is taken from it; perhaps it tells more than was asked. */
	while (facts_next(&cur, &fact))
		answered |= who_knows(task, fact.kind) == from &&
			    scan_know(task->scan, fact.kind, fact.key, fact.state, fact.answer) == ERR_OK;
	if (answered && !scan_has_questions(task->scan)) {
		go_on(scanner, task);
	} else if (answered && !task->burst) {
		task->burst = true;
		loop_timer_set(task->timer, BURST_MS);
	}
}

/* -- Frame ---- */

static bool on_message(struct peer_link *link, const struct wire_any *any, int *fd)
{
	if (any->type == WIRE_ANSWER) {
		on_answer(link, &any->answer);
		return true;
	}
	if (any->type == WIRE_SIGNATURE) {
		on_signature(link, &any->signature);
		return true;
	}
	if (any->type != WIRE_SCAN || (*fd < 0 && any->scan.whole.len == 0) || any->scan.envelope_len > any->scan.size)
		return false;
	on_scan(link, &any->scan, *fd);
	return true;
}

static void on_closed(struct peer_link *link)
{
	struct scanner *scanner = link->peers->owner;
	for (struct task *task = scanner->tasks, *next; task; task = next) {
		next = task->next;
		if (task->from == link)
			task_free(scanner, task);
	}
	scanner_reports_forget(scanner->reports, link);
	for (enum fact_kind kind = 0; kind < FACT_KINDS; kind++) {
		struct source *source = source_of(scanner, kind);
		if (source && source->link == link)
			set_source(scanner, kind, NULL);
	}
}

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct scanner *scanner = state;
	(void)index;
	(void)serial;
	struct peer_link *link = peer_add(&scanner->peers, role, socket);
	if (link && (role == ROLE_RESOLVER || role == ROLE_LEDGER))
		set_source(scanner, role == ROLE_RESOLVER ? FACT_DNS : FACT_RELATION, link);
}

/* A scanner is ended by its supervisor, when no gate has work for it any more. */
static void drain(void *state)
{
	(void)state;
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	struct scanner *scanner = mem_new(struct scanner, 1);
	if (!scanner || !(scanner->static_arena = arena_create(SIZE_MAX)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	scanner->child = child;
	scanner->peers = (struct peers){.owner = scanner,
					.child = child,
					.self = ROLE_SCANNER,
					.size = sizeof(struct peer_link),
					.message = on_message,
					.closed = on_closed};
	if (charset_init() != ERR_OK)
		return error_set(reterr, ERR_INTERNAL, 0, "the charset converters of ICU could not be loaded");
	/* OpenSSL reads its configuration at the first digest, which the sandbox would punish. */
	uint8_t first[DIGEST_SHA256_LEN];
	digest_sha256((struct bytes){0}, first);
	TRY(plan_new(scanner->static_arena, &scanner->plan, reterr));
	if (load_scan_settings(scanner->static_arena, child_heritage(child)->settings, &scanner->settings) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	if (scanner->settings.authserv_id.len == 0)
		scanner->settings.authserv_id = bytes_from_cstr(child_heritage(child)->hostname);
	if (child_map_lists(child_heritage(child)->lists, &scanner->lists_image) != ERR_OK)
		return error_set(reterr, ERR_INTERNAL, 0, "the lists cannot be mapped");
	scanner->resolver.patience = child_heritage(child)->settings->dns_timeout + PATIENCE_MS;
	scanner->ledger.patience = PATIENCE_MS;
	child_keyring(child, scanner->static_arena, &scanner->ring);
	*ret_state = scanner;
	*ret_folder = NULL;
	return ERR_OK;
}

/* Who made the image read what strangers wrote. */
static enum err start(struct child *child, void *state)
{
	struct scanner *scanner = state;
	(void)child;
	return local_lists_open(scanner->static_arena, scanner->lists_image, &scanner->lists);
}

NORETURN void scanner_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = peer,
		.drain = drain,
		.profile = SANDBOX_SCANNER,
		.limits = {.descriptors = 1024},
	};
	child_run(heritage, &ops);
}
