/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/resolver_zones.h"

#include <stdio.h>
#include <string.h>

#include "auth/dmarc.h"
#include "auth/dns.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "daemon/child.h"
#include "mail/received.h"
#include "mail/url.h"
#include "resolve/resolver.h"
#include "sys/clock.h"
#include "sys/entropy.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/facts.h"
#include "wire/lists.h"
#include "wire/load.h"

#include "base/banned.h"

#define AGAIN_MS     5000 /* after a canary that nobody answered: it may have been lost */
#define PATIENCE     2    /* such canaries in a row */
#define PAUSE_MAX_MS INT64_C(3600000)
#define REASON_MAX   160
#define SCRATCH_SIZE ((size_t)1 << 20)

enum canary { MUST_MISS, MUST_HIT, CANARIES };

struct zone_watch;

/* A question to which the right answer is known. */
struct flight {
	struct resolver_wait wait;
	struct zone_watch *zone;
	enum canary canary;
	struct bytes key; /* empty: this one does not fly */
	bool away;        /* and so waits */
};

struct zone_watch {
	struct zones *zones;
	const struct list_zone *list;
	uint32_t index;
	enum zone_state state;
	unsigned unanswered;
	char why_wrong[REASON_MAX], why_silent[REASON_MAX]; /* of the canaries of this round */
	char reason[REASON_MAX];                            /* while it is off */
	char said[REASON_MAX];                              /* of that, in the log; empty: that it is on */
	unsigned refusals;                                  /* of messages' questions, since it was last well */
	int64_t off_until, on_from;                         /* after a refusal not on before; when it was switched on */
	struct bytes suffix;                                /* ".zen.example.org" */
	struct flight flights[CANARIES];
	struct loop_timer *timer;
	struct buf packed; /* the answer while it is off */
};

struct zones {
	struct child *child;
	struct resolver *resolver;
	struct arena *arena, *scratch;
	struct scan_settings settings;
	int64_t interval;
	struct zone_watch *watches;
	size_t count;
};

/* -- States ---- */

static void make_answer(struct zone_watch *zone)
{
	char text[REASON_MAX + 40];
	(void)snprintf(text, sizeof(text), "the list is switched off: %s", zone->reason);
	buf_clear(&zone->packed);
	dns_answer_pack(&zone->packed, &(struct dns_answer){.state = DNS_FAILED, .reason = bytes_from_cstr(text)});
}

/* Once for a list that is switched off again and again for the same reason, until it is well. */
static void say(struct zone_watch *zone)
{
	if (zone->state == ZONE_OFF && strcmp(zone->reason, zone->said) != 0) {
		log_event(LOG_ERROR, "list.off", log_str("list", zone->list->name), log_str("zone", zone->list->zone),
			  log_cstr("why", zone->reason));
		(void)snprintf(zone->said, sizeof(zone->said), "%s", zone->reason);
	} else if (zone->state == ZONE_ON && zone->refusals == 0 && zone->said[0]) {
		log_event(LOG_NOTICE, "list.on", log_str("list", zone->list->name), log_str("zone", zone->list->zone));
		zone->said[0] = 0;
	}
}

static void set_state(struct zone_watch *zone, enum zone_state state, const char *reason)
{
	struct zones *zones = zone->zones;
	int64_t off = 0;
	bool news = state != zone->state;
	bool told = news || strcmp(reason, zone->reason) != 0;
	zone->state = state;
	(void)snprintf(zone->reason, sizeof(zone->reason), "%s", reason);
	make_answer(zone);
	say(zone);
	if (!told)
		return;
	if (news && state == ZONE_ON)
		zone->on_from = loop_now_ms(child_loop(zones->child));
	metrics_add(METRIC_LIST_SWITCHED_OFF, news && state == ZONE_OFF);
	for (size_t i = 0; i < zones->count; i++)
		off += zones->watches[i].state == ZONE_OFF;
	metrics_set(METRIC_LIST_ZONES_OFF, off);
	child_say(zones->child, &(struct wire_any){.type = WIRE_ZONE,
						   .zone = {.index = zone->index,
							    .state = (uint32_t)state,
							    .since = clock_wall_ms() / 1000,
							    .reason = bytes_from_cstr(zone->reason)}});
}

/* So that not all installations of the world ask at the full minute: a tenth more or less. */
static int64_t with_jitter(int64_t ms)
{
	uint32_t random = 0;
	if (entropy_fill(&random, sizeof(random)) != ERR_OK)
		random = 0;
	return ms - ms / 10 + (int64_t)(random % (uint32_t)(ms / 5 + 1));
}

/* -- Canaries ---- */

