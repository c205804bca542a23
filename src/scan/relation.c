/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/relation.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "mail/url.h"
#include "scan/auth.h"
#include "scan/check.h"

#include "base/banned.h"

static struct bytes host_of(struct bytes address)
{
	size_t at = bytes_rfind_byte(address, '@');
	return at == BYTES_NONE ? (struct bytes){0} : bytes_from(address, at + 1);
}

/* Whether the registrable part of `domain` is `site`; the list of suffixes is asked only where it matters. */
static bool is_at(struct bytes domain, struct bytes site)
{
	return site.len > 0 && (bytes_eq_nocase(domain, site) || bytes_eq_nocase(url_registrable(domain), site));
}

/* -- References ---- */

/* The next id between < and >; false when there is none. */
static bool next_id(struct bytes *rest, struct bytes *ret_id)
{
	for (;;) {
		size_t open = bytes_find_byte(*rest, '<');
		if (open == BYTES_NONE)
			return false;
		*rest = bytes_from(*rest, open + 1);
		size_t close = bytes_find_byte(*rest, '>');
		if (close == BYTES_NONE)
			return false;
		*ret_id = bytes_sub(*rest, 0, close);
		*rest = bytes_from(*rest, close + 1);
		if (!bytes_has(*ret_id, ' ') && ret_id->len > 0)
			return true;
	}
}

/* The last ids of a field, newest first: References grows at its end (RFC 5322 3.6.4). */
static void add_ids(struct relations_list *list, const struct header *header, enum header_id id)
{
	const struct header_field *field = header_find(header, id, 0);
	struct bytes last[RELATIONS_LIST_MAX], rest = field ? field->value : (struct bytes){0}, one;
	size_t n = 0;
	while (next_id(&rest, &one))
		last[n++ % RELATIONS_LIST_MAX] = one;
	for (size_t i = 0; i < n && i < RELATIONS_LIST_MAX; i++)
		relations_list_add(list, last[(n - 1 - i) % RELATIONS_LIST_MAX]);
}

/* -- The question ---- */

/* The id of the list in List-Id (RFC 2919): what stands between < and >, else the whole. */
static struct bytes list_id(const struct header *header)
{
	const struct header_field *field = header_find(header, HEADER_LIST_ID, 0);
	struct bytes rest = field ? field->value : (struct bytes){0}, id;
	return next_id(&rest, &id) ? id : field ? bytes_trim(field->value) : (struct bytes){0};
}

/* -- What is proven ---- */

/* A signature that says something of the author: one on trial, or with text behind what it covers, does not. */
static bool is_proof(const struct dkim_signature *signature)
{
	return signature->result == DKIM_PASS &&
	       !(signature->flags & (DKIM_TESTING | DKIM_PARTIAL | DKIM_FROM_UNSIGNED));
}

struct proof {
	bool spf, dkim; /* of the author's registrable domain */
};

static struct proof find_proof(const struct scan_auth *auth, struct relations_query *query)
{
	struct proof proof = {0};
	if (auth->has_spf && auth->spf.code == SPF_PASS)
		proof.spf = is_at(auth->spf.domain, query->domain);
	for (size_t i = 0; auth->dkim && i < auth->dkim->count; i++) {
		const struct dkim_signature *signature = &auth->dkim->signatures[i];
		if (!is_proof(signature))
			continue;
		relations_list_add(&query->dkim, signature->domain);
		proof.dkim = proof.dkim || is_at(signature->domain, query->domain);
	}
	query->proven = query->outgoing || proof.spf || proof.dkim;
	return proof;
}

/* -- Who passed it on ---- */

static bool names_recipient(const struct address_list *list, struct bytes recipient)
{
	for (size_t i = 0; i < list->count; i++)
		if (bytes_eq_nocase(list->items[i].address, recipient))
			return true;
	return false;
}

/*
 * A forwarder is named so that nobody else can bear the name: a sealer by the seal that holds, a list by its List-Id
 * together with the domain of its relay. A relay alone counts only where the message was not addressed to us: what a
 * provider sends for many customers looks the same else, and must not be taken for a list.
 */
