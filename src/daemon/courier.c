/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier: sends the DMARC reports that we owe (RFC 9990). Once a day it goes through the days that are over,
 * report by report:
 *
 *   ask the vault for the next one -> and for its records, piece by piece: make it -> may its addresses be written to?
 *   (DNS) -> a letter to each of them -> tell the vault
 *
 * It has no file: the tallies are the vault's, which remembers which reports are done. What of them is damaged is left
 * out, and keeps back nothing else. Killed at any
 * moment, its successor asks again; only what the next hop took in that very moment goes twice, with the same
 * Message-ID. What fails for now is tried again with growing pauses, for as long as DAYS_TRIED.
 */
#include <string.h>
#include <unistd.h>

#include "auth/dmarc.h"
#include "auth/report_mail.h"
#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/child.h"
#include "daemon/courier_smtp.h"
#include "daemon/peer.h"
#include "store/owed_report.h"
#include "sys/clock.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "sys/net.h"
#include "wire/facts.h"

#include "base/banned.h"

#define DAYS_TRIED    3 /* days that are over, yesterday first */
#define DAY_MS        INT64_C(86400000)
#define CLOCK_MS      INT64_C(3600000) /* a clock that is set is noticed within so long */
#define PAUSE_MIN_MS  INT64_C(300000)
#define PAUSE_MAX_MS  INT64_C(7200000)
#define CHECK_WAIT_MS INT64_C(30000)
#define REPORT_MEMORY ((size_t)4 << 20) /* of names, answers and one record, for one report */
#define MAIL_MAX      ((size_t)100 << 20)
#define DONE_MAX      ((size_t)16384)

enum state {
	STATE_RESTS,  /* the timer runs to the next round */
	STATE_ASKED,  /* the vault is to name the next report; it may be away */
	STATE_COMES,  /* and its records come */
	STATE_CHECKS, /* whether the next address wants it; the resolver is asked */
	STATE_SENDS,
};

/* The report at hand. Its texts live in the arena. */
struct parcel {
	struct owed_report made;
	struct buf gzip;
	uint64_t lost; /* records that are damaged so much that they did not come */
	size_t next;   /* of the targets, the one at hand */
	struct bytes to;
	bool put_off; /* some address is to be tried again */
};

struct courier {
	struct child *child;
	struct loop *loop;
	const struct settings *settings;
	struct bytes hostname, receiver;
	struct net_address next_hop;
	struct peers peers;
	struct peer_link *vault, *resolver;
	enum state state;
	struct loop_timer *timer, *patience;
	struct arena *arena;
	int64_t day;      /* of the round */
	struct buf after; /* the domain that was at hand last */
	int64_t pause;
	bool put_off; /* in this round */
	bool draining;
	struct parcel parcel;
	struct fact_list facts;
	uint64_t serial; /* of the report, for the resolver's answers */
	struct buf questions;
	struct courier_delivery *delivery;
	/* Addresses that are done, of reports that are not: a ring. */
	uint64_t done[DONE_MAX];
	size_t n_done;
};

static void ask_vault(struct courier *courier);
static void go_on(struct courier *courier);

/* -- When ---- */

static int64_t today(void)
{
	return clock_wall_ms() / DAY_MS;
}

/* Every host has its own moment of the night. */
static int64_t moment_of(const struct courier *courier)
{
	static const struct hash_key key = {0x636f7572696572ULL, 0x6d6f6d656e74ULL};
	int64_t spread = courier->settings->report_spread;
	return spread > 0 ? (int64_t)(hash_sip(key, courier->hostname) % (uint64_t)spread) : 0;
}

static void rest(struct courier *courier, int64_t until_ms)
{
	courier->state = STATE_RESTS;
	int64_t left = until_ms - clock_wall_ms();
	loop_timer_set(courier->timer, left < 0 ? 0 : MIN(left, CLOCK_MS));
}

static void begin_round(struct courier *courier)
{
	courier->day = today() - DAYS_TRIED;
	courier->put_off = false;
	buf_clear(&courier->after);
	ask_vault(courier);
}

static void end_round(struct courier *courier)
{
	if (courier->put_off) {
		courier->pause = courier->pause == 0 ? PAUSE_MIN_MS : MIN(courier->pause * 2, PAUSE_MAX_MS);
		courier->state = STATE_RESTS;
		loop_timer_set(courier->timer, courier->pause);
		return;
	}
	courier->pause = 0;
	rest(courier, (today() + 1) * DAY_MS + moment_of(courier));
}

