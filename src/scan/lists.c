/* SPDX-License-Identifier: Apache-2.0 */
#include "scan/lists.h"

#include "base/ip.h"
#include "base/num.h"
#include "mail/received.h"
#include "scan/auth.h"
#include "scan/dns.h"
#include "scan/lists_state.h"

#include "base/banned.h"

#define ADDRESSES_MAX  4   /* of From, of Reply-To */
#define HOSTS_MAX      100 /* different hosts of links */
#define RECIPIENTS_MAX 100 /* whose domains are ours */
#define VALUES_MAX     60  /* that our own lists are asked about */

/* Something of the message that lists may know. Text is in lower case. */
struct target {
	unsigned about; /* one of enum list_about */
	bool is_ip;
	uint8_t ip[16];
	struct bytes domain; /* or the host of a link */
	struct bytes site;   /* of a link: the registrable domain of the host */
	struct bytes value;  /* as our own lists are asked: the address, the host, or the whole mail address */
	bool ours;           /* lists of others are not asked */
	struct where where;
};

struct question {
	const struct list_zone *zone;
	const struct target *target;
	struct bytes value, name;
};

struct lists_state {
	struct target *targets;
	size_t n_targets, targets_capacity;
	struct question *questions;
	size_t n_questions, questions_capacity;
	size_t n_names; /* different ones */
	struct bytes *ours;
	size_t n_ours;
	bool failed;
};

/* -- What is ours ---- */

static void add_ours(struct lists_state *state, struct bytes domain)
{
	struct bytes site = url_registrable(domain);
	if (site.len == 0)
		return;
	for (size_t i = 0; i < state->n_ours; i++)
		if (bytes_eq_nocase(state->ours[i], site))
			return;
	state->ours[state->n_ours++] = site;
}

static enum err find_ours(struct scan *scan, struct lists_state *state)
{
	const struct scan_settings *settings = scan_settings(scan);
	const struct scan_envelope *envelope = scan_envelope(scan);
	size_t n = MIN(envelope->n_recipients, (size_t)RECIPIENTS_MAX);
	state->ours = arena_new(scan_arena(scan), struct bytes, n + settings->n_own_domains + 2);
	if (!state->ours)
		return ERR_NOMEM;
	add_ours(state, envelope->hostname);
	add_ours(state, settings->authserv_id);
	for (size_t i = 0; i < settings->n_own_domains; i++)
		add_ours(state, settings->own_domains[i]);
	for (size_t i = 0; i < n; i++) {
		struct bytes recipient = envelope->recipients[i];
		size_t at = bytes_rfind_byte(recipient, '@');
		if (at != BYTES_NONE)
			add_ours(state, bytes_from(recipient, at + 1));
	}
	return ERR_OK;
}

/* Or a name that nobody outside can know: one without a dot. */
static bool is_ours(const struct lists_state *state, struct bytes domain)
{
	struct bytes site = url_registrable(domain);
	for (size_t i = 0; i < state->n_ours; i++)
		if (bytes_eq_nocase(state->ours[i], site))
			return true;
	return !bytes_has(domain, '.');
}

/* -- What is looked up ---- */

