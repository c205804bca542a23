/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc.h"

#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/url.h"
#include "mail/url_host.h"

#include "base/banned.h"

/* -- Names ---- */

/* Labels in the letters of host names, none of them empty; perhaps longer than DNS can hold. */
static bool is_host_name(struct bytes name)
{
	bool dot = true;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];
		if (c == '.' ? dot : !ascii_is_alnum(c) && c != '-' && c != '_')
			return false;
		dot = c == '.';
	}
	return !dot && name.len <= DNS_NAME_MAX;
}

/*
 * dmarc_domain(), but a label may be over 63 bytes. Nobody has such a name and none of its mail is honest, yet readers
 * see what it ends in, so that the organization above it decides.
 */
static enum err author_domain(struct arena *arena, struct bytes raw, struct bytes *ret_domain)
{
	uint8_t host[URL_HOST_MAX];
	if (!utf8_is_ascii(raw)) {
		/* Of the host parser's leniencies, escapes and addresses in odd spellings, none is meant in mail. */
		unsigned flags = 0;
		size_t len;
		if (bytes_has(raw, '%') || url_host_parse(raw, host, &len, &flags) != ERR_OK || flags & URL_IP_HOST)
			return ERR_SYNTAX;
		raw = bytes_make(host, len);
	}
	if (raw.len > 0 && raw.ptr[raw.len - 1] == '.')
		raw.len--;
	if (!is_host_name(raw))
		return ERR_SYNTAX;
	*ret_domain = arena_copy_lower(arena, raw);
	return ret_domain->ptr ? ERR_OK : ERR_NOMEM;
}

enum err dmarc_domain(struct arena *arena, struct bytes raw, struct bytes *ret_domain)
{
	TRY(author_domain(arena, raw, ret_domain));
	return dns_name_valid(*ret_domain) ? ERR_OK : ERR_SYNTAX;
}

static size_t count_labels(struct bytes domain)
{
	size_t n = domain.len > 0;
	for (size_t i = 0; i < domain.len; i++)
		n += domain.ptr[i] == '.';
	return n;
}

/* The last `n` labels; all when there are no more. */
static struct bytes last_labels(struct bytes domain, size_t n)
{
	size_t at = domain.len;
	for (; at > 0 && n > 0; at--)
		n -= domain.ptr[at - 1] == '.';
	return bytes_from(domain, n == 0 && at < domain.len ? at + 1 : at);
}

bool dmarc_step(struct bytes domain, size_t step, struct bytes *ret_name)
{
	size_t labels = count_labels(domain), first = MIN(labels - 1, DMARC_STEPS_MAX - 1);
	if (labels == 0 || (step > 0 && step > first))
		return false;
	*ret_name = step == 0 ? domain : last_labels(domain, first - (step - 1));
	return true;
}

/* Is it `above`, or a name below it? */
static bool is_within(struct bytes domain, struct bytes above)
{
	return bytes_ends(domain, above) && (domain.len == above.len || domain.ptr[domain.len - above.len - 1] == '.');
}

/* -- What is published ---- */

enum lookup_state { LOOKUP_PENDING, LOOKUP_FAILED, LOOKUP_NONE, LOOKUP_SEVERAL, LOOKUP_FOUND };

struct lookup {
	struct bytes domain;
	enum lookup_state state;
	struct dmarc_record record;
};

/* Walks of different domains meet at the same names: each is asked, read and counted once. */
#define LOOKUPS_MAX ((size_t)(DMARC_AUTHORS_MAX + DMARC_WALKS_MAX) * DMARC_STEPS_MAX)

struct judge {
	struct arena *arena;
	const struct dns_host *host;
	enum dmarc_mode mode;
	struct lookup **lookups;
	size_t n_lookups, n_existence;
	struct bytes *walked; /* identifiers */
	size_t n_walked;
	bool no_memory;
	struct dmarc_identifier spf; /* domains in their normal form; {NULL, 0}: nothing to see there */
	struct dmarc_identifier *dkim;
	size_t n_dkim;
};

