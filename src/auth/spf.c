/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf.h"

#include "auth/spf_macro.h"
#include "base/arena.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/url_host.h"

#include "base/banned.h"

/*
 * The records that include each other are a stack: its top is read on, term by term. A matching term ends the top: the
 * lowest record's code is the result, that of an included one decides whether the include below matches. A redirect
 * puts another record in the place of the top. WAIT leaves everything: the check begins anew when answers came.
 */
enum step {
	NEXT, /* no match, go on */
	MATCH,
	WAIT,
	STOP, /* the result is set */
};

struct frame {
	struct bytes domain;
	struct spf_record record;
	size_t at;
	struct spf_term term; /* the include that the frame above stands for */
	struct bytes via;     /* the redirects that led here, each with " > " behind it */
};

struct check {
	struct arena *arena;
	const struct dns_host *host;
	const struct spf_query *query;
	struct spf_result *result;
	struct spf_values values;
	bool v4;
	bool is_void; /* a question of this term brought no record */

	struct frame frames[SPF_LOOKUPS_MAX + 1];
	unsigned depth;

	/* The validated names of the client (RFC 7208 5.5), looked for when first needed. */
	bool has_names;
	bool names_void;
	struct bytes names[SPF_NAMES_MAX];
	unsigned n_names;
};

const char *spf_code_name(enum spf_code code)
{
	static const char *const names[] = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"};
	return names[code];
}

/* -- Endings ---- */

static enum step no_memory(struct check *c)
{
	c->result->code = SPF_TEMPERROR;
	c->result->problem = BYTES_LIT("no memory is left for this check");
	c->result->mechanism = c->result->explanation = BYTES_LIT("");
	return STOP;
}

/* Text of records is shown up to here; more of it tells nobody more. */
static struct bytes shown(struct bytes text)
{
	return bytes_sub(text, 0, 255);
}

static enum step stop(struct check *c, enum spf_code code, struct bytes problem)
{
	if (!problem.ptr)
		return no_memory(c);
	c->result->code = code;
	c->result->problem = problem;
	return STOP;
}

static enum step stop_at(struct check *c, enum spf_code code, struct bytes domain, size_t at, struct bytes term,
			 const char *text)
{
	return stop(c, code,
		    arena_printf(c->arena, "SPF record of %.*s, byte %zu, \"%.*s\": %s", BYTES_FMT(domain), at + 1,
				 BYTES_FMT(shown(term)), text));
}

static struct frame *top(struct check *c)
{
	return &c->frames[c->depth - 1];
}

static enum step stop_term(struct check *c, enum spf_code code, const struct spf_term *term, const char *text)
{
	return stop_at(c, code, top(c)->domain, term->at, term->text, text);
}

static enum step stop_syntax(struct check *c, struct bytes domain, struct bytes record, const struct error *error)
{
	size_t blank = bytes_rfind_byte(bytes_sub(record, 0, error->at), ' ');
	struct bytes term = bytes_from(record, blank == BYTES_NONE ? 0 : blank + 1);
	term = bytes_sub(term, 0, bytes_find_byte(term, ' '));
	return stop_at(c, SPF_PERMERROR, domain, error->at, term, error->text);
}

/* A question that nobody can answer now (RFC 7208 5). */
static enum step stop_failed(struct check *c, const struct spf_term *term, enum dns_type type, struct bytes name,
			     const struct dns_answer *answer)
{
	struct bytes text = arena_printf(c->arena, "%s %.*s: %.*s", dns_type_name(type), BYTES_FMT(name),
					 BYTES_FMT(answer->reason));
	if (!text.ptr || !term)
		return stop(c, SPF_TEMPERROR, text);
	return stop(c, SPF_TEMPERROR,
		    arena_printf(c->arena, "SPF record of %.*s, byte %zu, \"%.*s\": %.*s", BYTES_FMT(top(c)->domain),
				 term->at + 1, BYTES_FMT(shown(term->text)), BYTES_FMT(text)));
}

/* -- Questions ---- */

static const struct dns_answer *ask(struct check *c, enum dns_type type, struct bytes name)
{
	return dns_ask(c->host, type, name);
}

static enum dns_type address_type(const struct check *c)
{
	return c->v4 ? DNS_A : DNS_AAAA;
}

static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	size_t whole = bits / 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return bits % 8 == 0 || (a[whole] ^ b[whole]) >> (8 - bits % 8) == 0;
}

