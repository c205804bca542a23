/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is a record of one table under a hash of (kind, organisation, a, b), where a and b are hashes of texts.
 * An author is its address when the mail is proven, else address and network together; so all that is said of an author
 * is kept apart for mail that anybody could have sent.
 */
#include "profile/relations.h"

#include "base/ascii.h"
#include "base/ip.h"
#include "base/mem.h"
#include "base/num.h"
#include "mail/url.h"
#include "profile/store.h"

#include "base/banned.h"

#define KEY_MASK     UINT64_C(0xffffffffffff)
#define MESSAGE_GAIN 16u /* a message of ours weighs less than somebody we wrote to */
#define WORTH_DAYS   2u  /* days after which a name's address is kept as text */

enum kind { /* part of the hash: never renumber */
	    KIND_ORG = 1,
	    KIND_ADDRESS,
	    KIND_PAIR,
	    KIND_DOMAIN,
	    KIND_NAME,
	    KIND_NAME_HERE,
	    KIND_SENDER,
	    KIND_DKIM,
	    KIND_NETWORK,
	    KIND_WROTE,
	    KIND_WROTE_PAIR,
	    KIND_MESSAGE,
	    KIND_MESSAGE_TO,
	    KIND_FORWARDER,
	    /* and of single texts */
	    KIND_TEXT,
	    KIND_EXACT,
	    KIND_FOLDED,
	    KIND_FROM_NETWORK,
};

/* -- The store ---- */

uint16_t relations_day(int64_t now)
{
	int64_t day = now / 86400;
	return (uint16_t)(day < 1 ? 1 : day > UINT16_MAX ? UINT16_MAX : day);
}