static void on_timer(void *ctx)
{
	struct courier *courier = ctx;
	if (courier->state != STATE_RESTS || courier->draining)
		return;
	int64_t due = today() * DAY_MS + moment_of(courier);
	if (courier->pause == 0 && clock_wall_ms() < due)
		rest(courier, due);
	else
		begin_round(courier);
}

/* -- Which addresses are done ---- */

static uint64_t mark_of(const struct courier *courier, struct bytes address)
{
	static const struct hash_key key = {0x61646472657373ULL, 0x646f6e65ULL};
	const struct bytes domain = courier->parcel.made.report.policy.domain;
	const uint64_t parts[] = {(uint64_t)courier->day, hash_sip(key, domain), hash_sip(key, address)};
	return hash_sip(key, bytes_make(parts, sizeof(parts)));
}

static bool is_done(const struct courier *courier, struct bytes address)
{
	uint64_t mark = mark_of(courier, address);
	for (size_t i = 0; i < MIN(courier->n_done, DONE_MAX); i++)
		if (courier->done[i] == mark)
			return true;
	return false;
}

static void set_done(struct courier *courier, struct bytes address)
{
	courier->done[courier->n_done++ % DONE_MAX] = mark_of(courier, address);
}

/* -- The vault ---- */

static void ask_vault(struct courier *courier)
{
	courier->state = STATE_ASKED;
	if (courier->draining)
		child_drained(courier->child);
	if (courier->vault) /* else it is asked when it comes */
		peer_say(courier->vault,
			 &(struct wire_any){.type = WIRE_OWE,
					    .owe = {.day = courier->day, .after = buf_bytes(&courier->after)}});
}

static void forget_report(struct courier *courier)
{
	owed_report_done(&courier->parcel.made);
	buf_done(&courier->parcel.gzip);
}

static void finish_report(struct courier *courier)
{
	struct parcel *parcel = &courier->parcel;
	courier->put_off |= parcel->put_off || !courier->vault;
	if (!parcel->put_off && courier->vault)
		peer_say(courier->vault, &(struct wire_any){.type = WIRE_SENT,
							    .sent = {.day = courier->day,
								     .domain = parcel->made.report.policy.domain}});
	forget_report(courier);
	ask_vault(courier);
}

/* It stays owed: somebody may mend what is damaged, and the next round is as well as this one. */
static void skip_report(struct courier *courier, const char *why)
{
	log_event(LOG_ERROR, "report.not_made", log_int("day", courier->day),
		  log_str("domain", buf_bytes(&courier->after)), log_cstr("why", why));
	forget_report(courier);
	ask_vault(courier);
}

static void begin_report(struct courier *courier)
{
	struct parcel *parcel = &courier->parcel;
	struct error error;
	if (owed_report_end(&parcel->made, &parcel->gzip, &error) != ERR_OK) {
		skip_report(courier, error.text);
		return;
	}
	owed_report_done(&parcel->made); /* the XML, which is in the gzip now */
	if (parcel->made.damaged + parcel->lost > 0)
		log_event(LOG_ERROR, "report.damaged", log_int("day", courier->day),
			  log_str("domain", parcel->made.report.policy.domain),
			  log_int("records_left_out", (int64_t)(parcel->made.damaged + parcel->lost)),
			  log_int("records", (int64_t)parcel->made.report.n_records));
	courier->state = STATE_CHECKS;
	if (parcel->made.n_targets == 0)
		log_event(LOG_NOTICE, "report.no_address", log_str("domain", parcel->made.report.policy.domain));
	go_on(courier);
}

static void ask_rows(struct courier *courier, struct bytes behind)
{
	courier->state = STATE_COMES;
	peer_say(courier->vault, &(struct wire_any){.type = WIRE_OWE_ROWS,
						    .owe_rows = {.day = courier->day,
								 .domain = courier->parcel.made.report.policy.domain,
								 .behind = behind}});
}

static bool keep(struct courier *courier, struct bytes text, struct bytes *ret_copy)
{
	*ret_copy = text.len > 0 ? arena_copy(courier->arena, text) : (struct bytes){0};
	return text.len == 0 || ret_copy->ptr;
}