/* In words of the lists that use these codes. Any other address is that of somebody who answers everything. */
static void say_refusal(char reason[static REASON_MAX], uint32_t address)
{
	const char *why = "";
	if (address == 0x7ffffffe)
		why = ": they came through a public resolver; see dns.servers";
	else if (address == 0x7fffffff)
		why = ": there were too many";
	else if (address == 0x7ffffffc)
		why = ": the name of the zone is mistyped";
	(void)snprintf(reason, REASON_MAX, "%s (%u.%u.%u.%u%s)",
		       address >> 8 == 0x7fffff ? "it refuses our questions" : "it answers as no list does",
		       address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, why);
}

/* What is wrong with the answer; nothing is written when it is right. */
static void judge(struct flight *flight, struct bytes packed)
{
	struct zone_watch *zone = flight->zone;
	struct zones *zones = zone->zones;
	struct dns_answer answer;
	struct bytes meaning, name = bytes_from(flight->key, 2);
	uint32_t address;
	if (dns_answer_unpack(zones->scratch, packed, &answer) != ERR_OK || answer.state == DNS_FAILED)
		(void)snprintf(zone->why_silent, REASON_MAX, "no answer about %.*s", BYTES_FMT(bytes_sub(name, 0, 60)));
	else if (list_zone_refusal(&answer, &address))
		say_refusal(zone->why_wrong, address);
	else if (flight->canary == MUST_MISS && answer.state == DNS_FOUND)
		(void)snprintf(zone->why_wrong, REASON_MAX, "it lists %.*s, which it must not",
			       BYTES_FMT(bytes_sub(name, 0, 60)));
	else if (flight->canary == MUST_HIT && !list_zone_hit(zones->scratch, zone->list, &answer, &meaning))
		(void)snprintf(zone->why_wrong, REASON_MAX, "it does not list %.*s, which it must",
			       BYTES_FMT(bytes_sub(name, 0, 60)));
	arena_reset(zones->scratch);
}

/*
 * How long a list stays off that refused questions of messages, though its canaries are well: after the first time
 * until they are asked next, then for an interval of theirs, for two, for four, and so on.
 */
static int64_t pause_of(const struct zone_watch *zone)
{
	int64_t pause = zone->refusals > 1 ? zone->zones->interval : 0, most = MAX(PAUSE_MAX_MS, pause);
	for (unsigned i = 2; i < zone->refusals && pause < most; i++)
		pause *= 2;
	return MIN(pause, most);
}

/* Its canaries are. That it answers messages too is believed when it was on for as long as it was off before. */
static void be_well(struct zone_watch *zone)
{
	int64_t now = loop_now_ms(child_loop(zone->zones->child));
	zone->unanswered = 0;
	if (now < zone->off_until)
		return;
	if (zone->state == ZONE_ON && now - zone->on_from >= pause_of(zone))
		zone->refusals = 0;
	set_state(zone, ZONE_ON, "");
}

/* All canaries of the round are back. */
static void conclude(struct zone_watch *zone)
{
	int64_t next = with_jitter(zone->zones->interval);
	if (zone->why_wrong[0]) {
		zone->unanswered = 0;
		set_state(zone, ZONE_OFF, zone->why_wrong);
	} else if (!zone->why_silent[0]) {
		be_well(zone);
	} else if (++zone->unanswered >= PATIENCE) {
		set_state(zone, ZONE_OFF, zone->why_silent);
	} else if (next > AGAIN_MS) {
		next = with_jitter(AGAIN_MS);
	}
	loop_timer_set(zone->timer, next);
}

static bool are_back(const struct zone_watch *zone)
{
	return !zone->flights[MUST_MISS].away && !zone->flights[MUST_HIT].away;
}

static void on_back(void *ctx, struct bytes key, struct bytes packed)
{
	struct flight *flight = ctx;
	(void)key;
	flight->away = false;
	judge(flight, packed);
	if (are_back(flight->zone))
		conclude(flight->zone);
}

static void on_timer(void *ctx)
{
	struct zone_watch *zone = ctx;
	zone->why_wrong[0] = zone->why_silent[0] = 0;
	/* Both are away before the first can be back. */
	for (size_t i = 0; i < CANARIES; i++)
		zone->flights[i].away = zone->flights[i].key.len > 0;
	/* Without any, by configuration, nothing is wrong until the zone refuses a question. */
	for (size_t i = 0; i < CANARIES; i++) {
		struct flight *flight = &zone->flights[i];
		struct bytes packed;
		if (flight->key.len > 0 && resolver_ask(zone->zones->resolver, flight->key, &packed, &flight->wait)) {
			flight->away = false;
			judge(flight, packed);
		}
	}
	if (are_back(zone))
		conclude(zone);
}