enum err relations_create(size_t budget, struct hash_key key, struct relations **ret_relations)
{
	struct relations *relations = mem_new(struct relations, 1);
	*ret_relations = relations;
	if (!relations)
		return ERR_NOMEM;
	budget = MAX(budget, (size_t)65536) - sizeof(*relations);
	relations->key = key;
	/* For each record of the sent there are six of the received; forwarders are few. */
	size_t eighth = budget / 8, forwarders = budget / 64;
	if (names_init(&relations->names, eighth) != ERR_OK || table_init(&relations->sent, eighth) != ERR_OK ||
	    forwarders_init(&relations->forwarders, forwarders) != ERR_OK ||
	    table_init(&relations->received, budget - 2 * eighth - forwarders) != ERR_OK) {
		relations_free(ret_relations);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

void relations_free(struct relations **at)
{
	struct relations *relations = *at;
	*at = NULL;
	if (!relations)
		return;
	table_done(&relations->received);
	table_done(&relations->sent);
	names_done(&relations->names);
	forwarders_done(&relations->forwarders);
	mem_free(relations);
}

uint64_t relations_sequence(const struct relations *relations)
{
	return relations->sequence;
}

struct relations_figures relations_figures(const struct relations *relations)
{
	const struct table *tables[] = {&relations->received, &relations->sent};
	struct relations_figures figures = {
		.bytes = sizeof(*relations) + relations->names.n_slots * sizeof(struct names_slot) +
			 relations->forwarders.n_records * sizeof(struct forwarder_record),
	};
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		size_t slots = table_slots(tables[t]);
		figures.bytes += (tables[t]->n_lines + 1) * sizeof(struct table_line);
		figures.slots += slots;
		figures.evicted += tables[t]->evicted;
		figures.refused += tables[t]->refused;
		for (size_t i = 0; i < slots; i++)
			figures.records += table_slot(tables[t], i) != NULL;
	}
	return figures;
}

void relations_list_add(struct relations_list *list, struct bytes text)
{
	if (list->count < RELATIONS_LIST_MAX && text.len > 0 && text.len <= RELATIONS_TEXT_MAX)
		list->items[list->count++] = text;
}

/* -- Hashes ---- */

static uint64_t stir(uint64_t h)
{
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 32;
}

/*
 * Puts hashes together. `org`, `a` and `b` come out of SipHash under the key, and nobody outside sees them or what
 * becomes of them; so it is enough that each step is one to one.
 */
static uint64_t mix(enum kind kind, uint64_t org, uint64_t a, uint64_t b)
{
	return stir(stir(stir(org + kind) + a) + b);
}

/* 0: there is none. */
static uint64_t hash_text(const struct relations *relations, enum kind kind, struct bytes text)
{
	uint8_t lower[RELATIONS_TEXT_MAX + 1];
	if (text.len == 0 || text.len > RELATIONS_TEXT_MAX)
		return 0;
	lower[0] = (uint8_t)kind;
	for (size_t i = 0; i < text.len; i++)
		lower[i + 1] = kind == KIND_TEXT ? ascii_lower(text.ptr[i]) : text.ptr[i];
	return hash_sip(relations->key, bytes_make(lower, text.len + 1)) | 1;
}

static uint64_t hash_name(const struct relations *relations, struct bytes name)
{
	uint8_t folded[NAME_FOLDED_MAX];
	if (name.len == 0 || name.len > RELATIONS_TEXT_MAX)
		return 0;
	return hash_text(relations, KIND_FOLDED, bytes_make(folded, name_fold(name, folded)));
}

/* Of the /24 or the /48. */
static uint64_t hash_network(const struct relations *relations, const struct relations_query *query)
{
	uint8_t net[16] = {0};
	if (!query->has_client)
		return 0;
	memcpy(net, query->client, ip_is_v4(query->client) ? 15 : 6);
	return hash_sip(relations->key, bytes_make(net, sizeof(net))) | 1;
}

/* All hashes of a question; 0 where there is nothing to look for. */
struct hashes {
	uint64_t org, address, domain, name, network;
	uint64_t author, from; /* address and domain as far as they are proven: else with the network */
};

static uint64_t with_network(uint64_t hash, uint64_t network)
{
	return hash ? mix(KIND_FROM_NETWORK, 0, hash, network) | 1 : 0;
}

static struct hashes hash_query(const struct relations *relations, const struct relations_query *query)
{
	struct hashes of = {
		.org = hash_text(relations, KIND_TEXT, query->org),
		.address = hash_text(relations, KIND_TEXT, query->author),
		.domain = hash_text(relations, KIND_TEXT, query->domain),
		.name = hash_name(relations, query->name),
		.network = hash_network(relations, query),
	};
	of.author = query->proven ? of.address : with_network(of.address, of.network);
	of.from = query->proven ? of.domain : with_network(of.domain, of.network);
	return of;
}

/* -- Asking ---- */

/* Looked up in two rounds, so that the misses of one wait together. */
struct probe {
	const struct table *table;
	uint64_t key;
	struct relation_seen *out;
};

#define PROBES_MAX (12 + 5 * RELATIONS_LIST_MAX)

struct probes {
	const struct relations *relations;
	uint64_t org;
	size_t count;
	struct probe items[PROBES_MAX];
};

/* Nothing is looked for when `a` is 0. */
static void look(struct probes *probes, const struct table *table, enum kind kind, uint64_t a, uint64_t b,
		 struct relation_seen *out)
{
	*out = (struct relation_seen){0};
	if (a == 0 || probes->count == PROBES_MAX)
		return;
	struct probe *probe = &probes->items[probes->count++];
	*probe = (struct probe){table, mix(kind, probes->org, a, b) & KEY_MASK, out};
	table_prefetch(table, probe->key);
}

static void find_all(const struct probes *probes, uint16_t today)
{
	for (size_t i = 0; i < probes->count; i++) {
		const struct probe *probe = &probes->items[i];
		const struct table_record *record = table_find(probe->table, probe->key);
		unsigned since = record && today > record->last ? (unsigned)(today - record->last) : 0;
		unsigned weight = record ? table_decay(record->weight, since, RELATIONS_HALF_LIFE) : 0;
		if (weight == 0)
			continue;
		*probe->out = (struct relation_seen){
			.first_days = (uint16_t)(today > record->first ? today - record->first : 0),
			.last_days = (uint16_t)since,
			.days = (uint16_t)MAX((weight + TABLE_DAY / 2) / TABLE_DAY, 1u),
		};
	}
}

static void take_best(struct relation_seen *best, const struct relation_seen *items, size_t n)
{
	*best = (struct relation_seen){0};
	for (size_t i = 0; i < n; i++)
		if (items[i].days > best->days)
			*best = items[i];
}

struct lists_seen {
	struct relation_seen pair[RELATIONS_LIST_MAX], wrote_pair[RELATIONS_LIST_MAX], dkim[RELATIONS_LIST_MAX],
		reply[RELATIONS_LIST_MAX], reply_there[RELATIONS_LIST_MAX];
};

static void look_lists(struct probes *probes, const struct relations_query *query, const struct hashes *of,
		       struct lists_seen *seen)
{
	const struct relations *relations = probes->relations;
	for (size_t i = 0; i < query->recipients.count; i++) {
		uint64_t recipient = hash_text(relations, KIND_TEXT, query->recipients.items[i]);
		look(probes, &relations->received, KIND_PAIR, of->author, recipient, &seen->pair[i]);
		look(probes, &relations->sent, KIND_WROTE_PAIR, of->address, recipient, &seen->wrote_pair[i]);
	}
	for (size_t i = 0; i < query->dkim.count; i++)
		look(probes, &relations->received, KIND_DKIM, of->from,
		     hash_text(relations, KIND_TEXT, query->dkim.items[i]), &seen->dkim[i]);
	for (size_t i = 0; i < query->references.count; i++) {
		uint64_t id = hash_text(relations, KIND_EXACT, query->references.items[i]);
		look(probes, &relations->sent, KIND_MESSAGE, id, 0, &seen->reply[i]);
		look(probes, &relations->sent, KIND_MESSAGE_TO, of->domain ? id : 0, of->domain, &seen->reply_there[i]);
	}
}

/* 0: there is none. Forwarders are nobody's own: all organisations learn of them together. */
static uint64_t forwarder_key(const struct relations *relations, const struct relations_query *query,
			      enum relations_forwarder which)
{
	struct bytes text = which == RELATIONS_RELAY    ? query->relay
			    : which == RELATIONS_SEALER ? query->sealer
							: query->list;
	uint64_t hash = hash_text(relations, KIND_TEXT, text);
	return hash ? mix(KIND_FORWARDER, 0, which, hash) & KEY_MASK : 0;
}

void relations_ask(const struct relations *relations, const struct relations_query *query, int64_t now,
		   struct relations_answer *ret_answer)
{
	struct relations_answer *answer = ret_answer;
	const struct table *received = &relations->received, *sent = &relations->sent;
	uint16_t today = relations_day(now);
	struct hashes of = hash_query(relations, query);
	struct lists_seen seen;
	struct probes probes;
	uint64_t forwarders[RELATIONS_FORWARDERS];
	probes.relations = relations;
	probes.org = of.org;
	probes.count = 0;
	*answer = (struct relations_answer){0};
	uint64_t name_key = of.name ? mix(KIND_NAME, of.org, of.name, 0) & KEY_MASK : 0;
	if (name_key)
		names_prefetch(&relations->names, name_key);
	look(&probes, received, KIND_ORG, 1, 0, &answer->org);
	look(&probes, received, KIND_ADDRESS, of.author, 0, &answer->address);
	look(&probes, received, KIND_ADDRESS, of.address, 0, &answer->proven);
	look(&probes, received, KIND_DOMAIN, of.from, 0, &answer->domain);
	look(&probes, received, KIND_NAME, of.name, 0, &answer->name);
	look(&probes, received, KIND_NAME_HERE, of.author ? of.name : 0, of.author, &answer->name_here);
	look(&probes, received, KIND_NETWORK, of.network ? of.domain : 0, of.network, &answer->network);
	look(&probes, sent, KIND_WROTE, of.address, 0, &answer->wrote);
	look_lists(&probes, query, &of, &seen);
	for (enum relations_forwarder which = 0; which < RELATIONS_FORWARDERS; which++) {
		forwarders[which] = forwarder_key(relations, query, which);
		if (forwarders[which])
			forwarders_prefetch(&relations->forwarders, forwarders[which]);
	}
	find_all(&probes, today);
	take_best(&answer->pair, seen.pair, query->recipients.count);
	take_best(&answer->wrote_pair, seen.wrote_pair, query->recipients.count);
	take_best(&answer->dkim, seen.dkim, query->dkim.count);
	take_best(&answer->reply, seen.reply, query->references.count);
	take_best(&answer->reply_there, seen.reply_there, query->references.count);
	answer->wrote_first = answer->wrote.days > 0 &&
			      (answer->address.days == 0 || answer->wrote.first_days > answer->address.first_days);
	const struct names_slot *slot = name_key ? names_find(&relations->names, name_key) : NULL;
	if (slot) {
		unsigned since = today > slot->gained ? (unsigned)(today - slot->gained) : 0;
		answer->usual_days =
			(uint16_t)((table_decay(slot->weight, since, RELATIONS_HALF_LIFE) + TABLE_DAY / 2) / TABLE_DAY);
		if (answer->usual_days > 0)
			answer->usual = bytes_make(slot->address, slot->len);
	}
	for (enum relations_forwarder which = 0; which < RELATIONS_FORWARDERS; which++)
		if (forwarders[which])
			forwarders_ask(&relations->forwarders, forwarders[which], today, RELATIONS_HALF_LIFE,
				       &answer->forwarders[which]);
}

/* -- Learning ---- */

struct lesson {
	struct relations *relations;
	uint64_t org;
	uint16_t today;
};

/* For the journal. */
static void note(const struct lesson *lesson, enum section section, uint64_t key)
{
	struct relations *relations = lesson->relations;
	ASSERT(relations->n_changes < CHANGES_MAX);
	relations->changes[relations->n_changes++] = (struct change){section, key};
}

static const struct table_record *learn(const struct lesson *lesson, enum section section, enum kind kind, uint64_t a,
					uint64_t b, uint16_t gain)
{
	struct relations *relations = lesson->relations;
	struct table *table = section == SECTION_SENT ? &relations->sent : &relations->received;
	uint64_t key = mix(kind, lesson->org, a, b) & KEY_MASK;
	if (a == 0)
		return NULL;
	const struct table_record *record = table_learn(table, key, lesson->today, gain, RELATIONS_HALF_LIFE);
	if (table->changed)
		note(lesson, section, key);
	/* A snapshot that is being written may have passed the place where it is now. */
	if (table->moved != TABLE_NOBODY)
		note(lesson, section, table->moved);
	return record;
}

static const struct table_record *learn_received(const struct lesson *lesson, enum kind kind, uint64_t a, uint64_t b)
{
	return learn(lesson, SECTION_RECEIVED, kind, a, b, TABLE_DAY);
}

static void learn_sent(const struct lesson *lesson, enum kind kind, uint64_t a, uint64_t b, uint16_t gain)
{
	(void)learn(lesson, SECTION_SENT, kind, a, b, gain);
}

static struct bytes domain_of(struct bytes address)
{
	size_t at = bytes_rfind_byte(address, '@');
	return at == BYTES_NONE ? (struct bytes){0} : bytes_from(address, at + 1);
}

/*
 * Whether the name is one of our own people's, and the author somebody else: that is no vote, or who writes in the name
 * of a chief often enough would be the chief. Once the chief has not written for long the name is anybody's.
 */
static bool is_name_of_ours(const struct lesson *lesson, const struct relations_query *query, uint64_t key)
{
	const struct names_slot *slot = names_find(&lesson->relations->names, key);
	if (!slot || query->outgoing || bytes_eq_nocase(query->domain, query->org))
		return false;
	unsigned since = lesson->today > slot->gained ? (unsigned)(lesson->today - slot->gained) : 0;
	return table_decay(slot->weight, since, RELATIONS_HALF_LIFE) > TABLE_DAY &&
	       bytes_eq_nocase(url_registrable(domain_of(bytes_make(slot->address, slot->len))), query->org);
}

static void learn_usual(const struct lesson *lesson, const struct relations_query *query, uint64_t name)
{
	uint8_t lower[NAMES_ADDRESS_MAX];
	struct bytes address = query->author;
	if (address.len > NAMES_ADDRESS_MAX)
		return;
	for (size_t i = 0; i < address.len; i++)
		lower[i] = ascii_lower(address.ptr[i]);
	uint64_t key = mix(KIND_NAME, lesson->org, name, 0) & KEY_MASK;
	if (is_name_of_ours(lesson, query, key))
		return;
	if (names_learn(&lesson->relations->names, key, bytes_make(lower, address.len), lesson->today,
			RELATIONS_HALF_LIFE))
		note(lesson, SECTION_NAMES, key);
}

/* The author as such, and the name where nobody else can have written it. */
static void learn_author(const struct lesson *lesson, const struct relations_query *query, const struct hashes *of)
{
	(void)learn_received(lesson, KIND_ADDRESS, of->author, 0);
	if (of->name == 0 || of->author == 0)
		return;
	const struct table_record *here = learn_received(lesson, KIND_NAME_HERE, of->name, of->author);
	if (!query->proven)
		return;
	(void)learn_received(lesson, KIND_NAME, of->name, 0);
	if (here && here->weight >= (WORTH_DAYS - 1) * TABLE_DAY + TABLE_DAY / 2)
		learn_usual(lesson, query, of->name);
}

static void learn_from_others(const struct lesson *lesson, const struct relations_query *query, const struct hashes *of)
{
	const struct relations *relations = lesson->relations;
	learn_author(lesson, query, of);
	for (size_t i = 0; i < query->recipients.count; i++)
		(void)learn_received(lesson, KIND_PAIR, of->author,
				     hash_text(relations, KIND_TEXT, query->recipients.items[i]));
	for (size_t i = 0; i < query->dkim.count; i++)
		(void)learn_received(lesson, KIND_DKIM, of->from,
				     hash_text(relations, KIND_TEXT, query->dkim.items[i]));
	(void)learn_received(lesson, KIND_DOMAIN, of->from, 0);
	if (query->proven)
		(void)learn_received(lesson, KIND_NETWORK, of->network ? of->domain : 0, of->network);
}

static void learn_from_ours(const struct lesson *lesson, const struct relations_query *query, const struct hashes *of)
{
	const struct relations *relations = lesson->relations;
	uint64_t id = hash_text(relations, KIND_EXACT, query->message_id);
	learn_author(lesson, query, of);
	learn_sent(lesson, KIND_MESSAGE, id, 0, MESSAGE_GAIN);
	for (size_t i = 0; i < query->recipients.count; i++) {
		struct bytes address = query->recipients.items[i];
		uint64_t recipient = hash_text(relations, KIND_TEXT, address);
		uint64_t domain = hash_text(relations, KIND_TEXT, url_registrable(domain_of(address)));
		learn_sent(lesson, KIND_WROTE, recipient, 0, TABLE_DAY);
		learn_sent(lesson, KIND_WROTE_PAIR, recipient, of->address, TABLE_DAY);
		learn_sent(lesson, KIND_MESSAGE_TO, domain ? id : 0, domain, MESSAGE_GAIN);
	}
}

void relations_learn(struct relations *relations, const struct relations_query *query, enum relations_outcome outcome,
		     int64_t now)
{
	struct hashes of = hash_query(relations, query);
	struct lesson lesson = {relations, of.org, relations_day(now)};
	relations->changed_on = lesson.today;
	relations->n_changes = 0;
	if (outcome == RELATIONS_WANTED) {
		(void)learn_received(&lesson, KIND_ORG, 1, 0);
		if (query->outgoing)
			learn_from_ours(&lesson, query, &of);
		else
			learn_from_others(&lesson, query, &of);
	}
	for (enum relations_forwarder which = 0; !query->outgoing && which < RELATIONS_FORWARDERS; which++) {
		uint64_t key = forwarder_key(relations, query, which);
		if (key && forwarders_learn(&relations->forwarders, key, of.domain >> 8, query->forwarded,
					    outcome == RELATIONS_UNWANTED, lesson.today, RELATIONS_HALF_LIFE))
			note(&lesson, SECTION_FORWARDERS, key);
	}
	relations->sequence += relations->n_changes > 0;
}
