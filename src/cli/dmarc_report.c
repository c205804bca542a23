/* SPDX-License-Identifier: Apache-2.0 */
/* postern dmarc report: by source what passes, and what p=reject would break. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/dmarc.h"
#include "cli/history.h"
#include "mail/date.h"
#include "store/reports.h"
#include "sys/clock.h"

#include "base/banned.h"

#define DAYS_DEFAULT 30
#define DAYS_MAX     36500

/* Of those that the text shows: anybody may send reports of any domain. --json has all. */
#define REPORTERS_SHOWN 5
#define DOMAINS_SHOWN   50

struct sums {
	struct arena *arena;
	struct store_report_domain *domains;
	size_t n_domains, domains_room;
	struct store_report_reporter *reporters;
	size_t n_reporters, reporters_room;
	struct store_report_source *sources; /* in the end those of a domain together, the largest first */
	size_t n_sources, sources_room;
	struct store_report_tls *tls;
	size_t n_tls, tls_room;
	struct store_report_tls_failure *failures;
	size_t n_failures, failures_room;
	bool nomem;
};

/* -- Collecting ---- */

static struct bytes keep(struct sums *sums, struct bytes text)
{
	struct bytes copy = arena_copy(sums->arena, text);
	sums->nomem |= !copy.ptr;
	return copy;
}

/* Room for one more of `size` bytes; NULL ends the collecting. */
static void *grow(struct sums *sums, void *items, size_t *room, size_t n, size_t size)
{
	void *grown = arena_grow(sums->arena, items, room, n, size);
	sums->nomem |= !grown;
	return grown;
}

static bool on_domain(void *ctx, const struct store_report_domain *domain)
{
	struct sums *sums = ctx;
	struct store_report_domain *items =
		grow(sums, sums->domains, &sums->domains_room, sums->n_domains, sizeof(*items));
	if (!items)
		return false;
	struct store_report_domain *item = &items[sums->n_domains++];
	sums->domains = items;
	*item = *domain;
	item->domain = keep(sums, domain->domain);
	item->policy = keep(sums, domain->policy);
	return !sums->nomem;
}

static bool on_reporter(void *ctx, const struct store_report_reporter *reporter)
{
	struct sums *sums = ctx;
	struct store_report_reporter *items =
		grow(sums, sums->reporters, &sums->reporters_room, sums->n_reporters, sizeof(*items));
	if (!items)
		return false;
	struct store_report_reporter *item = &items[sums->n_reporters++];
	sums->reporters = items;
	*item = *reporter;
	item->domain = keep(sums, reporter->domain);
	item->sender = keep(sums, reporter->sender);
	item->org = keep(sums, reporter->org);
	return !sums->nomem;
}

static bool on_source(void *ctx, const struct store_report_source *source)
{
	struct sums *sums = ctx;
	struct store_report_source *items =
		grow(sums, sums->sources, &sums->sources_room, sums->n_sources, sizeof(*items));
	if (!items)
		return false;
	struct store_report_source *item = &items[sums->n_sources++];
	sums->sources = items;
	*item = *source;
	item->domain = keep(sums, source->domain);
	item->ip = keep(sums, source->ip);
	item->failed_dkim_domain = keep(sums, source->failed_dkim_domain);
	item->failed_spf_domain = keep(sums, source->failed_spf_domain);
	item->failed_from = keep(sums, source->failed_from);
	return !sums->nomem;
}

static bool on_tls(void *ctx, const struct store_report_tls *tls)
{
	struct sums *sums = ctx;
	struct store_report_tls *items = grow(sums, sums->tls, &sums->tls_room, sums->n_tls, sizeof(*items));
	if (!items)
		return false;
	struct store_report_tls *item = &items[sums->n_tls++];
	sums->tls = items;
	*item = *tls;
	item->domain = keep(sums, tls->domain);
	item->type = keep(sums, tls->type);
	return !sums->nomem;
}

static bool on_failure(void *ctx, const struct store_report_tls_failure *failure)
{
	struct sums *sums = ctx;
	struct store_report_tls_failure *items =
		grow(sums, sums->failures, &sums->failures_room, sums->n_failures, sizeof(*items));
	if (!items)
		return false;
	struct store_report_tls_failure *item = &items[sums->n_failures++];
	sums->failures = items;
	*item = *failure;
	item->domain = keep(sums, failure->domain);
	item->type = keep(sums, failure->type);
	item->result = keep(sums, failure->result);
	item->mx = keep(sums, failure->mx);
	return !sums->nomem;
}

