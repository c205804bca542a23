/* SPDX-License-Identifier: Apache-2.0 */
/* postern dmarc: reports on mail in our name: what is in one, keeping them, and their sums; and those that we owe. */
#include "cli/dmarc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/escape.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/history.h"
#include "cli/sources.h"
#include "mail/charset.h"
#include "store/reports.h"
#include "sys/clock.h"

#include "base/banned.h"

#define MEMORY_MAX ((size_t)4 << 30)

/* -- Files ---- */

struct reader {
	const struct opt_set *set;
	struct arena *arena; /* of the reports: the caller's report() decides when it is reset */
	void (*report)(void *ctx, struct bytes path, const struct report *report);
	void *ctx;
	bool passes_over;   /* what holds no report is counted only */
	size_t found, none; /* reports; files and messages that hold none */
	bool failed;        /* something could not be read, or is damaged; it was said */
};

static void read_one(struct reader *reader, struct bytes content, struct bytes path)
{
	struct report report;
	struct error error;
	enum err err = report_read_file(reader->arena, content, REPORT_XML_MAX, &report, &error);
	if (err == ERR_OK) {
		reader->found++;
		reader->report(reader->ctx, path, &report);
		return;
	}
	if (err != ERR_UNSUPPORTED || !reader->passes_over)
		(void)opt_wrong(reader->set, "%.*s: %s", BYTES_FMT(path), error.text);
	reader->none += err == ERR_UNSUPPORTED;
	reader->failed |= err != ERR_UNSUPPORTED;
}

static void read_source(struct reader *reader, const struct source *source)
{
	struct source_file file;
	struct source_walk walk;
	struct bytes content, path;
	errno = 0;
	enum err err = source_open(source, &file);
	if (err != ERR_OK) {
		(void)opt_wrong(reader->set, "%.*s: %s", BYTES_FMT(source->path),
				errno ? strerror(errno) : err_name(err));
		reader->failed = true;
		return;
	}
	source_walk_init(&walk, source, file.content);
	while (source_walk_next(&walk, &content, &path))
		read_one(reader, content, path);
	source_close(&file);
}

/* 0, or 2 when nothing could be begun (it was said). */
static int read_all(struct reader *reader, struct arena *names, char **paths, int n)
{
	struct source_list list;
	if (!reader->arena || !names || charset_init() != ERR_OK ||
	    sources_expand(names, paths, (size_t)n, &list) != ERR_OK)
		return opt_wrong(reader->set, "not enough memory");
	reader->failed |= list.failed;
	for (size_t i = 0; i < list.count; i++)
		read_source(reader, &list.items[i]);
	return 0;
}

/* -- read ---- */

struct shower {
	struct arena *arena;
	struct buf out;
	bool json;
};

static void show_report(void *ctx, struct bytes path, const struct report *report)
{
	struct shower *shower = ctx;
	buf_clear(&shower->out);
	if (shower->json)
		dmarc_show_json(&shower->out, path, report);
	else
		dmarc_show_text(&shower->out, path, report);
	(void)fwrite(shower->out.ptr, 1, shower->out.len, stdout);
	arena_reset(shower->arena);
}

