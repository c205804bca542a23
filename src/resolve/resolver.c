/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/resolver.h"

#include "auth/dns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "sys/entropy.h"
#include "sys/loop.h"

#include "base/banned.h"

#define BUCKETS (1u << 16)

/*
 * One question. Under way: `asking`, and perhaps somebody waits, whose time runs out at `deadline`; an answer may be
 * there from before. Otherwise it has an answer until `expires`. All entries hang in a bucket; those with an answer
 * that nobody asks again also in the list of age, oldest first, from which they are dropped.
 */
struct entry {
	struct entry *next_in_bucket;
	struct entry *older, *newer;        /* in the list of age, if `aged` */
	struct entry *next_due, **link_due; /* among those whose waiters wait, in the order of their deadlines */
	struct resolver *resolver;
	struct resolver_wait *waits;
	uint8_t *packed; /* NULL: none yet */
	size_t packed_len;
	int64_t expires, deadline;
	bool asking, aged;
	uint64_t hash;
	size_t key_len;
	uint8_t key[];
};

struct resolver {
	struct loop *loop;
	struct upstream *upstream;
	struct arena *scratch;
	struct loop_timer *timer;
	int64_t deadline_ms;
	struct hash_key secret;
	struct entry *buckets[BUCKETS];
	struct entry *oldest, *newest;
	struct entry *due_first, **due_last;
	unsigned late_in_a_row; /* questions, since the last answer */
	struct loop_timer *probe;
	bool probing; /* a question of our own is on its way */
	void (*heard)(void *ctx, struct bytes key, struct bytes packed);
	void *heard_ctx;
	struct resolver_figures figures;
};

static struct bytes key_of(const struct entry *entry)
{
	return bytes_make(entry->key, entry->key_len);
}

static struct bytes answer_of(const struct entry *entry)
{
	return bytes_make(entry->packed, entry->packed_len);
}

static size_t size_of(const struct entry *entry)
{
	return sizeof(*entry) + entry->key_len + entry->packed_len;
}

/* -- The table ---- */

static struct entry *find(struct resolver *resolver, struct bytes key, uint64_t hash)
{
	for (struct entry *entry = resolver->buckets[hash % BUCKETS]; entry; entry = entry->next_in_bucket)
		if (entry->hash == hash && bytes_eq(key_of(entry), key))
			return entry;
	return NULL;
}

static void age_remove(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	if (!entry->aged)
		return;
	*(entry->older ? &entry->older->newer : &resolver->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &resolver->newest) = entry->older;
	entry->older = entry->newer = NULL;
	entry->aged = false;
}

/* As the newest. */
static void age_add(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	age_remove(entry);
	entry->older = resolver->newest;
	*(resolver->newest ? &resolver->newest->newer : &resolver->oldest) = entry;
	resolver->newest = entry;
	entry->aged = true;
}

static void entry_free(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	struct entry **at = &resolver->buckets[entry->hash % BUCKETS];
	while (*at != entry)
		at = &(*at)->next_in_bucket;
	*at = entry->next_in_bucket;
	resolver->figures.entries--;
	resolver->figures.bytes -= size_of(entry);
	mem_free(entry->packed);
	mem_free(entry);
}

static void make_room(struct resolver *resolver)
{
	while (resolver->figures.bytes > RESOLVER_CACHE_BYTES && resolver->oldest) {
		struct entry *entry = resolver->oldest;
		age_remove(entry);
		entry_free(entry);
	}
}

static struct entry *add(struct resolver *resolver, struct bytes key, uint64_t hash)
{
	struct entry *entry = mem_alloc(sizeof(*entry) + key.len);
	if (!entry)
		return NULL;
	*entry = (struct entry){.resolver = resolver, .hash = hash, .key_len = key.len};
	memcpy(entry->key, key.ptr, key.len);
	entry->next_in_bucket = resolver->buckets[hash % BUCKETS];
	resolver->buckets[hash % BUCKETS] = entry;
	resolver->figures.entries++;
	resolver->figures.bytes += size_of(entry);
	return entry;
}

/* -- Who waits ---- */

static void due_remove(struct entry *entry)
{
	if (!entry->link_due)
		return;
	*entry->link_due = entry->next_due;
	*(entry->next_due ? &entry->next_due->link_due : &entry->resolver->due_last) = entry->link_due;
	entry->next_due = NULL;
	entry->link_due = NULL;
}

