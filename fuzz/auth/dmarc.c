/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dmarc.h"

#include "base/arena.h"
#include "base/buf.h"

#include "fuzz.h"

#define NAMES_MAX 256

/*
 * The first byte has switches. Then come lines: From, the domain of SPF, that of DKIM (a "!" before it: a temporary
 * error), and then records: "name text", or "name !" for one that cannot be fetched. A late world answers a question
 * only when it is asked again.
 */
struct world {
	struct arena *arena;
	struct bytes records;
	bool late;
	struct bytes asked[NAMES_MAX];
	size_t n_asked;
};

static bool is_new(struct world *world, struct bytes name)
{
	for (size_t i = 0; i < world->n_asked; i++)
		if (bytes_eq_nocase(world->asked[i], name))
			return false;
	ASSERT(world->n_asked < NAMES_MAX);
	world->asked[world->n_asked++] = arena_copy(world->arena, name);
	return true;
}

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	static const struct dns_answer no_name = {.state = DNS_NO_NAME}, failed = {.state = DNS_FAILED};
	struct world *world = data;
	struct bytes rest = world->records;
	struct dns_answer *answer = arena_new(world->arena, struct dns_answer, 1);
	size_t capacity = 0;
	if (!dns_name_valid(name) || !answer)
		return &no_name;
	if (is_new(world, name) && world->late)
		return NULL;
	if (bytes_starts(name, BYTES_LIT("_dmarc.")))
		name = bytes_from(name, 7);
	answer->state = DNS_NO_NAME;
	for (struct bytes line, word; bytes_split(&rest, '\n', &line);) {
		if (!bytes_split(&line, ' ', &word) || !bytes_eq_nocase(word, name))
			continue;
		if (bytes_eq(line, BYTES_LIT("!")))
			return &failed;
		answer->state = DNS_NO_DATA;
		if (type == DNS_TXT && answer->n_records < DNS_RECORDS_MAX) {
			struct dns_record *records = arena_grow(world->arena, answer->records, &capacity,
								answer->n_records, sizeof(*records));
			if (!records)
				return &failed;
			answer->state = DNS_FOUND;
			answer->records = records;
			answer->records[answer->n_records++] = (struct dns_record){.data = line};
		}
	}
	return answer;
}

static struct dmarc_identifier identifier(struct bytes line)
{
	bool temporary = bytes_starts(line, BYTES_LIT("!"));
	return (struct dmarc_identifier){
		.domain = bytes_from(line, temporary), .passed = !temporary, .temporary = temporary};
}

static struct dmarc_result judge(struct world *world, const struct dmarc_query *query)
{
	struct dns_host host = {.ask = ask, .data = world};
	struct dmarc_result result;
	size_t rounds = 0;
	while (dmarc_check(world->arena, &host, query, &result) == AUTH_WAIT)
		ASSERT(++rounds < 8);
	ASSERT(result.disposition != DMARC_POLICY_ABSENT && result.reason.len > 0);
	ASSERT(result.disposition == DMARC_POLICY_NONE || result.code == DMARC_FAIL);
	ASSERT((result.code == DMARC_PASS) == (result.aligned.spf || result.aligned.dkim));
	ASSERT((result.code != DMARC_PASS && result.code != DMARC_FAIL) || result.policy != DMARC_POLICY_ABSENT);
	ASSERT(result.n_questions <= (DMARC_AUTHORS_MAX + DMARC_WALKS_MAX) * DMARC_STEPS_MAX + DMARC_AUTHORS_MAX);
	return result;
}

static void read_text(struct arena *arena, struct bytes text)
{
	struct dmarc_record record;
	if (dmarc_record_read(arena, text, DMARC_RFC9989, &record) != ERR_OK)
		return;
	ASSERT(record.unusable == (record.p == DMARC_POLICY_ABSENT) && !(record.mended && record.rua.count == 0));
	ASSERT(record.rua.count <= DMARC_URIS_MAX && record.pct <= 100);
	struct bytes name;
	size_t step = 0;
	while (dmarc_step(text, step, &name))
		step++;
	ASSERT(step <= DMARC_STEPS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	CLEANUP(arena_free) struct arena *arena = arena_create((size_t)16 << 20);
	struct world world = {.arena = arena}, late = {.arena = arena, .late = true};
	struct bytes rest = bytes_make(data + 1, size - 1), from = {0}, line = {0};
	struct address_list list = {0};
	struct defect_list defects;
	struct dmarc_identifier spf, dkim[8];
	struct dmarc_query query = {.mode = data[0] & 1 ? DMARC_RFC7489 : DMARC_RFC9989, .from = &list, .dkim = dkim};
	defect_list_init(&defects, arena);
	read_text(arena, rest);
	(void)bytes_split(&rest, '\n', &from);
	if (address_parse(arena, from, NULL, 0, BYTES_LIT("From"), &defects, &list) != ERR_OK)
		return 0;
	if (bytes_split(&rest, '\n', &line)) {
		spf = identifier(line);
		query.spf = &spf;
	}
	for (size_t n = 1 + (data[0] >> 1) % ARRAY_LEN(dkim); query.n_dkim < n && bytes_split(&rest, '\n', &line);)
		dkim[query.n_dkim++] = identifier(line);
	world.records = late.records = rest;
	struct dmarc_result now = judge(&world, &query), then = judge(&late, &query);
	ASSERT(now.code == then.code && now.policy == then.policy && now.disposition == then.disposition);
	ASSERT(now.n_questions == then.n_questions && bytes_eq(now.reason, then.reason));
	ASSERT(bytes_eq(now.organizational_domain, then.organizational_domain));
	return 0;
}
