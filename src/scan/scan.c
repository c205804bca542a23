/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/scan.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/num.h"
#include "base/utf8.h"
#include "scan/auth_state.h"
#include "scan/lists_state.h"
#include "scan/plan.h"
#include "scan/relation.h"
#include "scan/release.h"

#include "base/banned.h"

#define ARGUMENT_MAX 120 /* bytes of a foreign argument in a sentence */
#define SNIPPET_MAX  160

struct found {
	struct evidence evidence;
	size_t entry; /* of the plan */
};

struct scan {
	struct arena *arena;
	const struct scan_plan *plan;
	const struct scan_case *in;
	struct message *message;
	struct fact_list facts;
	int64_t now;

	bool *done;     /* by entry of the plan */
	size_t running; /* entry whose run() is on */
	struct found *found;
	size_t n_found, found_capacity;
	unsigned dropped;

	struct bytes release_key;
	struct bytes overruled; /* symbols, separated by blanks */
	struct bytes visible;
	bool visible_made;
	struct auth_state *auth;
	struct scan_relation *relation;
	struct lists_state *lists;
	struct verdict *verdict;
};

/* -- Life ---- */

static int64_t time_of_case(const struct scan_case *in)
{
	const struct fact *fact = fact_find(&in->facts, FACT_TIME, (struct bytes){0});
	uint64_t seconds = 0;
	if (!fact || num_parse(fact->answer, 10, (uint64_t)1 << 60, &seconds) != ERR_OK)
		return 0;
	return (int64_t)seconds;
}

enum err scan_new(struct arena *arena, const struct scan_plan *plan, const struct scan_case *scan_case,
		  struct scan **ret_scan)
{
	struct scan *scan = arena_new(arena, struct scan, 1);
	if (!scan)
		return ERR_NOMEM;
	*scan = (struct scan){.arena = arena, .plan = plan, .in = scan_case, .now = time_of_case(scan_case)};
	scan->done = arena_new(arena, bool, plan->count + 1);
	if (!scan->done)
		return ERR_NOMEM;
	for (size_t i = 0; i < scan_case->facts.count; i++) {
		const struct fact *fact = &scan_case->facts.items[i];
		TRY(fact_set(arena, &scan->facts, fact->kind, fact->key, fact->state, fact->answer));
	}
	*ret_scan = scan;
	return ERR_OK;
}

enum err scan_parse(struct scan *scan)
{
	const struct scan_settings *settings = &scan->in->settings;
	struct mime_limits limits = mime_limits_default;
	limits.parts = settings->max_parts;
	limits.depth = settings->max_depth;
	limits.header.bytes = settings->max_header_bytes;
	TRY(message_parse(scan->arena, scan->in->message, &limits, &scan->message));
	scan->release_key = release_key(scan->arena, scan->message);
	return ERR_OK;
}

/* -- What checks see ---- */

const struct message *scan_message(const struct scan *scan)
{
	return scan->message;
}

const struct scan_envelope *scan_envelope(const struct scan *scan)
{
	return &scan->in->envelope;
}

const struct scan_settings *scan_settings(const struct scan *scan)
{
	return &scan->in->settings;
}

struct arena *scan_arena(struct scan *scan)
{
	return scan->arena;
}

int64_t scan_now(const struct scan *scan)
{
	return scan->now;
}

struct auth_state *scan_auth_state(struct scan *scan)
{
	if (!scan->auth)
		scan->auth = arena_new(scan->arena, struct auth_state, 1);
	return scan->auth;
}

struct lists_state **scan_lists_state(struct scan *scan)
{
	return &scan->lists;
}

const struct scan_auth *scan_auth_result(const struct scan *scan)
{
	return scan->auth && scan->auth->done ? &scan->auth->result : &scan_auth_unknown;
}

const struct spf_query *scan_auth_query(const struct scan *scan)
{
	return scan->auth && scan->auth->begun && scan->auth->result.has_spf && !scan->auth->spf_known
		       ? &scan->auth->query
		       : NULL;
}