/* Deadlines are all equally far, so the last that is added is the last that is due. */
static void due_add(struct entry *entry)
{
	struct resolver *resolver = entry->resolver;
	entry->deadline = loop_now_ms(resolver->loop) + resolver->deadline_ms;
	entry->link_due = resolver->due_last;
	entry->next_due = NULL;
	*resolver->due_last = entry;
	resolver->due_last = &entry->next_due;
	if (!loop_timer_running(resolver->timer))
		loop_timer_set(resolver->timer, resolver->deadline_ms);
}

static void wait_add(struct entry *entry, struct resolver_wait *wait)
{
	wait->next = entry->waits;
	wait->at = &entry->waits;
	if (wait->next)
		wait->next->at = &wait->next;
	entry->waits = wait;
}

void resolver_forget(struct resolver_wait *wait)
{
	if (!wait->at)
		return;
	*wait->at = wait->next;
	if (wait->next)
		wait->next->at = wait->at;
	wait->next = NULL;
	wait->at = NULL;
}

/* Who is told may ask anew, or have others forgotten; so they are taken from the entry before the first is told. */
static void tell(struct entry *entry, struct bytes packed)
{
	struct resolver_wait *first = entry->waits;
	due_remove(entry);
	entry->waits = NULL;
	if (first)
		first->at = &first;
	while (first) {
		struct resolver_wait *wait = first;
		resolver_forget(wait);
		wait->done(wait->ctx, key_of(entry), packed);
	}
}

static void pack_failure(struct buf *buf, const char *reason)
{
	dns_answer_pack(buf, &(struct dns_answer){.state = DNS_FAILED, .reason = bytes_from_cstr(reason)});
}

/* -- Is anybody there? ---- */

static void be_well(struct resolver *resolver)
{
	resolver->late_in_a_row = 0;
	resolver->figures.away = false;
}

/* Somebody resolved it; an error may be made up here, for want of anybody. */
static bool is_answer(int code, struct bytes packet)
{
	return packet.len > 0 && (code == 0 || code == 3);
}

static void on_probe(void *ctx, int code, struct bytes packet, enum upstream_trust trust)
{
	struct resolver *resolver = ctx;
	(void)trust;
	resolver->probing = false;
	if (is_answer(code, packet)) {
		be_well(resolver);
		loop_timer_stop(resolver->probe);
	} else {
		resolver->figures.away = true;
		loop_timer_set(resolver->probe, RESOLVER_PROBE_MS);
	}
}

/*
 * Many questions in a row without an answer may be those of one zone that answers nobody, which a sender can choose. So
 * it is asked for a name that nobody has and no cache knows: whoever resolves for us says so at once.
 */
static void begin_probe(struct resolver *resolver)
{
	uint8_t name[16];
	if (resolver->probing || loop_timer_running(resolver->probe) || entropy_fill(name, sizeof(name)) != ERR_OK)
		return;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = (uint8_t)('a' + (name[i] & 15));
	resolver->probing = true;
	loop_timer_set(resolver->probe, resolver->deadline_ms + RESOLVER_PROBE_MS);
	enum err err = upstream_ask(resolver->upstream, DNS_A, bytes_make(name, sizeof(name)), on_probe, resolver);
	if (err == ERR_LIMIT) {
		/* That there is no room for it says nothing. */
		resolver->probing = false;
		loop_timer_set(resolver->probe, RESOLVER_PROBE_MS);
	} else if (err != ERR_OK) {
		on_probe(resolver, 2, (struct bytes){0}, UPSTREAM_INSECURE);
	}
}

/* No word of the probe: nobody is there. Or it failed a while ago: try again. */
static void on_probe_time(void *ctx)
{
	struct resolver *resolver = ctx;
	if (resolver->probing)
		resolver->figures.away = true;
	else
		begin_probe(resolver);
}