/* Whether one of the addresses is the client's, as far as `bits4` or `bits6` says. */
static bool holds_client(const struct check *c, const struct dns_answer *answer, unsigned bits4, unsigned bits6)
{
	for (size_t i = 0; answer->state == DNS_FOUND && i < answer->n_records; i++) {
		struct bytes ip = answer->records[i].data;
		if (c->v4 ? ip.len == 4 && prefix_eq(ip.ptr, c->query->ip + 12, bits4)
			  : ip.len == 16 && prefix_eq(ip.ptr, c->query->ip, bits6))
			return true;
	}
	return false;
}

/* Equal, or a name below it. */
static bool is_within(struct bytes name, struct bytes domain)
{
	return bytes_ends_nocase(name, domain) &&
	       (name.len == domain.len || name.ptr[name.len - domain.len - 1] == '.');
}

/* RFC 7208 5.5: names of the client whose addresses lead back to it. What cannot be looked up is left out. */
static enum step find_names(struct check *c)
{
	if (c->has_names)
		return NEXT;
	struct bytes name = dns_name_reverse(c->arena, c->query->ip, dns_reverse_suffix(c->query->ip));
	if (!name.ptr)
		return no_memory(c);
	const struct dns_answer *ptr = ask(c, DNS_PTR, name), *addresses[SPF_NAMES_MAX];
	if (!ptr)
		return WAIT;
	bool wait = false;
	size_t n = ptr->state == DNS_FOUND ? MIN(ptr->n_records, (size_t)SPF_NAMES_MAX) : 0;
	for (size_t i = 0; i < n; i++) {
		addresses[i] = ask(c, address_type(c), ptr->records[i].data);
		wait |= !addresses[i];
	}
	if (wait)
		return WAIT;
	for (size_t i = 0; i < n; i++)
		if (holds_client(c, addresses[i], 32, 128))
			c->names[c->n_names++] = ptr->records[i].data;
	c->names_void = ptr->state == DNS_NO_NAME || ptr->state == DNS_NO_DATA;
	c->has_names = true;
	return NEXT;
}

/* What a text needs before it is expanded: %{d}, and %{p} if it has one (RFC 7208 7.3). */
static enum step set_values(struct check *c, struct bytes text)
{
	c->values.domain = top(c)->domain;
	if (!bytes_has(text, '%') || !spf_macro_uses(text, 'p'))
		return NEXT;
	enum step step = find_names(c);
	c->values.validated = c->n_names > 0 ? c->names[0] : BYTES_LIT("unknown");
	for (unsigned i = c->n_names; i-- > 0;)
		if (is_within(c->names[i], c->values.domain))
			c->values.validated = c->names[i];
	for (unsigned i = 0; i < c->n_names; i++)
		if (bytes_eq_nocase(c->names[i], c->values.domain))
			c->values.validated = c->names[i];
	return step;
}

/* The name that a term is about (RFC 7208 4.8). */
static enum step find_target(struct check *c, const struct spf_term *term, struct bytes *ret_name)
{
	*ret_name = top(c)->domain;
	if (term->domain.len == 0)
		return NEXT;
	enum step step = set_values(c, term->domain);
	if (step == NEXT && spf_macro_name(c->arena, term->domain, &c->values, ret_name) != ERR_OK)
		return no_memory(c);
	return step;
}

/* -- Mechanisms ---- */

static void note_void(struct check *c, const struct dns_answer *answer)
{
	c->is_void |= answer->state == DNS_NO_NAME || answer->state == DNS_NO_DATA;
}

/* a and exists. */
static enum step match_address(struct check *c, const struct spf_term *term, struct bytes name)
{
	enum dns_type type = term->kind == SPF_EXISTS ? DNS_A : address_type(c);
	const struct dns_answer *answer = ask(c, type, name);
	if (!answer)
		return WAIT;
	if (answer->state == DNS_FAILED)
		return stop_failed(c, term, type, name, answer);
	note_void(c, answer);
	if (term->kind == SPF_EXISTS)
		return answer->state == DNS_FOUND ? MATCH : NEXT;
	return holds_client(c, answer, term->bits4, term->bits6) ? MATCH : NEXT;
}

/*
 * The hosts by preference, one more than are allowed at most, those of equal preference as the answer has them. The
 * null MX (RFC 7505) is no host.
 */
