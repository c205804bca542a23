/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden tests of the checks, and the lint of their registry:
 *
 *     golden_checks SOURCE_ROOT [--update | --table]
 *
 * For each check, test/golden/checks/<symbol in lower case>/ holds hit.eml, on which the check gives evidence, exactly
 * as hit.json has it, and miss.eml, the honest message that looks most like it, on which it gives none. A message that
 * may not stand in the tree as it is has the ending .b64. Beside it hit.args and miss.args may hold the envelope: lines
 * "ip A", "helo N", "from A", "rcpt A", "hostname N", "user N", "now T"; settings: "authserv ID", "sealer D";
 * "dns TYPE NAME DATA" (several lines of one question make one answer; "fail" as DATA: nobody answers): then the DNS is
 * asked, and what is in no line does not exist; "fact KIND ANSWER", the answer to whatever question of that kind is
 * asked; "zone NAME|ZONE|KIND|ABOUT|CODE", "list NAME|block or allow|ABOUT" and "entry VALUE NAME ENTRY" for reputation
 * lists.
 * --update writes hit.json anew; --table reads "CLASS PATH" lines and counts hits of each check by class.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/dns.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/json.h"
#include "base/num.h"
#include "mail/charset.h"
#include "mail/transfer.h"
#include "scan/scan.h"
#include "sys/file.h"

#include "base/banned.h"

#define NOW      "1768478400" /* 2026-01-15T12:00:00Z */
#define FILE_MAX (8u << 20)

static unsigned n_tests, n_failed;

static void report(bool ok, const char *what, const char *name)
{
	n_tests++;
	n_failed += !ok;
	printf("%s %u - %s: %s\n", ok ? "ok" : "not ok", n_tests, name, what);
}

static struct bytes path_of(struct arena *arena, const char *folder, const char *symbol, const char *file)
{
	struct bytes lower = arena_copy_lower(arena, bytes_from_cstr(symbol));
	return arena_printf(arena, "%s/%.*s%s", folder, BYTES_FMT(lower), file);
}

static bool read_whole(struct arena *arena, struct bytes path, struct bytes *ret)
{
	return file_read(arena, arena_cstr(arena, path), FILE_MAX, ret) == ERR_OK;
}

static bool read_message(struct arena *arena, const char *folder, const char *symbol, const char *which,
			 struct bytes *ret)
{
	struct bytes path = path_of(arena, folder, symbol, "/");
	if (read_whole(arena, arena_printf(arena, "%.*s%s.eml", BYTES_FMT(path), which), ret))
		return true;
	struct bytes encoded;
	struct transfer_result result;
	if (!read_whole(arena, arena_printf(arena, "%.*s%s.b64", BYTES_FMT(path), which), &encoded) ||
	    transfer_decode(arena, TRANSFER_BASE64, encoded, &result) != ERR_OK)
		return false;
	*ret = result.content;
	return true;
}

/* A row of the DNS: TYPE NAME DATA. */
static void add_row(struct arena *arena, struct bytes row, struct scan_case *in)
{
	struct bytes type_name, name, key;
	enum dns_type type;
	struct dns_answer answer = {0};
	uint8_t ip[16];
	if (!bytes_split(&row, ' ', &type_name) || !bytes_split(&row, ' ', &name) || !dns_type_find(type_name, &type) ||
	    dns_question_write(arena, type, name, &key) != ERR_OK)
		abort();
	const struct fact *before = fact_find(&in->facts, FACT_DNS, key);
	if (before && dns_answer_unpack(arena, before->answer, &answer) != ERR_OK)
		abort();
	struct dns_record *records = arena_new(arena, struct dns_record, answer.n_records + 1);
	for (size_t i = 0; i < answer.n_records; i++)
		records[i] = answer.records[i];
	struct bytes data = row;
	if (type == DNS_A || type == DNS_AAAA) {
		(void)received_parse_ip(row, ip);
		data = type == DNS_A ? bytes_make(ip + 12, 4) : bytes_make(ip, 16);
	} else if (type == DNS_MX) {
		struct bytes preference;
		uint64_t number = 0;
		if (!bytes_split(&data, ' ', &preference) || num_parse(preference, 10, 65535, &number) != ERR_OK)
			abort();
		records[answer.n_records].preference = (unsigned)number;
	}
	records[answer.n_records].data = data;
	answer = (struct dns_answer){.records = records, .n_records = answer.n_records + 1};
	if (bytes_eq(row, BYTES_LIT("fail")))
		answer = (struct dns_answer){.state = DNS_FAILED, .reason = BYTES_LIT("no answer in time")};
	CLEANUP(buf_done) struct buf packed = BUF_INIT(FILE_MAX);
	dns_answer_pack(&packed, &answer);
	if (fact_set(arena, &in->facts, FACT_DNS, key, answer.state == DNS_FAILED ? FACT_FAILED : FACT_KNOWN,
		     buf_bytes(&packed)) != ERR_OK)
		abort();
}

