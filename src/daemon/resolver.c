/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver: the one process that asks the DNS. Scanners send it their questions, many in a message; what is in the
 * cache is answered in the same turn, the rest as it comes in.
 */
#include "resolve/resolver.h"

#include <sched.h>
#include <string.h>

#include "auth/dmarc.h"
#include "auth/dns.h"
#include "auth/spf.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/peer.h"
#include "daemon/resolver_zones.h"
#include "mail/address.h"
#include "resolve/servers.h"
#include "resolve/share.h"
#include "sys/entropy.h"
#include "sys/ipc.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/metrics.h"
#include "wire/facts.h"

#include "base/banned.h"

#define PREFETCH_UNDER_WAY (UPSTREAM_QUESTIONS_MAX / 4) /* above it only what messages wait for is asked */
#define SCRATCH_BYTES      ((size_t)1 << 20)            /* of one walk */
#define ASKERS_MAX         ((size_t)1 << 16)            /* of one peer; its messages ask far less */
#define AHEAD_MAX          256                          /* walks before a message; what comes beyond asks once */
#define AHEAD_QUESTIONS    (2 * SPF_LOOKUPS_MAX)        /* of such a walk */
#define AHEAD_WAITS        (SPF_NAMES_MAX + 2)          /* at the same time */
#define AHEAD_MS           INT64_C(10000)               /* its client, of which we hear no more, may be gone */
#define FIGURES_MS         1000
#define FAILURES_TOLD_MS   INT64_C(60000) /* a DNS that is down is said once a minute, counted always */

struct link {
	struct peer_link peer;
	struct asker *askers;
	size_t waiting; /* askers */
};

/* One question of one message that waits for its answer. */
struct asker {
	struct resolver_wait wait;
	struct asker *next, **at;
	struct link *link;
	uint64_t id;
};

/* A sender whose SPF is walked before anybody asks; it goes on when all that it asked last is answered. */
struct ahead {
	struct ahead *next, **at;
	struct daemon_resolver *daemon;
	const struct link *link; /* whose client it is */
	int64_t until;
	struct share share;
	unsigned asked, under_way;
	bool over; /* an answer failed; asked again it would only fail again */
	struct resolver_wait waits[AHEAD_WAITS];
	struct bytes sender; /* as PREFETCH has it */
};

struct daemon_resolver {
	struct child *child;
	struct ahead *aheads;
	struct loop_timer *go_ahead;
	struct shares shares; /* of AHEAD_MAX */
	enum dmarc_mode dmarc_mode;
	struct arena *scratch;
	struct resolver *resolver;
	struct zones *zones;
	struct peers peers;
	struct loop_timer *figures;
	struct resolver_figures told;
	uint64_t failures_said;
	int64_t said_ms;
};

/* -- Answers ---- */

static void add_answer(struct buf *facts, struct bytes key, struct bytes packed)
{
	bool failed = packed.len == 0 || (packed.ptr[0] & 15) == DNS_FAILED;
	facts_add(facts, FACT_DNS, failed ? FACT_FAILED : FACT_KNOWN, key, packed);
}

static void flush(const struct link *link, uint64_t id, struct buf *facts)
{
	if (facts->len > 0)
		peer_say(&link->peer,
			 &(struct wire_any){.type = WIRE_ANSWER, .answer = {.id = id, .facts = buf_bytes(facts)}});
	buf_clear(facts);
}

static void asker_free(struct asker *asker)
{
	*asker->at = asker->next;
	if (asker->next)
		asker->next->at = asker->at;
	asker->link->waiting--;
	mem_free(asker);
}

static void on_resolved(void *ctx, struct bytes key, struct bytes packed)
{
	struct asker *asker = ctx;
	CLEANUP(buf_done) struct buf facts = BUF_INIT(DNS_PACKED_MAX + 1024);
	add_answer(&facts, key, packed);
	flush(asker->link, asker->id, &facts);
	asker_free(asker);
}

/* -- Senders ---- */

/*
 * SPF goes from record to record, each known only from the one before. It is walked here, over the cache, so that what
 * is known by now goes out in one answer, and what is not is on its way before the message is asked about it. From MAIL
 * on it is walked to its end, so that by the end of the message all of it is known.
 */
struct walk {
	struct daemon_resolver *daemon;
	struct buf *facts;   /* of who asks for a message */
	struct ahead *ahead; /* where nobody does yet; NULL: it is only asked */
};