static int by_domain_and_size(const void *a, const void *b)
{
	const struct store_report_source *one = a, *two = b;
	int domains = bytes_cmp(one->domain, two->domain);
	if (domains != 0)
		return domains;
	if (one->messages != two->messages)
		return one->messages > two->messages ? -1 : 1;
	return bytes_cmp(one->ip, two->ip);
}

static enum err collect(struct store *store, const struct store_report_query *query, struct sums *sums,
			struct error *reterr)
{
	TRY(store_report_domains(store, query, on_domain, sums, reterr));
	TRY(store_report_reporters(store, query, on_reporter, sums, reterr));
	TRY(store_report_sources(store, query, on_source, sums, reterr));
	TRY(store_report_tls(store, query, on_tls, sums, reterr));
	TRY(store_report_tls_failures(store, query, on_failure, sums, reterr));
	if (sums->nomem)
		return error_set(reterr, ERR_NOMEM, 0, "not enough memory");
	if (sums->n_sources > 0)
		qsort(sums->sources, sums->n_sources, sizeof(*sums->sources), by_domain_and_size);
	return ERR_OK;
}

/* -- Choosing ---- */

static int by_receivers(const void *a, const void *b)
{
	const struct store_report_domain *const *one = a, *const *two = b;
	if ((*one)->receivers != (*two)->receivers)
		return (*one)->receivers > (*two)->receivers ? -1 : 1;
	return bytes_cmp((*one)->domain, (*two)->domain);
}

static int by_name(const void *a, const void *b)
{
	const struct store_report_domain *const *one = a, *const *two = b;
	return bytes_cmp((*one)->domain, (*two)->domain);
}

/* The domains that the most receivers tell of, by name: those that one stranger made up do not hide ours. */
static const struct store_report_domain **choose(const struct sums *sums, size_t *ret_n)
{
	const struct store_report_domain **chosen =
		arena_new(sums->arena, const struct store_report_domain *, sums->n_domains + 1);
	*ret_n = chosen ? MIN(sums->n_domains, (size_t)DOMAINS_SHOWN) : 0;
	if (*ret_n == 0)
		return chosen;
	for (size_t i = 0; i < sums->n_domains; i++)
		chosen[i] = &sums->domains[i];
	qsort(chosen, sums->n_domains, sizeof(*chosen), by_receivers);
	qsort(chosen, *ret_n, sizeof(*chosen), by_name);
	return chosen;
}

static bool is_chosen(const struct store_report_domain *const *chosen, size_t n, struct bytes domain)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_eq(chosen[i]->domain, domain))
			return true;
	return false;
}

/* -- Advice ---- */

/* One sentence on what to do about the source before the domain asks for reject. */
static void advise(struct buf *out, const struct store_report_source *source)
{
	uint64_t broken = source->messages - source->pass;
	struct bytes other = source->failed_dkim_domain.len ? source->failed_dkim_domain : source->failed_spf_domain;
	if (broken == 0 && source->dkim == 0) {
		buf_add_cstr(out, "passes by SPF alone: sign it with DKIM, or it breaks where it is forwarded");
	} else if (broken == 0) {
		buf_add_cstr(out, "passes: nothing to do");
	} else if (source->pass > 0 && broken <= source->pass / 20) {
		buf_add_cstr(out, "nearly all passes: the rest was changed on its way, as by mailing lists");
	} else if (source->failed_dkim_domain.len > 0) {
		buf_add_cstr(out, "signed by ");
		history_text(out, other, 80);
		buf_add_cstr(out, ": if it is yours, have it sign as ");
		history_text(out, source->domain, 80);
	} else if (source->failed_spf_domain.len > 0) {
		buf_add_cstr(out, "sent in the name of ");
		history_text(out, other, 80);
		buf_add_cstr(out, ": if it is yours, have it sign with DKIM as ");
		history_text(out, source->domain, 80);
	} else if (source->pass > 0) {
		buf_add_cstr(out, "only a part passes: if all of it is yours, find what is sent without DKIM");
	} else {
		buf_add_cstr(out,
			     "nothing vouches for it: if it is yours, give it SPF and DKIM; if not, p=reject stops it");
	}
}

/* -- Printing ---- */

static void flush(struct buf *out)
{
	(void)fwrite(out->ptr, 1, out->len, stdout);
	buf_clear(out);
}