static void ask_record(struct judge *judge, struct lookup *lookup)
{
	static const char prefix[] = "_dmarc.";
	uint8_t name[sizeof(prefix) + DNS_NAME_MAX];
	memcpy(name, prefix, sizeof(prefix) - 1);
	memcpy(name + sizeof(prefix) - 1, lookup->domain.ptr, lookup->domain.len);
	const struct dns_answer *answer =
		dns_ask(judge->host, DNS_TXT, bytes_make(name, sizeof(prefix) - 1 + lookup->domain.len));
	if (!answer || answer->state == DNS_FAILED) {
		lookup->state = answer ? LOOKUP_FAILED : LOOKUP_PENDING;
		return;
	}
	lookup->state = LOOKUP_NONE;
	for (size_t i = 0; i < answer->n_records; i++) {
		struct dmarc_record record;
		enum err err = dmarc_record_read(judge->arena, answer->records[i].data, judge->mode, &record);
		if (err == ERR_NOMEM)
			judge->no_memory = true;
		if (err != ERR_OK)
			continue;
		/* RFC 9989 4.10 step 2: several are as good as none. */
		lookup->state = lookup->state == LOOKUP_NONE ? LOOKUP_FOUND : LOOKUP_SEVERAL;
		lookup->record = record;
	}
}

/* The caps on walks leave room for every name. */
static const struct lookup *find_record(struct judge *judge, struct bytes domain)
{
	for (size_t i = 0; i < judge->n_lookups; i++)
		if (bytes_eq(judge->lookups[i]->domain, domain))
			return judge->lookups[i];
	ASSERT(judge->n_lookups < LOOKUPS_MAX);
	struct lookup *lookup = arena_new(judge->arena, struct lookup, 1);
	if (!lookup) {
		static const struct lookup failed = {.state = LOOKUP_FAILED};
		judge->no_memory = true;
		return &failed;
	}
	judge->lookups[judge->n_lookups++] = lookup;
	lookup->domain = domain;
	ask_record(judge, lookup);
	return lookup;
}

/* -- Walks ---- */

struct walk {
	bool pending;  /* an answer is not there yet: nothing else is valid */
	bool own_open; /* nobody could tell whether the domain itself has a record */
	bool open;     /* ... or what its organizational domain is: `bound`, or a name below that */
	bool several;  /* records at one name, which therefore has none */
	struct bytes organizational, bound;
	const struct lookup *own, *upper; /* the record of the domain; of its organization or public suffix */
};

/*
 * RFC 9989 4.10, 4.10.2: all names are asked at once, and read from the longest on. An answer that cannot be had for a
 * top-level domain counts as no record: errors are ours to handle (4.10.1), the few records up there speak for names
 * that have none of their own, and a resolver that does not serve the root must not stop all mail.
 */
static struct walk walk_tree(struct judge *judge, struct bytes domain)
{
	struct walk walk = {.organizational = domain};
	const struct lookup *top = NULL, *suffix = NULL;
	struct bytes name;
	for (size_t step = 0; dmarc_step(domain, step, &name); step++) {
		const struct lookup *lookup = find_record(judge, name);
		walk.pending = walk.pending || lookup->state == LOOKUP_PENDING;
		walk.several = walk.several || lookup->state == LOOKUP_SEVERAL;
		if (lookup->state == LOOKUP_FAILED && (step == 0 || bytes_has(name, '.'))) {
			walk.own_open = walk.own_open || step == 0;
			walk.open = true;
			walk.bound = name;
		}
		if (lookup->state != LOOKUP_FOUND)
			continue;
		if (step == 0)
			walk.own = lookup;
		/* The public suffix is not the organization, but for mail in its own name. */
		if (lookup->record.psd == DMARC_PSD_Y && step > 0)
			suffix = lookup;
		else
			top = lookup;
		if (lookup->record.psd != DMARC_PSD_U)
			break;
	}
	if (suffix)
		walk.organizational = last_labels(domain, count_labels(suffix->domain) + 1);
	else if (top)
		walk.organizational = top->domain;
	if (!walk.open || walk.organizational.len < walk.bound.len)
		walk.bound = walk.organizational;
	/* 4.10.1: the organization's own record, else the public suffix's; never one in between. */
	walk.upper = top && bytes_eq(top->domain, walk.organizational) ? top : suffix;
	return walk;
}

/* RFC 7489 3.2, 6.6.3: the domain, and where it has no record the registrable domain. */
static struct walk walk_list(struct judge *judge, struct bytes domain)
{
	struct walk walk = {.organizational = url_registrable(domain)};
	const struct lookup *own = find_record(judge, domain), *upper = NULL;
	if (own->state == LOOKUP_NONE && !bytes_eq(walk.organizational, domain))
		upper = find_record(judge, walk.organizational);
	walk.pending = own->state == LOOKUP_PENDING || (upper && upper->state == LOOKUP_PENDING);
	walk.own_open = own->state == LOOKUP_FAILED || (upper && upper->state == LOOKUP_FAILED);
	walk.several = own->state == LOOKUP_SEVERAL || (upper && upper->state == LOOKUP_SEVERAL);
	walk.own = own->state == LOOKUP_FOUND ? own : NULL;
	walk.upper = upper && upper->state == LOOKUP_FOUND ? upper : NULL;
	return walk;
}