/*
 * Walked anew in a turn of its own: the question of another walk can bring this answer, and a walk under way holds the
 * scratch memory.
 */
static void on_ahead(void *ctx, struct bytes key, struct bytes packed)
{
	struct ahead *ahead = ctx;
	(void)key;
	ahead->over |= packed.len == 0 || (packed.ptr[0] & 15) == DNS_FAILED;
	if (--ahead->under_way == 0)
		loop_timer_set(ahead->daemon->go_ahead, 0);
}

static struct resolver_wait *ahead_wait(struct ahead *ahead)
{
	for (size_t i = 0; i < AHEAD_WAITS; i++)
		if (!ahead->waits[i].at)
			return &ahead->waits[i];
	return NULL;
}

static bool walk_knows(const struct walk *walk, struct bytes key, struct bytes *ret_packed)
{
	struct resolver *resolver = walk->daemon->resolver;
	struct ahead *ahead = walk->ahead;
	if (!ahead)
		return resolver_ask(resolver, key, ret_packed, NULL);
	struct resolver_wait *wait = ahead->asked < AHEAD_QUESTIONS ? ahead_wait(ahead) : NULL;
	if (!wait)
		return false;
	*wait = (struct resolver_wait){.done = on_ahead, .ctx = ahead};
	bool known = resolver_ask(resolver, key, ret_packed, wait);
	ahead->asked += !known;
	ahead->under_way += !known;
	return known;
}

static const struct dns_answer *walk_ask(void *data, enum dns_type type, struct bytes name)
{
	static const struct dns_answer no_name = {.state = DNS_NO_NAME};
	const struct walk *walk = data;
	uint8_t text[DNS_KEY_MAX];
	struct bytes packed;
	if (!dns_name_valid(name))
		return &no_name;
	/* Who names senders without end, and no message, takes no room from those who ask for messages. */
	if (!walk->facts && resolver_figures(walk->daemon->resolver)->under_way > PREFETCH_UNDER_WAY)
		return NULL;
	struct bytes key = dns_question_key(text, type, name);
	struct dns_answer *answer = arena_new(walk->daemon->scratch, struct dns_answer, 1);
	if (!answer || !walk_knows(walk, key, &packed) ||
	    dns_answer_unpack(walk->daemon->scratch, packed, answer) != ERR_OK)
		return NULL;
	if (walk->facts && walk->facts->len < IPC_MAX / 2)
		add_answer(walk->facts, key, packed);
	return answer;
}

static void walk_sender(struct daemon_resolver *daemon, struct bytes packed, struct buf *facts, struct ahead *ahead)
{
	struct walk walk = {daemon, facts, ahead};
	struct dns_host host = {.ask = walk_ask, .data = &walk};
	struct facts_sender sender;
	struct spf_result result;
	if (facts_unpack_sender(packed, &sender) != ERR_OK)
		return;
	struct spf_query query = {.helo = sender.helo, .from = sender.from};
	memcpy(query.ip, sender.ip, sizeof(query.ip));
	(void)spf_check(daemon->scratch, &host, &query, &result);
	arena_reset(daemon->scratch);
}

static void ahead_free(struct ahead *ahead)
{
	for (size_t i = 0; i < AHEAD_WAITS; i++)
		resolver_forget(&ahead->waits[i]);
	*ahead->at = ahead->next;
	if (ahead->next)
		ahead->next->at = ahead->at;
	share_return(&ahead->daemon->shares, ahead->share);
	mem_free(ahead);
}

static void go_ahead(struct ahead *ahead)
{
	if (!ahead->over && loop_now_ms(child_loop(ahead->daemon->child)) < ahead->until)
		walk_sender(ahead->daemon, ahead->sender, NULL, ahead);
	if (ahead->under_way == 0)
		ahead_free(ahead);
}

static void on_go_ahead(void *ctx)
{
	struct daemon_resolver *daemon = ctx;
	for (struct ahead *ahead = daemon->aheads, *next; ahead; ahead = next) {
		next = ahead->next;
		if (ahead->under_way == 0)
			go_ahead(ahead);
	}
}

/* {NULL, 0}: there is none. */
static struct bytes domain_of(const struct facts_sender *sender)
{
	struct bytes from = sender->from;
	if (bytes_ends(from, BYTES_LIT(">")))
		from = bytes_sub(from, 0, from.len - 1);
	size_t at = bytes_rfind_byte(from, '@');
	return at == BYTES_NONE ? (struct bytes){0} : bytes_from(from, at + 1);
}