static size_t sort_hosts(const struct dns_answer *mx, const struct dns_record *ret_hosts[SPF_NAMES_MAX + 1])
{
	size_t n = 0;
	for (size_t i = 0; mx->state == DNS_FOUND && i < mx->n_records; i++) {
		const struct dns_record *host = &mx->records[i];
		if (host->data.len == 0)
			continue;
		size_t at = n;
		for (; at > 0 && ret_hosts[at - 1]->preference > host->preference; at--)
			if (at <= SPF_NAMES_MAX)
				ret_hosts[at] = ret_hosts[at - 1];
		if (at <= SPF_NAMES_MAX)
			ret_hosts[at] = host;
		n += n <= SPF_NAMES_MAX;
	}
	return n;
}

static enum step match_mx(struct check *c, const struct spf_term *term, struct bytes name)
{
	const struct dns_record *hosts[SPF_NAMES_MAX + 1];
	const struct dns_answer *mx = ask(c, DNS_MX, name), *addresses[SPF_NAMES_MAX];
	if (!mx)
		return WAIT;
	if (mx->state == DNS_FAILED)
		return stop_failed(c, term, DNS_MX, name, mx);
	note_void(c, mx);
	size_t n = sort_hosts(mx, hosts), asked = MIN(n, (size_t)SPF_NAMES_MAX);
	bool wait = false;
	for (size_t i = 0; i < asked; i++) {
		addresses[i] = ask(c, address_type(c), hosts[i]->data);
		wait |= !addresses[i];
	}
	if (wait)
		return WAIT;
	for (size_t i = 0; i < asked; i++) {
		if (addresses[i]->state == DNS_FAILED)
			return stop_failed(c, term, address_type(c), hosts[i]->data, addresses[i]);
		note_void(c, addresses[i]);
		if (holds_client(c, addresses[i], term->bits4, term->bits6))
			return MATCH;
	}
	if (n > asked)
		return stop_term(c, SPF_PERMERROR, term, "over 10 MX hosts (RFC 7208 4.6.4)");
	return NEXT;
}

static enum step match_ptr(struct check *c, struct bytes name)
{
	enum step step = find_names(c);
	if (step != NEXT)
		return step;
	c->is_void |= c->names_void;
	for (unsigned i = 0; i < c->n_names; i++)
		if (name.len > 0 && is_within(c->names[i], name))
			return MATCH;
	return NEXT;
}

static enum step count_lookup(struct check *c, const struct spf_term *term)
{
	if (c->result->lookups == SPF_LOOKUPS_MAX)
		return stop_term(c, SPF_PERMERROR, term, "over 10 terms that ask DNS (RFC 7208 4.6.4)");
	c->result->lookups++;
	return NEXT;
}

/* a, mx, ptr, exists. */
static enum step match_asking(struct check *c, const struct spf_term *term)
{
	struct bytes name = {0};
	enum step step = count_lookup(c, term);
	if (step == NEXT)
		step = find_target(c, term, &name);
	if (step != NEXT)
		return step;
	c->is_void = false;
	/* A name that is empty is one that may not be asked for (spf_macro_name). */
	if (name.len > 0)
		step = term->kind == SPF_MX    ? match_mx(c, term, name)
		       : term->kind == SPF_PTR ? match_ptr(c, name)
					       : match_address(c, term, name);
	if (step != NEXT || !c->is_void)
		return step;
	if (++c->result->void_lookups > SPF_VOID_MAX)
		return stop_term(c, SPF_PERMERROR, term, "over 2 terms whose name has no such record (RFC 7208 4.6.4)");
	return NEXT;
}

/* -- Records ---- */

/*
 * Puts the record of `domain` on top of the stack. `term`: the include or redirect that asks for it, in the frame that
 * is top now; NULL for the first. NEXT: it is there.
 */
