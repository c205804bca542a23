/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern fit: judges known mail, splits each class by the time at which it was received, fits the weights on the
 * earlier half and reports on the later one. The table that it writes is data with its provenance (defs/weights.tsv).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/judge.h"
#include "cli/opt.h"
#include "cli/sources.h"
#include "learn/logistic.h"
#include "sys/file.h"

#include "base/banned.h"

#define WEIGHT_MAX 4.0 /* nats; what a corpus shows perfectly it has not seen often enough */
#define PENALTY    2.0
#define FAVOUR_MAX 1.0 /* nats that forgeable evidence may speak for a message */
#define FEWEST     3   /* hits in the training half below which a weight is not fitted */

struct sample {
	int64_t time;
	bool spam;
	uint8_t *present; /* a byte a check */
};

struct fit {
	const struct opt_set *set;
	struct judge *judge;
	struct arena *arena;
	const struct scan_plan *plan;
	struct sample *samples;
	size_t count, n_ham, capacity; /* sorted: ham first, then by time */
	bool cut_headers;
	bool failed;
};

/* When it was received, by the topmost Received field: its Date is the sender's word. */
static int64_t time_of(const struct message *message)
{
	for (size_t i = 0; i < message->received.count; i++)
		if (message->received.hops[i].has_date)
			return message->received.hops[i].date;
	return message->has_date ? message->date : 0;
}

static enum err judge_sample(struct fit *fit, struct bytes message, int64_t now, const struct scan **ret_scan)
{
	struct scan_usec usec;
	struct scan_case scan_case = {.message = message, .settings = scan_settings_default};
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)now);
	scan_case.envelope.frontend = BYTES_LIT("command");
	TRY(fact_set(fit->arena, &scan_case.facts, FACT_TIME, (struct bytes){0}, FACT_KNOWN,
		     bytes_make(text, (size_t)len)));
	return judge_message(fit->judge, &scan_case, ret_scan, &usec);
}

/* Subject, MIME fields and body alone: what a collection cannot have coloured. */
static struct bytes cut(struct arena *arena, const struct message *message)
{
	static const enum header_id kept[] = {HEADER_SUBJECT, HEADER_MIME_VERSION, HEADER_CONTENT_TYPE,
					      HEADER_CONTENT_TRANSFER_ENCODING, HEADER_CONTENT_DISPOSITION};
	uint8_t *out = arena_alloc_raw(arena, message->raw.len + 2);
	size_t n = 0;
	for (size_t i = 0; out && i < message->header->count; i++) {
		const struct header_field *field = &message->header->fields[i];
		for (size_t j = 0; j < ARRAY_LEN(kept); j++) {
			if (field->id == kept[j]) {
				memcpy(out + n, message->raw.ptr + field->at, field->len);
				n += field->len;
			}
		}
	}
	struct bytes rest = bytes_from(message->raw, message->header->at + message->header->len);
	if (out && rest.len > 0)
		memcpy(out + n, rest.ptr, rest.len);
	return out ? bytes_make(out, n + rest.len) : message->raw;
}

static enum err add_message(struct fit *fit, struct bytes raw, bool spam)
{
	const struct scan *scan;
	CLEANUP(arena_free) struct arena *scratch = arena_create(SIZE_MAX);
	/* Judged twice: the first time tells when it was, which is the time of its case. */
	TRY(judge_sample(fit, raw, 0, &scan));
	int64_t when = time_of(scan_message(scan));
	if (fit->cut_headers)
		raw = cut(scratch, scan_message(scan));
	TRY(judge_sample(fit, raw, when + 60, &scan));
	struct sample *grown = arena_grow(fit->arena, fit->samples, &fit->capacity, fit->count, sizeof(*grown));
	size_t n = plan_count(fit->plan);
	uint8_t *present = arena_new(fit->arena, uint8_t, n);
	if (!grown || !present)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		present[i] = scan_has_evidence(scan, plan_check(fit->plan, i)->symbol);
	fit->samples = grown;
	fit->n_ham += !spam;
	grown[fit->count++] = (struct sample){when, spam, present};
	return ERR_OK;
}