static void on_deadline(void *ctx)
{
	struct resolver *resolver = ctx;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(64);
	pack_failure(&buf, "no answer in time");
	while (resolver->due_first && resolver->due_first->deadline <= loop_now_ms(resolver->loop)) {
		resolver->figures.late++;
		if (++resolver->late_in_a_row >= RESOLVER_AWAY_AFTER)
			begin_probe(resolver);
		tell(resolver->due_first, buf_bytes(&buf));
	}
	if (resolver->due_first)
		loop_timer_set(resolver->timer, resolver->due_first->deadline - loop_now_ms(resolver->loop));
}

/* -- Answers ---- */

static int64_t ttl_of(const struct dns_answer *answer, uint32_t ttl)
{
	int64_t ms = (int64_t)ttl * 1000;
	int64_t most = answer->state == DNS_FOUND ? RESOLVER_TTL_MAX_MS : RESOLVER_NONE_TTL_MAX_MS;
	return answer->state == DNS_FAILED ? RESOLVER_FAILURE_TTL_MS : ms < most ? ms : most;
}

static void keep(struct entry *entry, struct bytes packed, int64_t ttl_ms)
{
	struct resolver *resolver = entry->resolver;
	resolver->figures.bytes -= size_of(entry);
	mem_free(entry->packed);
	entry->packed = mem_alloc(packed.len);
	entry->packed_len = entry->packed ? packed.len : 0;
	if (entry->packed)
		memcpy(entry->packed, packed.ptr, packed.len);
	resolver->figures.bytes += size_of(entry);
	entry->expires = loop_now_ms(resolver->loop) + ttl_ms;
}

static void not_asking(struct entry *entry)
{
	entry->resolver->figures.under_way--;
	entry->asking = false;
}

static void read_answer(struct entry *entry, int code, struct bytes packet, enum upstream_trust trust,
			struct dns_answer *answer, uint32_t *ttl)
{
	enum dns_type type;
	struct bytes name;
	*answer = (struct dns_answer){.state = DNS_FAILED, .reason = BYTES_LIT("servfail")};
	*ttl = 0;
	if (trust == UPSTREAM_BOGUS)
		answer->reason = BYTES_LIT("bogus: its DNSSEC signature is wrong");
	else if (code == 3 && packet.len == 0)
		*answer = (struct dns_answer){.state = DNS_NO_NAME};
	else if (packet.len == 0)
		return;
	else if (dns_question_read(key_of(entry), &type, &name) != ERR_OK ||
		 dns_packet_read(entry->resolver->scratch, packet, type, name, answer, ttl) != ERR_OK)
		answer->reason = BYTES_LIT("no memory");
	answer->secure = trust == UPSTREAM_SECURE && answer->state != DNS_FAILED;
}

static void on_answer(void *ctx, int code, struct bytes packet, enum upstream_trust trust)
{
	struct entry *entry = ctx;
	struct resolver *resolver = entry->resolver;
	CLEANUP(buf_done) struct buf buf = BUF_INIT(DNS_PACKED_MAX + 64);
	struct dns_answer answer;
	uint32_t ttl;
	read_answer(entry, code, packet, trust, &answer, &ttl);
	if (is_answer(code, packet))
		be_well(resolver);
	dns_answer_pack(&buf, &answer);
	if (buf_err(&buf) != ERR_OK) {
		buf_clear(&buf);
		answer.state = DNS_FAILED;
		pack_failure(&buf, "answer too large");
	}
	arena_reset(resolver->scratch);
	resolver->figures.failures += answer.state == DNS_FAILED;
	resolver->figures.bogus += trust == UPSTREAM_BOGUS;
	not_asking(entry);
	keep(entry, buf_bytes(&buf), ttl_of(&answer, ttl));
	if (resolver->heard)
		resolver->heard(resolver->heard_ctx, key_of(entry), buf_bytes(&buf));
	/* Nothing drops it meanwhile; perhaps it is asked again. */
	tell(entry, buf_bytes(&buf));
	if (!entry->asking)
		age_add(entry);
	make_room(resolver);
}

/* An answer that is kept nowhere; `reason` behind the byte that says so. */
static struct bytes refuse(struct resolver *resolver, struct bytes packed)
{
	resolver->figures.failures++;
	return packed;
}
#define NOBODY_THERE BYTES_LIT("\3no server answers")
#define TOO_MANY     BYTES_LIT("\3too many questions")

_Static_assert(DNS_FAILED == 3, "the first byte of a failed answer");