/*
 * The author, who is known when the message has come, is mostly of the domain of the sender. All names at which a
 * policy may be are asked for in one turn; the little that may follow, the message asks.
 */
static void ask_policy(struct daemon_resolver *daemon, struct bytes domain)
{
	struct walk walk = {.daemon = daemon};
	struct dns_host host = {.ask = walk_ask, .data = &walk};
	struct address author = {.address = domain, .domain = domain};
	struct address_list from = {.items = &author, .count = 1};
	struct dmarc_query query = {.mode = daemon->dmarc_mode, .from = &from};
	struct dmarc_result result;
	(void)dmarc_check(daemon->scratch, &host, &query, &result);
	arena_reset(daemon->scratch);
}

static void on_prefetch(struct link *link, struct bytes packed)
{
	struct daemon_resolver *daemon = link->peer.peers->owner;
	struct facts_sender sender;
	struct share share;
	if (facts_unpack_sender(packed, &sender) != ERR_OK)
		return;
	struct ahead *ahead = NULL;
	struct bytes domain = domain_of(&sender);
	/* Places for walks are divided by who is asked. */
	if (share_take(&daemon->shares, domain.len > 0 ? domain : sender.helo, &share) &&
	    !(ahead = mem_alloc(sizeof(*ahead) + packed.len)))
		share_return(&daemon->shares, share);
	if (ahead) {
		uint8_t *kept = (uint8_t *)(ahead + 1);
		memcpy(kept, packed.ptr, packed.len);
		*ahead = (struct ahead){.next = daemon->aheads,
					.at = &daemon->aheads,
					.daemon = daemon,
					.link = link,
					.until = loop_now_ms(child_loop(daemon->child)) + AHEAD_MS,
					.share = share,
					.sender = bytes_make(kept, packed.len)};
		if (ahead->next)
			ahead->next->at = &ahead->next;
		daemon->aheads = ahead;
		go_ahead(ahead);
	} else {
		walk_sender(daemon, packed, NULL, NULL);
	}
	if (resolver_figures(daemon->resolver)->under_way > PREFETCH_UNDER_WAY)
		return;
	if (domain.len > 0)
		ask_policy(daemon, domain);
	zones_prefetch(daemon->zones, &sender, domain);
}

/* -- Questions ---- */

/* Whether there is something to say now. Else the message waits. */
static bool ask(struct link *link, uint64_t id, struct bytes key, struct bytes *ret_packed)
{
	const struct daemon_resolver *daemon = link->peer.peers->owner;
	struct asker *asker = link->waiting < ASKERS_MAX ? mem_new(struct asker, 1) : NULL;
	if (!asker)
		return true;
	*asker = (struct asker){.wait = {.done = on_resolved, .ctx = asker},
				.next = link->askers,
				.at = &link->askers,
				.link = link,
				.id = id};
	if (asker->next)
		asker->next->at = &asker->next;
	link->askers = asker;
	link->waiting++;
	if (!resolver_ask(daemon->resolver, key, ret_packed, &asker->wait))
		return false;
	asker_free(asker);
	return true;
}

static void on_ask(struct link *link, const struct wire_ask *in)
{
	struct daemon_resolver *daemon = link->peer.peers->owner;
	struct cursor cur = cursor_make(in->questions);
	CLEANUP(buf_done) struct buf facts = BUF_INIT(IPC_MAX);
	enum fact_kind kind;
	struct bytes key;
	if (in->sender.len > 0)
		walk_sender(daemon, in->sender, &facts, NULL);
	while (facts_next_question(&cur, &kind, &key)) {
		struct bytes packed = {0};
		if (kind == FACT_DNS && !zones_refuse(daemon->zones, key, &packed) && !ask(link, in->id, key, &packed))
			continue;
		add_answer(&facts, key, packed);
		if (facts.len > IPC_MAX - DNS_PACKED_MAX - 2048)
			flush(link, in->id, &facts);
	}
	flush(link, in->id, &facts);
}

/* -- Frame ---- */

static bool on_message(struct peer_link *peer, const struct wire_any *any, int *fd)
{
	(void)fd;
	if (any->type == WIRE_ASK)
		on_ask((struct link *)peer, &any->ask);
	else if (any->type == WIRE_PREFETCH)
		on_prefetch((struct link *)peer, any->prefetch.sender);
	return true;
}

