/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "profile/relations.h"
#include "profile/store.h"
#include "unit.h"

#define NOW    (INT64_C(20000) * 86400)
#define BUDGET ((size_t)65536)

static const struct hash_key key = {3, 4};

static struct relations_query make(unsigned n, char text[static 64])
{
	(void)snprintf(text, 64, "person%u@firm%u.example", n, n);
	struct relations_query query = {
		.org = BYTES_LIT("ours.example"),
		.author = bytes_from_cstr(text),
		.domain = bytes_from_cstr(strchr(text, '@') + 1),
		.name = bytes_from_cstr(text),
		.proven = true,
		.outgoing = n % 4 == 0,
		.message_id = bytes_from_cstr(text),
		.forwarded = FORWARDER_INTACT,
		.relay = BYTES_LIT("relay.example"),
		.list = bytes_from_cstr(text),
	};
	relations_list_add(&query.recipients, BYTES_LIT("ann@ours.example"));
	return query;
}

static struct relations *filled(size_t budget, unsigned n)
{
	struct relations *relations;
	char text[64];
	assert_ok(relations_create(budget, key, &relations));
	for (int day = 0; day < 3; day++) {
		for (unsigned i = 0; i < n; i++) {
			struct relations_query query = make(i, text);
			relations_learn(relations, &query, RELATIONS_WANTED, NOW + day * 86400);
		}
	}
	return relations;
}

static void write_all(const struct relations *relations, struct buf *file)
{
	struct relations_writer writer;
	relations_snapshot_begin(relations, NOW + 2 * 86400, &writer);
	for (size_t before = 0; relations_snapshot_next(&writer, file); before = file->len)
		assert_true(file->len - before <= SNAPSHOT_PIECE_MAX);
	assert_ok(buf_err(file));
}

static void assert_same_answers(const struct relations *a, const struct relations *b, unsigned n)
{
	char text[64];
	unsigned usual = 0;
	for (unsigned i = 0; i < n; i++) {
		struct relations_query query = make(i, text);
		struct relations_answer left, right;
		CLEANUP(buf_done) struct buf one = BUF_INIT(RELATIONS_ANSWER_MAX), two = BUF_INIT(RELATIONS_ANSWER_MAX);
		relations_list_add(&query.references, query.message_id);
		relations_ask(a, &query, NOW + 10 * 86400, &left);
		relations_ask(b, &query, NOW + 10 * 86400, &right);
		relations_answer_pack(&one, &left);
		relations_answer_pack(&two, &right);
		assert_bytes(buf_bytes(&one), buf_bytes(&two));
		assert_int_equal(left.address.days, 3);
		usual += left.usual_days == 2;
	}
	assert_true(usual >= n - n / 100);
}

static void a_store_survives(void **state)
{
	(void)state;
	struct relations *relations = filled(4 << 20, 1000), *again;
	CLEANUP(buf_done) struct buf file = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
	write_all(relations, &file);
	assert_ok(relations_snapshot_read(buf_bytes(&file), 4 << 20, &again, NULL));
	assert_int_equal(relations_sequence(again), 3000);
	assert_same_answers(relations, again, 1000);
	assert_int_equal(relations_figures(again).records, relations_figures(relations).records);
	write_all(again, &second);
	assert_int_equal(second.len, file.len);
	relations_free(&again);
	relations_free(&relations);
}

static void the_budget_may_change(void **state)
{
	(void)state;
	struct relations *relations = filled(4 << 20, 800), *larger, *smaller;
	CLEANUP(buf_done) struct buf file = BUF_INIT(16 << 20);
	write_all(relations, &file);
	assert_ok(relations_snapshot_read(buf_bytes(&file), 16 << 20, &larger, NULL));
	assert_same_answers(relations, larger, 800);
	/* Into a smaller one goes what has room. */
	assert_ok(relations_snapshot_read(buf_bytes(&file), BUDGET, &smaller, NULL));
	assert_in_range(relations_figures(smaller).records, 1000, relations_figures(relations).records - 1);
	relations_free(&smaller);
	relations_free(&larger);
	relations_free(&relations);
}

