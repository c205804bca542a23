/* SPDX-License-Identifier: Apache-2.0 */
/* postern dmarc owed|send: the reports that we owe to others, and sending them now. */
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ascii.h"
#include "base/escape.h"
#include "base/json.h"
#include "cli/dmarc.h"
#include "cli/dns.h"
#include "cli/history.h"
#include "cli/smtp_client.h"
#include "mail/date.h"
#include "store/reports.h"
#include "sys/clock.h"

#include "base/banned.h"

#define DAY_TEXT   21 /* of date_format_rfc3339(): the first ten characters are the day */
#define DAYS_TRIED 3  /* by the courier */
#define MAIL_MAX   ((size_t)100 << 20)

struct debt {
	int64_t day;
	struct store_owed owed;
};

struct debts {
	struct arena *arena;
	struct debt *items;
	size_t n, room;
	bool nomem;
};

static void day_text(int64_t day, char out[static DAY_TEXT])
{
	date_format_rfc3339(day * 86400, out);
	out[10] = '\0';
}

static bool keep_debt(void *ctx, int64_t day, const struct store_owed *owed)
{
	struct debts *debts = ctx;
	struct debt *items = arena_grow(debts->arena, debts->items, &debts->room, debts->n, sizeof(*items));
	debts->nomem |= !items;
	if (!items)
		return false;
	debts->items = items;
	struct debt *debt = &items[debts->n++];
	*debt = (struct debt){.day = day, .owed = *owed};
	struct report_policy *policy = &debt->owed.policy;
	struct bytes *const texts[] = {
		&policy->domain, &policy->p,  &policy->sp,      &policy->np,  &policy->adkim,
		&policy->aspf,   &policy->fo, &policy->testing, &policy->pct, &policy->discovery_method,
		&debt->owed.rua};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i]->len == 0)
			continue;
		*texts[i] = arena_copy(debts->arena, *texts[i]);
		debts->nomem |= !texts[i]->ptr;
	}
	return !debts->nomem;
}

/* What is kept, by day and domain. 0, or 2 (it was said). */
static int find_debts(const struct opt_set *set, struct store *store, const char *domain, struct debts *debts)
{
	struct store_report_query query = {.last = store_day(clock_wall_ms() / 1000)};
	struct error error;
	query.domain = arena_copy_lower(debts->arena, bytes_from_cstr(domain));
	if (!query.domain.ptr)
		return opt_wrong(set, "not enough memory");
	if (store_owed_find(store, &query, keep_debt, debts, &error) != ERR_OK)
		return opt_wrong(set, "%s", error.text);
	return debts->nomem ? opt_wrong(set, "not enough memory") : 0;
}

static const char *state_of(const struct debt *debt)
{
	int64_t today = store_day(clock_wall_ms() / 1000);
	if (debt->owed.sent)
		return "sent";
	return debt->day >= today ? "counting" : debt->day < today - DAYS_TRIED ? "late" : "due";
}

/* -- owed ---- */

static void print_debt(struct buf *out, const struct debt *debt)
{
	char day[DAY_TEXT];
	day_text(debt->day, day);
	buf_printf(out, "%s  %-8s %10llu %10llu  ", day, state_of(debt), (unsigned long long)debt->owed.messages,
		   (unsigned long long)debt->owed.records);
	history_text(out, debt->owed.policy.domain, 60);
	buf_add_cstr(out, " -> ");
	history_text(out, debt->owed.rua, 120);
	history_end_line(out);
}

static void json_debt(struct buf *out, const struct debt *debt)
{
	struct json json;
	char day[DAY_TEXT];
	day_text(debt->day, day);
	jsonw_init(&json, out);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "day", day);
	jsonw_string(&json, "domain", debt->owed.policy.domain);
	jsonw_cstr(&json, "state", state_of(debt));
	jsonw_uint(&json, "messages", debt->owed.messages);
	jsonw_uint(&json, "records", debt->owed.records);
	jsonw_string(&json, "policy", debt->owed.policy.p);
	jsonw_string(&json, "rua", debt->owed.rua);
	jsonw_end(&json);
	buf_add_byte(out, '\n');
}

