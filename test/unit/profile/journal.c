/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/journal.h"

#include "base/arena.h"
#include "unit.h"

#define NOW (INT64_C(20000) * 86400)

static struct relations *empty(void)
{
	struct relations *relations;
	assert_ok(relations_create(65536, (struct hash_key){1, 2}, &relations));
	return relations;
}

/* `n` entries with sequences from 1 on, each of an author of its own. */
static void write_entries(struct buf *file, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		CLEANUP(buf_done) struct buf line = BUF_INIT(RELATIONS_QUERY_MAX);
		char author[32];
		(void)snprintf(author, sizeof(author), "a%u@b.example", i);
		struct relations_query query = {.author = bytes_from_cstr(author), .proven = true};
		relations_query_pack(&line, &query);
		journal_add(file, &(struct journal_entry){.sequence = i,
							  .outcome = RELATIONS_WANTED,
							  .time = NOW,
							  .query = buf_bytes(&line)});
	}
	assert_ok(buf_err(file));
}

static unsigned known(const struct relations *relations, unsigned n)
{
	unsigned found = 0;
	for (unsigned i = 1; i <= n; i++) {
		char author[32];
		struct relations_answer answer;
		(void)snprintf(author, sizeof(author), "a%u@b.example", i);
		struct relations_query query = {.author = bytes_from_cstr(author), .proven = true};
		relations_ask(relations, &query, NOW, &answer);
		found += answer.address.days > 0;
	}
	return found;
}

static void what_was_learned_is_learned_again(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = empty();
	size_t good;
	write_entries(&file, 20);
	assert_int_equal(journal_replay(arena, buf_bytes(&file), relations, &good), 20);
	assert_int_equal(good, file.len);
	assert_int_equal(relations_sequence(relations), 20);
	assert_int_equal(known(relations, 20), 20);
	/* What is known already is not learned twice. */
	assert_int_equal(journal_replay(arena, buf_bytes(&file), relations, &good), 0);
	assert_int_equal(relations_sequence(relations), 20);
}

static void a_cut_journal_counts_up_to_the_cut(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	write_entries(&file, 3);
	size_t one = file.len / 3;
	for (size_t cut = 0; cut <= file.len; cut++) {
		CLEANUP(relations_free) struct relations *relations = empty();
		size_t good;
		assert_int_equal(journal_replay(arena, bytes_sub(buf_bytes(&file), 0, cut), relations, &good),
				 cut / one);
		assert_int_equal(good, cut / one * one);
		assert_int_equal(known(relations, 3), cut / one);
	}
}

static void a_changed_entry_ends_the_journal(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	write_entries(&file, 3);
	size_t one = file.len / 3;
	for (size_t at = 0; at < file.len; at++) {
		CLEANUP(relations_free) struct relations *relations = empty();
		size_t good;
		file.ptr[at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(journal_replay(arena, buf_bytes(&file), relations, &good), at / one);
		assert_int_equal(good, at / one * one);
		file.ptr[at] ^= (uint8_t)(1u << at % 8);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_learned_is_learned_again),
	cmocka_unit_test(a_cut_journal_counts_up_to_the_cut),
	cmocka_unit_test(a_changed_entry_ends_the_journal),
};

UNIT_MAIN(tests)