struct crypto_keys *scan_keys(struct scan *scan)
{
	return scan->plan->keys;
}

const struct fact_list *scan_facts(const struct scan *scan)
{
	return &scan->facts;
}

struct scan_relation **scan_relation_kept(struct scan *scan)
{
	return &scan->relation;
}

static struct bytes shown_text(const struct mime_part *part)
{
	return part->html ? part->html->visible : part->text;
}

struct bytes scan_visible_text(struct scan *scan)
{
	const struct mime_tree *tree = &scan->message->tree;
	size_t total = 0, pieces = 0;
	if (scan->visible_made)
		return scan->visible;
	scan->visible_made = true;
	for (size_t i = 0; i < tree->n_parts; i++) {
		struct bytes text = shown_text(tree->parts[i]);
		if (text.len > 0) {
			total += text.len + 1;
			pieces++;
			scan->visible = text;
		}
	}
	if (pieces < 2)
		return scan->visible;
	uint8_t *joined = arena_alloc_raw(scan->arena, total);
	if (!joined) /* the last piece is better than none; LIMIT_MEMORY is told by the parser, or here by a shorter
			text */
		return scan->visible;
	size_t at = 0;
	for (size_t i = 0; i < tree->n_parts; i++) {
		struct bytes text = shown_text(tree->parts[i]);
		if (text.len == 0)
			continue;
		memcpy(joined + at, text.ptr, text.len);
		at += text.len;
		joined[at++] = '\n';
	}
	scan->visible = bytes_make(joined, at);
	return scan->visible;
}

bool scan_trusted_ip(const uint8_t ip[16], void *ctx)
{
	const struct scan_settings *settings = &((const struct scan *)ctx)->in->settings;
	if (received_ip_is_local(ip))
		return true;
	for (size_t i = 0; i < settings->n_trusted; i++)
		if (scan_network_holds(&settings->trusted[i], ip))
			return true;
	return false;
}

const struct received_hop *scan_relay_hop(const struct scan *scan)
{
	const struct scan *ctx = scan;
	return received_first_untrusted(&scan->message->received, scan_trusted_ip, (void *)(uintptr_t)ctx);
}

const struct fact *scan_fact(struct scan *scan, enum fact_kind kind, struct bytes key)
{
	static const struct fact failed = {.state = FACT_FAILED};
	struct fact *fact = fact_find(&scan->facts, kind, key);
	if (!fact)
		return fact_set(scan->arena, &scan->facts, kind, key, FACT_ASKED, (struct bytes){0}) == ERR_OK
			       ? NULL
			       : &failed;
	return fact->state == FACT_ASKED ? NULL : fact;
}

const void *scan_fact_decoded(struct scan *scan, enum fact_kind kind, struct bytes key, fact_decoder *decode)
{
	static const struct fact failed = {.state = FACT_FAILED};
	struct fact *fact = fact_find(&scan->facts, kind, key);
	if (!fact) {
		bool asked = fact_set(scan->arena, &scan->facts, kind, key, FACT_ASKED, (struct bytes){0}) == ERR_OK;
		return asked ? NULL : decode(scan->arena, &failed);
	}
	if (fact->state == FACT_ASKED)
		return NULL;
	if (!fact->decoded)
		fact->decoded = decode(scan->arena, fact);
	return fact->decoded;
}

const struct fact *scan_question(const struct scan *scan, size_t *i)
{
	while (*i < scan->facts.count) {
		const struct fact *fact = &scan->facts.items[(*i)++];
		if (fact->state == FACT_ASKED)
			return fact;
	}
	return NULL;
}

enum err scan_answer(struct scan *scan, enum fact_kind kind, struct bytes key, enum fact_state state,
		     struct bytes answer)
{
	const struct fact *fact = fact_find(&scan->facts, kind, key);
	if (!fact || fact->state != FACT_ASKED || state == FACT_ASKED)
		return ERR_DENIED;
	return fact_set(scan->arena, &scan->facts, kind, key, state, answer);
}