/* Answers that the .args file brings, by kind of question; {NULL, 0}: nobody could tell. */
struct answers {
	struct bytes of[FACT_KINDS];
};

static bool set_answer(struct bytes value, struct answers *answers)
{
	size_t blank = bytes_find_byte(value, ' ');
	enum fact_kind kind;
	if (blank == BYTES_NONE || !fact_kind_find(bytes_sub(value, 0, blank), &kind))
		return false;
	answers->of[kind] = bytes_from(value, blank + 1);
	return true;
}

/* A list as a recorded case has it, with | for the ends of its lines. */
static struct bytes lines_of(struct arena *arena, struct bytes row)
{
	char *text = arena_cstr(arena, row);
	for (char *at = text; *at; at++)
		if (*at == '|')
			*at = '\n';
	return bytes_from_cstr(text);
}

static void add_list(struct arena *arena, struct bytes key, struct bytes row, struct scan_settings *settings)
{
	enum err err = ERR_OK;
	if (bytes_eq(key, BYTES_LIT("zone"))) {
		settings->zones = arena_new(arena, struct list_zone, 1);
		settings->n_zones = 1;
		err = list_zone_read(arena, lines_of(arena, row), settings->zones);
	} else {
		settings->locals = arena_new(arena, struct list_local, 1);
		settings->n_locals = 1;
		err = list_local_read(lines_of(arena, row), settings->locals);
	}
	if (err != ERR_OK)
		abort();
}

static void add_entry(struct arena *arena, struct bytes row, struct scan_case *in)
{
	struct bytes value;
	if (!bytes_split(&row, ' ', &value) || fact_set(arena, &in->facts, FACT_LIST, value, FACT_KNOWN,
							arena_printf(arena, "%.*s\n", BYTES_FMT(row))) != ERR_OK)
		abort();
}

/* What no line tells. */
static enum err answer_question(struct scan *scan, const struct fact *fact, const struct answers *answers)
{
	static const uint8_t no_name[] = {DNS_NO_NAME};
	if (answers->of[fact->kind].ptr)
		return scan_answer(scan, fact->kind, fact->key, FACT_KNOWN, answers->of[fact->kind]);
	bool dns = fact->kind == FACT_DNS;
	return scan_answer(scan, fact->kind, fact->key, dns ? FACT_KNOWN : FACT_FAILED,
			   dns ? bytes_make(no_name, sizeof(no_name)) : (struct bytes){0});
}