static bool keep_policy(struct courier *courier, const struct wire_owed *in, struct report_policy *ret_policy,
			struct bytes *ret_rua)
{
	return keep(courier, in->domain, &ret_policy->domain) && keep(courier, in->rua, ret_rua) &&
	       keep(courier, in->discovery_method, &ret_policy->discovery_method) &&
	       keep(courier, in->p, &ret_policy->p) && keep(courier, in->sp, &ret_policy->sp) &&
	       keep(courier, in->np, &ret_policy->np) && keep(courier, in->fo, &ret_policy->fo) &&
	       keep(courier, in->adkim, &ret_policy->adkim) && keep(courier, in->aspf, &ret_policy->aspf) &&
	       keep(courier, in->testing, &ret_policy->testing);
}

static bool on_owed(struct courier *courier, const struct wire_owed *in)
{
	const struct settings *settings = courier->settings;
	const struct owed_reporter reporter = {.org = settings->report_org.len > 0 ? settings->report_org
										   : courier->receiver,
					       .email = settings->report_from,
					       .contact = settings->report_contact,
					       .generator = BYTES_LIT("Postern"),
					       .receiver = courier->receiver,
					       .host = courier->hostname};
	struct parcel *parcel = &courier->parcel;
	struct report_policy policy = {0};
	struct bytes rua;
	struct error error = {.text = "no memory"};
	if (courier->state != STATE_ASKED || in->day != courier->day)
		return courier->state != STATE_COMES; /* of a question before this one */
	buf_clear(&courier->after);
	if (in->domain.len == 0) {
		if (++courier->day >= today())
			end_round(courier);
		else
			ask_vault(courier);
		return true;
	}
	buf_add(&courier->after, in->domain);
	if (buf_err(&courier->after) != ERR_OK)
		return false;
	arena_reset(courier->arena);
	courier->facts = (struct fact_list){0};
	courier->serial++;
	*parcel = (struct parcel){.gzip = BUF_INIT(OWED_XML_MAX)};
	if (!keep_policy(courier, in, &policy, &rua) ||
	    owed_report_begin(&parcel->made, courier->arena, &reporter, in->day, &policy, rua, &error) != ERR_OK)
		skip_report(courier, error.text);
	else
		ask_rows(courier, (struct bytes){0});
	return true;
}

static bool on_rows(struct courier *courier, const struct wire_owed_rows *in)
{
	struct parcel *parcel = &courier->parcel;
	struct bytes last;
	struct error error = {.text = "its records cannot be read"};
	if (courier->state != STATE_COMES)
		return true;
	parcel->lost += MIN(in->damaged, INT32_MAX);
	if (in->failed || owed_report_add(&parcel->made, courier->arena, in->rows, &last, &error) != ERR_OK)
		skip_report(courier, error.text);
	else if (in->more && last.len > 0)
		ask_rows(courier, last);
	else
		begin_report(courier);
	return true;
}

/* -- DNS ---- */

static const struct dns_answer no_name = {.state = DNS_NO_NAME};
static const struct dns_answer failed = {.state = DNS_FAILED, .reason = BYTES_INIT("no answer")};

static const struct dns_answer *answer_of(struct courier *courier, struct fact *fact)
{
	struct dns_answer *answer = arena_new(courier->arena, struct dns_answer, 1);
	if (!answer || fact->state != FACT_KNOWN || dns_answer_unpack(courier->arena, fact->answer, answer) != ERR_OK)
		return &failed;
	fact->decoded = answer;
	return answer;
}

/* What is not known yet is written down to be asked. */
static const struct dns_answer *dns(void *ctx, enum dns_type type, struct bytes name)
{
	struct courier *courier = ctx;
	uint8_t text[DNS_KEY_MAX];
	if (!dns_name_valid(name))
		return &no_name;
	struct bytes key = dns_question_key(text, type, name);
	struct fact *fact = fact_find(&courier->facts, FACT_DNS, key);
	if (!fact) {
		if (courier->facts.count >= FACTS_MAX ||
		    fact_set(courier->arena, &courier->facts, FACT_DNS, key, FACT_ASKED, (struct bytes){0}) != ERR_OK)
			return &failed;
		facts_add_question(&courier->questions, FACT_DNS, key);
		return NULL;
	}
	return fact->state == FACT_ASKED ? NULL : fact->decoded ? fact->decoded : answer_of(courier, fact);
}

static void send_questions(struct courier *courier)
{
	if (courier->questions.len > 0 && courier->resolver)
		peer_say(courier->resolver, &(struct wire_any){.type = WIRE_ASK,
							       .ask = {.id = courier->serial,
								       .questions = buf_bytes(&courier->questions)}});
	buf_clear(&courier->questions);
	loop_timer_set(courier->patience, CHECK_WAIT_MS);
}

