/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner: reads one memory file and the definitions, thinks, answers. Several messages may be under way: while one
 * waits for facts, the next is judged.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/policy.h"
#include "mail/charset.h"
#include "mail/digest.h"
#include "mail/received.h"
#include "scan/release.h"
#include "scan/report.h"
#include "scan/scan.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "wire/envelope.h"

#include "base/banned.h"

#define EVIDENCE_TOLD 40 /* pieces of evidence that leave the process; the heaviest come first */
#define SPARE_ARENAS  4

struct gate_link {
	struct scanner *scanner;
	struct ipc *ipc;
	struct gate_link *next;
};

/* A message that waits for facts, or is being judged. */
struct task {
	struct task *next;
	struct gate_link *from;
	uint64_t id;
	struct bytes mapped;
	size_t envelope_len;
	struct arena *arena;
	struct scan_case scan_case;
	struct scan *scan;
	uint64_t parse_usec, total_usec;
	size_t questions; /* of the scan's facts, how many were sent on */
};

struct scanner {
	struct child *child;
	struct arena *static_arena;
	struct scan_plan *plan;
	struct scan_settings settings;
	struct gate_link *gates;
	struct task *tasks;
	struct arena *spare[SPARE_ARENAS]; /* warm memory for the next messages */
	size_t n_spare;
};

/* -- Answers ---- */

static void say(struct gate_link *to, const struct wire_any *any)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(IPC_MAX);
	wire_encode(&buf, any);
	if (buf_err(&buf) != ERR_OK || ipc_send(to->ipc, buf_bytes(&buf), -1) != ERR_OK)
		log_event(LOG_WARNING, "gate.unreachable");
}

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
	CLEANUP(buf_done) struct buf evidence = BUF_INIT((size_t)64 << 10);
	CLEANUP(buf_done) struct buf ids = BUF_INIT((size_t)4 << 10);
	CLEANUP(buf_done) struct buf symbols = BUF_INIT((size_t)32 << 10);
	evidence_json(&evidence, verdict);
	lists(verdict, &ids, &symbols);
	const struct evidence *reason = verdict_reason(verdict);
	bool unexamined = verdict->class == CLASS_UNSCANNABLE;
	const struct address *author = message->from.count > 0 ? &message->from.items[0] : NULL;
	struct bytes released = {0};
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
			},
	};
	say(task->from, &any);
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
	memfd_unmap(task->mapped);
	if (task->arena && scanner->n_spare < SPARE_ARENAS) {
		arena_reset(task->arena);
		scanner->spare[scanner->n_spare++] = task->arena;
	} else {
		arena_free(&task->arena);
	}
	mem_free(task);
}

/* Judges on; asks what is missing, or answers and ends the task. */
static void go_on(struct scanner *scanner, struct task *task)
{
	uint64_t begin = clock_cpu_usec();
	enum scan_state state = scan_run(task->scan);
	task->total_usec += clock_cpu_usec() - begin;
	if (state == SCAN_WAIT) {
		for (const struct fact *fact; (fact = scan_question(task->scan, &task->questions)) != NULL;)
			say(task->from,
			    &(struct wire_any){
				    .type = WIRE_ASK,
				    .ask = {.id = task->id, .kind = (uint32_t)fact->kind, .key = fact->key}});
		return;
	}
	answer(task);
	task_free(scanner, task);
}

/* The time of the case, which the envelope brings. */
static enum err set_time(struct task *task, int64_t now)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)now);
	return fact_set(task->arena, &task->scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN,
			bytes_make(text, (size_t)len));
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
	TRY(set_time(task, now));
	TRY(scan_new(task->arena, scanner->plan, &task->scan_case, &task->scan));
	TRY(scan_parse(task->scan));
	task->parse_usec = task->total_usec = clock_cpu_usec() - begin;
	return ERR_OK;
}

static void on_scan(struct gate_link *from, const struct wire_scan *scan, int memfd)
{
	struct scanner *scanner = from->scanner;
	struct task *task = mem_new(struct task, 1);
	if (!task)
		_exit(1); /* the message is tried on a fresh process */
	*task = (struct task){.next = scanner->tasks, .from = from, .id = scan->id};
	scanner->tasks = task;
	enum err err = begin_task(scanner, task, scan, memfd);
	if (memfd >= 0)
		(void)close(memfd);
	if (err != ERR_OK) {
		log_event(LOG_ERROR, "scan.failed", log_cstr("why", err_name(err)),
			  log_int("size", (int64_t)scan->size));
		struct wire_any any = {
			.type = WIRE_VERDICT,
			.verdict = {.id = scan->id,
				    .class = CLASS_UNSCANNABLE,
				    .ids = BYTES_LIT("SCAN_FAILED"),
				    .reason_en = BYTES_LIT("The message needs more memory than one message may have."),
				    .reason_ja = BYTES_LIT("検査に必要なメモリーが上限を超えました。"),
				    .evidence = BYTES_LIT("[]")}};
		say(from, &any);
		task_free(scanner, task);
		return;
	}
	go_on(scanner, task);
}