static void find_forwarder(struct scan *scan, const struct scan_auth *auth, struct proof proof,
			   struct relations_query *query)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	const struct message *message = scan_message(scan);
	struct bytes relay = {0}, list = list_id(message->header);
	bool passed_chain = auth->arc && auth->arc->result == ARC_PASS && auth->arc->chain > 0;
	if (query->outgoing || proof.spf || envelope->n_recipients == 0)
		return;
	if (auth->has_spf && auth->spf.code == SPF_PASS)
		relay = url_registrable(auth->spf.domain);
	else if (!scan_trusted_ip(envelope->client_ip, scan))
		relay = url_registrable(envelope->client_name);
	bool addressed = names_recipient(&message->to, envelope->recipients[0]) ||
			 names_recipient(&message->cc, envelope->recipients[0]);
	if (passed_chain)
		query->sealer = auth->arc->sets[auth->arc->chain - 1].domain;
	if (list.len > 0 && relay.len > 0)
		query->list = arena_printf(scan_arena(scan), "%.*s via %.*s", BYTES_FMT(bytes_sub(list, 0, 200)),
					   BYTES_FMT(bytes_sub(relay, 0, 100)));
	else if (!addressed)
		query->relay = relay;
	if (query->sealer.len == 0 && query->list.len == 0 && query->relay.len == 0)
		return;
	if (proof.dkim)
		query->forwarded = FORWARDER_INTACT;
	else if (passed_chain)
		query->forwarded = FORWARDER_SEALED;
	else if (auth->dmarc.code == DMARC_FAIL)
		query->forwarded = FORWARDER_BROKEN;
}

static void fill_recipients(const struct scan_envelope *envelope, struct relations_query *query)
{
	for (size_t i = 0; i < envelope->n_recipients && query->recipients.count < RELATIONS_LIST_MAX; i++)
		if (query->outgoing || is_at(host_of(envelope->recipients[i]), query->org))
			relations_list_add(&query->recipients, envelope->recipients[i]);
}

/* Where it came from: the client, or where that is one of ours the relay that handed it to us. */
static void fill_network(struct scan *scan, struct relations_query *query)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	const struct received_hop *hop = NULL;
	if (envelope->has_client && scan_trusted_ip(envelope->client_ip, scan))
		hop = scan_relay_hop(scan);
	query->has_client = envelope->has_client;
	memcpy(query->client, hop && hop->has_ip ? hop->ip : envelope->client_ip, sizeof(query->client));
}

/*
 * Whether nobody wrote it: anybody can make a mailbox answer by itself (RFC 3834 5: Auto-Submitted; reports have no
 * return path), so that says nothing about whom we write to.
 */
static bool is_automatic(struct scan *scan)
{
	const struct header_field *field = header_find(scan_message(scan)->header, HEADER_AUTO_SUBMITTED, 0);
	const struct scan_envelope *envelope = scan_envelope(scan);
	struct bytes value = field ? bytes_trim(field->value) : (struct bytes){0};
	/* "no", perhaps with a comment or parameters behind it. */
	bool by_hand = bytes_starts_nocase(value, BYTES_LIT("no")) &&
		       (value.len == 2 || value.ptr[2] == ' ' || value.ptr[2] == ';' || value.ptr[2] == '(');
	return (field && !by_hand) || (envelope->has_from && envelope->from.len == 0);
}

static void fill(struct scan *scan, const struct scan_auth *auth, struct relations_query *query)
{
	const struct message *message = scan_message(scan);
	const struct scan_envelope *envelope = scan_envelope(scan);
	struct bytes ascii;
	*query = (struct relations_query){.outgoing = envelope->user.len > 0};
	fill_network(scan, query);
	/* Who wrote it, of several authors, is not known. */
	if (message->from.count == 1 && message->from.items[0].domain.len > 0) {
		query->author = message->from.items[0].address;
		/* As SPF and DKIM write it. */
		if (dmarc_domain(scan_arena(scan), message->from.items[0].domain, &ascii) != ERR_OK)
			ascii = host_of(query->author);
		query->domain = url_registrable(ascii);
		query->name = message->from.items[0].name;
	}
	if (query->outgoing)
		query->org = query->domain;
	else if (envelope->n_recipients > 0)
		query->org = url_registrable(host_of(envelope->recipients[0]));
	if (!query->outgoing || !is_automatic(scan)) {
		fill_recipients(envelope, query);
		query->message_id = message->message_id;
	}
	add_ids(&query->references, message->header, HEADER_IN_REPLY_TO);
	add_ids(&query->references, message->header, HEADER_REFERENCES);
	find_forwarder(scan, auth, find_proof(auth, query), query);
}

