/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/judge.h"

#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/escape.h"
#include "base/mem.h"
#include "cli/dns.h"
#include "mail/charset.h"
#include "wire/lists.h"

#include "base/banned.h"

struct judge {
	struct arena *static_arena;
	struct arena *arena;
	struct scan_plan *plan;
	struct cli_dns *dns;
	struct local_lists lists;
};

enum err judge_new(struct judge **ret_judge, struct error *reterr)
{
	struct judge *judge = mem_new(struct judge, 1);
	if (!judge)
		return error_set(reterr, ERR_NOMEM, 0, "no memory");
	judge->static_arena = arena_create(SIZE_MAX);
	enum err err = judge->static_arena ? charset_init() : ERR_NOMEM;
	if (err != ERR_OK)
		(void)error_set(reterr, err, 0, "the charset converters of ICU could not be loaded");
	else
		err = plan_new(judge->static_arena, &judge->plan, reterr);
	if (err != ERR_OK) {
		judge_free(&judge);
		return err;
	}
	*ret_judge = judge;
	return ERR_OK;
}

void judge_free(struct judge **judge)
{
	if (!*judge)
		return;
	arena_free(&(*judge)->arena);
	arena_free(&(*judge)->static_arena);
	mem_free(*judge);
	*judge = NULL;
}

const struct scan_plan *judge_plan(const struct judge *judge)
{
	return judge->plan;
}

void judge_use_dns(struct judge *judge, struct cli_dns *dns)
{
	judge->dns = dns;
}

static void on_wrong(void *ctx, struct bytes file, size_t line, struct bytes text, const char *why)
{
	CLEANUP(buf_done) struct buf buf = BUF_INIT(1024);
	(void)ctx;
	escape_plain(&buf, bytes_sub(text, 0, 80));
	if (line == 0)
		(void)fprintf(stderr, "%.*s: %s\n", BYTES_FMT(file), why);
	else
		(void)fprintf(stderr, "%.*s:%zu: \"%.*s\" %s\n", BYTES_FMT(file), line, BYTES_FMT(buf_bytes(&buf)),
			      why);
}

enum err judge_use_lists(struct judge *judge, const struct settings *settings)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes *texts, image;
	if (!arena)
		return ERR_NOMEM;
	TRY(lists_read(arena, settings, on_wrong, NULL, &texts));
	TRY(lists_build(judge->static_arena, settings, texts, NULL, on_wrong, NULL, &image));
	return local_lists_open(judge->static_arena, image, &judge->lists);
}

struct arena *judge_arena(struct judge *judge)
{
	return judge->arena;
}

static uint64_t cpu_usec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static enum err answer_from_lists(struct judge *judge, struct scan *scan, const struct fact *fact)
{
	CLEANUP(buf_done) struct buf entries = BUF_INIT((size_t)64 << 10);
	bool found = local_lists_answer(&judge->lists, fact->key, &entries);
	return scan_answer(scan, FACT_LIST, fact->key, found ? FACT_KNOWN : FACT_NEGATIVE, buf_bytes(&entries));
}

/* What nobody on the command line knows is said to be so; then the DNS is waited for. */
static enum err answer(struct judge *judge, struct scan *scan)
{
	size_t i = 0;
	for (const struct fact *fact; (fact = scan_question(scan, &i)) != NULL;)
		if (fact->kind == FACT_LIST && judge->lists.count > 0)
			TRY(answer_from_lists(judge, scan, fact));
		else if (fact->kind != FACT_DNS || !judge->dns)
			TRY(scan_answer(scan, fact->kind, fact->key, FACT_FAILED, (struct bytes){0}));
	return judge->dns ? cli_dns_answer(judge->dns, scan) : ERR_OK;
}

enum err judge_message(struct judge *judge, const struct scan_case *scan_case, const struct scan **ret_scan,
		       struct scan_usec *ret_usec)
{
	struct scan *scan;
	uint64_t begin = cpu_usec();
	size_t budget = scan_case->settings.max_memory;
	if (judge->arena)
		arena_reset(judge->arena);
	else if (!(judge->arena = arena_create(budget)))
		return ERR_NOMEM;
	TRY(scan_new(judge->arena, judge->plan, scan_case, &scan));
	TRY(scan_parse(scan));
	uint64_t parsed = cpu_usec();
	while (scan_run(scan) == SCAN_WAIT)
		TRY(answer(judge, scan));
	uint64_t judged = cpu_usec();
	*ret_usec = (struct scan_usec){.parse = parsed - begin, .checks = judged - parsed, .total = judged - begin};
	*ret_scan = scan;
	return ERR_OK;
}