static void on_answer(struct gate_link *from, const struct wire_answer *answer_)
{
	struct scanner *scanner = from->scanner;
	struct task *task = scanner->tasks;
	while (task && (task->from != from || task->id != answer_->id))
		task = task->next;
	if (!task || answer_->kind >= FACT_KINDS || answer_->state > FACT_FAILED)
		return;
	if (scan_answer(task->scan, (enum fact_kind)answer_->kind, answer_->key, (enum fact_state)answer_->state,
			answer_->answer) == ERR_OK)
		go_on(scanner, task);
}

/* -- Frame ---- */

static void close_link(struct gate_link *link)
{
	struct scanner *scanner = link->scanner;
	for (struct task *task = scanner->tasks, *next; task; task = next) {
		next = task->next;
		if (task->from == link)
			task_free(scanner, task);
	}
	for (struct gate_link **at = &scanner->gates; *at; at = &(*at)->next) {
		if (*at == link) {
			*at = link->next;
			break;
		}
	}
	ipc_free(&link->ipc);
	mem_free(link);
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct gate_link *link = ctx;
	struct wire_any any;
	enum err err = wire_receive(ROLE_GATE, ROLE_SCANNER, payload, &any);
	if (err == ERR_OK && any.type == WIRE_SCAN && (fd >= 0 || any.scan.whole.len > 0) &&
	    any.scan.envelope_len <= any.scan.size) {
		on_scan(link, &any.scan, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (err == ERR_OK && any.type == WIRE_ANSWER) {
		on_answer(link, &any.answer);
		return;
	}
	log_event(LOG_ERROR, "gate.broken");
	close_link(link);
}

static void on_closed(void *ctx)
{
	close_link(ctx);
}

static const struct ipc_ops gate_ops = {on_message, on_closed};

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct scanner *scanner = state;
	struct gate_link *link = role == ROLE_GATE ? mem_new(struct gate_link, 1) : NULL;
	(void)index;
	(void)serial;
	if (!link) {
		(void)close(socket);
		return;
	}
	*link = (struct gate_link){.scanner = scanner, .next = scanner->gates};
	if (ipc_new(child_loop(scanner->child), socket, &gate_ops, link, &link->ipc) != ERR_OK) {
		(void)close(socket);
		mem_free(link);
		return;
	}
	scanner->gates = link;
}

/* A scanner is ended by its supervisor, when no gate has work for it any more. */
static void drain(void *state)
{
	(void)state;
}

static enum err take_settings(struct scanner *scanner, const struct settings *settings, struct error *reterr)
{
	struct scan_settings *out = &scanner->settings;
	*out = (struct scan_settings){
		.tag_at = verdict_log_odds(settings->tag_at),
		.quarantine_at = verdict_log_odds(settings->quarantine_at),
		.max_parts = (size_t)settings->parts,
		.max_depth = (size_t)settings->depth,
		.max_header_bytes = (size_t)settings->header_size,
		.max_memory = (size_t)settings->memory,
	};
	if (networks_parse(scanner->static_arena, &settings->trusted_networks, &out->trusted, &out->n_trusted) !=
	    ERR_OK)
		return error_set(reterr, ERR_SYNTAX, 0, "trusted_networks holds what is no network");
	return ERR_OK;
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	struct scanner *scanner = mem_new(struct scanner, 1);
	if (!scanner || !(scanner->static_arena = arena_create(SIZE_MAX)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	scanner->child = child;
	if (charset_init() != ERR_OK)
		return error_set(reterr, ERR_INTERNAL, 0, "the charset converters of ICU could not be loaded");
	/* OpenSSL reads its configuration at the first digest, which the sandbox would punish. */
	uint8_t first[DIGEST_SHA256_LEN];
	digest_sha256((struct bytes){0}, first);
	TRY(plan_new(scanner->static_arena, &scanner->plan, reterr));
	TRY(take_settings(scanner, child_heritage(child)->settings, reterr));
	*ret_state = scanner;
	*ret_folder = NULL;
	return ERR_OK;
}

NORETURN void scanner_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.peer = peer,
		.drain = drain,
		.profile = SANDBOX_SCANNER,
		.limits = {.descriptors = 1024},
	};
	child_run(heritage, &ops);
}