static enum step push(struct check *c, struct bytes domain, const struct spf_term *term)
{
	/* Its one dot at the end is off by now, so that another ends an empty label (RFC 7208 4.3). */
	if (!dns_name_valid(domain) || !bytes_has(domain, '.') || domain.ptr[0] == '[' ||
	    domain.ptr[domain.len - 1] == '.')
		return !term ? stop(c, SPF_NONE, BYTES_LIT(""))
			     : stop_term(c, SPF_PERMERROR, term, "what it leads to is no domain");
	const struct dns_answer *answer = ask(c, DNS_TXT, domain);
	if (!answer)
		return WAIT;
	if (answer->state == DNS_FAILED)
		return stop_failed(c, term, DNS_TXT, domain, answer);
	struct frame frame = {.domain = domain, .via = {(const uint8_t *)"", 0}};
	unsigned found = 0;
	for (size_t i = 0; answer->state == DNS_FOUND && i < answer->n_records; i++) {
		if (!spf_record_is(answer->records[i].data))
			continue;
		frame.record.text = answer->records[i].data;
		found++;
	}
	if (found == 0)
		return !term ? stop(c, SPF_NONE, BYTES_LIT(""))
			     : stop_term(c, SPF_PERMERROR, term, "what it leads to has no SPF record");
	if (found > 1)
		return stop(c, SPF_PERMERROR,
			    arena_printf(c->arena, "%.*s has %u SPF records", BYTES_FMT(domain), found));
	struct error error;
	if (spf_record_parse(frame.record.text, &frame.record, &error) != ERR_OK)
		return stop_syntax(c, domain, frame.record.text, &error);
	c->frames[c->depth++] = frame;
	return NEXT;
}

static enum step include(struct check *c, const struct spf_term *term)
{
	struct bytes domain = {0};
	enum step step = count_lookup(c, term);
	if (step == NEXT)
		step = find_target(c, term, &domain);
	/* A local part that DNS cannot hold: it matches nothing (RFC 8616 4). */
	if (step != NEXT || domain.len == 0)
		return step;
	top(c)->term = *term;
	return push(c, domain, term);
}

static enum step redirect(struct check *c)
{
	struct frame *from = top(c);
	struct spf_term term = from->record.redirect;
	struct bytes domain = {0};
	enum step step = count_lookup(c, &term);
	if (step == NEXT)
		step = find_target(c, &term, &domain);
	if (step != NEXT)
		return step;
	struct bytes via = arena_printf(c->arena, "%.*s%.*s > ", BYTES_FMT(from->via), BYTES_FMT(shown(term.text)));
	if (!via.ptr)
		return no_memory(c);
	step = push(c, domain, &term);
	if (step != NEXT)
		return step;
	*from = *top(c);
	from->via = via;
	c->depth--;
	return NEXT;
}

/* RFC 7208 6.2: whatever is wrong with an explanation, there is none then. */
static enum step explain(struct check *c)
{
	const struct spf_term *exp = &top(c)->record.exp;
	struct bytes name = {0};
	if (exp->kind == SPF_END)
		return STOP;
	enum step step = find_target(c, exp, &name);
	if (step != NEXT)
		return step;
	const struct dns_answer *answer = ask(c, DNS_TXT, name);
	if (!answer)
		return WAIT;
	if (answer->state != DNS_FOUND || answer->n_records != 1)
		return STOP;
	step = set_values(c, answer->records[0].data);
	if (step != NEXT)
		return step;
	if (spf_macro_explain(c->arena, answer->records[0].data, &c->values, &c->result->explanation) != ERR_OK)
		return no_memory(c);
	return STOP;
}

/*
 * The top of the stack comes to `code` by `text`. Includes below that match by it come to theirs. NEXT: an include did
 * not match, the record below is read on.
 */
static enum step leave(struct check *c, enum spf_code code, struct bytes text)
{
	text = shown(text);
	for (;;) {
		text = arena_printf(c->arena, "%.*s%.*s", BYTES_FMT(top(c)->via), BYTES_FMT(text));
		if (!text.ptr)
			return no_memory(c);
		if (c->depth == 1)
			break;
		c->depth--;
		if (code != SPF_PASS)
			return NEXT;
		code = top(c)->term.qualifier;
		text = arena_printf(c->arena, "%.*s > %.*s", BYTES_FMT(shown(top(c)->term.text)), BYTES_FMT(text));
		if (!text.ptr)
			return no_memory(c);
	}
	c->result->code = code;
	c->result->mechanism = text;
	return code == SPF_FAIL ? explain(c) : STOP;
}