/* -- Questions of messages ---- */

static struct zone_watch *find(struct zones *zones, struct bytes key)
{
	for (size_t i = 0; i < zones->count; i++)
		if (bytes_ends(key, zones->watches[i].suffix))
			return &zones->watches[i];
	return NULL;
}

bool zones_refuse(struct zones *zones, struct bytes key, struct bytes *ret_packed)
{
	struct zone_watch *zone = find(zones, key);
	if (!zone || zone->state == ZONE_ON)
		return false;
	metrics_add(METRIC_LIST_REFUSED, 1);
	*ret_packed = buf_bytes(&zone->packed);
	return true;
}

static bool is_by_ip(const struct zone_watch *zone)
{
	return zone->list->kind == LIST_IP || zone->list->kind == LIST_IP_ALLOW;
}

/* An address as lists are asked about it: four numbers, or 32 digits of IPv6 (RFC 5782 2.1, 2.4). */
static bool is_reversed_ip(struct bytes name)
{
	size_t labels = 0, longest = 0, len = 0;
	for (size_t i = 0; i <= name.len; i++) {
		if (i < name.len && ascii_is_xdigit(name.ptr[i])) {
			len++;
			longest = MAX(longest, len);
		} else if (len == 0 || (i < name.len && name.ptr[i] != '.')) {
			return false;
		} else {
			labels++;
			len = 0;
		}
	}
	return (labels == 4 && longest <= 3) || (labels == 32 && longest == 1);
}

/*
 * Whether the answer may be held against the list. Any sender can have any name below a zone asked about (an SPF record
 * that says a:www.list.example, a link), and some names there are hosts of the list's owner, with addresses of hosts:
 * nobody shall switch a list off by naming one. So lists of addresses answer for what is an address; and of names only
 * the codes that mean a refusal count.
 */
static bool is_held_against(const struct zone_watch *zone, struct bytes key, uint32_t address)
{
	struct bytes name = bytes_sub(key, 2, key.len - 2 - zone->suffix.len);
	return is_by_ip(zone) ? is_reversed_ip(name) : address >> 8 == 0x7fffff;
}

/* An answer from the DNS. Those from the cache may be older than the list's change of mind. */
static void on_heard(void *ctx, struct bytes key, struct bytes packed)
{
	struct zones *zones = ctx;
	struct zone_watch *zone = find(zones, key);
	struct dns_answer answer;
	uint32_t address;
	char reason[REASON_MAX];
	if (!zone || zone->state != ZONE_ON)
		return;
	if (key.len >= 2 + zone->suffix.len && dns_answer_unpack(zones->scratch, packed, &answer) == ERR_OK &&
	    list_zone_refusal(&answer, &address) && is_held_against(zone, key, address)) {
		say_refusal(reason, address);
		zone->refusals++;
		zone->off_until = loop_now_ms(child_loop(zones->child)) + pause_of(zone);
		set_state(zone, ZONE_OFF, reason);
	}
	arena_reset(zones->scratch);
}

/* -- Questions before a message ---- */

/*
 * What scan/lists.c will ask, as far as it is known at MAIL. What is ours is not asked about; of the recipients, whose
 * domains are ours too, nobody knows yet, so a sender in one of theirs is asked about unless lists.own_domains has it.
 */
struct before {
	struct zones *zones;
	size_t left; /* questions that one message may ask */
};

static bool is_our_ip(const struct zones *zones, const uint8_t ip[16])
{
	if (received_ip_is_local(ip))
		return true;
	for (size_t i = 0; i < zones->settings.n_trusted; i++)
		if (scan_network_holds(&zones->settings.trusted[i], ip))
			return true;
	return false;
}

static bool is_our_domain(const struct zones *zones, struct bytes domain)
{
	const struct scan_settings *settings = &zones->settings;
	struct bytes site = url_registrable(domain);
	for (size_t i = 0; i < settings->n_own_domains; i++)
		if (bytes_eq_nocase(url_registrable(settings->own_domains[i]), site))
			return true;
	return !bytes_has(domain, '.') || bytes_eq_nocase(url_registrable(settings->authserv_id), site) ||
	       bytes_eq_nocase(url_registrable(bytes_from_cstr(child_heritage(zones->child)->hostname)), site);
}

static void ask_before(struct before *before, struct bytes name)
{
	uint8_t key[DNS_KEY_MAX];
	struct bytes packed;
	if (!name.ptr || !dns_name_valid(name) || before->left == 0)
		return;
	before->left--;
	(void)resolver_ask(before->zones->resolver, dns_question_key(key, DNS_A, name), &packed, NULL);
}