static void set_argument(struct arena *arena, struct bytes line, struct scan_case *in, struct answers *answers)
{
	size_t blank = bytes_find_byte(line, ' ');
	struct bytes key = bytes_sub(line, 0, blank), value = bytes_trim(bytes_from(line, blank));
	struct scan_envelope *envelope = &in->envelope;
	if (bytes_eq(key, BYTES_LIT("ip"))) {
		envelope->has_client = received_parse_ip(value, envelope->client_ip);
	} else if (bytes_eq(key, BYTES_LIT("helo"))) {
		envelope->helo = value;
	} else if (bytes_eq(key, BYTES_LIT("from"))) {
		envelope->has_from = true;
		envelope->from = value;
	} else if (bytes_eq(key, BYTES_LIT("hostname"))) {
		envelope->hostname = value;
	} else if (bytes_eq(key, BYTES_LIT("user"))) {
		envelope->user = value;
	} else if (bytes_eq(key, BYTES_LIT("now"))) {
		if (fact_set(arena, &in->facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, value) != ERR_OK)
			abort();
	} else if (bytes_eq(key, BYTES_LIT("rcpt"))) {
		envelope->recipients = arena_new(arena, struct bytes, 1);
		envelope->recipients[0] = value;
		envelope->n_recipients = 1;
	} else if (bytes_eq(key, BYTES_LIT("authserv"))) {
		in->settings.authserv_id = value;
	} else if (bytes_eq(key, BYTES_LIT("sealer"))) {
		in->settings.sealers = arena_new(arena, struct bytes, 1);
		in->settings.sealers[0] = value;
		in->settings.n_sealers = 1;
	} else if (bytes_eq(key, BYTES_LIT("dns"))) {
		in->settings.dns = true;
		add_row(arena, value, in);
	} else if (bytes_eq(key, BYTES_LIT("zone")) || bytes_eq(key, BYTES_LIT("list"))) {
		add_list(arena, key, value, &in->settings);
	} else if (bytes_eq(key, BYTES_LIT("entry"))) {
		add_entry(arena, value, in);
	} else if (!bytes_eq(key, BYTES_LIT("fact")) || !set_answer(value, answers)) {
		printf("Bail out! unknown argument in an .args file\n");
		exit(1);
	}
}

static const struct scan *judge(struct arena *arena, const struct scan_plan *plan, struct bytes message,
				struct bytes arguments)
{
	struct scan_case *in = arena_new(arena, struct scan_case, 1);
	struct answers answers = {0};
	struct bytes line;
	struct scan *scan;
	*in = (struct scan_case){.message = message, .settings = scan_settings_default};
	if (fact_set(arena, &in->facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN, BYTES_LIT(NOW)) != ERR_OK)
		abort();
	while (bytes_split(&arguments, '\n', &line))
		if (line.len > 0)
			set_argument(arena, line, in, &answers);
	if (scan_new(arena, plan, in, &scan) != ERR_OK || scan_parse(scan) != ERR_OK)
		return NULL;
	while (scan_run(scan) == SCAN_WAIT) {
		size_t i = 0;
		for (const struct fact *fact; (fact = scan_question(scan, &i)) != NULL;)
			if (answer_question(scan, fact, &answers) != ERR_OK)
				return NULL;
	}
	return scan;
}

static int by_place(const void *left, const void *right)
{
	const struct evidence *a = left, *b = right;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return bytes_cmp(a->text_en, b->text_en);
}

/*
 * The evidence of one check, a line each; empty when there is none. By its place: the order in the verdict follows the
 * weights, and a golden file must outlive the next fit.
 */
static void write_evidence(struct arena *arena, struct buf *buf, const struct verdict *verdict,
			   const struct check *check)
{
	struct evidence *sorted = arena_new(arena, struct evidence, verdict->n_evidence + 1);
	for (size_t i = 0; i < verdict->n_evidence; i++)
		sorted[i] = verdict->evidence[i];
	qsort(sorted, verdict->n_evidence, sizeof(sorted[0]), by_place);
	for (size_t i = 0; i < verdict->n_evidence; i++) {
		const struct evidence *evidence = &sorted[i];
		struct json json;
		if (evidence->check != check)
			continue;
		jsonw_init(&json, buf);
		jsonw_object(&json, NULL);
		jsonw_cstr(&json, "id", check->symbol);
		jsonw_string(&json, "text", evidence->text_en);
		jsonw_string(&json, "text_ja", evidence->text_ja);
		jsonw_string_or_null(&json, "part", evidence->part);
		if (evidence->at == DEFECT_NOWHERE) {
			jsonw_null(&json, "at");
			jsonw_null(&json, "len");
		} else {
			jsonw_uint(&json, "at", evidence->at);
			jsonw_uint(&json, "len", evidence->len);
		}
		jsonw_string_or_null(&json, "snippet", evidence->snippet);
		jsonw_end(&json);
		buf_add_byte(buf, '\n');
	}
}