static int read_reports(int argc, char **argv)
{
	bool json = false;
	const struct opt options[] = {{.name = "json", .help = "one JSON object a report", .given = &json}};
	const struct opt_set set = {
		"dmarc read",
		"[--json] FILE...",
		"Shows reports of other mail systems on mail in our name: DMARC aggregate reports (RFC 9990, RFC "
		"7489)\n"
		"and TLS reports (RFC 8460), as .xml or .json, in gzip or zip, or in the message that brought them;\n"
		"\"-\" is standard input, a folder is all that is in it. Exit status 2 when one could not be read.",
		"postern dmarc read 'receiver.example!example.com!1790035200!1790121599.xml.gz'",
		options,
		ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(MEMORY_MAX);
	CLEANUP(arena_free) struct arena *names = arena_create(SIZE_MAX);
	struct shower shower = {.arena = arena, .out = BUF_INIT(MEMORY_MAX)};
	struct reader reader = {.set = &set, .arena = arena, .report = show_report, .ctx = &shower};
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which file? (\"-\" is standard input)");
	shower.json = json;
	rc = read_all(&reader, names, argv, n);
	buf_done(&shower.out);
	return rc != 0 ? rc : reader.failed || reader.none > 0 ? 2 : 0;
}

/* -- import ---- */

struct kept {
	struct bytes path;
	struct report report;
};

/* All are read before the store is opened: that may give up the right to read the files. */
struct importer {
	struct arena *arena;
	struct kept *items;
	size_t count, capacity;
	bool json, nomem;
	size_t added, known;
};

static void keep_report(void *ctx, struct bytes path, const struct report *report)
{
	struct importer *importer = ctx;
	struct kept *items =
		arena_grow(importer->arena, importer->items, &importer->capacity, importer->count, sizeof(*items));
	struct bytes copy = arena_copy(importer->arena, path);
	if (!items || !copy.ptr) {
		importer->nomem = true;
		return;
	}
	importer->items = items;
	items[importer->count++] = (struct kept){copy, *report};
}

/* All parts or none. A report is new when any of its parts is. */
static enum err add_report(struct store *store, struct arena *arena, const struct report *report, bool *ret_new,
			   struct error *reterr)
{
	int64_t now = clock_wall_ms() / 1000;
	struct arena_mark mark = arena_mark(arena);
	enum err err = store_begin(store, false, reterr);
	*ret_new = false;
	for (size_t i = 0; err == ERR_OK && i < report_parts(report); i++) {
		struct report_part part;
		bool fresh = false;
		err = report_part_make(arena, report, i, &part);
		err = err == ERR_OK ? store_report_add(store, &part, now, &fresh, reterr)
				    : error_set(reterr, err, 0, "not enough memory");
		*ret_new |= fresh;
		arena_rewind(arena, mark);
	}
	if (err == ERR_OK)
		err = store_commit(store, reterr);
	if (err != ERR_OK)
		store_rollback(store);
	return err;
}

static void print_import(const struct kept *kept, bool fresh)
{
	CLEANUP(buf_done) struct buf out = BUF_INIT(1 << 20);
	const struct report *report = &kept->report;
	bool dmarc = report->kind == REPORT_DMARC;
	struct json json;
	jsonw_init(&json, &out);
	jsonw_object(&json, NULL);
	jsonw_string(&json, "path", kept->path);
	jsonw_cstr(&json, "kind", dmarc ? "dmarc" : "tls");
	jsonw_string(&json, "org", dmarc ? report->dmarc.org : report->tls.org);
	jsonw_string(&json, "report_id", dmarc ? report->dmarc.report_id : report->tls.report_id);
	jsonw_bool(&json, "new", fresh);
	jsonw_end(&json);
	(void)printf("%.*s\n", BYTES_FMT(buf_bytes(&out)));
}

static int add_all(const struct opt_set *set, struct importer *importer, struct store *store)
{
	struct error error;
	for (size_t i = 0; i < importer->count; i++) {
		bool fresh;
		if (add_report(store, importer->arena, &importer->items[i].report, &fresh, &error) != ERR_OK)
			return opt_wrong(set, "%.*s: %s", BYTES_FMT(importer->items[i].path), error.text);
		importer->added += fresh;
		importer->known += !fresh;
		if (importer->json)
			print_import(&importer->items[i], fresh);
	}
	return 0;
}

static int import(int argc, char **argv)
{
	const char *config = NULL;
	bool json = false;
	const struct opt options[] = {
		{.name = "config",
		 .value_name = "FILE",
		 .help = "the configuration whose reports they are",
		 .value = &config},
		{.name = "json", .help = "one JSON object a report", .given = &json},
	};
	const struct opt_set set = {
		"dmarc import",
		"[--json] [--config FILE] FILE|FOLDER...",
		"Keeps reports of other mail systems for `postern dmarc report`. Files are as for `postern dmarc "
		"read`;\n"
		"in a folder or mailbox, what holds no report is passed over. A report counts once, however often it\n"
		"comes. Exit status 2 when a report could not be read or kept, or there was none.",
		"postern dmarc import ~/Maildir/.dmarc",
		options,
		ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(MEMORY_MAX);
	CLEANUP(arena_free) struct arena *names = arena_create(SIZE_MAX);
	CLEANUP(store_close) struct store *store = NULL;
	struct importer importer = {.arena = arena};
	struct reader reader = {
		.set = &set, .arena = arena, .report = keep_report, .ctx = &importer, .passes_over = true};
	struct settings settings;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n == 0)
		return opt_wrong(&set, "which file or folder? (\"-\" is standard input)");
	importer.json = json;
	rc = read_all(&reader, names, argv, n);
	if (rc == 0 && importer.nomem)
		rc = opt_wrong(&set, "these are too many at once: there is not enough memory");
	if (rc == 0 && reader.found > 0)
		rc = history_open(&set, config, false, names, &settings, &store);
	if (rc == 0 && store)
		rc = add_all(&set, &importer, store);
	if (rc != 0)
		return rc;
	if (!json)
		(void)printf("%zu added, %zu known already, %zu without a report\n", importer.added, importer.known,
			     reader.none);
	return reader.failed || reader.found == 0 ? 2 : 0;
}

/* -- The verbs ---- */

int cmd_dmarc(int argc, char **argv)
{
	static const struct opt_verb verbs[] = {{"report", dmarc_report},
						{"read", read_reports},
						{"import", import},
						{"owed", dmarc_owed},
						{"send", dmarc_send}};
	return opt_run_verb("dmarc", verbs, ARRAY_LEN(verbs), "report, read, import, owed or send",
			    "usage: postern dmarc report|read|import|owed|send [OPTION...] [FILE...]\n\n"
			    "Each has its own --help.\nExample: postern dmarc report --domain example.com",
			    argc, argv);
}