static enum err add_paths(struct fit *fit, const char **paths, size_t n, bool spam)
{
	struct source_list list;
	static char *names[OPT_REPEAT_MAX];
	for (size_t i = 0; i < n; i++)
		names[i] = arena_cstr(fit->arena, bytes_from_cstr(paths[i]));
	TRY(sources_expand(fit->arena, names, n, &list));
	fit->failed |= list.failed;
	for (size_t i = 0; i < list.count; i++) {
		struct source_file file;
		/* Metadata beside messages (FOLDER/NAME.json) is none. */
		if (bytes_ends(list.items[i].path, BYTES_LIT(".json")))
			continue;
		if (source_open(&list.items[i], &file) != ERR_OK) {
			(void)opt_wrong(fit->set, "%.*s: %s", BYTES_FMT(list.items[i].path), strerror(errno));
			fit->failed = true;
			continue;
		}
		enum err err = add_message(fit, file.content, spam);
		source_close(&file);
		TRY(err);
		if (fit->count % 500 == 0)
			(void)fprintf(stderr, "postern fit: %zu messages\n", fit->count);
	}
	return ERR_OK;
}

/* By class, then by time: each class is split in the middle. */
static int by_class_and_time(const void *left, const void *right)
{
	const struct sample *a = left, *b = right;
	if (a->spam != b->spam)
		return a->spam ? 1 : -1;
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return memcmp(a->present, b->present, 1);
}

static bool is_training(const struct fit *fit, size_t i)
{
	size_t ham = fit->n_ham;
	return fit->samples[i].spam ? i - ham < (fit->count - ham) / 2 : i < ham / 2;
}

struct model {
	double *weights, bias;
	size_t *checks; /* of each feature */
	size_t n_features;
};

static size_t hits(const struct fit *fit, size_t check, bool spam, bool training)
{
	size_t n = 0;
	for (size_t i = 0; i < fit->count; i++)
		n += fit->samples[i].spam == spam && fit->samples[i].present[check] && is_training(fit, i) == training;
	return n;
}

static enum err train(struct fit *fit, struct model *model)
{
	size_t n_checks = plan_count(fit->plan), n = 0;
	double *lower = arena_new(fit->arena, double, n_checks + 1),
	       *upper = arena_new(fit->arena, double, n_checks + 1);
	model->weights = arena_new(fit->arena, double, n_checks + 1);
	model->checks = arena_new(fit->arena, size_t, n_checks + 1);
	uint8_t *present = mem_calloc(fit->count + 1, n_checks + 1), *positive = mem_calloc(fit->count + 1, 1);
	if (!lower || !upper || !model->weights || !model->checks || !present || !positive)
		return ERR_NOMEM;
	for (size_t i = 0; i < n_checks; i++) {
		const struct check *check = plan_check(fit->plan, i);
		if (check->fixed_weight || check->kind == KIND_INFO ||
		    hits(fit, i, false, true) + hits(fit, i, true, true) < FEWEST)
			continue;
		lower[model->n_features] = check->in_favour ? -FAVOUR_MAX : 0;
		upper[model->n_features] = WEIGHT_MAX;
		model->checks[model->n_features++] = i;
	}
	for (size_t i = 0; i < fit->count; i++) {
		if (!is_training(fit, i))
			continue;
		for (size_t f = 0; f < model->n_features; f++)
			present[n * model->n_features + f] = fit->samples[i].present[model->checks[f]];
		positive[n++] = fit->samples[i].spam;
	}
	struct logistic_problem problem = {n, model->n_features, present, positive, lower, upper, PENALTY};
	enum err err = logistic_fit(fit->arena, &problem, model->weights, &model->bias);
	mem_free(present);
	mem_free(positive);
	return err;
}

static double score(const struct fit *fit, const struct model *model, size_t i)
{
	double sum = model->bias;
	for (size_t f = 0; f < model->n_features; f++)
		sum += fit->samples[i].present[model->checks[f]] ? model->weights[f] : 0;
	return sum;
}

/* -- Report
 * ------------------------------------------------------------------------------------------------------------- */

