/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/auth.h"

#include "auth/authres.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "scan/auth_state.h"
#include "scan/check.h"
#include "scan/dns.h"

#include "base/banned.h"

/* Domains of signatures that are held against From; more is nobody's honest mail. */
#define IDENTIFIERS_MAX 32
/* Authentication-Results fields that are looked through for that of a relay of ours. */
#define RELAY_FIELDS_MAX 20

const struct scan_auth scan_auth_unknown;

/*
 * Who is checked by SPF: the client, or where that is one of ours the relay that handed the message to us. HELO is
 * checked only where there is no sender, though RFC 7208 2.3 recommends it for every message: each host has another
 * name, whose record is hardly ever known already and may ask for ten more, and the message would wait for all of them;
 * and DMARC counts what is found of the sender alone.
 */
static bool spf_query(struct scan *scan, struct spf_query *query)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	*query = (struct spf_query){.helo = envelope->helo,
				    .from = envelope->has_from ? envelope->from : (struct bytes){0},
				    .receiver = envelope->hostname,
				    .now = scan_now(scan)};
	bool named = bytes_eq(envelope->frontend, BYTES_LIT("command")); /* on a command line any address is meant */
	if (!envelope->has_client)
		return false;
	if (named || !scan_trusted_ip(envelope->client_ip, scan)) {
		memcpy(query->ip, envelope->client_ip, sizeof(query->ip));
		return true;
	}
	const struct received_hop *hop = scan_relay_hop(scan);
	if (!hop || !hop->has_ip)
		return false;
	memcpy(query->ip, hop->ip, sizeof(query->ip));
	query->helo = hop->helo;
	return true;
}

/*
 * Our own users proved to us who they are. What proves it to others, our signature and our address, is not there yet:
 * a domain that asks to reject what lacks them would have all its own mail refused.
 */
static bool is_of_ours(const struct scan_envelope *envelope)
{
	return envelope->user.len > 0 || envelope->submitted;
}

/* A host of ours that passes on what came from outside has written down from whom. */
static bool is_inside(struct scan *scan)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	return envelope->has_client && !bytes_eq(envelope->frontend, BYTES_LIT("command")) &&
	       scan_trusted_ip(envelope->client_ip, scan) && !scan_relay_hop(scan);
}

/*
 * Who asks by spamc, or by HTTP without an address, does not say who brought the message. Then nobody can tell whether
 * SPF passes, and mail of domains that prove it by SPF alone would all be held. On a command line that is no harm.
 */
static bool is_half_known(const struct scan *scan)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	return !envelope->has_client && !bytes_eq(envelope->frontend, BYTES_LIT("command"));
}

static bool is_listed(const struct bytes *names, size_t n, struct bytes name)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_eq_nocase(names[i], name))
			return true;
	return false;
}

/* The first result of SPF in a field; false when there is none. */
static bool spf_from_field(const struct authres *field, struct spf_result *ret_spf)
{
	for (size_t i = 0; i < field->n_results; i++) {
		const struct authres_result *result = &field->results[i];
		enum spf_code code = SPF_NONE;
		if (!bytes_eq(result->method, BYTES_LIT("spf")))
			continue;
		while (code < SPF_PERMERROR && !bytes_eq(result->result, bytes_from_cstr(spf_code_name(code))))
			code++;
		struct bytes from = authres_property(result, BYTES_LIT("smtp"), BYTES_LIT("mailfrom"));
		struct bytes helo = authres_property(result, BYTES_LIT("smtp"), BYTES_LIT("helo"));
		size_t at = bytes_rfind_byte(from, '@');
		*ret_spf = (struct spf_result){.code = code,
					       .helo_scope = from.len == 0,
					       .domain = from.len == 0      ? helo
							 : at == BYTES_NONE ? from
									    : bytes_from(from, at + 1),
					       .mechanism = BYTES_LIT("by the relay")};
		return true;
	}
	return false;
}

/*
 * A server of ours took the message from outside and wrote down what it found of SPF; it alone saw the client. Its
 * field is the topmost in its name (RFC 8601 4.1), and it is asked for only when one of ours hands the message to us.
 */
static bool relay_tells_spf(struct scan *scan, struct auth_state *state)
{
	const struct scan_settings *settings = scan_settings(scan);
	const struct scan_envelope *envelope = scan_envelope(scan);
	if (settings->n_relays == 0 || !envelope->has_client || !scan_trusted_ip(envelope->client_ip, scan))
		return false;
	for (size_t i = 0; i < RELAY_FIELDS_MAX; i++) {
		const struct header_field *field =
			header_find_name(scan_message(scan)->header, BYTES_LIT("Authentication-Results"), i);
		struct authres results;
		if (!field || authres_parse(scan_arena(scan), field->value, &results) != ERR_OK)
			return false;
		if (is_listed(settings->relays, settings->n_relays, results.id))
			return spf_from_field(&results, &state->result.spf);
	}
	return false;
}

/* -- Authors behind a limit ---- */