/* False: there is no room for it, or it cannot be asked. */
static bool begin(struct entry *entry, bool fresh)
{
	struct resolver *resolver = entry->resolver;
	enum dns_type type;
	struct bytes name;
	if (dns_question_read(key_of(entry), &type, &name) != ERR_OK)
		return false;
	bool aged = entry->aged;
	age_remove(entry); /* before anything can be answered, and so dropped */
	entry->asking = true;
	resolver->figures.under_way++;
	enum err err = fresh ? upstream_ask_fresh(resolver->upstream, (unsigned)type, name, on_answer, entry)
			     : upstream_ask(resolver->upstream, (unsigned)type, name, on_answer, entry);
	if (err == ERR_OK)
		return true;
	not_asking(entry);
	if (aged)
		age_add(entry);
	return false;
}

bool resolver_ask(struct resolver *resolver, struct bytes key, struct bytes *ret_packed, struct resolver_wait *wait)
{
	uint64_t hash = hash_sip(resolver->secret, key);
	bool fresh = wait && wait->fresh;
	struct entry *entry = find(resolver, key, hash);
	resolver->figures.questions++;
	if (!fresh && entry && entry->packed && entry->expires > loop_now_ms(resolver->loop)) {
		resolver->figures.hits++;
		*ret_packed = answer_of(entry);
		return true;
	}
	if (resolver->figures.away) {
		*ret_packed = refuse(resolver, NOBODY_THERE);
		return true;
	}
	bool added = !entry;
	if (added && !(entry = add(resolver, key, hash))) {
		*ret_packed = refuse(resolver, TOO_MANY);
		return true;
	}
	if (!entry->asking) {
		resolver->figures.misses++;
		if (!begin(entry, fresh)) {
			if (added)
				entry_free(entry);
			*ret_packed = refuse(resolver, TOO_MANY);
			return true;
		}
		if (!entry->asking) {
			/* Answered before upstream_ask() came back. */
			*ret_packed = entry->packed ? answer_of(entry) : refuse(resolver, TOO_MANY);
			return true;
		}
	}
	if (wait)
		wait_add(entry, wait);
	if (!entry->link_due)
		due_add(entry);
	return false;
}

void resolver_listen(struct resolver *resolver, void (*heard)(void *ctx, struct bytes key, struct bytes packed),
		     void *ctx)
{
	resolver->heard = heard;
	resolver->heard_ctx = ctx;
}

const struct resolver_figures *resolver_figures(const struct resolver *resolver)
{
	return &resolver->figures;
}

/* -- Life ---- */

enum err resolver_new(struct loop *loop, const struct upstream_options *options, int64_t deadline_ms,
		      struct resolver **ret_resolver, struct error *reterr)
{
	struct resolver *resolver = mem_new(struct resolver, 1);
	if (!resolver)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	resolver->loop = loop;
	resolver->deadline_ms = deadline_ms;
	resolver->due_last = &resolver->due_first;
	enum err err = entropy_fill(&resolver->secret, sizeof(resolver->secret));
	if (err == ERR_OK && !(resolver->scratch = arena_create((size_t)1 << 20)))
		err = error_set(reterr, ERR_NOMEM, 0, "no memory");
	if (err == ERR_OK)
		err = loop_timer_new(loop, on_deadline, resolver, &resolver->timer);
	if (err == ERR_OK)
		err = loop_timer_new(loop, on_probe_time, resolver, &resolver->probe);
	if (err == ERR_OK)
		err = upstream_new(loop, options, &resolver->upstream, reterr);
	if (err != ERR_OK) {
		resolver_free(&resolver);
		return err;
	}
	*ret_resolver = resolver;
	return ERR_OK;
}

void resolver_free(struct resolver **resolver_)
{
	struct resolver *resolver = *resolver_;
	if (!resolver)
		return;
	upstream_free(&resolver->upstream);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (resolver->buckets[i]) {
			while (resolver->buckets[i]->waits)
				resolver_forget(resolver->buckets[i]->waits);
			entry_free(resolver->buckets[i]);
		}
	}
	loop_timer_free(&resolver->timer);
	loop_timer_free(&resolver->probe);
	arena_free(&resolver->scratch);
	mem_free(resolver);
	*resolver_ = NULL;
}