/* The lists that are on, and asked about this. */
static const struct list_zone *zone_about(const struct zones *zones, size_t i, unsigned about, bool by_ip)
{
	const struct zone_watch *zone = &zones->watches[i];
	return zone->state == ZONE_ON && is_by_ip(zone) == by_ip && (zone->list->about & about) != 0 ? zone->list
												     : NULL;
}

static void ask_about_domain(struct before *before, unsigned about, struct bytes raw)
{
	struct zones *zones = before->zones;
	struct bytes domain;
	uint8_t ip[16];
	if (dmarc_domain(zones->scratch, raw, &domain) != ERR_OK || received_parse_ip(domain, ip) ||
	    is_our_domain(zones, domain))
		return;
	for (size_t i = 0; i < zones->count; i++) {
		const struct list_zone *list = zone_about(zones, i, about, false);
		if (list)
			ask_before(before,
				   arena_printf(zones->scratch, "%.*s.%.*s", BYTES_FMT(domain), BYTES_FMT(list->zone)));
	}
}

void zones_prefetch(struct zones *zones, const struct facts_sender *sender, struct bytes domain)
{
	struct before before = {zones, zones->settings.list_questions};
	bool outside = !is_our_ip(zones, sender->ip);
	for (size_t i = 0; outside && i < zones->count; i++) {
		const struct list_zone *list = zone_about(zones, i, LIST_CLIENT, true);
		if (list)
			ask_before(&before, dns_name_reverse(zones->scratch, sender->ip, list->zone));
	}
	/* Behind a host of ours it is the HELO of another one that counts, which the message tells. */
	if (outside)
		ask_about_domain(&before, LIST_HELO, sender->helo);
	ask_about_domain(&before, LIST_SENDER, domain);
	arena_reset(zones->scratch);
}

/* -- Life ---- */

static enum err add(struct zones *zones, const struct settings_list_zone *settings, size_t i)
{
	struct zone_watch *zone = &zones->watches[i];
	zone->zones = zones;
	zone->list = &zones->settings.zones[i];
	zone->index = (uint32_t)i;
	zone->suffix = arena_printf(zones->arena, ".%.*s", BYTES_FMT(zone->list->zone));
	buf_init(&zone->packed, 1024);
	if (!zone->suffix.ptr)
		return ERR_NOMEM;
	for (enum canary canary = 0; canary < CANARIES; canary++) {
		struct bytes name;
		struct flight *flight = &zone->flights[canary];
		*flight = (struct flight){
			.wait = {.done = on_back, .ctx = flight, .fresh = true}, .zone = zone, .canary = canary};
		TRY(lists_canary(zones->arena, settings, canary == MUST_HIT, &name));
		if (name.len > 0)
			TRY(dns_question_write(zones->arena, DNS_A, name, &flight->key));
	}
	return loop_timer_new(child_loop(zones->child), on_timer, zone, &zone->timer);
}

enum err zones_new(struct child *child, struct resolver *resolver, struct zones **ret_zones, struct error *reterr)
{
	const struct settings *settings = child_heritage(child)->settings;
	const struct settings_list_zone *zones_set = settings->list_zones.items;
	struct zones *zones = mem_new(struct zones, 1);
	if (!zones || !(zones->arena = arena_create(SIZE_MAX)) || !(zones->scratch = arena_create(SCRATCH_SIZE)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	zones->child = child;
	zones->resolver = resolver;
	resolver_listen(resolver, on_heard, zones);
	zones->interval = settings->list_canary_interval;
	enum err err = load_scan_settings(zones->arena, settings, &zones->settings);
	zones->watches = arena_new(zones->arena, struct zone_watch, settings->list_zones.count + 1);
	for (size_t i = 0; err == ERR_OK && zones->watches && i < settings->list_zones.count; i++, zones->count++)
		err = add(zones, &zones_set[i], i);
	if (err != ERR_OK || !zones->watches)
		return error_set(reterr, err != ERR_OK ? err : ERR_NOMEM, 0, "lists.zones cannot be watched");
	*ret_zones = zones;
	return ERR_OK;
}

void zones_start(struct zones *zones)
{
	metrics_set(METRIC_LIST_ZONES, (int64_t)zones->count);
	for (size_t i = 0; i < zones->count; i++) {
		struct zone_watch *zone = &zones->watches[i];
		set_state(zone, ZONE_UNKNOWN, "it has not been looked at yet");
		(void)snprintf(zone->said, sizeof(zone->said), "%s",
			       zone->reason); /* so that its first state is said */
		loop_timer_set(zone->timer, 0);
	}
}