static struct walk walk_from(struct judge *judge, struct bytes domain)
{
	return judge->mode == DMARC_RFC9989 ? walk_tree(judge, domain) : walk_list(judge, domain);
}

/* -- Alignment ---- */

enum alignment { ALIGNED_NO, ALIGNED_YES, ALIGNED_MAYBE, ALIGNED_PENDING };

/* Past the cap an identifier aligns with nothing. */
static bool may_walk(struct judge *judge, struct bytes domain)
{
	for (size_t i = 0; i < judge->n_walked; i++)
		if (bytes_eq(judge->walked[i], domain))
			return true;
	if (judge->n_walked == DMARC_WALKS_MAX)
		return false;
	judge->walked[judge->n_walked++] = domain;
	return true;
}

static enum alignment align(struct judge *judge, struct bytes author, const struct walk *way, bool strict,
			    struct bytes domain)
{
	if (bytes_eq(domain, author))
		return ALIGNED_YES;
	if (strict)
		return ALIGNED_NO;
	if (way->open)
		return is_within(domain, way->bound) ? ALIGNED_MAYBE : ALIGNED_NO;
	if (!is_within(domain, way->organizational))
		return ALIGNED_NO;
	if (judge->mode == DMARC_RFC7489)
		return bytes_eq(url_registrable(domain), way->organizational) ? ALIGNED_YES : ALIGNED_NO;
	if (!may_walk(judge, domain))
		return ALIGNED_NO;
	struct walk other = walk_from(judge, domain);
	if (other.pending)
		return ALIGNED_PENDING;
	if (other.open)
		return ALIGNED_MAYBE;
	return bytes_eq(other.organizational, way->organizational) ? ALIGNED_YES : ALIGNED_NO;
}

/* While the author's answers are under way: asks what will most likely be needed, since two labels are shared. */
static void ask_ahead(struct judge *judge, struct bytes author)
{
	struct bytes shared = last_labels(author, 2);
	if (judge->mode == DMARC_RFC7489)
		return;
	for (size_t i = 0; i <= judge->n_dkim; i++) {
		struct bytes domain = i < judge->n_dkim ? judge->dkim[i].domain : judge->spf.domain;
		if (domain.len > 0 && !bytes_eq(domain, author) && is_within(domain, shared) && may_walk(judge, domain))
			(void)walk_from(judge, domain);
	}
}

struct outcome {
	bool passed, temporary, pending;
	struct bytes domain; /* that passed */
};

static void add_outcome(struct judge *judge, struct bytes author, const struct walk *way, bool strict,
			const struct dmarc_identifier *identifier, struct outcome *outcome)
{
	if (identifier->domain.len == 0 || outcome->passed)
		return;
	switch (align(judge, author, way, strict, identifier->domain)) {
	case ALIGNED_PENDING:
		outcome->pending = true;
		break;
	case ALIGNED_MAYBE:
		outcome->temporary = true;
		break;
	case ALIGNED_YES:
		outcome->passed = identifier->passed;
		outcome->domain = identifier->domain;
		outcome->temporary = outcome->temporary || !identifier->passed;
		break;
	case ALIGNED_NO:
		break;
	}
}

/* -- Policy ---- */

enum existence { EXISTS, EXISTS_NOT, EXISTS_OPEN, EXISTS_PENDING };

/* RFC 9989 3.2.13: NXDOMAIN, which any type of question brings to light. */
static enum existence find_existence(struct judge *judge, struct bytes domain)
{
	const struct dns_answer *answer = dns_ask(judge->host, DNS_A, domain);
	judge->n_existence++;
	if (!answer)
		return EXISTS_PENDING;
	if (answer->state == DNS_FAILED)
		return EXISTS_OPEN;
	return answer->state == DNS_NO_NAME ? EXISTS_NOT : EXISTS;
}

/* RFC 9989 4.7, 4.10.1 */
static enum existence choose_policy(struct judge *judge, const struct lookup *source, struct dmarc_result *result)
{
	const struct dmarc_record *record = &source->record;
	enum existence existence = EXISTS;
	result->record = record;
	result->policy_domain = source->domain;
	result->policy = record->p;
	result->tag = "p";
	if (bytes_eq(source->domain, result->domain))
		return existence;
	if (record->sp != DMARC_POLICY_ABSENT) {
		result->policy = record->sp;
		result->tag = "sp";
	}
	if (record->np == DMARC_POLICY_ABSENT)
		return existence;
	existence = find_existence(judge, result->domain);
	if (existence == EXISTS_NOT) {
		result->policy = record->np;
		result->tag = "np";
	}
	return existence;
}