static bool judge_file(struct arena *arena, const struct scan_plan *plan, const char *folder, const struct check *check,
		       const char *which, struct buf *evidence)
{
	struct bytes message, arguments = {0}, base = path_of(arena, folder, check->symbol, "/");
	if (!read_message(arena, folder, check->symbol, which, &message))
		return false;
	(void)read_whole(arena, arena_printf(arena, "%.*s%s.args", BYTES_FMT(base), which), &arguments);
	const struct scan *scan = judge(arena, plan, message, arguments);
	if (!scan)
		return false;
	write_evidence(arena, evidence, scan_verdict(scan), check);
	return true;
}

static void test_check(const struct scan_plan *plan, const char *folder, const struct check *check, bool update)
{
	struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf hit = BUF_INIT(FILE_MAX), miss = BUF_INIT(FILE_MAX);
	struct bytes wanted = {0}, json = path_of(arena, folder, check->symbol, "/hit.json");
	bool read = judge_file(arena, plan, folder, check, "hit", &hit);
	report(read && hit.len > 0, "finds what it looks for", check->symbol);
	report(judge_file(arena, plan, folder, check, "miss", &miss) && miss.len == 0,
	       "leaves the honest message that looks most like it alone", check->symbol);
	if (update && hit.len > 0 && file_write_atomic(arena_cstr(arena, json), buf_bytes(&hit), 0644) != ERR_OK)
		printf("# cannot write %.*s\n", BYTES_FMT(json));
	bool same = read_whole(arena, json, &wanted) && bytes_eq(wanted, buf_bytes(&hit));
	report(same, "gives the evidence written down", check->symbol);
	if (!same)
		printf("# got  %.*s# want %.*s\n", BYTES_FMT(buf_bytes(&hit)), BYTES_FMT(wanted));
	arena_free(&arena);
}

/* -- The registry ---- */

static bool has_japanese(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0xe3)
			return true;
	return false;
}

static size_t sentences(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '.' && (text[1] == ' ' || text[1] == 0);
	return n;
}

/* The arguments that a sentence uses: bit 0 for {1}, bit 1 for {2}. */
static unsigned arguments_of(const char *text)
{
	return (unsigned)(strstr(text, "{1}") != NULL) | (unsigned)(strstr(text, "{2}") != NULL) << 1;
}

static void test_entry(const struct check *check)
{
	static const char *const families[] = {"header", "sender", "subject", "path", "mime", "body", "html",
					       "link",   "file",   "bulk",    "auth", "list", "test"};
	bool known = false;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		known |= strcmp(check->family, families[i]) == 0;
	report(known, "is of a known family", check->symbol);
	report(has_japanese(check->text_ja) && !has_japanese(check->text_en), "speaks both languages", check->symbol);
	report(sentences(check->manual) >= 3 && sentences(check->manual) <= 9, "has a manual of a few sentences",
	       check->symbol);
	report((arguments_of(check->text_en) == 0) == (arguments_of(check->text_ja) == 0),
	       "says the same in both languages", check->symbol);
	report(!ascii_is_upper((unsigned char)check->summary[0]) || ascii_is_upper((unsigned char)check->summary[1]),
	       "has a summary in lower case", check->symbol);
}

/* Each name in `folder` that ends in `ending` (but for common.c) is a check. */
static void test_files(const struct scan_plan *plan, const char *folder, struct bytes ending, size_t wanted)
{
	DIR *dir = opendir(folder);
	size_t n = 0;
	bool known = dir != NULL;
	for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
		struct bytes name = bytes_from_cstr(entry->d_name);
		if (name.ptr[0] == '.' || !bytes_ends(name, ending) || bytes_eq(name, BYTES_LIT("common.c")))
			continue;
		n++;
		if (!plan_find(plan, bytes_sub(name, 0, name.len - ending.len))) {
			printf("# %s/%s belongs to no check\n", folder, entry->d_name);
			known = false;
		}
	}
	if (dir)
		(void)closedir(dir);
	report(known && n == wanted, "holds one entry for each check and nothing else", folder);
}

/* -- Honest mail ---- */

/* What honest mail may show: that it is bulk or a reply, and that it has no plain text. */
static bool fits_honest(const char *symbol)
{
	static const char *const weak[] = {"BULK_LIST", "REPLY_THREAD", "HTML_ONLY"};
	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++)
		if (strcmp(symbol, weak[i]) == 0)
			return true;
	return false;
}