static enum err add_target(struct scan *scan, struct lists_state *state, const struct target *target)
{
	struct target *grown = arena_grow(scan_arena(scan), state->targets, &state->targets_capacity, state->n_targets,
					  sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	state->targets = grown;
	grown[state->n_targets++] = *target;
	return ERR_OK;
}

/* On a command line any client is meant. */
static bool is_our_ip(struct scan *scan, unsigned about, const uint8_t ip[16])
{
	bool meant = about == LIST_CLIENT && bytes_eq(scan_envelope(scan)->frontend, BYTES_LIT("command"));
	return !meant && scan_trusted_ip(ip, scan);
}

static enum err add_ip(struct scan *scan, struct lists_state *state, unsigned about, const uint8_t ip[16],
		       struct where where)
{
	char text[IP_TEXT_MAX];
	struct target target = {.about = about,
				.is_ip = true,
				.value = arena_copy(scan_arena(scan), ip_format(ip, text)),
				.ours = is_our_ip(scan, about, ip),
				.where = where};
	memcpy(target.ip, ip, sizeof(target.ip));
	return target.value.ptr ? add_target(scan, state, &target) : ERR_NOMEM;
}

/* A local part as lists may have it: RFC 5321 4.5.3.1.1 gives it 64 bytes. */
static bool is_plain(struct bytes local)
{
	for (size_t i = 0; i < local.len; i++)
		if (local.ptr[i] <= ' ' || local.ptr[i] == 0x7f)
			return false;
	return local.len > 0 && local.len <= 64;
}

/* A domain as it stands in mail, with the local part before it or without (empty). What is no domain is left out. */
static enum err add_domain(struct scan *scan, struct lists_state *state, unsigned about, struct bytes local,
			   struct bytes raw, struct where where)
{
	struct arena *arena = scan_arena(scan);
	struct target target = {.about = about, .where = where};
	uint8_t ip[16];
	enum err err = dmarc_domain(arena, raw, &target.domain);
	if (err != ERR_OK || received_parse_ip(target.domain, ip))
		return err == ERR_NOMEM ? err : ERR_OK;
	target.ours = is_ours(state, target.domain);
	struct bytes lower = arena_copy_lower(arena, local);
	target.value = is_plain(local) && lower.ptr
			       ? arena_printf(arena, "%.*s@%.*s", BYTES_FMT(lower), BYTES_FMT(target.domain))
			       : target.domain;
	return target.value.ptr ? add_target(scan, state, &target) : ERR_NOMEM;
}

static enum err add_path(struct scan *scan, struct lists_state *state)
{
	const struct scan_envelope *envelope = scan_envelope(scan);
	const struct received_hop *hop = scan_relay_hop(scan);
	bool outside = envelope->has_client && !is_our_ip(scan, LIST_CLIENT, envelope->client_ip);
	struct bytes helo = outside || !hop ? envelope->helo : hop->helo;
	/* The hosts of our own users are in lists of dial-up lines, and no reason to think ill of their mail. */
	if (envelope->user.len > 0)
		return ERR_OK;
	if (envelope->has_client)
		TRY(add_ip(scan, state, LIST_CLIENT, envelope->client_ip, where_none()));
	/* Behind a host that is not ours the path is what that host says: it proves nothing. */
	if (!outside && hop && hop->has_ip)
		TRY(add_ip(scan, state, LIST_RECEIVED, hop->ip, where_field(hop->field)));
	return add_domain(scan, state, LIST_HELO, (struct bytes){0}, helo,
			  outside || !hop ? where_none() : where_field(hop->field));
}

static enum err add_addresses(struct scan *scan, struct lists_state *state, unsigned about,
			      const struct address_list *list, enum header_id field)
{
	struct where where = where_field(header_find(scan_message(scan)->header, field, 0));
	size_t n = 0;
	for (size_t i = 0; i < list->count && n < ADDRESSES_MAX; i++) {
		if (list->items[i].domain.len == 0)
			continue;
		n++;
		TRY(add_domain(scan, state, about, list->items[i].local, list->items[i].domain, where));
	}
	return ERR_OK;
}

static enum err add_sender(struct scan *scan, struct lists_state *state)
{
	struct bytes from = scan_envelope(scan)->from;
	size_t at = bytes_rfind_byte(from, '@');
	if (at == BYTES_NONE)
		return ERR_OK;
	return add_domain(scan, state, LIST_SENDER, bytes_sub(from, 0, at), bytes_from(from, at + 1), where_none());
}

static bool is_web(const struct url *url)
{
	return bytes_eq(url->scheme, BYTES_LIT("http")) || bytes_eq(url->scheme, BYTES_LIT("https")) ||
	       bytes_eq(url->scheme, BYTES_LIT("ftp"));
}

static enum err add_urls(struct scan *scan, struct lists_state *state)
{
	const struct url_list *urls = &scan_message(scan)->urls;
	size_t first = state->n_targets;
	for (size_t i = 0; i < urls->count && state->n_targets < first + HOSTS_MAX; i++) {
		const struct url *url = &urls->items[i];
		uint8_t ip[16];
		bool known = !is_web(url) || url->host.len == 0;
		for (size_t j = first; j < state->n_targets && !known; j++)
			known = bytes_eq(state->targets[j].value, url->host);
		if (known)
			continue;
		struct where where = where_text(url->part, url->url);
		if ((url->flags & URL_IP_HOST) != 0) {
			if (received_parse_ip(url->host, ip))
				TRY(add_ip(scan, state, LIST_URLS, ip, where));
			continue;
		}
		TRY(add_target(scan, state,
			       &(struct target){.about = LIST_URLS,
						.domain = url->host,
						.site = url_registrable(url->host),
						.value = url->host,
						.ours = is_ours(state, url->host),
						.where = where}));
	}
	return ERR_OK;
}

static enum err find_targets(struct scan *scan, struct lists_state *state)
{
	const struct message *message = scan_message(scan);
	TRY(add_path(scan, state));
	TRY(add_sender(scan, state));
	TRY(add_addresses(scan, state, LIST_FROM, &message->from, HEADER_FROM));
	TRY(add_addresses(scan, state, LIST_REPLIES, &message->reply_to, HEADER_REPLY_TO));
	return add_urls(scan, state);
}

/* -- What zones are asked ---- */

static enum err ask_about(struct scan *scan, struct lists_state *state, const struct list_zone *zone,
			  const struct target *target, struct bytes value)
{
	struct arena *arena = scan_arena(scan);
	struct bytes name = target->is_ip ? dns_name_reverse(arena, target->ip, zone->zone)
					  : arena_printf(arena, "%.*s.%.*s", BYTES_FMT(value), BYTES_FMT(zone->zone));
	bool known = false;
	if (!name.ptr)
		return ERR_NOMEM;
	if (!dns_name_valid(name))
		return ERR_OK;
	for (size_t i = 0; i < state->n_questions; i++) {
		const struct question *other = &state->questions[i];
		bool same = bytes_eq(other->name, name);
		if (same && other->zone == zone && other->target->about == target->about)
			return ERR_OK;
		known |= same;
	}
	if (!known && state->n_names >= scan_settings(scan)->list_questions)
		return ERR_OK;
	struct question *grown =
		arena_grow(arena, state->questions, &state->questions_capacity, state->n_questions, sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	state->n_names += !known;
	state->questions = grown;
	grown[state->n_questions++] = (struct question){zone, target, value, name};
	return ERR_OK;
}

/* The host of a link is asked about where it tells more than its domain. */
static bool has_host(const struct target *target)
{
	size_t more = target->domain.len - target->site.len;
	return target->site.len > 0 && more > 0 && !(more == 4 && bytes_starts(target->domain, BYTES_LIT("www.")));
}

static enum err find_questions(struct scan *scan, struct lists_state *state, bool hosts)
{
	const struct scan_settings *settings = scan_settings(scan);
	for (size_t i = 0; i < state->n_targets; i++) {
		const struct target *target = &state->targets[i];
		if (target->ours || (hosts && !has_host(target)))
			continue;
		for (size_t j = 0; j < settings->n_zones; j++) {
			const struct list_zone *zone = &settings->zones[j];
			bool by_ip = zone->kind == LIST_IP || zone->kind == LIST_IP_ALLOW;
			if ((zone->about & target->about) == 0 || by_ip != target->is_ip)
				continue;
			TRY(ask_about(scan, state, zone, target,
				      target->is_ip                    ? target->value
				      : target->site.len > 0 && !hosts ? target->site
								       : target->domain));
		}
	}
	return ERR_OK;
}

static enum err find_all(struct scan *scan, struct lists_state *state)
{
	TRY(find_ours(scan, state));
	TRY(find_targets(scan, state));
	if (!scan_settings(scan)->dns)
		return ERR_OK;
	TRY(find_questions(scan, state, false));
	return find_questions(scan, state, true);
}

/* NULL: there are no lists, or no memory for what they are to be asked. */
static const struct lists_state *get_state(struct scan *scan)
{
	const struct scan_settings *settings = scan_settings(scan);
	struct lists_state **slot = scan_lists_state(scan);
	if (settings->n_zones + settings->n_locals == 0)
		return NULL;
	if (!*slot) {
		if (!(*slot = arena_new(scan_arena(scan), struct lists_state, 1)))
			return NULL;
		(*slot)->failed = find_all(scan, *slot) != ERR_OK;
	}
	return (*slot)->failed ? NULL : *slot;
}

/* -- What they say ---- */

/* Whether nobody but its owner can have written the name. NULL: not known yet. */
static const bool *is_proven(struct scan *scan, const struct target *target)
{
	static const bool yes = true, no = false;
	if (target->is_ip)
		return &yes;
	const struct scan_auth *auth = scan_auth(scan);
	if (!auth)
		return NULL;
	if (target->about == LIST_SENDER)
		return auth->has_spf && auth->spf.code == SPF_PASS && bytes_eq_nocase(auth->spf.domain, target->domain)
			       ? &yes
			       : &no;
	if (target->about == LIST_FROM)
		return auth->dmarc.code == DMARC_PASS && bytes_eq_nocase(auth->dmarc.domain, target->domain) ? &yes
													     : &no;
	return &no;
}

enum check_step lists_tell_zones(struct scan *scan, unsigned kinds, unsigned about)
{
	const struct lists_state *state = get_state(scan);
	struct dns_host host = scan_dns(scan);
	bool waits = false;
	for (size_t i = 0; state && i < state->n_questions; i++) {
		const struct question *question = &state->questions[i];
		struct bytes meaning;
		if ((kinds & 1u << question->zone->kind) == 0 || (about & question->target->about) == 0)
			continue;
		const struct dns_answer *answer = dns_ask(&host, DNS_A, question->name);
		if (!answer) {
			waits = true;
			continue;
		}
		if (!list_zone_hit(scan_arena(scan), question->zone, answer, &meaning))
			continue;
		if (list_kind_allows(question->zone->kind)) {
			const bool *proven = is_proven(scan, question->target);
			waits |= proven == NULL;
			if (!proven || !*proven)
				continue;
		}
		scan_evidence(scan, question->target->where, question->value,
			      arena_printf(scan_arena(scan), "%.*s (%.*s)", BYTES_FMT(question->zone->name),
					   BYTES_FMT(meaning)));
	}
	return waits ? CHECK_WAIT : CHECK_DONE;
}

static const struct list_local *find_local(struct scan *scan, struct bytes name)
{
	const struct scan_settings *settings = scan_settings(scan);
	for (size_t i = 0; i < settings->n_locals; i++)
		if (bytes_eq(settings->locals[i].name, name))
			return &settings->locals[i];
	return NULL;
}

/* One target that our lists have, by the lines of their answer. False: wait. */
static bool tell_entries(struct scan *scan, const struct target *target, bool allow, struct bytes lines)
{
	struct bytes line, name;
	while (bytes_split(&lines, '\n', &line)) {
		struct bytes entry = line;
		const struct list_local *local = bytes_split(&entry, ' ', &name) ? find_local(scan, name) : NULL;
		if (!local || local->allow != allow || (local->about & target->about) == 0)
			continue;
		const bool *proven = allow ? is_proven(scan, target) : NULL;
		if (allow && !proven)
			return false;
		if (!allow || *proven)
			scan_evidence(scan, target->where, target->value,
				      arena_printf(scan_arena(scan), "%.*s (%.*s)", BYTES_FMT(name), BYTES_FMT(entry)));
	}
	return true;
}

enum check_step lists_tell_local(struct scan *scan, bool allow)
{
	const struct scan_settings *settings = scan_settings(scan);
	const struct lists_state *state = get_state(scan);
	unsigned about = 0;
	bool waits = false;
	for (size_t i = 0; i < settings->n_locals; i++)
		about |= settings->locals[i].allow == allow ? settings->locals[i].about : 0;
	for (size_t i = 0, n = 0; state && i < state->n_targets && n < VALUES_MAX; i++) {
		const struct target *target = &state->targets[i];
		if ((about & target->about) == 0)
			continue;
		n++;
		const struct fact *fact = scan_fact(scan, FACT_LIST, target->value);
		if (!fact)
			waits = true;
		else if (fact->state == FACT_KNOWN)
			waits |= !tell_entries(scan, target, allow, fact->answer);
	}
	return waits ? CHECK_WAIT : CHECK_DONE;
}