/* A resolver came that knows nothing of what the last one was asked, or the first of all. */
static void ask_again(struct courier *courier)
{
	for (size_t i = 0; courier->state == STATE_CHECKS && i < courier->facts.count; i++)
		if (courier->facts.items[i].state == FACT_ASKED)
			facts_add_question(&courier->questions, FACT_DNS, courier->facts.items[i].key);
	if (courier->questions.len > 0)
		send_questions(courier);
}

static void on_answer(struct courier *courier, const struct wire_answer *in)
{
	struct cursor cur = cursor_make(in->facts);
	struct fact fact;
	if (courier->state != STATE_CHECKS || in->id != courier->serial)
		return;
	while (facts_next(&cur, &fact))
		if (fact.kind == FACT_DNS && fact_find(&courier->facts, FACT_DNS, fact.key) &&
		    fact_set(courier->arena, &courier->facts, FACT_DNS, fact.key,
			     fact.state == FACT_KNOWN ? FACT_KNOWN : FACT_FAILED, fact.answer) != ERR_OK)
			log_event(LOG_ERROR, "report.no_memory");
	go_on(courier);
}

/* Nobody answers what is open. */
static void give_up_facts(void *ctx)
{
	struct courier *courier = ctx;
	if (courier->state != STATE_CHECKS)
		return;
	for (size_t i = 0; i < courier->facts.count; i++)
		if (courier->facts.items[i].state == FACT_ASKED)
			courier->facts.items[i].state = FACT_FAILED;
	go_on(courier);
}

static enum report_wish wish_of(struct courier *courier, const struct report_target *target,
				struct report_target *ret_target)
{
	const struct dns_host host = {.ask = dns, .data = courier};
	enum dmarc_mode mode = courier->settings->dmarc_mode == DMARC_RFC7489 ? DMARC_RFC7489 : DMARC_RFC9989;
	return report_wish_ask(courier->arena, &host, mode, courier->parcel.made.report.policy.domain, target,
			       ret_target);
}

/* -- Sending ---- */

static void tell(const struct courier *courier, const char *event, enum log_level level, struct bytes words)
{
	const struct parcel *parcel = &courier->parcel;
	log_event(level, event, log_str("domain", parcel->made.report.policy.domain), log_str("to", parcel->to),
		  log_int("records", (int64_t)parcel->made.report.n_records),
		  log_int("bytes", (int64_t)parcel->gzip.len), log_int("day", courier->day), log_str("words", words));
}

static void on_delivered(void *ctx, enum courier_outcome outcome, struct bytes words)
{
	struct courier *courier = ctx;
	struct parcel *parcel = &courier->parcel;
	courier->delivery = NULL;
	courier->state = STATE_CHECKS;
	switch (outcome) {
	case COURIER_TAKEN:
		metrics_add(METRIC_REPORTS_SENT, 1);
		tell(courier, "report.sent", LOG_NOTICE, words);
		set_done(courier, parcel->made.targets[parcel->next].address);
		break;
	case COURIER_REFUSED:
		metrics_add(METRIC_REPORTS_NOT_SENT, 1);
		tell(courier, "report.refused", LOG_WARNING, words);
		set_done(courier, parcel->made.targets[parcel->next].address);
		break;
	case COURIER_PUT_OFF:
	default:
		metrics_add(METRIC_REPORTS_PUT_OFF, 1);
		tell(courier, "report.put_off", LOG_WARNING, words);
		parcel->put_off = true;
		break;
	}
	parcel->next++;
	go_on(courier);
}

/* False: it was put off without a word to anybody. */
static bool send_letter(struct courier *courier, const struct report_target *target)
{
	struct parcel *parcel = &courier->parcel;
	CLEANUP(buf_done) struct buf message = BUF_INIT(MAIL_MAX);
	const struct report_mail mail = {.report = &parcel->made.report,
					 .receiver = courier->receiver,
					 .to = target->address,
					 .date = clock_wall_ms() / 1000,
					 .filename = parcel->made.filename,
					 .gzip = buf_bytes(&parcel->gzip)};
	if (report_mail_write(&mail, &message) != ERR_OK)
		return false;
	const struct courier_letter letter = {.helo = courier->hostname,
					      .from = courier->settings->report_from,
					      .to = target->address,
					      .message = buf_bytes(&message)};
	courier->state = STATE_SENDS;
	return courier_deliver(courier->loop, &courier->next_hop, &letter, on_delivered, courier, &courier->delivery) ==
	       ERR_OK;
}