static enum dmarc_policy lowered(enum dmarc_policy policy)
{
	return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

static void conclude(struct judge *judge, const struct outcome *spf, const struct outcome *dkim,
		     enum existence existence, struct dmarc_result *result)
{
	const struct dmarc_record *record = result->record;
	bool test = record->testing || (judge->mode == DMARC_RFC7489 && record->pct == 0);
	result->aligned.spf = spf->passed;
	result->aligned.dkim = dkim->passed;
	if (spf->passed || dkim->passed) {
		struct bytes domain = dkim->passed ? dkim->domain : spf->domain;
		result->code = DMARC_PASS;
		result->reason = arena_printf(judge->arena, "%s of %.*s is aligned",
					      !spf->passed   ? "DKIM"
					      : dkim->passed ? "SPF and DKIM"
							     : "SPF",
					      BYTES_FMT(domain));
	} else if (spf->temporary || dkim->temporary) {
		result->code = DMARC_TEMPERROR;
		result->reason = BYTES_LIT("an identifier that may be aligned has a temporary error");
	} else if (existence == EXISTS_OPEN) {
		result->code = DMARC_TEMPERROR;
		result->reason = BYTES_LIT("whether the author domain exists is not known now");
	} else {
		result->code = DMARC_FAIL;
		result->disposition = test ? lowered(result->policy) : result->policy;
		result->reason = arena_printf(judge->arena, "nothing aligned passed; %.*s has %s=%s%s",
					      BYTES_FMT(result->policy_domain), result->tag,
					      dmarc_policy_name(result->policy), test ? " in test mode" : "");
	}
}

/* AUTH_DONE with the judgment of one author domain. */
static enum auth_step judge_author(struct judge *judge, struct bytes author, struct dmarc_result *result)
{
	struct walk way = walk_from(judge, author);
	*result = (struct dmarc_result){.domain = author, .disposition = DMARC_POLICY_NONE};
	if (way.pending) {
		ask_ahead(judge, author);
		return AUTH_WAIT;
	}
	const struct lookup *source = way.own ? way.own : way.upper;
	if (!way.open)
		result->organizational_domain = way.organizational;
	if (way.own_open || (!way.own && way.open)) {
		result->code = DMARC_TEMPERROR;
		result->reason = BYTES_LIT("the policy record cannot be fetched now");
		return AUTH_DONE;
	}
	if (!source) {
		result->reason = way.several ? BYTES_LIT("several policy records at one name count as none")
					     : BYTES_LIT("no policy record");
		return AUTH_DONE;
	}
	/* RFC 9989, 4.10.1: then DMARC is not applied to the message at all. */
	if (source->record.unusable) {
		result->policy_domain = source->domain;
		result->reason = BYTES_LIT("the policy record has no valid policy and no report address");
		return AUTH_DONE;
	}
	struct outcome spf = {0}, dkim = {0};
	enum existence existence = choose_policy(judge, source, result);
	add_outcome(judge, author, &way, source->record.strict_spf, &judge->spf, &spf);
	for (size_t i = 0; i < judge->n_dkim; i++)
		add_outcome(judge, author, &way, source->record.strict_dkim, &judge->dkim[i], &dkim);
	if (existence == EXISTS_PENDING || spf.pending || dkim.pending)
		return AUTH_WAIT;
	conclude(judge, &spf, &dkim, existence, result);
	return AUTH_DONE;
}

/* -- One message ---- */

static bool is_known(const struct bytes *domains, size_t n, struct bytes domain)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_eq_nocase(domains[i], domain))
			return true;
	return false;
}

/* Another @ outside quotes: some take what stands behind the first for the domain, we what stands behind the last. */
static bool has_two_readings(const struct address *address)
{
	return bytes_has(address->local, '@') && !bytes_has(address->local, '"');
}

/*
 * The different domains in From, one more than are judged at most; `*ret_odd`: one of them is no domain name, or not
 * the only one that its address may be read to have.
 */
static size_t find_authors(struct judge *judge, const struct address_list *from,
			   struct bytes authors[DMARC_AUTHORS_MAX + 1], bool *ret_odd)
{
	size_t n = 0;
	*ret_odd = false;
	for (size_t i = 0; from && i < from->count && n <= DMARC_AUTHORS_MAX; i++) {
		struct bytes raw = from->items[i].domain, domain;
		if (from->items[i].address.len == 0)
			continue;
		*ret_odd = *ret_odd || has_two_readings(&from->items[i]);
		if (is_known(authors, n, raw))
			continue;
		enum err err = author_domain(judge->arena, raw, &domain);
		if (err == ERR_NOMEM)
			judge->no_memory = true;
		if (err != ERR_OK)
			*ret_odd = true;
		else if (!is_known(authors, n, domain))
			authors[n++] = domain;
	}
	return n;
}