int dmarc_owed(int argc, char **argv)
{
	const char *config = NULL, *domain = NULL;
	bool json = false;
	const struct opt options[] = {
		{.name = "domain", .value_name = "DOMAIN", .help = "only what this domain is owed", .value = &domain},
		{.name = "json", .help = "one JSON object a report", .given = &json},
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose reports they are",
		 .value = &config},
	};
	const struct opt_set set = {
		"dmarc owed",
		"[--domain DOMAIN] [--json]",
		"Lists the DMARC reports that we owe to the domains whose mail came, by day (UTC): how many messages "
		"and\n"
		"different records are in each, and where it goes. \"counting\": the day is not over; \"due\": it is "
		"sent\n"
		"with the next round; \"late\": it could not be sent in three days, and is not tried any more.",
		"postern dmarc owed --domain example.com",
		options,
		ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)1 << 20);
	CLEANUP(store_close) struct store *store = NULL;
	struct debts debts = {.arena = arena};
	struct settings settings;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0)
		return opt_wrong(&set, "what is \"%s\"?", argv[0]);
	rc = history_open(&set, config, true, arena, &settings, &store);
	if (rc == 0)
		rc = find_debts(&set, store, domain, &debts);
	if (rc != 0)
		return rc;
	if (!json && debts.n == 0)
		(void)printf("No report is owed%s.\n",
			     settings.report_dmarc ? "" : ": reports.dmarc is off, so nothing is counted");
	else if (!json)
		(void)printf("%-10s  %-8s %10s %10s  %s\n", "DAY", "STATE", "MESSAGES", "RECORDS", "DOMAIN");
	for (size_t i = 0; i < debts.n; i++) {
		buf_clear(&out);
		if (json)
			json_debt(&out, &debts.items[i]);
		else
			print_debt(&out, &debts.items[i]);
		(void)fwrite(out.ptr, 1, out.len, stdout);
	}
	return 0;
}

/* -- send ---- */

struct sender {
	const struct opt_set *set;
	const struct settings *settings;
	struct store *store;
	struct cli_dns *dns;
	struct owed_reporter reporter;
	bool dry, json;
	bool failed; /* something stays owed; it was said */
};

static void tell(const struct sender *sender, const struct debt *debt, struct bytes to, const char *result,
		 const char *words)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(100000);
	char day[DAY_TEXT];
	day_text(debt->day, day);
	if (sender->json) {
		struct json json;
		jsonw_init(&json, &out);
		jsonw_object(&json, NULL);
		jsonw_cstr(&json, "day", day);
		jsonw_string(&json, "domain", debt->owed.policy.domain);
		jsonw_string(&json, "to", to);
		jsonw_cstr(&json, "result", result);
		jsonw_cstr(&json, "words", words);
		jsonw_end(&json);
	} else {
		buf_printf(&out, "%s  %-8s ", day, result);
		history_text(&out, debt->owed.policy.domain, 60);
		buf_add_cstr(&out, to.len ? " -> " : "");
		history_text(&out, to, 100);
		if (words[0]) {
			buf_add_cstr(&out, ": ");
			history_text(&out, bytes_from_cstr(words), 200);
		}
	}
	buf_add_byte(&out, '\n');
	(void)fwrite(out.ptr, 1, out.len, stdout);
	(void)fflush(stdout);
}