bool scan_has_questions(const struct scan *scan)
{
	size_t i = 0;
	return scan_question(scan, &i) != NULL;
}

enum err scan_know(struct scan *scan, enum fact_kind kind, struct bytes key, enum fact_state state, struct bytes answer)
{
	const struct fact *fact = fact_find(&scan->facts, kind, key);
	if (state == FACT_ASKED || (fact && fact->state != FACT_ASKED))
		return ERR_DENIED;
	return fact_set(scan->arena, &scan->facts, kind, key, state, answer);
}

/* -- Evidence ---- */

struct where where_none(void)
{
	return (struct where){.at = DEFECT_NOWHERE};
}

struct where where_part(const struct mime_part *part)
{
	return (struct where){.part = part, .at = DEFECT_NOWHERE};
}

struct where where_range(const struct mime_part *part, size_t at, size_t len)
{
	return (struct where){.part = part, .at = at, .len = len};
}

struct where where_field(const struct header_field *field)
{
	return field ? where_range(NULL, field->at, field->len) : where_none();
}

struct where where_text(const struct mime_part *part, struct bytes snippet)
{
	return (struct where){.part = part, .at = DEFECT_NOWHERE, .snippet = snippet};
}

/* Valid UTF-8 on one line, cut at `max` bytes with an ellipsis. {NULL, 0} when the arena is out of budget. */
static struct bytes tidy(struct arena *arena, struct bytes text, size_t max)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4 * max + 16);
	bool cut = text.len > max;
	bool blank = true; /* drops blanks at the front */
	text = utf8_prefix(text, max);
	while (text.len > 0) {
		uint8_t raw[4];
		uint32_t code = utf8_next(&text, NULL);
		bool space = code <= 0x20 || code == 0x7f || (code >= 0x80 && code <= 0xa0);
		if (!space)
			buf_add(&buf, bytes_make(raw, utf8_encode(code, raw)));
		else if (!blank)
			buf_add_byte(&buf, ' ');
		blank = space;
	}
	if (cut)
		buf_add_cstr(&buf, "\xe2\x80\xa6");
	return arena_copy(arena, bytes_trim(buf_bytes(&buf)));
}

/* The sentence with its {1} and {2} replaced. */
static struct bytes fill(struct arena *arena, const char *sentence, struct bytes one, struct bytes two)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(4096);
	for (const char *p = sentence; *p; p++) {
		if (p[0] == '{' && (p[1] == '1' || p[1] == '2') && p[2] == '}') {
			buf_add(&buf, p[1] == '1' ? one : two);
			p += 2;
		} else {
			buf_add_byte(&buf, (uint8_t)*p);
		}
	}
	return arena_copy(arena, buf_bytes(&buf));
}

static size_t count_of_entry(const struct scan *scan, size_t entry)
{
	size_t n = 0;
	for (size_t i = 0; i < scan->n_found; i++)
		n += scan->found[i].entry == entry;
	return n;
}

void scan_evidence(struct scan *scan, struct where where, struct bytes one, struct bytes two)
{
	const struct plan_entry *entry = &scan->plan->entries[scan->running];
	const struct check *check = entry->check;
	size_t before = count_of_entry(scan, scan->running);
	if (before >= (size_t)(check->most > 0 ? check->most : 1))
		return;
	struct found *grown = scan->n_found < EVIDENCE_MAX ? arena_grow(scan->arena, scan->found, &scan->found_capacity,
									scan->n_found, sizeof(*grown))
							   : NULL;
	if (!grown) {
		scan->dropped++;
		return;
	}
	scan->found = grown;
	if (where.snippet.len == 0 && where.at != DEFECT_NOWHERE)
		where.snippet = bytes_sub(scan->message->raw, where.at, MIN(where.len, (size_t)(2 * SNIPPET_MAX)));
	one = tidy(scan->arena, one, ARGUMENT_MAX);
	two = tidy(scan->arena, two, ARGUMENT_MAX);
	struct evidence evidence = {
		.check = check,
		.weight = before == 0 ? entry->weight : 0,
		.text_en = fill(scan->arena, check->text_en, one, two),
		.text_ja = fill(scan->arena, check->text_ja, one, two),
		.part = where.part ? where.part->path : (struct bytes){0},
		.at = where.at,
		.len = where.at == DEFECT_NOWHERE ? 0 : where.len,
	};
	if (where.snippet.len > 0)
		evidence.snippet = tidy(scan->arena, where.snippet, SNIPPET_MAX);
	scan->found[scan->n_found++] = (struct found){evidence, scan->running};
}

