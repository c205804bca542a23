/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/relation.h"

#include "auth/spf.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/buf.h"
#include "mail/url.h"
#include "scan/check.h"
#include "scan/dns.h"

#include "base/banned.h"

static struct bytes domain_of(struct bytes address)
{
	size_t at = bytes_rfind_byte(address, '@');
	return at == BYTES_NONE ? (struct bytes){0} : url_registrable(bytes_from(address, at + 1));
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

/*
 * Whether the author's domain is proven: it is our own user, or SPF passed for a sender of the same registrable domain.
 * False: wait.
 */
static bool find_proof(struct scan *scan, struct relations_query *query)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	struct bytes sender = domain_of(envelope->from);
	query->proven = query->outgoing;
	if (query->proven || !envelope->has_client || query->domain.len == 0 || !bytes_eq_nocase(sender, query->domain))
		return true;
	struct dns_host host = scan_dns(scan);
	struct spf_query spf = {
		.helo = envelope->helo, .from = envelope->from, .receiver = envelope->hostname, .now = scan_now(scan)};
	struct spf_result result;
	memcpy(spf.ip, envelope->client_ip, sizeof(spf.ip));
	if (spf_check(scan_arena(scan), &host, &spf, &result) == AUTH_WAIT)
		return false;
	query->proven = result.code == SPF_PASS;
	return true;
}

static void fill_recipients(const struct scan_envelope *envelope, struct relations_query *query)
{
	for (size_t i = 0; i < envelope->n_recipients && query->recipients.count < RELATIONS_LIST_MAX; i++)
		if (query->outgoing || bytes_eq_nocase(domain_of(envelope->recipients[i]), query->org))
			relations_list_add(&query->recipients, envelope->recipients[i]);
}

static bool fill(struct scan *scan, struct relations_query *query)
{
	const struct message *message = scan_message(scan);
	const struct scan_envelope *envelope = scan_envelope(scan);
	*query = (struct relations_query){.outgoing = envelope->user.len > 0, .has_client = envelope->has_client};
	memcpy(query->client, envelope->client_ip, sizeof(query->client));
	/* Who wrote it, of several authors, is not known. */
	if (message->from.count == 1 && message->from.items[0].domain.len > 0) {
		query->author = message->from.items[0].address;
		query->domain = domain_of(query->author);
		query->name = message->from.items[0].name;
	}
	if (query->outgoing)
		query->org = query->domain;
	else if (envelope->n_recipients > 0)
		query->org = domain_of(envelope->recipients[0]);
	fill_recipients(envelope, query);
	query->message_id = message->message_id;
	add_ids(&query->references, message->header, HEADER_IN_REPLY_TO);
	add_ids(&query->references, message->header, HEADER_REFERENCES);
	query->relay = url_registrable(envelope->client_name);
	query->list = list_id(message->header);
	return find_proof(scan, query);
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
	if (!fill(scan, &query))
		return NULL;
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
