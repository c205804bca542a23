/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern scan. With --jobs N the messages are dealt out to N processes; each writes one record an item into its own
 * pipe, and the parent prints them in the order of the items, so that the output is the same for any N.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/dns.h"
#include "cli/given.h"
#include "cli/judge.h"
#include "cli/opt.h"
#include "cli/sources.h"
#include "scan/report.h"
#include "sys/file.h"

#include "base/banned.h"

#define OUTPUT_MAX ((size_t)1 << 30) /* of one file */
#define JOBS_MAX   64

struct options {
	bool json, no_dns;
	struct given given;
	const char *record, *jobs;
	const char *rcpts[OPT_REPEAT_MAX];
	size_t n_rcpts;
};

struct scanner {
	const struct opt_set *set;
	const struct options *options;
	struct judge *judge;
	struct settings settings;
	struct cli_dns *dns;
	struct scan_case scan_case;
	struct bytes recipients[OPT_REPEAT_MAX];
	bool japanese;
	bool found, failed;
	struct buf out;
};

static enum err record_case(struct scanner *scanner, const struct scan *scan)
{
	CLEANUP(buf_done) struct buf verdict = BUF_INIT((size_t)16 << 20);
	CLEANUP(buf_done) struct buf file = BUF_INIT((size_t)2 << 30);
	struct scan_case recorded = scanner->scan_case;
	recorded.facts = *scan_facts(scan);
	report_verdict(&verdict, scan_verdict(scan));
	recorded.verdict = buf_bytes(&verdict);
	case_write(&file, &recorded);
	if (buf_err(&file) != ERR_OK || buf_err(&verdict) != ERR_OK)
		return ERR_NOMEM;
	return file_write_atomic(scanner->options->record, buf_bytes(&file), 0600);
}

/* Not before the workers are there: a resolver cannot be shared by processes. */
static bool open_dns(struct scanner *scanner)
{
	struct error error;
	if (scanner->dns || !scanner->scan_case.settings.dns)
		return true;
	if (cli_dns_open(&scanner->settings, scanner->options->given.dns, &scanner->dns, &error) != ERR_OK) {
		(void)opt_wrong(scanner->set, "%s", error.text);
		return false;
	}
	judge_use_dns(scanner->judge, scanner->dns);
	return true;
}

static void judge_one(struct scanner *scanner, struct bytes message, struct bytes path)
{
	const struct scan *scan;
	struct scan_usec usec;
	scanner->scan_case.message = message;
	if (!open_dns(scanner)) {
		scanner->failed = true;
		return;
	}
	enum err err = judge_message(scanner->judge, &scanner->scan_case, &scan, &usec);
	if (err != ERR_OK) {
		(void)opt_wrong(scanner->set, "%.*s: %s", BYTES_FMT(path), err_name(err));
		scanner->failed = true;
		return;
	}
	enum verdict_class class = scan_verdict(scan)->class;
	scanner->found |= class != CLASS_CLEAN && class != CLASS_BULK;
	if (scanner->options->json) {
		report_json(&scanner->out, scan, path, &usec);
		buf_add_byte(&scanner->out, '\n');
	} else {
		report_text(&scanner->out, scan, path, true, scanner->japanese);
	}
	if (scanner->options->record && record_case(scanner, scan) != ERR_OK) {
		(void)opt_wrong(scanner->set, "%s: the case could not be written: %s", scanner->options->record,
				strerror(errno));
		scanner->failed = true;
	}
}

static void judge_file(struct scanner *scanner, const struct source *source)
{
	struct source_file file;
	errno = 0;
	enum err err = source_open(source, &file);
	if (err != ERR_OK) {
		(void)opt_wrong(scanner->set, "%.*s: %s", BYTES_FMT(source->path),
				errno ? strerror(errno) : err_name(err));
		scanner->failed = true;
		return;
	}
	if (scanner->options->record && mbox_count(file.content) > 1) {
		(void)opt_wrong(scanner->set, "--record takes one message, and %.*s holds several",
				BYTES_FMT(source->path));
		scanner->failed = true;
		source_close(&file);
		return;
	}
	struct source_walk walk;
	struct bytes message, path;
	source_walk_init(&walk, source, file.content);
	while (source_walk_next(&walk, &message, &path))
		judge_one(scanner, message, path);
	source_close(&file);
	if (buf_err(&scanner->out) != ERR_OK) {
		(void)opt_wrong(scanner->set, "%.*s: the output is too large", BYTES_FMT(source->path));
		scanner->failed = true;
		buf_clear(&scanner->out);
	}
}