/* Where the value of the field From begins that is in this line; false where it is none. */
static bool is_from(struct bytes line, size_t *ret_at)
{
	static const char name[] = "from";
	size_t n = 0, i = 0;
	for (; i < line.len && line.ptr[i] != ':'; i++) {
		uint8_t c = line.ptr[i];
		if (ascii_is_blank(c) ? n == 4 : ascii_is_cntrl(c))
			continue;
		if (n == 4 || ascii_lower(c) != name[n++])
			return false;
	}
	*ret_at = i + 1;
	return n == 4 && i < line.len;
}

/* Behind the line at `at` and those that continue it. CR and LF each end a line. */
static size_t field_end(struct bytes text, size_t at)
{
	for (at++; at < text.len; at++) {
		uint8_t before = text.ptr[at - 1];
		if (before == '\n' ? !ascii_is_blank(text.ptr[at])
				   : before == '\r' && text.ptr[at] != '\n' && !ascii_is_blank(text.ptr[at]))
			break;
	}
	return at;
}

/* Up to the first empty line. */
static struct bytes whole_header(struct bytes text)
{
	size_t at = 0, lf;
	while (at < text.len && text.ptr[at] != '\n' && !bytes_starts(bytes_from(text, at), BYTES_LIT("\r\n"))) {
		lf = bytes_find_byte(bytes_from(text, at), '\n');
		if (lf == BYTES_NONE)
			return text;
		at += lf + 1;
	}
	return bytes_sub(text, 0, at);
}

struct authors {
	struct arena *arena;
	struct address_list list;
	struct bytes domains[DMARC_AUTHORS_MAX + 1]; /* the different ones, as many as count */
	size_t n_domains;
};

static bool is_full(const struct authors *authors)
{
	return authors->n_domains == ARRAY_LEN(authors->domains);
}

static bool is_new(struct authors *authors, const struct address *author)
{
	if (author->domain.len == 0 || is_full(authors) ||
	    is_listed(authors->domains, authors->n_domains, author->domain))
		return false;
	authors->domains[authors->n_domains++] = author->domain;
	return true;
}

/* Those of one field whose domains are new. */
static enum err add_authors(struct authors *authors, struct bytes value, size_t at)
{
	struct arena_mark mark = arena_mark(authors->arena);
	struct address_list found = {0};
	size_t before = authors->list.count;
	TRY(address_parse(authors->arena, value, NULL, at, BYTES_LIT("From"), NULL, &found));
	for (size_t i = 0; i < found.count; i++)
		if (is_new(authors, &found.items[i]))
			authors->list.items[authors->list.count++] = found.items[i];
	if (authors->list.count == before)
		arena_rewind(authors->arena, mark);
	return ERR_OK;
}

/*
 * Where a header was too large to be read whole, From may stand in the rest of it. Such a message is unscannable, which
 * the configuration may have delivered; but nobody shall be rid of DMARC by writing much above From. So each line of
 * the header that can be taken for it counts beside those that were found.
 */
static enum err find_authors(struct scan *scan, struct address_list *ret_authors)
{
	const struct message *message = scan_message(scan);
	const struct defect_list *defects = &message->defects;
	struct authors authors = {.arena = scan_arena(scan), .list = message->from};
	size_t n = message->from.count, next, value;
	*ret_authors = message->from;
	if (!defect_seen(defects, DEFECT_LIMIT_HEADER) && !defect_seen(defects, DEFECT_LIMIT_FIELDS) &&
	    !defect_seen(defects, DEFECT_LIMIT_ADDRESSES))
		return ERR_OK;
	authors.list.items = arena_new(authors.arena, struct address, n + ARRAY_LEN(authors.domains));
	if (!authors.list.items)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		authors.list.items[i] = message->from.items[i];
		(void)is_new(&authors, &message->from.items[i]);
	}
	struct bytes text = whole_header(message->raw);
	for (size_t at = 0; at < text.len && !is_full(&authors); at = next) {
		next = field_end(text, at);
		struct bytes field = bytes_sub(text, at, next - at);
		if (is_from(field, &value))
			TRY(add_authors(&authors, bytes_from(field, value), at + value));
	}
	*ret_authors = authors.list;
	return ERR_OK;
}

/* -- Steps ---- */

static enum err begin(struct scan *scan, struct auth_state *state)
{
	struct canon_message *message;
	struct crypto_keys *keys = scan_keys(scan);
	state->begun = true;
	state->spf_known = relay_tells_spf(scan, state);
	state->result.has_source = spf_query(scan, &state->query);
	state->result.has_spf = state->spf_known || state->result.has_source;
	state->result.inside = !state->spf_known && is_inside(scan);
	memcpy(state->result.source_ip, state->query.ip, sizeof(state->result.source_ip));
	TRY(find_authors(scan, &state->authors));
	TRY(canon_message_read(scan_arena(scan), scan_message(scan)->raw, &message));
	TRY(dkim_begin(message,
		       &(struct dkim_options){.now = scan_now(scan), .verify_max = DKIM_VERIFY_MAX, .keys = keys},
		       &state->dkim));
	TRY(arc_begin(message, &(struct arc_options){.now = scan_now(scan), .keys = keys}, &state->arc));
	state->result.dkim = state->dkim;
	state->result.arc = state->arc;
	return ERR_OK;
}