static void on_closed(struct peer_link *peer)
{
	struct link *link = (struct link *)peer;
	const struct daemon_resolver *daemon = peer->peers->owner;
	for (struct ahead *ahead = daemon->aheads, *next; ahead; ahead = next) {
		next = ahead->next;
		if (ahead->link == link)
			ahead_free(ahead);
	}
	while (link->askers) {
		resolver_forget(&link->askers->wait);
		asker_free(link->askers);
	}
}

static void peer(void *state, enum wire_role role, uint32_t index, uint32_t serial, int socket)
{
	struct daemon_resolver *daemon = state;
	(void)index;
	(void)serial;
	(void)peer_add(&daemon->peers, role, socket);
}

static void on_figures(void *ctx)
{
	struct daemon_resolver *daemon = ctx;
	const struct resolver_figures *now = resolver_figures(daemon->resolver), *told = &daemon->told;
	metrics_add(METRIC_DNS_QUESTIONS, (int64_t)(now->questions - told->questions));
	metrics_add(METRIC_DNS_HITS, (int64_t)(now->hits - told->hits));
	metrics_add(METRIC_DNS_FAILURES, (int64_t)(now->failures - told->failures));
	metrics_add(METRIC_DNS_LATE, (int64_t)(now->late - told->late));
	metrics_add(METRIC_DNS_BOGUS, (int64_t)(now->bogus - told->bogus));
	metrics_set(METRIC_DNS_CACHE_BYTES, (int64_t)now->bytes);
	metrics_set(METRIC_DNS_UNDER_WAY, (int64_t)now->under_way);
	daemon->told = *now;
	uint64_t failures = now->failures + now->late;
	int64_t now_ms = loop_now_ms(child_loop(daemon->child));
	if (failures > daemon->failures_said &&
	    (daemon->said_ms == 0 || now_ms - daemon->said_ms >= FAILURES_TOLD_MS)) {
		log_event(LOG_WARNING, "dns.failing", log_int("failures", (int64_t)(now->failures)),
			  log_int("late", (int64_t)now->late), log_int("questions", (int64_t)now->questions));
		daemon->failures_said = failures;
		daemon->said_ms = now_ms;
	}
	loop_timer_set(daemon->figures, FIGURES_MS);
}

static enum err prepare(struct child *child, void **ret_state, const char **ret_folder, struct error *reterr)
{
	const struct settings *settings = child_heritage(child)->settings;
	struct daemon_resolver *daemon = mem_new(struct daemon_resolver, 1);
	struct servers servers;
	if (!daemon || !(daemon->scratch = arena_create(SCRATCH_BYTES)))
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	/* Who asks goes on with its work, and is not put off its processor to have us answer: see the ledger. */
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
	daemon->child = child;
	daemon->peers = (struct peers){.owner = daemon,
				       .child = child,
				       .self = ROLE_RESOLVER,
				       .size = sizeof(struct link),
				       .message = on_message,
				       .closed = on_closed};
	TRY(loop_timer_new(child_loop(child), on_figures, daemon, &daemon->figures));
	TRY(loop_timer_new(child_loop(child), on_go_ahead, daemon, &daemon->go_ahead));
	daemon->shares.room = AHEAD_MAX;
	daemon->dmarc_mode = settings->dmarc_mode == DMARC_RFC7489 ? DMARC_RFC7489 : DMARC_RFC9989;
	TRY(entropy_fill(&daemon->shares.secret, sizeof(daemon->shares.secret)));
	TRY(servers_read(settings, &servers, reterr));
	servers.options.fresh = settings->list_zones.count > 0;
	TRY(resolver_new(child_loop(child), &servers.options, settings->dns_timeout, &daemon->resolver, reterr));
	TRY(zones_new(child, daemon->resolver, &daemon->zones, reterr));
	*ret_state = daemon;
	*ret_folder = NULL;
	return ERR_OK;
}

static enum err start(struct child *child, void *state)
{
	struct daemon_resolver *daemon = state;
	(void)child;
	loop_timer_set(daemon->figures, FIGURES_MS);
	zones_start(daemon->zones);
	return ERR_OK;
}

NORETURN void resolver_main(const struct heritage *heritage)
{
	static const struct child_ops ops = {
		.prepare = prepare,
		.start = start,
		.peer = peer,
		.profile = SANDBOX_RESOLVER,
		.limits = {.descriptors = 16384},
	};
	child_run(heritage, &ops);
}