static void print_domain(struct buf *out, const struct store_report_domain *domain,
			 const struct store_report_source *sources, size_t n)
{
	uint64_t messages = 0, pass = 0;
	char begin[21], end[21];
	for (size_t i = 0; i < n; i++) {
		messages += sources[i].messages;
		pass += sources[i].pass;
	}
	date_format_rfc3339(domain->begin, begin);
	date_format_rfc3339(domain->end, end);
	history_text(out, domain->domain, 100);
	buf_printf(out, ": %llu report%s of %llu receiver%s, %.10s to %.10s", (unsigned long long)domain->reports,
		   domain->reports == 1 ? "" : "s", (unsigned long long)domain->receivers,
		   domain->receivers == 1 ? "" : "s", begin, end);
	if (domain->policy.len > 0) {
		buf_add_cstr(out, ", p=");
		history_text(out, domain->policy, 20);
	}
	buf_printf(out, "\n  %llu messages, %.1f %% pass, %llu would break at p=reject\n", (unsigned long long)messages,
		   messages ? 100 * (double)pass / (double)messages : 0, (unsigned long long)(messages - pass));
	flush(out);
}

/* The name that a report gives itself is no proof of who sent it. */
static void print_reporter(struct buf *out, const struct store_report_reporter *reporter)
{
	buf_add_cstr(out, reporter->of_tls ? "  TLS reports from " : "  from ");
	if (reporter->sender.len > 0)
		history_text(out, reporter->sender, 60);
	else
		buf_add_cstr(out, "nobody that is proven");
	if (!bytes_eq_nocase(reporter->org, reporter->sender)) {
		buf_add_cstr(out, ", calls itself ");
		history_text(out, reporter->org, 60);
	}
	buf_printf(out, ": %llu report%s", (unsigned long long)reporter->reports, reporter->reports == 1 ? "" : "s");
	if (!reporter->of_tls)
		buf_printf(out, ", %llu messages", (unsigned long long)reporter->messages);
	buf_add_byte(out, '\n');
	flush(out);
}

/* Those of that domain, from *at on: both come in the same order; those who tell of the most come first. */
static void print_reporters(struct buf *out, const struct sums *sums, bool of_tls, struct bytes domain, size_t *at)
{
	size_t n = 0;
	for (; *at < sums->n_reporters; ++*at) {
		const struct store_report_reporter *reporter = &sums->reporters[*at];
		int order = reporter->of_tls != of_tls ? (of_tls ? -1 : 1) : bytes_cmp(reporter->domain, domain);
		if (order > 0)
			break;
		if (order == 0 && n++ < REPORTERS_SHOWN)
			print_reporter(out, reporter);
	}
	if (n > REPORTERS_SHOWN)
		(void)printf("  and %zu others (--json shows all)\n", n - REPORTERS_SHOWN);
}

static void print_source(struct buf *out, const struct store_report_source *source, int width)
{
	buf_add_cstr(out, "  ");
	size_t at = out->len;
	history_text(out, source->ip, (size_t)width); /* of the database, and so nobody vouches that it is one */
	buf_printf(out, "%*s %10llu %10llu %10llu %10llu %10llu  ",
		   (int)((size_t)width - MIN(out->len - at, (size_t)width)), "", (unsigned long long)source->messages,
		   (unsigned long long)source->dkim, (unsigned long long)source->spf, (unsigned long long)source->pass,
		   (unsigned long long)(source->messages - source->pass));
	advise(out, source);
	history_end_line(out);
	flush(out);
}

/* The next failure of that domain and policy, from *at on: both come in the same order. NULL when there is no more. */
static const struct store_report_tls_failure *next_failure(const struct sums *sums, const struct store_report_tls *tls,
							   size_t *at)
{
	for (; *at < sums->n_failures; ++*at) {
		const struct store_report_tls_failure *failure = &sums->failures[*at];
		int order = bytes_cmp(failure->domain, tls->domain);
		order = order ? order : bytes_cmp(failure->type, tls->type);
		if (order > 0)
			return NULL;
		if (order == 0) {
			++*at;
			return failure;
		}
	}
	return NULL;
}