/* -- One process ---- */

static void progress(const struct source_list *list, size_t done)
{
	static time_t last;
	time_t now = time(NULL);
	if (list->count < 50 || !isatty(STDERR_FILENO) || (now == last && done < list->count))
		return;
	last = now;
	(void)fprintf(stderr, "\r%zu of %zu%s", done, list->count, done == list->count ? "\r\033[K" : "");
}

static void scan_all(struct scanner *scanner, const struct source_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		buf_clear(&scanner->out);
		judge_file(scanner, &list->items[i]);
		(void)fwrite(scanner->out.ptr, 1, scanner->out.len, stdout);
		progress(list, i + 1);
	}
}

/* -- Several processes ---- */

#define RECORD_HEAD 6 /* be32 length, found, failed */

/* The items i, i + jobs, ...; one record for each. */
static void work(struct scanner *scanner, const struct source_list *list, size_t first, size_t jobs, int to)
{
	for (size_t i = first; i < list->count; i += jobs) {
		buf_clear(&scanner->out);
		scanner->found = scanner->failed = false;
		judge_file(scanner, &list->items[i]);
		CLEANUP(buf_done) struct buf head = BUF_INIT(RECORD_HEAD);
		buf_add_be32(&head, (uint32_t)scanner->out.len);
		buf_add_byte(&head, scanner->found);
		buf_add_byte(&head, scanner->failed);
		if (file_write_all(to, buf_bytes(&head)) != ERR_OK ||
		    file_write_all(to, buf_bytes(&scanner->out)) != ERR_OK)
			_exit(2);
	}
	_exit(0);
}

static bool read_exactly(int fd, uint8_t *data, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, data, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		data += got;
		n -= (size_t)got;
	}
	return true;
}

/* One record of a worker, printed. False: the worker is dead. */
static bool print_record(struct scanner *scanner, int from)
{
	uint8_t head[RECORD_HEAD];
	buf_clear(&scanner->out);
	if (!read_exactly(from, head, sizeof(head)))
		return false;
	struct cursor cur = cursor_make(bytes_make(head, sizeof(head)));
	uint32_t len = cursor_be32(&cur);
	scanner->found |= cursor_u8(&cur) != 0;
	scanner->failed |= cursor_u8(&cur) != 0;
	uint8_t *room = len ? buf_reserve(&scanner->out, len) : NULL;
	if (len > 0 && (!room || !read_exactly(from, room, len)))
		return false;
	(void)fwrite(room, 1, len, stdout);
	return true;
}

static void scan_jobs(struct scanner *scanner, const struct source_list *list, size_t jobs)
{
	int pipes[JOBS_MAX][2];
	bool dead[JOBS_MAX] = {false};
	(void)fflush(stdout);
	for (size_t i = 0; i < jobs; i++) {
		if (pipe(pipes[i]) != 0) {
			(void)opt_wrong(scanner->set, "no pipe: %s", strerror(errno));
			scanner->failed = true;
			return;
		}
		pid_t pid = fork();
		if (pid == 0) {
			(void)close(pipes[i][0]);
			work(scanner, list, i, jobs, pipes[i][1]);
		}
		(void)close(pipes[i][1]);
		dead[i] = pid < 0;
	}
	for (size_t i = 0; i < list->count; i++) {
		size_t worker = i % jobs;
		if (!dead[worker] && print_record(scanner, pipes[worker][0])) {
			progress(list, i + 1);
			continue;
		}
		/* It died over this one: the rest of its share is done here, which tells what is the matter. */
		if (!dead[worker])
			(void)opt_wrong(scanner->set, "%.*s: the process that judged it ended",
					BYTES_FMT(list->items[i].path));
		scanner->failed |= !dead[worker];
		bool first = !dead[worker];
		dead[worker] = true;
		if (first)
			continue;
		buf_clear(&scanner->out);
		judge_file(scanner, &list->items[i]);
		(void)fwrite(scanner->out.ptr, 1, scanner->out.len, stdout);
	}
	for (size_t i = 0; i < jobs; i++)
		(void)close(pipes[i][0]);
	while (wait(NULL) > 0)
		continue;
}