/* With what is known of SPF and DKIM by now: while that is nothing, to have the questions asked. */
static enum auth_step judge(struct scan *scan, struct auth_state *state, const struct dns_host *host)
{
	struct scan_auth *result = &state->result;
	struct dmarc_identifier spf = {.domain = result->spf.domain,
				       .passed = result->spf.code == SPF_PASS,
				       .temporary = result->spf.code == SPF_TEMPERROR};
	struct dmarc_identifier dkim[IDENTIFIERS_MAX];
	size_t n = 0;
	for (size_t i = 0; state->signatures_known && i < state->dkim->count && n < IDENTIFIERS_MAX; i++) {
		const struct dkim_signature *signature = &state->dkim->signatures[i];
		bool passed = signature->result == DKIM_PASS && !(signature->flags & DKIM_TESTING);
		if (passed || signature->result == DKIM_TEMPERROR)
			dkim[n++] = (struct dmarc_identifier){
				.domain = signature->domain, .passed = passed, .temporary = !passed};
	}
	struct dmarc_query query = {.mode = scan_settings(scan)->dmarc_mode,
				    .from = &state->authors,
				    .spf = result->has_spf && state->spf_known ? &spf : NULL,
				    .dkim = dkim,
				    .n_dkim = n};
	return dmarc_check(scan_arena(scan), host, &query, &result->dmarc);
}

/* What a sealer wrote down says that the message was proven to be of that domain when it came there. */
static bool says_proven(struct arena *arena, struct bytes text, struct bytes domain)
{
	struct authres seen;
	if (authres_parse(arena, text, &seen) != ERR_OK)
		return false;
	for (size_t i = 0; i < seen.n_results; i++) {
		const struct authres_result *result = &seen.results[i];
		bool dmarc = bytes_eq(result->method, BYTES_LIT("dmarc"));
		struct bytes of =
			authres_property(result, BYTES_LIT("header"), dmarc ? BYTES_LIT("from") : BYTES_LIT("d"));
		if ((dmarc || bytes_eq(result->method, BYTES_LIT("dkim"))) &&
		    bytes_eq(result->result, BYTES_LIT("pass")) && bytes_eq_nocase(of, domain))
			return true;
	}
	return false;
}

bool scan_auth_sealed_proof(struct scan *scan, const struct scan_auth *auth)
{
	const struct arc *arc = auth->arc;
	return arc && arc->result == ARC_PASS && arc->chain > 0 &&
	       says_proven(scan_arena(scan), arc->sets[arc->chain - 1].text, auth->dmarc.domain);
}

/*
 * A chain that holds, of whose newest seals some are by those who are believed: they wrote down what was true when the
 * message came to them. What stands behind the first seal of anybody else is that one's word, and counts nothing.
 */
static void settle_disposition(struct scan *scan, struct scan_auth *result)
{
	const struct arc *arc = result->arc;
	result->disposition = result->inside || is_half_known(scan) ? DMARC_POLICY_NONE : result->dmarc.disposition;
	if (result->dmarc.code != DMARC_FAIL || arc->result != ARC_PASS)
		return;
	for (unsigned i = arc->chain;
	     i > 0 && is_listed(scan_settings(scan)->sealers, scan_settings(scan)->n_sealers, arc->sets[i - 1].domain);
	     i--) {
		if (says_proven(scan_arena(scan), arc->sets[i - 1].text, result->dmarc.domain)) {
			result->disposition = DMARC_POLICY_NONE;
			result->explained_by = &arc->sets[i - 1];
			return;
		}
	}
}

/* Goes as far as the facts lead. All questions that can be asked are asked in one turn. */
static enum err step(struct scan *scan, struct auth_state *state)
{
	struct dns_host host = scan_dns(scan);
	enum auth_step dkim = AUTH_DONE, arc = AUTH_DONE;
	if (!state->begun)
		TRY(begin(scan, state));
	if (!state->spf_known)
		state->spf_known = !state->result.has_spf ||
				   spf_check(scan_arena(scan), &host, &state->query, &state->result.spf) == AUTH_DONE;
	if (!state->signatures_known)
		TRY(dkim_step(state->dkim, &host, &dkim));
	state->signatures_known = dkim == AUTH_DONE;
	if (!state->chain_known)
		TRY(arc_step(state->arc, &host, &arc));
	state->chain_known = arc == AUTH_DONE;
	enum auth_step dmarc = judge(scan, state, &host);
	state->done = state->spf_known && state->signatures_known && state->chain_known && dmarc == AUTH_DONE;
	if (state->done)
		settle_disposition(scan, &state->result);
	return ERR_OK;
}

const struct scan_auth *scan_auth(struct scan *scan)
{
	struct auth_state *state;
	if (!scan_settings(scan)->dns || is_of_ours(scan_envelope(scan)) || !(state = scan_auth_state(scan)) ||
	    state->failed)
		return &scan_auth_unknown;
	if (state->done)
		return &state->result;
	if (step(scan, state) != ERR_OK) {
		state->failed = true;
		return &scan_auth_unknown;
	}
	return state->done ? &state->result : NULL;
}
