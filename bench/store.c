/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_store FOLDER ROWS: fills an empty store with ROWS made-up trace records in batches of 50, as the vault does,
 * and holds some messages; prints CPU a record, the size on disk, and how long each filter of `postern trace` takes for
 * its first 100 rows. Everything comes from one fixed seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"

#include "base/banned.h"

#define BATCH   50
#define BEGIN   INT64_C(1790000000000)
#define STEP_MS 2500 /* one million records are a month */

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % n;
}

/* Small numbers often, large ones seldom, as people and words are used. */
static uint32_t draw_skewed(uint32_t n)
{
	return draw(draw(draw(n) + 1) + 1);
}

static double seconds(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char *const japanese[] = {
	"請求書",   "送付", "のご案内", "見積書", "について", "会議",       "議事録", "お支払い", "確認",   "重要",
	"お知らせ", "配送", "ご注文",   "発送",   "完了",     "アカウント", "更新",   "お振込",   "請求",   "納品書",
	"資料",     "共有", "の件",     "ご連絡", "日程",     "調整",       "採用",   "面接",     "契約書", "至急"};
static const char *const syllables[] = {"ka", "ro", "mi", "ten", "sol", "ver", "in", "pa", "lu", "dor", "es", "ti"};

static void add_word(struct buf *buf, uint32_t number)
{
	do {
		buf_add_cstr(buf, syllables[number % ARRAY_LEN(syllables)]);
		number /= ARRAY_LEN(syllables);
	} while (number > 0);
}

static void add_subject(struct buf *buf)
{
	uint32_t n = 3 + draw(5);
	bool in_japanese = draw(3) == 0;
	for (uint32_t i = 0; i < n; i++) {
		if (in_japanese) {
			buf_add_cstr(buf, japanese[draw_skewed(ARRAY_LEN(japanese))]);
		} else {
			buf_add_cstr(buf, i ? " " : "");
			add_word(buf, draw_skewed(20000));
		}
	}
	buf_printf(buf, " #%u", draw(100000));
}

static void add_address(struct buf *buf, uint32_t people, uint32_t domains)
{
	uint32_t domain = draw_skewed(domains);
	add_word(buf, draw_skewed(people));
	buf_add_byte(buf, '.');
	add_word(buf, draw(3000));
	buf_add_byte(buf, '@');
	add_word(buf, domain);
	buf_add_cstr(buf, domain % 3 ? ".example.com" : ".example.net");
}

static const char evidence[] =
	"[{\"id\":\"FROM_NAME_ADDRESS\",\"weight\":0.812,\"text\":\"The name of the sender shows another address than "
	"the message comes "
	"from.\",\"text_ja\":\"差出人の表示名が、実際の差出人とは別のメールアドレスになっています。\",\"part\":null,"
	"\"at\":120,\"len\":44,"
	"\"snippet\":\"Bank <a@example.net>\"},{\"id\":\"DATE_FUTURE\",\"weight\":1.204,\"text\":\"The Date field lies "
	"%u "
	"hours ahead of the time of receipt.\",\"text_ja\":\"Date "
	"が受信時刻より%u時間先になっています。\",\"part\":null,\"at\":%u,\"len\":37,"
	"\"snippet\":null},{\"id\":\"URL_MANY_HOSTS\",\"weight\":0.31,\"text\":\"The message links to %u different "
	"hosts.\",\"text_ja\":\"本文に%u個の異なるホストへのリンクがあります。\",\"part\":\"1\",\"at\":900,\"len\":60,"
	"\"snippet\":\"http://www.example.com/x\"}]";

static const struct {
	const char *status, *class;
} fates[] = {{"delivered", "clean"}, {"delivered", "clean"}, {"delivered", "clean"},   {"delivered", "bulk"},
	     {"tagged", "spam"},     {"refused", ""},        {"quarantined", "phish"}, {"rejected", "malware"}};

struct record {
	struct arena *arena;
	struct store_trace trace;
	struct store_recipient recipients[3];
};

static struct bytes take(struct arena *arena, struct buf *buf)
{
	struct bytes copy = arena_copy(arena, buf_bytes(buf));
	buf_clear(buf);
	return copy;
}

static void make(struct record *record, struct buf *buf, uint32_t i)
{
	struct arena *arena = record->arena;
	struct store_trace *trace = &record->trace;
	uint32_t fate = draw_skewed(ARRAY_LEN(fates)), hours = draw(50);
	arena_reset(arena);
	*trace = (struct store_trace){
		.time_ms = BEGIN + (int64_t)i * STEP_MS,
		.frontend = BYTES_LIT("milter"),
		.client_ip = arena_printf(arena, "10.%u.%u.%u", draw(4), draw(200), draw(250)),
		.client_name = BYTES_LIT("mail.example.net"),
		.helo = BYTES_LIT("mail.example.net"),
		.size = 2000 + draw(100000),
		.class = bytes_from_cstr(fates[fate].class),
		.action = BYTES_LIT("deliver"),
		.status = bytes_from_cstr(fates[fate].status),
		.reason_en = BYTES_LIT("It was delivered: nothing in it weighs enough to hold it."),
		.reason_ja = BYTES_LIT("配送しました。保留するほどの根拠はありません。"),
		.evidence = arena_printf(arena, evidence, hours, hours, draw(2000), draw(9), draw(9)),
		.log_odds = -2100,
		.usec = 300 + draw(400),
		.recipients = record->recipients,
		.n_recipients = 1 + draw_skewed(3),
	};
	trace->id = arena_printf(arena, "%08x%08x", i, draw(UINT32_MAX));
	trace->message_id = arena_printf(arena, "%08x.%u@mail.example.net", draw(UINT32_MAX), i);
	trace->queue_id = arena_printf(arena, "4Q%08X", draw(UINT32_MAX));
	add_address(buf, 5000, 4000);
	trace->mail_from = trace->from_address = take(arena, buf);
	add_word(buf, draw_skewed(5000));
	trace->from_name = take(arena, buf);
	add_subject(buf);
	trace->subject = take(arena, buf);
	for (size_t j = 0; j < trace->n_recipients; j++) {
		add_address(buf, 500, 20);
		record->recipients[j] = (struct store_recipient){.address = take(arena, buf), .fate = trace->status};
	}
}

static int fill(struct store *store, uint32_t rows)
{
	struct record record = {.arena = arena_create((size_t)1 << 20)};
	CLEANUP(buf_done) struct buf buf = BUF_INIT(10000);
	struct error error;
	double spent = 0, made = 0, worst = 0, wall = seconds(CLOCK_MONOTONIC);
	for (uint32_t i = 0; record.arena && i < rows; i += BATCH) {
		double begin = seconds(CLOCK_PROCESS_CPUTIME_ID), batch = 0;
		if (store_begin(store, false, &error) != ERR_OK)
			goto failed;
		for (uint32_t j = i; j < rows && j < i + BATCH; j++) {
			double before = seconds(CLOCK_PROCESS_CPUTIME_ID);
			make(&record, &buf, j);
			made += seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
			if (store_trace_add(store, &record.trace, &error) != ERR_OK)
				goto failed;
		}
		if (store_commit(store, &error) != ERR_OK)
			goto failed;
		batch = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
		spent += batch;
		worst = batch > worst ? batch : worst;
	}
	printf("add: %u records, %.1f us CPU a record, worst batch %.1f ms, %.0f s in all\n", rows,
	       (spent - made) * 1e6 / rows, worst * 1e3, seconds(CLOCK_MONOTONIC) - wall);
	arena_free(&record.arena);
	return 0;
failed:
	(void)fprintf(stderr, "%s\n", error.text);
	arena_free(&record.arena);
	return 1;
}

/* Messages into the quarantine, durably, so many in one transaction. */
static int hold(struct store *store, unsigned group)
{
	enum { MESSAGES = 200, SIZE = 20000 };
	static uint8_t body[SIZE];
	static unsigned serial;
	struct error error;
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	for (size_t i = 0; i < SIZE; i++)
		body[i] = (uint8_t)(draw(4) ? 'a' + draw(26) : ' ');
	for (unsigned i = 0; i < MESSAGES; i += group) {
		if (store_begin(store, true, &error) != ERR_OK)
			return 1;
		for (unsigned j = 0; j < group; j++) {
			char id[32];
			(void)snprintf(id, sizeof(id), "bench%u", serial++);
			struct store_item item = {.id = bytes_from_cstr(id),
						  .time_ms = BEGIN,
						  .mail_from = BYTES_LIT("a@example.com"),
						  .subject = BYTES_LIT("請求書")};
			if (store_quarantine_put(store, &item, bytes_make(body, SIZE), &error) != ERR_OK)
				return 1;
		}
		if (store_commit(store, &error) != ERR_OK)
			return 1;
	}
	printf("hold: %u in a transaction: %.0f us CPU, %.2f ms a message of 20 kB\n", group,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / MESSAGES,
	       (seconds(CLOCK_MONOTONIC) - wall) * 1e3 / MESSAGES);
	return 0;
}

static bool on_row(void *ctx, const struct store_trace *trace)
{
	size_t *count = ctx;
	(void)trace;
	(*count)++;
	return true;
}

static void search(struct store *store, const char *name, struct store_query query)
{
	struct error error;
	size_t count = 0;
	double begin = seconds(CLOCK_MONOTONIC);
	query.limit = 100;
	enum err err = store_trace_find(store, &query, on_row, &count, &error);
	printf("find: %-44s %8.1f ms, %3zu rows %s\n", name, (seconds(CLOCK_MONOTONIC) - begin) * 1e3, count,
	       err == ERR_OK ? "" : error.text);
}

#define TEXT(s) bytes_from_cstr(s)
static void searches(struct store *store, uint32_t rows)
{
	int64_t end = BEGIN + (int64_t)rows * STEP_MS, day = INT64_C(24) * 3600 * 1000,
		middle = BEGIN + (end - BEGIN) / 2;
	const struct {
		const char *name;
		struct store_query query;
	} all[] = {
		{"nothing asked", {0}},
		{"a day in the middle", {.since_ms = middle, .until_ms = middle + day}},
		{"id", {.id = TEXT("no-such-id")}},
		{"message id", {.message_id = TEXT("none@example.net")}},
		{"address alice (common word)", {.address = TEXT("karo")}},
		{"address of a frequent domain", {.address = TEXT("ka.example.net")}},
		{"*@domain", {.address = TEXT("*@tiro.example.com")}},
		{"domain, in a day", {.address = TEXT("ka.example.net"), .since_ms = middle, .until_ms = middle + day}},
		{"exact address, nobody's", {.address = TEXT("karo.paka@kaka.example.com")}},
		{"recipient", {.recipient = TEXT("karo.rodor@mi.example.com")}},
		{"sender prefix ver*", {.sender = TEXT("verin*")}},
		{"inside of a word, *erin*", {.sender = TEXT("*erinpa*")}},
		{"inside of a word, nobody's", {.sender = TEXT("*nosuchword*")}},
		{"subject, two Japanese characters", {.subject = TEXT("請求")}},
		{"subject, two words", {.subject = TEXT("karo mi")}},
		{"subject, nobody's", {.subject = TEXT("請求 nosuchword")}},
		{"status, frequent", {.status = TEXT("delivered")}},
		{"status and class that never meet", {.status = TEXT("rejected"), .class = TEXT("clean")}},
		{"class spam and subject", {.class = TEXT("spam"), .subject = TEXT("請求書")}},
		{"client", {.ip = TEXT("10.1.7.9")}},
		{"network /16", {.ip = TEXT("10.1.0.0/16")}},
		{"network /22", {.ip = TEXT("10.2.4.0/22")}},
		{"network /30, with status", {.ip = TEXT("10.2.4.0/30"), .status = TEXT("rejected")}},
		{"everything at once",
		 {.address = TEXT("example.com"),
		  .subject = TEXT("請求"),
		  .status = TEXT("tagged"),
		  .class = TEXT("spam"),
		  .ip = TEXT("10.1.0.0/16"),
		  .since_ms = BEGIN,
		  .until_ms = end}},
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		search(store, all[i].name, all[i].query);
}

int main(int argc, char **argv)
{
	CLEANUP(store_close) struct store *store = NULL;
	struct error error;
	struct stat st = {0};
	char path[4200];
	if (argc != 3) {
		(void)fprintf(stderr, "usage: bench_store FOLDER ROWS\n");
		return 2;
	}
	uint32_t rows = (uint32_t)strtoul(argv[2], NULL, 10);
	if (store_open(argv[1], false, &store, &error) != ERR_OK) {
		(void)fprintf(stderr, "%s\n", error.text);
		return 2;
	}
	(void)snprintf(path, sizeof(path), "%s/postern.db", argv[1]);
	bool empty = stat(path, &st) != 0 || st.st_size < 200000;
	if (empty && fill(store, rows) != 0)
		return 1;
	(void)stat(path, &st);
	printf("disk: %.0f bytes a record\n", (double)st.st_size / rows);
	if (empty && (hold(store, 1) != 0 || hold(store, 10) != 0))
		return 1;
	store_close(&store);
	if (store_open(argv[1], true, &store, &error) != ERR_OK)
		return 1;
	searches(store, rows);
	return 0;
}
