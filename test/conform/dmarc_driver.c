/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dmarc_driver: judges against a world that is told on standard input, one line each, fields by tabs, records in hex:
 *
 *     zone                                     forgets all
 *     TXT NAME DATA                            a record
 *     A NAME                                   the name exists
 *     fail NAME                                questions for TXT fail
 *     check MODE AUTHOR SPF DKIM...            prints code, domain of the record, tag, policy, disposition, and "spf"
 *                                              and "dkim" where they are aligned
 * MODE is 7489 or 9989, AUTHOR an address. SPF and each DKIM are the domain that passed, with "!" before it one that
 * did not, "-" for none.
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/dmarc.h"
#include "base/arena.h"
#include "base/ascii.h"

#define ROWS_MAX  200
#define PROOF_MAX 20

enum row_kind { ROW_TEXT, ROW_NAME, ROW_FAILS };

struct row {
	enum row_kind kind;
	struct bytes name, data;
};

struct world {
	struct arena *arena, *answers;
	struct row rows[ROWS_MAX];
	size_t n_rows;
};

static const struct dns_answer *ask(void *data, enum dns_type type, struct bytes name)
{
	struct world *world = data;
	struct dns_answer *answer = arena_new(world->answers, struct dns_answer, 1);
	size_t capacity = 0;
	ASSERT(answer);
	answer->state = DNS_NO_NAME;
	for (size_t i = 0; i < world->n_rows; i++) {
		const struct row *row = &world->rows[i];
		if (!bytes_eq_nocase(row->name, name))
			continue;
		if (answer->state == DNS_NO_NAME)
			answer->state = DNS_NO_DATA;
		if (type != DNS_TXT || row->kind == ROW_NAME)
			continue;
		if (row->kind == ROW_FAILS) {
			*answer = (struct dns_answer){.state = DNS_FAILED, .reason = BYTES_LIT("timeout")};
			break;
		}
		answer->records = arena_grow(world->answers, answer->records, &capacity, answer->n_records,
					     sizeof(struct dns_record));
		ASSERT(answer->records);
		answer->records[answer->n_records++] = (struct dns_record){.data = row->data};
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

static void print(struct bytes text)
{
	(void)printf("%.*s\t", BYTES_FMT(bytes_empty(text) ? BYTES_LIT("-") : text));
}

static void check(struct world *world, struct bytes line)
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
	world->answers = arena;
	ASSERT(dmarc_check(arena, &host, &query, &result) == AUTH_DONE);
	const char *policy = dmarc_policy_name(result.policy), *disposition = dmarc_policy_name(result.disposition);
	(void)printf("%s\t", dmarc_code_name(result.code));
	print(result.policy_domain);
	(void)printf("%s\t%s\t%s\t%s%s\n", result.tag ? result.tag : "-", policy ? policy : "-",
		     disposition ? disposition : "-", result.aligned.spf ? "spf" : "",
		     result.aligned.dkim ? "dkim" : "");
	(void)fflush(stdout);
}

int main(void)
{
	static struct world world;
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	world.arena = arena_create(SIZE_MAX);
	ASSERT(world.arena);
	while ((len = getline(&text, &room, stdin)) > 0) {
		struct bytes line = bytes_chomp(bytes_make(text, (size_t)len)), verb, name = {0}, data = {0};
		if (!bytes_split(&line, '\t', &verb))
			continue;
		if (bytes_eq(verb, BYTES_LIT("zone"))) {
			world.n_rows = 0;
			arena_reset(world.arena);
		} else if (bytes_eq(verb, BYTES_LIT("check"))) {
			check(&world, line);
		} else {
			(void)bytes_split(&line, '\t', &name);
			(void)bytes_split(&line, '\t', &data);
			ASSERT(world.n_rows < ROWS_MAX);
			world.rows[world.n_rows++] =
				(struct row){.kind = bytes_eq(verb, BYTES_LIT("A"))      ? ROW_NAME
						     : bytes_eq(verb, BYTES_LIT("fail")) ? ROW_FAILS
											 : ROW_TEXT,
					     .name = arena_copy(world.arena, name),
					     .data = unhex(world.arena, data)};
		}
	}
	free(text);
	arena_free(&world.arena);
	return 0;
}