static void print_tls(struct buf *out, const struct sums *sums, const struct store_report_tls *tls, size_t *at)
{
	buf_add_cstr(out, "TLS to ");
	history_text(out, tls->domain, 100);
	buf_add_cstr(out, " (");
	history_text(out, tls->type.len ? tls->type : BYTES_LIT("policy unknown"), 30);
	buf_printf(out, "): %llu sessions with TLS, %llu failed\n", (unsigned long long)tls->successful,
		   (unsigned long long)tls->failed);
	for (const struct store_report_tls_failure *failure; (failure = next_failure(sums, tls, at));) {
		buf_printf(out, "  %10llu  ", (unsigned long long)failure->sessions);
		history_text(out, failure->result.len ? failure->result : BYTES_LIT("unknown"), 60);
		buf_add_cstr(out, failure->mx.len ? " at " : "");
		history_text(out, failure->mx, 100);
		buf_add_byte(out, '\n');
	}
	flush(out);
}

static void print_all_tls(struct buf *out, const struct sums *sums, const struct store_report_domain *const *chosen,
			  size_t n_chosen)
{
	size_t at = 0, reporter = 0, others = 0;
	for (size_t i = 0; i < sums->n_tls; i++) {
		const struct store_report_tls *tls = &sums->tls[i];
		if (!is_chosen(chosen, n_chosen, tls->domain) && ++others > DOMAINS_SHOWN)
			continue;
		print_tls(out, sums, tls, &at);
		if (i + 1 == sums->n_tls || !bytes_eq(sums->tls[i + 1].domain, tls->domain))
			print_reporters(out, sums, true, tls->domain, &reporter);
	}
	if (others > DOMAINS_SHOWN)
		(void)printf("TLS to %zu others is not shown (--domain or --json does).\n", others - DOMAINS_SHOWN);
}

static bool print_text(struct buf *out, const struct sums *sums)
{
	int width = 6;
	size_t at = 0, reporter = 0, n_chosen;
	const struct store_report_domain **chosen = choose(sums, &n_chosen);
	if (!chosen)
		return false;
	for (size_t i = 0; i < sums->n_sources; i++)
		width = MAX(width, (int)MIN(sums->sources[i].ip.len, (size_t)45));
	for (size_t i = 0; i < n_chosen; i++) {
		const struct store_report_domain *domain = chosen[i];
		while (at < sums->n_sources && bytes_cmp(sums->sources[at].domain, domain->domain) < 0)
			at++;
		size_t end = at;
		while (end < sums->n_sources && bytes_eq(sums->sources[end].domain, domain->domain))
			end++;
		print_domain(out, domain, sums->sources + at, end - at);
		print_reporters(out, sums, false, domain->domain, &reporter);
		(void)printf("  %-*s %10s %10s %10s %10s %10s  %s\n", width, "SOURCE", "MESSAGES", "DKIM", "SPF",
			     "PASS", "BREAK", "ADVICE");
		for (; at < end; at++)
			print_source(out, &sums->sources[at], width);
	}
	if (n_chosen < sums->n_domains)
		(void)printf(
			"%zu other domains, of which fewer receivers tell, are not shown (--domain or --json does).\n",
			sums->n_domains - n_chosen);
	print_all_tls(out, sums, chosen, n_chosen);
	return true;
}

static void json_source(struct buf *out, const struct store_report_source *source)
{
	CLEANUP(buf_done) struct buf advice = BUF_INIT(10000);
	struct json json;
	advise(&advice, source);
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "kind", "dmarc");
	jsonw_string(&json, "domain", source->domain);
	jsonw_string(&json, "source", source->ip);
	jsonw_uint(&json, "messages", source->messages);
	jsonw_uint(&json, "dkim_aligned", source->dkim);
	jsonw_uint(&json, "spf_aligned", source->spf);
	jsonw_uint(&json, "pass", source->pass);
	jsonw_uint(&json, "would_break", source->messages - source->pass);
	jsonw_uint(&json, "quarantined", source->quarantined);
	jsonw_uint(&json, "rejected", source->rejected);
	jsonw_string(&json, "failed_header_from", source->failed_from);
	jsonw_string(&json, "failed_dkim_domain", source->failed_dkim_domain);
	jsonw_string(&json, "failed_spf_domain", source->failed_spf_domain);
	jsonw_string(&json, "advice", buf_bytes(&advice));
	jsonw_end(&json);
	buf_add_byte(out, '\n');
	flush(out);
}

static void json_reporter(struct buf *out, const struct store_report_reporter *reporter)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "kind", "reporter");
	jsonw_string(&json, "domain", reporter->domain);
	jsonw_string(&json, "sender", reporter->sender);
	jsonw_string(&json, "org", reporter->org);
	jsonw_cstr(&json, "of", reporter->of_tls ? "tls" : "dmarc");
	jsonw_uint(&json, "reports", reporter->reports);
	jsonw_uint(&json, "messages", reporter->messages);
	jsonw_end(&json);
	buf_add_byte(out, '\n');
	flush(out);
}