/* From the address at hand to the next letter, the next wait, or the end of the report. */
static void go_on(struct courier *courier)
{
	struct parcel *parcel = &courier->parcel;
	loop_timer_stop(courier->patience);
	for (; parcel->next < parcel->made.n_targets; parcel->next++) {
		const struct report_target *target = &parcel->made.targets[parcel->next];
		struct report_target real;
		if (is_done(courier, target->address))
			continue;
		enum report_wish wish = wish_of(courier, target, &real);
		parcel->to = real.address;
		if (wish == REPORT_WISH_WAIT) {
			send_questions(courier);
			return;
		}
		if (wish == REPORT_WISH_YES && send_letter(courier, &real))
			return;
		courier->state = STATE_CHECKS;
		if (wish == REPORT_WISH_NO) {
			metrics_add(METRIC_REPORTS_NOT_SENT, 1);
			tell(courier, "report.unwanted", LOG_NOTICE,
			     BYTES_LIT("that address does not say that it takes them"));
			continue;
		}
		metrics_add(METRIC_REPORTS_PUT_OFF, 1);
		tell(courier, "report.put_off", LOG_WARNING,
		     wish == REPORT_WISH_YES ? BYTES_LIT("no memory") : BYTES_LIT("the DNS does not answer"));
		parcel->put_off = true;
	}
	finish_report(courier);
}

/* -- Frame ---- */

static bool on_message(struct peer_link *link, const struct wire_any *any, int *fd)
{
	struct courier *courier = link->peers->owner;
	(void)fd;
	if (any->type == WIRE_OWED)
		return on_owed(courier, &any->owed);
	if (any->type == WIRE_OWED_ROWS)
		return on_rows(courier, &any->owed_rows);
	if (any->type == WIRE_ANSWER)
		on_answer(courier, &any->answer);
	return true;
}

static void on_closed(struct peer_link *link)
{
	struct courier *courier = link->peers->owner;
	if (link == courier->vault) {
		courier->vault = NULL;
		if (courier->state == STATE_COMES) {
			/* What came of it is forgotten, and the next vault is asked for all. */
			forget_report(courier);
			begin_round(courier);
		}
	} else if (link == courier->resolver) {
		courier->resolver = NULL; /* another comes, or patience ends */
	}
}

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct courier *courier = state;
	(void)index;
	(void)serial;
	struct peer_link *link = peer_add(&courier->peers, role, socket);
	if (role == ROLE_RESOLVER && link) {
		courier->resolver = link;
		ask_again(courier);
	}
	if (role != ROLE_VAULT || !link)
		return;
	courier->vault = link;
	if (courier->state == STATE_ASKED)
		ask_vault(courier);
}

/* A report of which letters are out is finished first, so that the next courier does not write them again. */
static void drain(void *state)
{
	struct courier *courier = state;
	courier->draining = true;
	if (courier->state != STATE_SENDS && !(courier->state == STATE_CHECKS && courier->parcel.next > 0))
		child_drained(courier->child);
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	const struct settings *settings = child_heritage(child)->settings;
	struct courier *courier = mem_new(struct courier, 1);
	if (!courier || !(courier->arena = arena_create(REPORT_MEMORY)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	courier->child = child;
	courier->loop = child_loop(child);
	courier->settings = settings;
	courier->hostname = bytes_from_cstr(child_heritage(child)->hostname);
	courier->receiver = bytes_from(settings->report_from, bytes_rfind_byte(settings->report_from, '@') + 1);
	courier->peers = (struct peers){.owner = courier,
					.child = child,
					.self = ROLE_COURIER,
					.size = sizeof(struct peer_link),
					.message = on_message,
					.closed = on_closed};
	buf_init(&courier->after, IPC_MAX / 2);
	buf_init(&courier->questions, IPC_MAX / 2);
	TRY(net_parse(settings->report_next_hop, &courier->next_hop, reterr));
	if (loop_timer_new(courier->loop, on_timer, courier, &courier->timer) != ERR_OK ||
	    loop_timer_new(courier->loop, give_up_facts, courier, &courier->patience) != ERR_OK)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	*ret_state = courier;
	*ret_folder = NULL;
	return ERR_OK;
}

/* The first round is soon, if this night's moment is over: what the last courier did not send is due. */
static enum err start(struct child *child, void *state)
{
	const struct courier *courier = state;
	(void)child;
	loop_timer_set(courier->timer, 0);
	return ERR_OK;
}

NORETURN void courier_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = peer,
		.drain = drain,
		.profile = SANDBOX_COURIER,
		.limits = {.descriptors = 64},
	};
	child_run(heritage, &ops);
}