bool scan_has_evidence(const struct scan *scan, const char *symbol)
{
	for (size_t i = 0; i < scan->n_found; i++)
		if (strcmp(scan->found[i].evidence.check->symbol, symbol) == 0)
			return true;
	return false;
}

/* -- Judging ---- */

/* True when the release of the message (if it claims one) is settled. */
static bool settle_release(struct scan *scan)
{
	if (scan->release_key.len == 0)
		return true;
	const struct fact *fact = scan_fact(scan, FACT_RELEASE, scan->release_key);
	if (fact && fact->state == FACT_KNOWN)
		scan->overruled = fact->answer;
	return fact != NULL;
}

static bool is_overruled(const struct scan *scan, const struct check *check)
{
	struct bytes rest = scan->overruled, symbol;
	while (bytes_split(&rest, ' ', &symbol))
		if (bytes_eq(symbol, bytes_from_cstr(check->symbol)))
			return true;
	return false;
}

/* Sums as the header says: by family, each up to its cap on either side. Overruled evidence weighs nothing. */
struct sum {
	int total;
	int phish;         /* of KIND_PHISH, positive */
	int positive;      /* all that speaks for unwanted */
	unsigned families; /* with a positive sum of fitted weights */
	bool fixed;        /* a fixed weight speaks for unwanted */
	bool malware, policy, bulk, sender;
};

static int capped(int value, int cap)
{
	if (cap == 0)
		return value;
	return value > cap ? cap : value < -cap ? -cap : value;
}

static struct sum add_up(struct scan *scan)
{
	struct sum sum = {.total = scan->plan->bias};
	int families[PLAN_MAX_FAMILIES] = {0}; /* EVIDENCE_MAX weights of at most 1e6 each: no overflow */
	for (size_t i = 0; i < scan->n_found; i++) {
		struct found *found = &scan->found[i];
		struct evidence *evidence = &found->evidence;
		const struct plan_entry *entry = &scan->plan->entries[found->entry];
		if (is_overruled(scan, evidence->check)) {
			evidence->overruled = true;
			evidence->weight = 0;
			continue;
		}
		sum.malware |= evidence->check->kind == KIND_MALWARE;
		sum.policy |= evidence->check->kind == KIND_POLICY;
		sum.bulk |= evidence->check->kind == KIND_BULK;
		sum.sender |= evidence->check->kind == KIND_SENDER;
		if (evidence->weight > 0) {
			sum.positive += evidence->weight;
			sum.phish += evidence->check->kind == KIND_PHISH ? evidence->weight : 0;
			sum.fixed |= evidence->check->fixed_weight != 0;
		}
		if (evidence->check->fixed_weight)
			sum.total += evidence->weight;
		else
			families[entry->family] += evidence->weight;
	}
	for (size_t i = 0; i < scan->plan->n_families; i++) {
		int value = capped(families[i], scan->plan->families[i].cap);
		sum.families += value > 0;
		sum.total += value;
	}
	/* Evidence of one family, however strong, is one observation: it never quarantines alone. */
	int ceiling = scan->in->settings.quarantine_at - 1;
	if (sum.families < 2 && !sum.fixed && sum.total > ceiling)
		sum.total = ceiling;
	return sum;
}

