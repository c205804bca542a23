/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test/conform/world_driver.c: SPF and DMARC in a world of DNS that is told on standard input, one line each, fields by
 * tabs, names and data in hex:
 *
 *     zone                                         forgets all
 *     name NAME                                    it exists
 *     TYPE NAME PREFERENCE DATA                    a record (struct dns_record)
 *     fail TYPE NAME                               the question fails
 *     check now|late IP HELO FROM RECEIVER         IP: 32 digits. Prints code, mechanism, explanation, problem (in hex)
 *                                                  and the two counts. late: answers come the second time only
 *     dmarc MODE AUTHOR SPF DKIM...                MODE: 7489 or 9989; the others are no hex. AUTHOR: an address. SPF
 * and each DKIM: the domain that passed, with "!" before it one that did not, "-" for none. Prints code, domain of the
 * record, tag, policy, disposition, and "spf" and "dkim" where they are aligned
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/dmarc.h"
#include "auth/spf.h"
#include "base/arena.h"
#include "base/ascii.h"
#include "base/num.h"

#define RECORDS_MAX 2000
#define PROOF_MAX   20

struct row {
	enum dns_type type;
	struct bytes name;
	bool only_name, fails;
	struct dns_record record;
};

struct world {
	struct arena *arena;
	struct row rows[RECORDS_MAX];
	size_t n_rows;
	bool late;
	struct arena *asked_arena;
	struct bytes asked[RECORDS_MAX];
	size_t n_asked;
};

/* True when it has been asked before. */
static bool asked(struct world *world, enum dns_type type, struct bytes name)
{
	struct bytes key;
	ASSERT(dns_question_write(world->asked_arena, type, name, &key) == ERR_OK && world->n_asked < RECORDS_MAX);
	for (size_t i = 0; i < world->n_asked; i++)
		if (bytes_eq(world->asked[i], key))
			return true;
	world->asked[world->n_asked++] = key;
	return false;
}

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	static const struct dns_answer no_name = {.state = DNS_NO_NAME};
	struct world *world = data;
	if (!dns_name_valid(name))
		return &no_name;
	if (world->late && !asked(world, type, name))
		return NULL;
	struct dns_answer *answer = arena_new(world->asked_arena, struct dns_answer, 1);
	ASSERT(answer);
	size_t capacity = 0;
	answer->state = DNS_NO_NAME;
	for (size_t i = 0; i < world->n_rows; i++) {
		const struct row *row = &world->rows[i];
		if (!bytes_eq_nocase(row->name, name))
			continue;
		if (answer->state == DNS_NO_NAME)
			answer->state = DNS_NO_DATA;
		if (row->only_name || row->type != type)
			continue;
		if (row->fails) {
			*answer = (struct dns_answer){.state = DNS_FAILED, .reason = BYTES_LIT("timeout")};
			break;
		}
		answer->records = arena_grow(world->asked_arena, answer->records, &capacity, answer->n_records,
					     sizeof(struct dns_record));
		ASSERT(answer->records);
		answer->records[answer->n_records++] = row->record;
		answer->state = DNS_FOUND;
	}
	return answer;
}

static struct bytes unhex(struct arena *arena, struct bytes hex)
{
	uint8_t *out = arena_alloc_raw(arena, hex.len / 2 + 1);
	ASSERT(out);
	for (size_t i = 0; i + 1 < hex.len; i += 2)
		out[i / 2] = (uint8_t)(ascii_hex(hex.ptr[i]) << 4 | ascii_hex(hex.ptr[i + 1]));
	return bytes_make(out, hex.len / 2);
}

static void print_hex(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		(void)printf("%02x", text.ptr[i]);
	(void)putchar('\t');
}

static void check_spf(struct world *world, struct bytes line)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct bytes field[5] = {{0}};
	for (size_t i = 0; i < ARRAY_LEN(field); i++)
		(void)bytes_split(&line, '\t', &field[i]);
	struct spf_query query = {
		.helo = unhex(arena, field[2]), .from = unhex(arena, field[3]), .receiver = unhex(arena, field[4])};
	struct bytes ip = unhex(arena, field[1]);
	ASSERT(ip.len == 16);
	memcpy(query.ip, ip.ptr, 16);
	world->late = bytes_eq(field[0], BYTES_LIT("late"));
	world->n_asked = 0;
	world->asked_arena = arena;
	struct dns_host host = {.ask = ask, .data = world};
	struct spf_result result;
	unsigned rounds = 0;
	while (spf_check(arena, &host, &query, &result) == AUTH_WAIT)
		ASSERT(world->late && ++rounds < 100);
	(void)printf("%s\t", spf_code_name(result.code));
	print_hex(result.mechanism);
	print_hex(result.explanation);
	print_hex(result.problem);
	(void)printf("%u\t%u\n", result.lookups, result.void_lookups);
	(void)fflush(stdout);
}