/* Keeps of an identifier what may count; of signatures each domain once, the passed one before the temporary one. */
static void add_identifier(struct judge *judge, const struct dmarc_identifier *identifier)
{
	struct dmarc_identifier *kept = NULL;
	struct bytes domain;
	if (!identifier->passed && !identifier->temporary)
		return;
	enum err err = dmarc_domain(judge->arena, identifier->domain, &domain);
	if (err == ERR_NOMEM)
		judge->no_memory = true;
	if (err != ERR_OK)
		return;
	for (size_t i = 0; i < judge->n_dkim && !kept; i++)
		if (bytes_eq(judge->dkim[i].domain, domain))
			kept = &judge->dkim[i];
	if (!kept) {
		kept = &judge->dkim[judge->n_dkim++];
		*kept = (struct dmarc_identifier){.domain = domain};
	}
	kept->passed = kept->passed || identifier->passed;
	kept->temporary = kept->temporary || identifier->temporary;
}

/* Higher is worse (RFC 9989 11.5: of several author domains the strictest failure counts). */
static unsigned badness(const struct dmarc_result *result)
{
	static const unsigned of_code[] = {
		[DMARC_PASS] = 0, [DMARC_NONE] = 1, [DMARC_PERMERROR] = 2, [DMARC_TEMPERROR] = 3, [DMARC_FAIL] = 4};
	return of_code[result->code] * 8 + (unsigned)result->disposition;
}

static enum auth_step judge_authors(struct judge *judge, const struct address_list *from, struct dmarc_result *ret)
{
	struct bytes authors[DMARC_AUTHORS_MAX + 1];
	struct dmarc_result worst = {.disposition = DMARC_POLICY_NONE}, result;
	bool odd, wait = false;
	size_t n = find_authors(judge, from, authors, &odd);
	for (size_t i = 0; i < MIN(n, DMARC_AUTHORS_MAX); i++) {
		wait = judge_author(judge, authors[i], &result) == AUTH_WAIT || wait;
		if (i == 0 || badness(&result) > badness(&worst))
			worst = result;
	}
	if (n > DMARC_AUTHORS_MAX && worst.code != DMARC_FAIL) {
		worst = (struct dmarc_result){.code = DMARC_PERMERROR,
					      .domain = authors[0],
					      .disposition = DMARC_POLICY_NONE,
					      .reason = BYTES_LIT("too many author domains")};
	} else if (n == 0 || (odd && worst.code == DMARC_PASS)) {
		/* RFC 9989 5.3.1. A pass would speak for an author that it says nothing of. */
		worst = (struct dmarc_result){.disposition = DMARC_POLICY_NONE,
					      .reason = n == 0 ? BYTES_LIT("no author domain")
							       : BYTES_LIT("an author has no domain")};
	}
	worst.n_authors = n;
	*ret = worst;
	return wait ? AUTH_WAIT : AUTH_DONE;
}

enum auth_step dmarc_check(struct arena *arena, const struct dns_host *host, const struct dmarc_query *query,
			   struct dmarc_result *ret_result)
{
	struct judge judge = {.arena = arena,
			      .host = host,
			      .mode = query->mode,
			      .lookups = arena_new(arena, struct lookup *, LOOKUPS_MAX),
			      .walked = arena_new(arena, struct bytes, DMARC_WALKS_MAX),
			      .dkim = arena_new(arena, struct dmarc_identifier, query->n_dkim + 1)};
	struct dmarc_result result = {0};
	enum auth_step step = AUTH_DONE;
	judge.no_memory = !judge.lookups || !judge.walked || !judge.dkim;
	if (!judge.no_memory) {
		if (query->spf) {
			add_identifier(&judge, query->spf);
			if (judge.n_dkim > 0)
				judge.spf = judge.dkim[--judge.n_dkim];
		}
		for (size_t i = 0; i < query->n_dkim; i++)
			add_identifier(&judge, &query->dkim[i]);
		step = judge_authors(&judge, query->from, &result);
		result.n_questions = judge.n_lookups + judge.n_existence;
	}
	if (judge.no_memory || (step == AUTH_DONE && !result.reason.ptr)) {
		step = AUTH_DONE;
		result = (struct dmarc_result){.code = DMARC_TEMPERROR,
					       .disposition = DMARC_POLICY_NONE,
					       .reason = BYTES_LIT("out of memory")};
	}
	*ret_result = result;
	return step;
}