static enum verdict_class classify(const struct scan *scan, const struct sum *sum)
{
	const struct scan_settings *settings = &scan->in->settings;
	if (sum->malware)
		return CLASS_MALWARE;
	if (sum->total >= settings->quarantine_at && sum->phish * 2 >= sum->positive && sum->phish > 0)
		return CLASS_PHISH;
	/* A check that was short of memory found nothing, which must not look like nothing to find. */
	if (defect_list_unexamined(&scan->message->defects) || arena_refused(scan->arena))
		return CLASS_UNSCANNABLE;
	if (sum->policy)
		return CLASS_POLICY;
	if (sum->total >= settings->tag_at)
		return CLASS_SPAM;
	return sum->bulk ? CLASS_BULK : CLASS_CLEAN;
}

static int heaviest_first(const void *left, const void *right)
{
	const struct found *a = left, *b = right;
	int wa = abs(a->evidence.weight), wb = abs(b->evidence.weight);
	if (wa != wb)
		return wa > wb ? -1 : 1;
	int by_symbol = strcmp(a->evidence.check->symbol, b->evidence.check->symbol);
	if (by_symbol != 0)
		return by_symbol;
	return a->evidence.at < b->evidence.at ? -1 : a->evidence.at > b->evidence.at;
}

static void conclude(struct scan *scan, struct verdict *verdict)
{
	/* First: when there is no room for it, the class must know. */
	verdict->evidence = arena_new(scan->arena, struct evidence, scan->n_found ? scan->n_found : 1);
	struct sum sum = add_up(scan);
	verdict->log_odds = sum.total;
	verdict->probability = verdict_probability(sum.total);
	verdict->class = verdict->own_class = classify(scan, &sum);
	verdict->action = verdict_default_action(verdict->class, sum.total, &scan->in->settings);
	/* Unless that was overruled: what the author domain asks for is done by the default policy as by RFC 9989. */
	if (sum.sender) {
		verdict->sender_policy = scan_auth_result(scan)->disposition;
		verdict->action = verdict_stricter(verdict->action, ACTION_QUARANTINE);
		if (verdict->class == CLASS_CLEAN || verdict->class == CLASS_BULK)
			verdict->class = CLASS_POLICY;
	}
	if (scan->n_found > 0) /* qsort may not be given NULL */
		qsort(scan->found, scan->n_found, sizeof(scan->found[0]), heaviest_first);
	if (!verdict->evidence) {
		verdict->evidence_dropped = (unsigned)scan->n_found;
		return;
	}
	for (size_t i = 0; i < scan->n_found; i++)
		verdict->evidence[i] = scan->found[i].evidence;
	verdict->n_evidence = scan->n_found;
	verdict->evidence_dropped = scan->dropped;
}

/* A class for a message that could not even be read for want of memory: nothing of it is known, so nobody gets it. */
static const struct verdict verdict_unreadable = {
	.class = CLASS_UNSCANNABLE, .action = ACTION_QUARANTINE, .probability = 0.5};

enum scan_state scan_run(struct scan *scan)
{
	bool waiting = !settle_release(scan);
	/* First, so that its questions are on their way while the checks look at the rest. */
	waiting |= scan_auth(scan) == NULL;
	for (size_t i = 0; i < scan->plan->count; i++) {
		const struct check *check = scan->plan->entries[i].check;
		if (check->stage == STAGE_LATE && waiting)
			break;
		if (scan->done[i])
			continue;
		size_t found_before = scan->n_found;
		unsigned dropped_before = scan->dropped;
		scan->running = i;
		if (check->run(scan) == CHECK_DONE) {
			scan->done[i] = true;
		} else {
			scan->n_found = found_before; /* it is called again, and will give it again */
			scan->dropped = dropped_before;
			waiting = true;
		}
	}
	if (waiting)
		return SCAN_WAIT;
	if (!scan->verdict && (scan->verdict = arena_new(scan->arena, struct verdict, 1)))
		conclude(scan, scan->verdict);
	return SCAN_DONE;
}

const struct verdict *scan_verdict(const struct scan *scan)
{
	return scan->verdict ? scan->verdict : &verdict_unreadable;
}