static void print(struct bytes text)
{
	(void)printf("%.*s\t", BYTES_FMT(bytes_empty(text) ? BYTES_LIT("-") : text));
}

static void check_dmarc(struct world *world, struct bytes line)
{
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	struct dmarc_identifier proof[PROOF_MAX] = {{.passed = false}};
	struct bytes mode, author, domain;
	struct address_list from = {0};
	struct defect_list defects = {0};
	size_t n = 0;
	ASSERT(arena && bytes_split(&line, '\t', &mode) && bytes_split(&line, '\t', &author));
	ASSERT(address_parse(arena, author, NULL, 0, BYTES_LIT("From"), &defects, &from) == ERR_OK);
	while (n < PROOF_MAX && bytes_split(&line, '\t', &domain)) {
		bool failed = bytes_starts(domain, BYTES_LIT("!"));
		proof[n++] = (struct dmarc_identifier){.domain = bytes_from(domain, failed),
						       .passed = !failed && !bytes_eq(domain, BYTES_LIT("-"))};
	}
	ASSERT(n > 0);
	struct dmarc_query query = {.mode = bytes_eq(mode, BYTES_LIT("7489")) ? DMARC_RFC7489 : DMARC_RFC9989,
				    .from = &from,
				    .spf = &proof[0],
				    .dkim = proof + 1,
				    .n_dkim = n - 1};
	struct dns_host host = {.ask = ask, .data = world};
	struct dmarc_result result;
	world->late = false;
	world->asked_arena = arena;
	ASSERT(dmarc_check(arena, &host, &query, &result) == AUTH_DONE);
	const char *policy = dmarc_policy_name(result.policy), *disposition = dmarc_policy_name(result.disposition);
	(void)printf("%s\t", dmarc_code_name(result.code));
	print(result.policy_domain);
	(void)printf("%s\t%s\t%s\t%s%s\n", result.tag ? result.tag : "-", policy ? policy : "-",
		     disposition ? disposition : "-", result.aligned.spf ? "spf" : "",
		     result.aligned.dkim ? "dkim" : "");
	(void)fflush(stdout);
}

static void add(struct world *world, struct bytes verb, struct bytes line)
{
	struct bytes field[3] = {{0}};
	for (size_t i = 0; i < ARRAY_LEN(field); i++)
		(void)bytes_split(&line, '\t', &field[i]);
	ASSERT(world->n_rows < RECORDS_MAX);
	struct row *row = &world->rows[world->n_rows++];
	*row = (struct row){.only_name = bytes_eq(verb, BYTES_LIT("name")), .fails = bytes_eq(verb, BYTES_LIT("fail"))};
	if (row->only_name) {
		row->name = unhex(world->arena, field[0]);
		return;
	}
	ASSERT(dns_type_find(row->fails ? field[0] : verb, &row->type));
	row->name = unhex(world->arena, field[row->fails ? 1 : 0]);
	if (row->fails)
		return;
	uint64_t preference;
	ASSERT(num_parse(field[1], 10, UINT16_MAX, &preference) == ERR_OK);
	row->record = (struct dns_record){.preference = (unsigned)preference, .data = unhex(world->arena, field[2])};
}

int main(void)
{
	static struct world world;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	world.arena = arena_create(SIZE_MAX);
	while ((len = getline(&text, &room, stdin)) > 0) {
		struct bytes line = bytes_chomp(bytes_make(text, (size_t)len)), verb;
		if (!bytes_split(&line, '\t', &verb))
			continue;
		if (bytes_eq(verb, BYTES_LIT("zone"))) {
			world.n_rows = 0;
			arena_reset(world.arena);
		} else if (bytes_eq(verb, BYTES_LIT("check"))) {
			check_spf(&world, line);
		} else if (bytes_eq(verb, BYTES_LIT("dmarc"))) {
			check_dmarc(&world, line);
		} else {
			add(&world, verb, line);
		}
	}
	free(text);
	arena_free(&world.arena);
	return 0;
}