static int is_message(const struct dirent *entry)
{
	return bytes_ends(bytes_from_cstr(entry->d_name), BYTES_LIT(".eml"));
}

/* Kinds of mail that filters are known to wrong: invitations, signed mail, bounces, newsletters, Japanese business
 * mail. */
static void test_honest(const struct scan_plan *plan, const char *folder)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_message, alphasort);
	report(n >= 8, "there are honest messages", folder);
	for (int i = 0; i < n; i++) {
		struct arena *arena = arena_create(SIZE_MAX);
		struct bytes message;
		const struct scan *scan = NULL;
		if (read_whole(arena, arena_printf(arena, "%s/%s", folder, entries[i]->d_name), &message))
			scan = judge(arena, plan, message, (struct bytes){0});
		bool clean = scan != NULL;
		for (size_t e = 0; scan && e < scan_verdict(scan)->n_evidence; e++) {
			const struct evidence *evidence = &scan_verdict(scan)->evidence[e];
			if (!fits_honest(evidence->check->symbol)) {
				clean = false;
				printf("# %s: %.*s\n", evidence->check->symbol, BYTES_FMT(evidence->text_en));
			}
		}
		report(clean, "no check speaks against honest mail", entries[i]->d_name);
		arena_free(&arena);
		free(entries[i]);
	}
	free(entries);
}

/* -- Counting ---- */

/* Lines "0 PATH" (wanted) and "1 PATH" (unwanted) on standard input; hits of each check in both on standard output. */
static void count_hits(const struct scan_plan *plan)
{
	static size_t hits[500][2];
	size_t total[2] = {0, 0};
	char line[4096];
	while (fgets(line, sizeof(line), stdin)) {
		struct arena *arena = arena_create(SIZE_MAX);
		struct bytes message, path = bytes_trim(bytes_from_cstr(line + 2));
		bool unwanted = line[0] == '1';
		const struct scan *scan =
			read_whole(arena, path, &message) ? judge(arena, plan, message, (struct bytes){0}) : NULL;
		total[unwanted]++;
		for (size_t c = 0; scan && c < plan_count(plan); c++)
			hits[c][unwanted] += scan_has_evidence(scan, plan_check(plan, c)->symbol);
		arena_free(&arena);
	}
	printf("%-28s %6zu wanted %6zu unwanted\n", "messages", total[0], total[1]);
	for (size_t c = 0; c < plan_count(plan); c++)
		printf("%-28s %6zu %6.2f%% %6zu %6.2f%%\n", plan_check(plan, c)->symbol, hits[c][0],
		       100.0 * (double)hits[c][0] / (double)MAX(total[0], (size_t)1), hits[c][1],
		       100.0 * (double)hits[c][1] / (double)MAX(total[1], (size_t)1));
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_create(SIZE_MAX);
	struct scan_plan *plan;
	struct error error;
	if (argc < 2 || plan_new(arena, &plan, &error) != ERR_OK) {
		printf("Bail out! usage, or the plan cannot be made\n");
		return 1;
	}
	if (argc > 2 && strcmp(argv[2], "--table") == 0) {
		count_hits(plan);
		arena_free(&arena);
		charset_done();
		return 0;
	}
	bool update = argc > 2 && strcmp(argv[2], "--update") == 0;
	struct bytes golden = arena_printf(arena, "%s/test/golden/checks", argv[1]);
	struct bytes sources = arena_printf(arena, "%s/src/checks", argv[1]);
	test_files(plan, arena_cstr(arena, sources), BYTES_LIT(".c"), plan_count(plan));
	test_files(plan, arena_cstr(arena, golden), BYTES_LIT(""), plan_count(plan));
	for (size_t i = 0; i < plan_count(plan); i++) {
		test_entry(plan_check(plan, i));
		test_check(plan, arena_cstr(arena, golden), plan_check(plan, i), update);
	}
	test_honest(plan, arena_cstr(arena, arena_printf(arena, "%s/test/golden/honest", argv[1])));
	printf("1..%u\n", n_tests);
	arena_free(&arena);
	charset_done();
	return n_failed > 0;
}
