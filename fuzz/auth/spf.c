/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/spf.h"

#include "auth/spf_macro.h"
#include "base/arena.h"
#include "base/ascii.h"

#include "fuzz.h"

#define QUESTIONS_MAX 250

/*
 * Lines: the client's address (4 or 16 bytes, else a default), HELO, the sender, and then what DNS answers to the
 * first, second, ... question that is new, from the beginning again when they are used up. A line of an answer: "!"
 * fails, "-" no such name, "0" no data, else the records with "|" between them.
 */
struct world {
	struct arena *arena;
	struct bytes lines;
	struct bytes rest;
	bool late;
	struct bytes asked[QUESTIONS_MAX];
	struct dns_answer answers[QUESTIONS_MAX];
	size_t n_asked;
};

static void add_record(struct world *world, struct dns_answer *answer, size_t *capacity, enum dns_type type,
		       struct bytes data)
{
	struct dns_record record = {.data = data};
	size_t size = type == DNS_A ? 4 : type == DNS_AAAA ? 16 : 0;
	if (size > 0) {
		uint8_t *ip = arena_new(world->arena, uint8_t, 16);
		ASSERT(ip);
		if (data.len > 0)
			memcpy(ip, data.ptr, data.len < size ? data.len : size);
		record.data = bytes_make(ip, size);
	} else if (type == DNS_MX && data.len > 0) {
		record.preference = data.ptr[0];
		record.data = bytes_from(data, 1);
	}
	if (type != DNS_TXT && size == 0 && !dns_name_valid(record.data))
		record.data = (struct bytes){0};
	answer->records = arena_grow(world->arena, answer->records, capacity, answer->n_records, sizeof(record));
	ASSERT(answer->records);
	answer->records[answer->n_records++] = record;
}

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	static const struct dns_answer no_name = {.state = DNS_NO_NAME};
	struct world *world = data;
	struct bytes key, line, piece;
	if (!dns_name_valid(name))
		return &no_name;
	ASSERT(dns_question_write(world->arena, type, name, &key) == ERR_OK);
	for (size_t i = 0; i < world->n_asked; i++)
		if (bytes_eq(world->asked[i], key))
			return &world->answers[i];
	/* 1 record, then 10 terms that ask at most 11 questions each, then an explanation and names of the client. */
	ASSERT(world->n_asked < 1 + 10 * 11 + 1 + 11);
	struct dns_answer *answer = &world->answers[world->n_asked];
	world->asked[world->n_asked++] = key;
	if (!bytes_split(&world->rest, '\n', &line)) {
		world->rest = world->lines;
		if (!bytes_split(&world->rest, '\n', &line))
			return &no_name;
	}
	size_t capacity = 0;
	*answer = (struct dns_answer){.state = DNS_FOUND};
	if (bytes_eq(line, BYTES_LIT("!")))
		*answer = (struct dns_answer){.state = DNS_FAILED, .reason = BYTES_LIT("timeout")};
	else if (bytes_eq(line, BYTES_LIT("-")) || line.len == 0)
		answer->state = DNS_NO_NAME;
	else if (bytes_eq(line, BYTES_LIT("0")))
		answer->state = DNS_NO_DATA;
	else
		while (answer->n_records < DNS_RECORDS_MAX && bytes_split(&line, '|', &piece))
			add_record(world, answer, &capacity, type, piece);
	return world->late ? NULL : answer;
}

static void check(struct arena *arena, struct bytes data, bool late, struct spf_result *ret_result)
{
	struct world *world = arena_new(arena, struct world, 1);
	struct spf_query query = {.ip = {[10] = 0xff, 0xff, 192, 0, 2, 1}, .receiver = BYTES_LIT("mx.example")};
	struct bytes ip = {0};
	ASSERT(world);
	(void)bytes_split(&data, '\n', &ip);
	(void)bytes_split(&data, '\n', &query.helo);
	(void)bytes_split(&data, '\n', &query.from);
	if (ip.len == 4)
		memcpy(query.ip + 12, ip.ptr, 4);
	else if (ip.len == 16)
		memcpy(query.ip, ip.ptr, 16);
	*world = (struct world){.arena = arena, .lines = data, .rest = data, .late = late};
	struct dns_host host = {.ask = ask, .data = world};
	size_t rounds = 0;
	while (spf_check(arena, &host, &query, ret_result) == AUTH_WAIT)
		ASSERT(late && ++rounds < 1 + 10 * 2 + 5);
	ASSERT(ret_result->lookups <= SPF_LOOKUPS_MAX && ret_result->void_lookups <= SPF_VOID_MAX + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = bytes_make(data, size > DNS_PACKED_MAX ? DNS_PACKED_MAX : size);
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct spf_result now, late;
	check(arena, all, false, &now);
	check(arena, all, true, &late);
	ASSERT(now.code == late.code && now.lookups == late.lookups && now.void_lookups == late.void_lookups);
	ASSERT(bytes_eq(now.mechanism, late.mechanism) && bytes_eq(now.explanation, late.explanation) &&
	       bytes_eq(now.problem, late.problem));
	bool error = now.code == SPF_TEMPERROR || now.code == SPF_PERMERROR;
	ASSERT(error == (now.problem.len > 0));
	ASSERT((error || now.code == SPF_NONE) == (now.mechanism.len == 0));
	ASSERT(now.explanation.len <= SPF_EXPLANATION_MAX && (now.code == SPF_FAIL || now.explanation.len == 0));
	for (size_t i = 0; i < now.explanation.len; i++)
		ASSERT(ascii_is_print(now.explanation.ptr[i]));

	struct spf_record record;
	struct error reason;
	if (!spf_record_is(all))
		return 0;
	if (spf_record_parse(all, &record, &reason) != ERR_OK) {
		ASSERT(reason.at <= all.len);
		return 0;
	}
	struct spf_term term = {0};
	unsigned terms = 0;
	for (size_t at = 0;; terms++) {
		ASSERT(spf_term_next(all, &at, &term, &reason) == ERR_OK);
		if (term.kind == SPF_END)
			break;
		struct bytes name;
		struct spf_values values = {.ip = (const uint8_t[16]){0},
					    .local = BYTES_LIT("a-b"),
					    .sender = BYTES_LIT("a-b@c.d"),
					    .sender_domain = BYTES_LIT("c.d"),
					    .domain = BYTES_LIT("e..f"),
					    .helo = all};
		ASSERT(spf_macro_name(arena, term.domain, &values, &name) == ERR_OK);
		ASSERT(name.len <= DNS_NAME_MAX || !bytes_has(name, '.'));
	}
	ASSERT(terms == record.terms);
	return 0;
}