struct scan_relation {
	struct relations_query query;
	struct bytes key;
};

static const struct scan_relation no_memory; /* asks nothing */

/* NULL: wait. */
static const struct scan_relation *make(struct scan *scan)
{
	struct scan_relation **kept = scan_relation_kept(scan);
	struct relations_query query;
	if (*kept)
		return *kept;
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return NULL;
	fill(scan, auth, &query);
	struct scan_relation *made = arena_new(scan_arena(scan), struct scan_relation, 1);
	CLEANUP(buf_done) struct buf line = BUF_INIT(RELATIONS_QUERY_MAX);
	relations_query_pack(&line, &query);
	if (!made)
		return &no_memory;
	made->query = query;
	if (buf_err(&line) == ERR_OK)
		made->key = arena_copy(scan_arena(scan), buf_bytes(&line));
	*kept = made;
	return made;
}

const struct relations_query *scan_relations_query(struct scan *scan)
{
	const struct scan_relation *relation = make(scan);
	return relation ? &relation->query : NULL;
}

struct bytes scan_relations_key(struct scan *scan)
{
	const struct scan_relation *relation = *scan_relation_kept(scan);
	return relation ? relation->key : (struct bytes){0};
}

/* -- The answer ---- */

static const struct relations_answer nothing;

static const void *decode(struct arena *arena, const struct fact *fact)
{
	struct relations_answer *answer = arena_new(arena, struct relations_answer, 1);
	if (!answer || fact->state != FACT_KNOWN || relations_answer_unpack(arena, fact->answer, answer) != ERR_OK)
		return &nothing;
	return answer;
}

const struct relations_answer *scan_relations(struct scan *scan)
{
	const struct relations_query *query = scan_relations_query(scan);
	if (!query)
		return NULL;
	struct bytes key = scan_relations_key(scan);
	if (key.len == 0 || query->org.len == 0)
		return &nothing;
	return scan_fact_decoded(scan, FACT_RELATION, key, decode);
}

/* -- Forwarders ---- */

/* In whose name a forgery does the most harm; and what our own people write to a list can be proven otherwise. */
static bool is_in_our_name(struct scan *scan, struct bytes author)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	const struct scan_settings *settings = scan_settings(scan);
	bool ours = false;
	for (size_t i = 0; i < envelope->n_recipients && !ours; i++)
		ours = is_at(host_of(envelope->recipients[i]), author);
	for (size_t i = 0; i < settings->n_own_domains && !ours; i++)
		ours = is_at(settings->own_domains[i], author);
	return ours;
}

bool scan_known_forwarder(struct scan *scan, struct bytes *ret_name, struct forwarder_figures *ret_figures)
{
	const struct scan_auth *auth = scan_auth(scan);
	*ret_name = (struct bytes){0};
	*ret_figures = (struct forwarder_figures){0};
	if (!auth || auth->dmarc.code != DMARC_FAIL)
		return auth != NULL;
	const struct relations_answer *answer = scan_relations(scan);
	if (!answer)
		return false;
	const struct relations_query *query = scan_relations_query(scan);
	const struct forwarder_figures *list = &answer->forwarders[RELATIONS_LIST],
				       *sealer = &answer->forwarders[RELATIONS_SEALER];
	if (is_in_our_name(scan, query->domain))
		return true;
	if (query->list.len > 0 && forwarder_is_trusty(list)) {
		*ret_name = query->list;
		*ret_figures = *list;
	} else if (query->sealer.len > 0 && forwarder_is_trusty(sealer) && scan_auth_sealed_proof(scan, auth)) {
		*ret_name = query->sealer;
		*ret_figures = *sealer;
	}
	return true;
}