static enum err report_half(struct fit *fit, const struct model *model, bool training, const char *name,
			    struct buf *out)
{
	double *scores = arena_new(fit->arena, double, fit->count + 1), auc;
	uint8_t *positive = arena_new(fit->arena, uint8_t, fit->count + 1);
	size_t n = 0, ham = 0, spam = 0, ham_tag = 0, ham_quarantine = 0, spam_tag = 0, spam_quarantine = 0;
	if (!scores || !positive)
		return ERR_NOMEM;
	for (size_t i = 0; i < fit->count; i++) {
		if (is_training(fit, i) != training)
			continue;
		scores[n] = score(fit, model, i);
		positive[n] = fit->samples[i].spam;
		bool tag = scores[n] >= (double)scan_settings_default.tag_at / 1000;
		bool quarantine = scores[n] >= (double)scan_settings_default.quarantine_at / 1000;
		if (positive[n]) {
			spam++;
			spam_tag += tag;
			spam_quarantine += quarantine;
		} else {
			ham++;
			ham_tag += tag;
			ham_quarantine += quarantine;
		}
		n++;
	}
	TRY(logistic_auc(fit->arena, scores, positive, n, &auc));
	buf_printf(out,
		   "# %s: %zu ham, %zu spam; area under ROC %.4f; p >= 0.9: %.1f %% of spam, %zu of %zu ham (%.2f %%); "
		   "p >= 0.99: %.1f %% of spam, %zu ham (%.2f %%)\n",
		   name, ham, spam, auc, 100.0 * (double)spam_tag / (double)(spam ? spam : 1), ham_tag, ham,
		   100.0 * (double)ham_tag / (double)(ham ? ham : 1),
		   100.0 * (double)spam_quarantine / (double)(spam ? spam : 1), ham_quarantine,
		   100.0 * (double)ham_quarantine / (double)(ham ? ham : 1));
	return ERR_OK;
}

/* The most that a family was worth in one message of the training half, on either side: more than was ever seen counts
 * no more. */
static int family_cap(const struct fit *fit, const struct model *model, const char *family)
{
	double most = 0;
	for (size_t i = 0; i < fit->count; i++) {
		double sum = 0;
		if (!is_training(fit, i))
			continue;
		for (size_t f = 0; f < model->n_features; f++)
			if (strcmp(plan_check(fit->plan, model->checks[f])->family, family) == 0)
				sum += fit->samples[i].present[model->checks[f]] ? model->weights[f] : 0;
		most = fmax(most, fabs(sum));
	}
	return (int)ceil(most * 1000);
}