static void learning_goes_on_while_it_is_written(void **state)
{
	(void)state;
	struct relations *relations = filled(4 << 20, 300), *again;
	CLEANUP(buf_done) struct buf file = BUF_INIT(16 << 20);
	struct relations_writer writer;
	char text[64];
	relations_snapshot_begin(relations, NOW + 2 * 86400, &writer);
	for (unsigned n = 300; relations_snapshot_next(&writer, &file); n++) {
		struct relations_query query = make(n, text);
		query.forwarded = FORWARDER_NONE;
		relations_learn(relations, &query, RELATIONS_WANTED, NOW + 2 * 86400);
	}
	assert_ok(relations_snapshot_read(buf_bytes(&file), 4 << 20, &again, NULL));
	/* What came meanwhile is replayed from the journal, from this sequence on. */
	assert_int_equal(relations_sequence(again), 900);
	assert_same_answers(relations, again, 300);
	relations_free(&again);
	relations_free(&relations);
}

static void a_cut_snapshot_is_refused(void **state)
{
	(void)state;
	struct relations *relations = filled(BUDGET, 40), *again;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	write_all(relations, &file);
	for (size_t cut = 0; cut < file.len; cut++) {
		struct error error = {0};
		assert_int_not_equal(
			relations_snapshot_read(bytes_sub(buf_bytes(&file), 0, cut), BUDGET, &again, &error), ERR_OK);
		assert_null(again);
		assert_true(error.text[0] != 0);
	}
	buf_add_byte(&file, 0);
	assert_int_equal(relations_snapshot_read(buf_bytes(&file), BUDGET, &again, NULL), ERR_SYNTAX);
	relations_free(&relations);
}

static void a_changed_snapshot_is_refused(void **state)
{
	(void)state;
	struct relations *relations = filled(BUDGET, 30), *again;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	write_all(relations, &file);
	for (size_t at = 0; at < file.len; at++) {
		file.ptr[at] ^= (uint8_t)(1u << at % 8);
		assert_int_not_equal(relations_snapshot_read(buf_bytes(&file), BUDGET, &again, NULL), ERR_OK);
		assert_null(again);
		file.ptr[at] ^= (uint8_t)(1u << at % 8);
	}
	assert_ok(relations_snapshot_read(buf_bytes(&file), BUDGET, &again, NULL));
	relations_free(&again);
	relations_free(&relations);
}

/* Pieces whose hashes are right, but which no store writes. */
static void a_piece_out_of_place_is_refused(void **state)
{
	(void)state;
	struct relations *relations = filled(4 << 20, 2000), *again;
	CLEANUP(buf_done) struct buf file = BUF_INIT(16 << 20), other = BUF_INIT(16 << 20);
	struct relations_writer writer;
	size_t ends[100], n = 0;
	relations_snapshot_begin(relations, NOW, &writer);
	while (relations_snapshot_next(&writer, &file))
		ends[n++] = file.len;
	assert_true(n > 4 && n < 100);
	struct bytes all = buf_bytes(&file);
	for (size_t leave = 1; leave < n; leave++) {
		buf_clear(&other);
		buf_add(&other, bytes_sub(all, 0, ends[leave - 1]));
		buf_add(&other, bytes_from(all, ends[leave]));
		assert_int_not_equal(relations_snapshot_read(buf_bytes(&other), 4 << 20, &again, NULL), ERR_OK);
		buf_clear(&other);
		buf_add(&other, bytes_sub(all, 0, ends[leave]));
		buf_add(&other, bytes_from(all, ends[leave - 1]));
		assert_int_not_equal(relations_snapshot_read(buf_bytes(&other), 4 << 20, &again, NULL), ERR_OK);
	}
	relations_free(&relations);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_store_survives),
	cmocka_unit_test(the_budget_may_change),
	cmocka_unit_test(learning_goes_on_while_it_is_written),
	cmocka_unit_test(a_cut_snapshot_is_refused),
	cmocka_unit_test(a_changed_snapshot_is_refused),
	cmocka_unit_test(a_piece_out_of_place_is_refused),
};

UNIT_MAIN(tests)