/* -- Options ---- */

static int take(struct scanner *scanner, struct arena *arena)
{
	const struct options *options = scanner->options;
	struct scan_case *scan_case = &scanner->scan_case;
	int rc = given_case(scanner->set, &options->given, arena, &scanner->settings, scan_case);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < options->n_rcpts; i++)
		scanner->recipients[i] = bytes_from_cstr(options->rcpts[i]);
	scan_case->envelope.recipients = scanner->recipients;
	scan_case->envelope.n_recipients = options->n_rcpts;
	/* A command asks the network when told to: by --dns, or by a configuration that does. */
	scan_case->settings.dns = options->given.dns || (options->given.config && scanner->settings.dns_enabled);
	scan_case->settings.dns &= !options->no_dns;
	return 0;
}

static int run(struct scanner *scanner, char **paths, size_t n)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(judge_free) struct judge *judge = NULL;
	struct error error;
	struct source_list list;
	uint64_t jobs = 1;
	if (!arena)
		return opt_wrong(scanner->set, "not enough memory");
	if (scanner->options->jobs &&
	    (num_parse(bytes_from_cstr(scanner->options->jobs), 10, JOBS_MAX, &jobs) != ERR_OK || jobs == 0))
		return opt_wrong(scanner->set, "--jobs: a number from 1 to %d is expected", JOBS_MAX);
	int rc = take(scanner, arena);
	if (rc != 0)
		return rc;
	if (judge_new(&judge, &error) != ERR_OK)
		return opt_wrong(scanner->set, "%s", error.text);
	if (judge_use_lists(judge, &scanner->settings) != ERR_OK)
		return opt_wrong(scanner->set, "not enough memory for lists.local");
	scanner->judge = judge;
	scanner->scan_case.definitions = bytes_from_cstr(plan_definitions(judge_plan(judge)));
	if (sources_expand(arena, paths, n, &list) != ERR_OK)
		return opt_wrong(scanner->set, "not enough memory");
	if (scanner->options->record && list.count > 1)
		return opt_wrong(scanner->set, "--record takes one message");
	scanner->failed = list.failed;
	if (jobs > 1 && list.count > 1)
		scan_jobs(scanner, &list, (size_t)jobs);
	else
		scan_all(scanner, &list);
	(void)fflush(stdout);
	return scanner->failed ? 2 : scanner->found ? 1 : 0;
}

int cmd_scan(int argc, char **argv)
{
	static struct options options;
	const struct opt table[] = {
		{.name = "json", .help = "one JSON object a message", .given = &options.json},
		{.name = "config",
		 .value_name = "FILE",
		 .help = "thresholds and limits of this configuration",
		 .value = &options.given.config},
		GIVEN_ENVELOPE(options.given),
		{.name = "rcpt",
		 .value_name = "ADDRESS",
		 .help = "a recipient of the envelope; may be repeated",
		 .values = options.rcpts,
		 .n_values = &options.n_rcpts},
		GIVEN_NOW(options.given),
		{.name = "record",
		 .value_name = "FILE",
		 .help = "write the whole case, for postern replay",
		 .value = &options.record},
		{.name = "jobs", .value_name = "N", .help = "processes that judge at once", .value = &options.jobs},
		{.name = "dns",
		 .value_name = "ADDR@PORT",
		 .help = "ask this DNS server who really sent the message",
		 .value = &options.given.dns},
		{.name = "no-dns",
		 .help = "ask no DNS server, whatever the configuration says",
		 .given = &options.no_dns},
	};
	const struct opt_set set = {
		"scan",
		"[OPTION...] PATH...",
		"Judges messages: a file, \"-\", an mbox, a Maildir or any folder. Exit status 0: all clean or bulk;\n"
		"1: at least one was something else; 2: something could not be read.",
		"postern scan --json --jobs 2 Maildir/",
		table,
		ARRAY_LEN(table)};
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which message? (a file, a folder, or \"-\" for standard input)");
	static struct scanner scanner;
	scanner = (struct scanner){.set = &set, .options = &options, .japanese = opt_japanese()};
	buf_init(&scanner.out, OUTPUT_MAX);
	rc = run(&scanner, argv, (size_t)n);
	cli_dns_free(&scanner.dns);
	buf_done(&scanner.out);
	return rc;
}