static void format_date(int64_t time, char out[static 16])
{
	time_t seconds = (time_t)time;
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

static void write_provenance(const struct fit *fit, struct buf *out)
{
	for (int spam = 0; spam < 2; spam++) {
		int64_t first = INT64_MAX, split = 0, last = 0;
		char texts[3][16];
		size_t n = 0;
		for (size_t i = 0; i < fit->count; i++) {
			const struct sample *sample = &fit->samples[i];
			if (sample->spam != (spam != 0))
				continue;
			n++;
			first = sample->time < first ? sample->time : first;
			last = sample->time > last ? sample->time : last;
			if (is_training(fit, i))
				split = sample->time;
		}
		format_date(first, texts[0]);
		format_date(split, texts[1]);
		format_date(last, texts[2]);
		buf_printf(out, "# %s: %zu messages, received %s to %s; fitted on those up to %s\n",
			   spam ? "spam" : "ham", n, texts[0], texts[2], texts[1]);
	}
	buf_printf(out,
		   "# logistic regression, L2 penalty %g, weights up to %g nats (%g in favour), at least %d hits in "
		   "the earlier half\n",
		   PENALTY, WEIGHT_MAX, FAVOUR_MAX, FEWEST);
}

static enum err write_table(struct fit *fit, const struct model *model, const char *corpus, struct buf *out)
{
	buf_add_cstr(out,
		     "# Weights of the checks, in thousandths of a nat. Generated by `postern fit`; do not edit.\n");
	if (corpus)
		buf_printf(out, "# corpus: %s\n", corpus);
	write_provenance(fit, out);
	TRY(report_half(fit, model, true, "earlier half (fitted on)", out));
	TRY(report_half(fit, model, false, "later half (not fitted on)", out));
	buf_printf(out, "bias\t-\t%d\n", (int)lround(model->bias * 1000));
	for (size_t i = 0; i < plan_count(fit->plan); i++) {
		const char *family = plan_check(fit->plan, i)->family;
		bool first = true;
		for (size_t j = 0; j < i; j++)
			first &= strcmp(plan_check(fit->plan, j)->family, family) != 0;
		int cap = first ? family_cap(fit, model, family) : 0;
		if (cap > 0)
			buf_printf(out, "family\t%s\t%d\n", family, cap);
	}
	for (size_t f = 0; f < model->n_features; f++)
		buf_printf(out, "weight\t%s\t%d\n", plan_check(fit->plan, model->checks[f])->symbol,
			   (int)lround(model->weights[f] * 1000));
	return buf_err(out);
}

static void print_hits(const struct fit *fit)
{
	(void)printf("%-28s %8s %8s   (earlier half)\n", "check", "ham", "spam");
	for (size_t i = 0; i < plan_count(fit->plan); i++)
		(void)printf("%-28s %8zu %8zu\n", plan_check(fit->plan, i)->symbol, hits(fit, i, false, true),
			     hits(fit, i, true, true));
}

int cmd_fit(int argc, char **argv)
{
	const char *out_file = NULL, *corpus = NULL;
	static const char *ham[OPT_REPEAT_MAX], *spam[OPT_REPEAT_MAX];
	size_t n_ham = 0, n_spam = 0;
	bool show_hits = false;
	struct fit fit = {0};
	const struct opt options[] = {
		{.name = "ham",
		 .value_name = "PATH",
		 .help = "wanted mail; may be repeated",
		 .values = ham,
		 .n_values = &n_ham},
		{.name = "spam",
		 .value_name = "PATH",
		 .help = "unwanted mail; may be repeated",
		 .values = spam,
		 .n_values = &n_spam},
		{.name = "output",
		 .value_name = "FILE",
		 .help = "write the table there (default: print it)",
		 .value = &out_file},
		{.name = "corpus",
		 .value_name = "TEXT",
		 .help = "where the mail is from, for the table's head",
		 .value = &corpus},
		{.name = "hits",
		 .help = "print how often each check hits in the earlier half, and end",
		 .given = &show_hits},
		{.name = "cut-headers", .help = "judge Subject, MIME fields and body only", .given = &fit.cut_headers},
	};
	const struct opt_set set = {"fit",
				    "--ham PATH... --spam PATH... [--output FILE]",
				    "Fits the weights of the checks to known mail: each class is split in the middle "
				    "by the time of receipt,\n"
				    "the earlier half is fitted on, the later one reported.",
				    "postern fit --ham good/ --spam bad/ --output defs/weights.tsv",
				    options,
				    ARRAY_LEN(options)};
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(judge_free) struct judge *judge = NULL;
	CLEANUP(buf_done) struct buf out = BUF_INIT((size_t)16 << 20);
	struct model model = {0};
	struct error error;
	int n;
	int rc = opt_parse(&set, argc, argv, &n);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	if (n > 0 || n_ham == 0 || n_spam == 0)
		return opt_wrong(&set, "--ham and --spam are needed, and nothing else");
	if (!arena || judge_new(&judge, &error) != ERR_OK)
		return opt_wrong(&set, "%s", arena ? error.text : "not enough memory");
	fit.set = &set;
	fit.judge = judge;
	fit.arena = arena;
	fit.plan = judge_plan(judge);
	if (add_paths(&fit, ham, n_ham, false) != ERR_OK || add_paths(&fit, spam, n_spam, true) != ERR_OK)
		return opt_wrong(&set, "not enough memory");
	qsort(fit.samples, fit.count, sizeof(fit.samples[0]), by_class_and_time);
	if (show_hits) {
		print_hits(&fit);
		return 0;
	}
	if (train(&fit, &model) != ERR_OK || write_table(&fit, &model, corpus, &out) != ERR_OK)
		return opt_wrong(&set, "not enough memory");
	if (!out_file)
		(void)fwrite(out.ptr, 1, out.len, stdout);
	else if (file_write_atomic(out_file, buf_bytes(&out), 0644) != ERR_OK)
		return opt_wrong(&set, "%s: %s", out_file, strerror(errno));
	return fit.failed ? 2 : 0;
}
