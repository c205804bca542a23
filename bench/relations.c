/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_relations [BUDGET]: fills a store of BUDGET bytes (96,000,000) with one million relations, each an author of
 * its own with a name of its own that writes to one recipient, signed: the worst case for memory. Then the parts of the
 * store that these leave empty: messages of ours, and names with a usual address. Prints what the store takes and what
 * the whole process has in memory, how many of the relations are still known, the CPU time a question and a lesson
 * take, and the time and size of a snapshot. Exits with 1 when the process takes more than 100 MB, when a question
 * takes over 2 microseconds, or when one relation is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "profile/relations.h"

#include "base/banned.h"

#define RELATIONS        1000000u
#define AUTHORS_A_DOMAIN 10u
#define QUESTIONS        1000000u
#define OURS             150000u
#define USUAL            80000u
#define PROCESS_MAX      100000000u
#define NOW              (INT64_C(20500) * 86400)

static double seconds(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct texts {
	char author[128], domain[64], name[64], recipient[64];
};

static void make(uint32_t n, struct texts *texts, struct relations_query *query)
{
	/* Asked in another order than learned, so that nothing helps the caches. */
	n = (uint32_t)((uint64_t)n * 7919 % RELATIONS);
	(void)snprintf(texts->domain, sizeof(texts->domain), "firm-%u.example", n / AUTHORS_A_DOMAIN);
	(void)snprintf(texts->author, sizeof(texts->author), "person.%u@%s", n, texts->domain);
	(void)snprintf(texts->name, sizeof(texts->name), "Person Number%u", n);
	(void)snprintf(texts->recipient, sizeof(texts->recipient), "user%u@ours.example", n % 5000);
	*query = (struct relations_query){
		.org = BYTES_LIT("ours.example"),
		.author = bytes_from_cstr(texts->author),
		.domain = bytes_from_cstr(texts->domain),
		.name = bytes_from_cstr(texts->name),
		.proven = true,
		.has_client = true,
		.client = {[10] = 0xff, [11] = 0xff, 10, (uint8_t)(n >> 12), (uint8_t)(n >> 4), 1},
	};
	relations_list_add(&query->dkim, query->domain);
	relations_list_add(&query->recipients, bytes_from_cstr(texts->recipient));
}

/* Bytes of this process that are in memory. */
static size_t resident(void)
{
	unsigned long all = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2)
		pages = 0;
	if (file)
		(void)fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void write_ours(struct relations *relations)
{
	struct relations_query query, sent = {.org = BYTES_LIT("ours.example"), .outgoing = true, .proven = true};
	struct texts texts;
	char id[64];
	for (uint32_t i = 0; i < OURS; i++) {
		make(i, &texts, &query);
		(void)snprintf(id, sizeof(id), "message.%u@ours.example", i);
		sent.author = bytes_from_cstr(texts.recipient);
		sent.domain = sent.org;
		sent.message_id = bytes_from_cstr(id);
		sent.recipients.count = 0;
		relations_list_add(&sent.recipients, query.author);
		relations_learn(relations, &sent, RELATIONS_WANTED, NOW);
	}
}

/* Known with a usual address, of those that came on two days. */
static size_t learn_usual(struct relations *relations)
{
	struct relations_query query;
	struct relations_answer answer;
	struct texts texts;
	size_t known = 0;
	for (uint32_t i = 0; i < USUAL; i++) {
		make(i, &texts, &query);
		relations_learn(relations, &query, RELATIONS_WANTED, NOW + 86400);
	}
	for (uint32_t i = 0; i < USUAL; i++) {
		make(i, &texts, &query);
		relations_ask(relations, &query, NOW + 86400, &answer);
		known += bytes_eq(answer.usual, query.author);
	}
	return known;
}

static size_t count_lost(const struct relations *relations)
{
	struct relations_query query;
	struct relations_answer answer;
	struct texts texts;
	size_t lost = 0;
	for (uint32_t i = 0; i < RELATIONS; i++) {
		make(i, &texts, &query);
		relations_ask(relations, &query, NOW, &answer);
		lost += answer.address.days == 0 || answer.pair.days == 0 || answer.name_here.days == 0 ||
			answer.domain.days == 0 || answer.dkim.days == 0 || answer.network.days == 0;
	}
	return lost;
}

int main(int argc, char **argv)
{
	size_t budget = argc > 1 ? strtoul(argv[1], NULL, 10) : 96000000;
	struct relations *relations;
	struct relations_query query;
	struct relations_answer answer;
	struct texts texts;
	const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	if (relations_create(budget, key, &relations) != ERR_OK)
		return 1;
	double begin = seconds();
	for (uint32_t i = 0; i < RELATIONS; i++) {
		make(i, &texts, &query);
		relations_learn(relations, &query, RELATIONS_WANTED, NOW);
	}
	double learned = seconds() - begin;
	write_ours(relations);
	size_t usual = learn_usual(relations), lost = count_lost(relations);
	/* What making the questions costs is not the store's. */
	begin = seconds();
	for (uint32_t i = 0; i < QUESTIONS; i++)
		make(i, &texts, &query);
	double making = seconds() - begin;
	begin = seconds();
	for (uint32_t i = 0; i < QUESTIONS; i++) {
		make(i, &texts, &query);
		relations_ask(relations, &query, NOW + 86400, &answer);
	}
	double asking = seconds() - begin - making;
	struct relations_figures figures = relations_figures(relations);
	size_t process = resident();
	printf("relations        %u, and %u messages of ours\n", RELATIONS, OURS);
	printf("store            %zu bytes\nprocess          %zu bytes in memory\n", figures.bytes, process);
	printf("records          %zu of %zu (%.1f %%), evicted %llu, refused %llu\n", figures.records, figures.slots,
	       100.0 * (double)figures.records / (double)figures.slots, (unsigned long long)figures.evicted,
	       (unsigned long long)figures.refused);
	printf("lost             %zu\nusual addresses  %zu of %u\n", lost, usual, USUAL);
	double question = asking / QUESTIONS * 1e9;
	printf("question         %.0f ns\nlesson           %.0f ns\n", question, (learned - making) / RELATIONS * 1e9);
	struct buf file = BUF_INIT((size_t)1 << 30);
	struct relations_writer writer;
	double longest = 0;
	begin = seconds();
	relations_snapshot_begin(relations, NOW, &writer);
	for (bool more = true; more;) {
		double from = seconds();
		more = relations_snapshot_next(&writer, &file);
		longest = seconds() - from > longest ? seconds() - from : longest;
	}
	printf("snapshot         %zu bytes, written in %.0f ms, longest piece %.2f ms\n", file.len,
	       (seconds() - begin) * 1e3, longest * 1e3);
	struct relations *again;
	begin = seconds();
	if (relations_snapshot_read(buf_bytes(&file), budget, &again, NULL) != ERR_OK)
		return 1;
	printf("read             %.0f ms\n", (seconds() - begin) * 1e3);
	relations_free(&again);
	relations_free(&relations);
	buf_done(&file);
	return figures.bytes > budget || process > PROCESS_MAX || question > 2000 || lost > 0;
}