/* The next term of the record on top. */
static enum step advance(struct check *c)
{
	struct frame *frame = top(c);
	struct spf_term term;
	struct error error;
	if (spf_term_next(frame->record.text, &frame->at, &term, &error) != ERR_OK)
		return stop_syntax(c, frame->domain, frame->record.text, &error);
	enum step step = NEXT;
	switch (term.kind) {
	case SPF_END:
		return frame->record.redirect.kind == SPF_END || frame->record.all
			       ? leave(c, SPF_NEUTRAL, BYTES_LIT("default"))
			       : redirect(c);
	case SPF_ALL:
		step = MATCH;
		break;
	case SPF_IP4:
		step = c->v4 && prefix_eq(term.ip + 12, c->query->ip + 12, term.bits4) ? MATCH : NEXT;
		break;
	case SPF_IP6:
		step = !c->v4 && prefix_eq(term.ip, c->query->ip, term.bits6) ? MATCH : NEXT;
		break;
	case SPF_INCLUDE:
		return include(c, &term);
	case SPF_A:
	case SPF_MX:
	case SPF_PTR:
	case SPF_EXISTS:
		step = match_asking(c, &term);
		break;
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_OTHER:
		break;
	}
	return step == MATCH ? leave(c, term.qualifier, term.text) : step;
}

/* -- The check ---- */

/*
 * Without the dot at its end, and in A-labels (RFC 8616 4). What cannot be a name in Unicode stays as it is: no such
 * name can be asked for, or nobody has it. false: no memory.
 */
static bool ascii_domain(struct arena *arena, struct bytes domain, struct bytes *ret_domain)
{
	uint8_t out[URL_HOST_MAX];
	size_t len;
	unsigned flags = 0;
	if (domain.len > 0 && domain.ptr[domain.len - 1] == '.')
		domain.len--;
	*ret_domain = domain;
	if (utf8_is_ascii(domain) || bytes_has(domain, '%') || url_host_parse(domain, out, &len, &flags) != ERR_OK)
		return true;
	*ret_domain = arena_copy(arena, bytes_make(out, len));
	return ret_domain->ptr;
}

static struct bytes join(struct arena *arena, struct bytes local, struct bytes domain)
{
	uint8_t *sender = arena_alloc_raw(arena, local.len + 1 + domain.len);
	if (!sender)
		return (struct bytes){0};
	memcpy(sender, local.ptr, local.len);
	sender[local.len] = '@';
	if (domain.len > 0)
		memcpy(sender + local.len + 1, domain.ptr, domain.len);
	return bytes_make(sender, local.len + 1 + domain.len);
}

static struct bytes without_brackets(struct bytes path)
{
	bool there = path.len >= 2 && path.ptr[0] == '<' && path.ptr[path.len - 1] == '>';
	return there ? bytes_sub(path, 1, path.len - 2) : path;
}

/* RFC 7208 2.3, 2.4, 4.3: who is checked. false: no memory. */
static bool set_sender(struct check *c)
{
	const struct spf_query *query = c->query;
	struct spf_values *values = &c->values;
	struct bytes from = without_brackets(query->from);
	bool helo_scope = from.len == 0;
	size_t at = bytes_rfind_byte(from, '@');
	struct bytes domain = helo_scope ? query->helo : bytes_from(from, at == BYTES_NONE ? 0 : at + 1);
	bool good = ascii_domain(c->arena, query->helo, &values->helo) &&
		    ascii_domain(c->arena, domain, &values->sender_domain);
	values->local = at == BYTES_NONE || at == 0 ? BYTES_LIT("postmaster") : bytes_sub(from, 0, at);
	values->sender = join(c->arena, values->local, values->sender_domain);
	values->ip = query->ip;
	values->receiver = query->receiver;
	values->now = query->now;
	*c->result = (struct spf_result){
		.helo_scope = helo_scope,
		.domain = values->sender_domain,
		.mechanism = BYTES_LIT(""),
		.explanation = BYTES_LIT(""),
		.problem = BYTES_LIT(""),
	};
	return good && values->sender.ptr;
}

enum auth_step spf_check(struct arena *arena, const struct dns_host *host, const struct spf_query *query,
			 struct spf_result *ret_result)
{
	struct check check = {
		.arena = arena, .host = host, .query = query, .result = ret_result, .v4 = ip_is_v4(query->ip)};
	enum step step = set_sender(&check) ? push(&check, check.values.sender_domain, NULL) : no_memory(&check);
	while (step == NEXT)
		step = advance(&check);
	return step == WAIT ? AUTH_WAIT : AUTH_DONE;
}
