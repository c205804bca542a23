/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_relations [BUDGET]: fills a store of BUDGET bytes (100,000,000) with one million relations, each an author of
 * its own with a name of its own that writes to one recipient, signed; the worst case for memory. Prints what the store
 * takes, how many of the relations it still knows, the CPU time a question and a lesson take, and the time and size of
 * a snapshot. Exits with 1 when it takes more than the budget, when a question takes over 2 microseconds, or when one
 * relation in a hundred is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "profile/relations.h"

#include "base/banned.h"

#define RELATIONS        1000000u
#define AUTHORS_A_DOMAIN 10u
#define QUESTIONS        1000000u
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

int main(int argc, char **argv)
{
	size_t budget = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000000;
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
	size_t lost = 0;
	begin = seconds();
	for (uint32_t i = 0; i < RELATIONS; i++) {
		make(i, &texts, &query);
		relations_ask(relations, &query, NOW, &answer);
		lost += answer.address.days == 0 || answer.pair.days == 0 || answer.name_here.days == 0;
	}
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
	printf("relations        %u\nbytes            %zu\n", RELATIONS, figures.bytes);
	printf("records          %zu of %zu (%.1f %%), evicted %llu, refused %llu\n", figures.records, figures.slots,
	       100.0 * (double)figures.records / (double)figures.slots, (unsigned long long)figures.evicted,
	       (unsigned long long)figures.refused);
	printf("lost             %zu (%.3f %%)\n", lost, 100.0 * (double)lost / RELATIONS);
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
	return figures.bytes > budget || question > 2000 || lost > RELATIONS / 100;
}