/* False: it is to be tried again. */
static bool send_to(const struct sender *sender, struct arena *arena, const struct debt *debt,
		    const struct owed_report *report, struct bytes gzip, const struct report_target *target)
{
	const struct settings *settings = sender->settings;
	const struct dns_host host = cli_dns_host(sender->dns);
	enum dmarc_mode mode = settings->dmarc_mode == DMARC_RFC7489 ? DMARC_RFC7489 : DMARC_RFC9989;
	struct bytes domain = report->report.policy.domain;
	struct report_target real;
	enum report_wish wish;
	struct error error;
	while ((wish = report_wish_ask(arena, &host, mode, domain, target, &real)) == REPORT_WISH_WAIT)
		cli_dns_wait(sender->dns);
	if (wish == REPORT_WISH_NO) {
		tell(sender, debt, target->address, "unwanted", "that address does not say that it takes them");
		return true;
	}
	if (wish != REPORT_WISH_YES) {
		tell(sender, debt, target->address, "failed", "the DNS does not answer");
		return false;
	}
	CLEANUP(buf_done) struct buf message = BUF_INIT(MAIL_MAX);
	const struct report_mail mail = {.report = &report->report,
					 .receiver = sender->reporter.receiver,
					 .to = real.address,
					 .date = clock_wall_ms() / 1000,
					 .filename = report->filename,
					 .gzip = gzip};
	if (report_mail_write(&mail, &message) != ERR_OK) {
		tell(sender, debt, real.address, "failed", "not enough memory");
		return false;
	}
	const struct smtp_delivery delivery = {.server = settings->report_next_hop,
					       .helo = sender->reporter.host,
					       .from = settings->report_from,
					       .recipients = &real.address,
					       .n_recipients = 1,
					       .body = buf_bytes(&message)};
	if (smtp_deliver(&delivery, &error) != ERR_OK) {
		tell(sender, debt, real.address, "failed", error.text);
		return false;
	}
	tell(sender, debt, real.address, "sent", "");
	return true;
}

static enum err mark_sent(struct store *store, const struct debt *debt, struct error *reterr)
{
	TRY(store_begin(store, true, reterr));
	enum err err = store_owed_sent(store, debt->day, debt->owed.policy.domain, reterr);
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

static void show(const struct sender *sender, const struct debt *debt, const struct owed_report *report)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)256 << 20);
	char day[DAY_TEXT];
	struct json json;
	if (!sender->json) {
		(void)fwrite(report->xml.ptr, 1, report->xml.len, stdout);
		return;
	}
	day_text(debt->day, day);
	jsonw_init(&json, &out);
	jsonw_object(&json, NULL);
	jsonw_cstr(&json, "day", day);
	jsonw_string(&json, "domain", debt->owed.policy.domain);
	jsonw_string(&json, "rua", report->rua);
	jsonw_string(&json, "filename", report->filename);
	jsonw_string(&json, "xml", buf_bytes(&report->xml));
	jsonw_end(&json);
	buf_add_byte(&out, '\n');
	(void)fwrite(out.ptr, 1, out.len, stdout);
}

static void send_debt(struct sender *sender, struct arena *arena, const struct debt *debt)
{
	CLEANUP(owed_report_done) struct owed_report report = {0};
	CLEANUP(buf_done) struct buf gzip = BUF_INIT(OWED_XML_MAX);
	struct error error;
	bool done = true;
	if (store_owed_make(sender->store, arena, debt->day, &debt->owed, &sender->reporter, &report, &gzip, &error) !=
	    ERR_OK) {
		tell(sender, debt, (struct bytes){0}, "failed", error.text);
		sender->failed = true;
		return;
	}
	if (report.damaged > 0)
		(void)opt_wrong(sender->set, "%.*s: %zu damaged records are left out",
				BYTES_FMT(debt->owed.policy.domain), report.damaged);
	if (sender->dry) {
		show(sender, debt, &report);
		return;
	}
	for (size_t i = 0; i < report.n_targets; i++)
		done &= send_to(sender, arena, debt, &report, buf_bytes(&gzip), &report.targets[i]);
	if (report.n_targets == 0)
		tell(sender, debt, (struct bytes){0}, "unwanted", "it names no address that can be written to");
	if (done && mark_sent(sender->store, debt, &error) != ERR_OK) {
		tell(sender, debt, (struct bytes){0}, "failed", error.text);
		done = false;
	}
	sender->failed |= !done;
}

/* "2026-11-24" */
static bool is_day(const char *text)
{
	static const char form[] = "0000-00-00";
	size_t i = 0;
	for (; form[i] && text[i]; i++)
		if (form[i] == '0' ? !ascii_is_digit((uint8_t)text[i]) : text[i] != form[i])
			return false;
	return !form[i] && !text[i];
}