static void json_tls(struct buf *out, const struct sums *sums, const struct store_report_tls *tls, size_t *at)
{
	struct json json;
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "kind", "tls");
	jsonw_string(&json, "domain", tls->domain);
	jsonw_string(&json, "policy", tls->type);
	jsonw_uint(&json, "successful", tls->successful);
	jsonw_uint(&json, "failed", tls->failed);
	jsonw_array(&json, "failures");
	for (const struct store_report_tls_failure *failure; (failure = next_failure(sums, tls, at));) {
		jsonw_object(&json, NULL);
		jsonw_string(&json, "result", failure->result);
		jsonw_string(&json, "receiving_mx", failure->mx);
		jsonw_uint(&json, "sessions", failure->sessions);
		jsonw_end(&json);
	}
	jsonw_end(&json);
	jsonw_end(&json);
	buf_add_byte(out, '\n');
	flush(out);
}

int dmarc_report(int argc, char **argv)
{
	const char *config = NULL, *domain = NULL, *days = NULL, *except = "";
	bool json = false;
	const struct opt options[] = {
		{.name = "domain", .value_name = "DOMAIN", .help = "only reports on this domain", .value = &domain},
		{.name = "days", .value_name = "N", .help = "of the last so many days (default 30)", .value = &days},
		{.name = "except",
		 .value_name = "SENDERS",
		 .help = "nothing of what these say (evil.example,other.example)",
		 .value = &except},
		{.name = "json", .help = "one JSON object a source and a reporter, and a line for TLS", .given = &json},
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose reports they are",
		 .value = &config},
	};
	const struct opt_set set = {
		"dmarc report",
		"[--domain DOMAIN] [--days N] [--except SENDERS] [--json]",
		"Sums what other mail systems report on mail in our domains' names: by source how many messages came,\n"
		"for how many DKIM or SPF vouched in the name of the author, how many pass DMARC by that, how many "
		"would\n"
		"break if the domain published p=reject, and what to do; then the sessions with and without TLS. Who\n"
		"says so is named by the domain that DMARC proved to have sent the report; --except leaves out what\n"
		"those say of DMARC whom you do not believe.",
		"postern dmarc report --domain example.com --days 7",
		options,
		ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)64 << 20);
	CLEANUP(store_close) struct store *store = NULL;
	struct sums sums = {.arena = arena};
	struct store_report_query query = {.last = store_day(clock_wall_ms() / 1000) + 1};
	struct settings settings;
	struct error error;
	uint64_t span = DAYS_DEFAULT;
	size_t failure = 0;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0)
		return opt_wrong(&set, "what is \"%s\"?", argv[0]);
	if (days && (num_parse(bytes_from_cstr(days), 10, DAYS_MAX, &span) != ERR_OK || span == 0))
		return opt_wrong(&set, "--days: a number from 1 to %d is expected", DAYS_MAX);
	rc = history_open(&set, config, true, arena, &settings, &store);
	if (rc != 0)
		return rc;
	query.first = query.last - 1 - (int64_t)span;
	query.domain = arena_copy_lower(arena, bytes_from_cstr(domain));
	struct bytes list = arena_printf(arena, ",%s,", except);
	query.except = list.ptr ? arena_copy_lower(arena, list) : list;
	if (!query.domain.ptr || !query.except.ptr)
		return opt_wrong(&set, "not enough memory");
	if (collect(store, &query, &sums, &error) != ERR_OK)
		return opt_wrong(&set, "%s", error.text);
	for (size_t i = 0; json && i < sums.n_sources; i++)
		json_source(&out, &sums.sources[i]);
	for (size_t i = 0; json && i < sums.n_reporters; i++)
		json_reporter(&out, &sums.reporters[i]);
	for (size_t i = 0; json && i < sums.n_tls; i++)
		json_tls(&out, &sums, &sums.tls[i], &failure);
	if (!json && sums.n_domains == 0 && sums.n_tls == 0)
		(void)printf("There are no reports of the last %d days (`postern dmarc import` keeps them).\n",
			     (int)span);
	else if (!json && !print_text(&out, &sums))
		return opt_wrong(&set, "not enough memory");
	return 0;
}