/* Those that are due or late; to be looked at also that of a day that is not over, if it is asked for. */
static bool is_meant(const struct sender *sender, const struct debt *debt, const char *day)
{
	char its[DAY_TEXT];
	day_text(debt->day, its);
	if (day && !bytes_eq(bytes_from_cstr(day), bytes_from_cstr(its)))
		return false;
	if (debt->owed.sent)
		return false;
	return debt->day < store_day(clock_wall_ms() / 1000) || (sender->dry && day);
}

static int send_all(struct sender *sender, struct arena *arena, const char *domain, const char *day)
{
	CLEANUP(arena_free) struct arena *scratch = arena_create((size_t)64 << 20);
	struct debts debts = {.arena = arena};
	size_t meant = 0;
	int rc = find_debts(sender->set, sender->store, domain, &debts);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < debts.n && scratch; i++) {
		if (!is_meant(sender, &debts.items[i], day))
			continue;
		meant++;
		arena_reset(scratch);
		send_debt(sender, scratch, &debts.items[i]);
	}
	if (!scratch)
		return opt_wrong(sender->set, "not enough memory");
	if (meant == 0 && !sender->json && !sender->dry)
		(void)printf("No report is due.\n");
	return sender->failed || (meant == 0 && sender->dry) ? 1 : 0;
}

int dmarc_send(int argc, char **argv)
{
	const char *config = NULL, *domain = NULL, *day = NULL;
	bool json = false, dry = false;
	const struct opt options[] = {
		{.name = "domain", .value_name = "DOMAIN", .help = "only what this domain is owed", .value = &domain},
		{.name = "day",
		 .value_name = "DATE",
		 .help = "only the report of that day (2026-11-24, UTC)",
		 .value = &day},
		{.name = "dry-run", .help = "send nothing: show the reports, as XML", .given = &dry},
		{.name = "json", .help = "one JSON object a letter, or with --dry-run a report", .given = &json},
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose reports they are",
		 .value = &config},
	};
	const struct opt_set set = {"dmarc send",
				    "[--domain DOMAIN] [--day DATE] [--dry-run] [--json]",
				    "Sends the DMARC reports of the days that are over now, as the daemons do by "
				    "themselves once a day: by\n"
				    "reports.next_hop, to the addresses that want them. With --dry-run --day it shows "
				    "also what is counted\n"
				    "for a day that is not over. Exit status 1 when one could not be sent, which stays "
				    "owed; with --dry-run\n"
				    "when there is none.",
				    "postern dmarc send --domain example.com --dry-run",
				    options,
				    ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(store_close) struct store *store = NULL;
	CLEANUP(cli_dns_free) struct cli_dns *dns = NULL;
	struct settings settings;
	struct error error;
	char hostname[256] = "localhost";
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0)
		return opt_wrong(&set, "what is \"%s\"?", argv[0]);
	if (day && !is_day(day))
		return opt_wrong(&set, "--day: \"%s\" is no day (such as 2026-11-24)", day);
	rc = history_open(&set, config, dry, arena, &settings, &store);
	if (rc != 0)
		return rc;
	if (settings.report_from.len == 0)
		return opt_wrong(&set, "who sends the reports? reports.from is empty");
	if (!dry && (!settings.dns_enabled || settings.report_next_hop.len == 0))
		return opt_wrong(&set, "that needs reports.next_hop, and dns.enabled");
	if (!dry && cli_dns_open(&settings, NULL, &dns, &error) != ERR_OK)
		return opt_wrong(&set, "%s", error.text);
	/* The name that the daemons go by: the same report has the same id, whoever sends it. */
	if (settings.hostname.len == 0)
		(void)gethostname(hostname, sizeof(hostname) - 1);
	struct bytes receiver = bytes_from(settings.report_from, bytes_rfind_byte(settings.report_from, '@') + 1);
	struct sender sender = {
		.set = &set,
		.settings = &settings,
		.store = store,
		.dns = dns,
		.dry = dry,
		.json = json,
		.reporter = {.org = settings.report_org.len > 0 ? settings.report_org : receiver,
			     .email = settings.report_from,
			     .contact = settings.report_contact,
			     .generator = BYTES_LIT("Postern"),
			     .receiver = receiver,
			     .host = settings.hostname.len > 0 ? settings.hostname : bytes_from_cstr(hostname)},
	};
	return send_all(&sender, arena, domain, day);
}
