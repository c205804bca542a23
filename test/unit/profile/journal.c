/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/journal.h"

#include "base/hash.h"
#include "profile/store.h"
#include "unit.h"

#define NOW (INT64_C(20000) * 86400)
#define DAY INT64_C(86400)

static const struct hash_key key = {1, 2};

static struct relations *empty(struct hash_key of)
{
	struct relations *relations;
	assert_ok(relations_create(1 << 20, of, &relations));
	return relations;
}

static struct relations_query received(const char *author, const char *name)
{
	struct relations_query query = {
		.org = BYTES_LIT("ours.example"),
		.author = bytes_from_cstr(author),
		.domain = BYTES_LIT("firm.example"),
		.name = bytes_from_cstr(name),
		.proven = true,
		.has_client = true,
		.client = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
		.message_id = BYTES_LIT("theirs.1@firm.example"),
		.forwarded = FORWARDER_SEALED,
		.relay = BYTES_LIT("relay.example"),
		.sealer = BYTES_LIT("sealer.example"),
		.list = BYTES_LIT("list.example via relay.example"),
	};
	relations_list_add(&query.recipients, BYTES_LIT("ann@ours.example"));
	relations_list_add(&query.recipients, BYTES_LIT("ben@ours.example"));
	relations_list_add(&query.dkim, BYTES_LIT("firm.example"));
	return query;
}

static struct relations_query sent(const char *id)
{
	struct relations_query query = {
		.org = BYTES_LIT("ours.example"),
		.outgoing = true,
		.proven = true,
		.author = BYTES_LIT("ann@ours.example"),
		.domain = BYTES_LIT("ours.example"),
		.name = BYTES_LIT("Ann Chief"),
		.message_id = bytes_from_cstr(id),
	};
	relations_list_add(&query.recipients, BYTES_LIT("bob@firm.example"));
	relations_list_add(&query.recipients, BYTES_LIT("eve@other.example"));
	return query;
}

static void learn(struct relations *relations, struct buf *file, const struct relations_query *query, int64_t now)
{
	relations_learn(relations, query, RELATIONS_WANTED, now);
	journal_add(file, relations);
	assert_ok(buf_err(file));
}

static void snapshot(const struct relations *relations, struct buf *file)
{
	struct relations_writer writer;
	relations_snapshot_begin(relations, NOW, &writer);
	while (relations_snapshot_next(&writer, file))
		;
	assert_ok(buf_err(file));
}

/* A day of each kind of mail, and of the same name from elsewhere. */
static void live(struct relations *relations, struct buf *file, int64_t now)
{
	char id[32];
	struct relations_query query = received("Bob@firm.example", "Bob Smith");
	learn(relations, file, &query, now);
	if ((now - NOW) / DAY % 3 == 2) {
		query = received("other@firm.example", "Smith, BOB");
		learn(relations, file, &query, now);
	}
	query.proven = false;
	query.forwarded = FORWARDER_BROKEN;
	learn(relations, file, &query, now);
	relations_learn(relations, &query, RELATIONS_UNWANTED, now);
	journal_add(file, relations);
	(void)snprintf(id, sizeof(id), "Ours.%lld@ours.example", (long long)now);
	query = sent(id);
	learn(relations, file, &query, now);
}

static void what_is_repeated_is_what_was_learned(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20), first = BUF_INIT(1 << 22), second = BUF_INIT(1 << 22);
	CLEANUP(relations_free) struct relations *relations = empty(key), *again = empty(key);
	struct journal_result result;
	journal_begin(&file, relations);
	for (int64_t day = 0; day < 20; day++)
		live(relations, &file, NOW + day * DAY);
	assert_ok(journal_replay(buf_bytes(&file), again, &result));
	assert_int_equal(result.good, file.len);
	assert_true(result.learned > 60);
	assert_int_equal(relations_sequence(again), relations_sequence(relations));
	/* To the last bit. */
	snapshot(relations, &first);
	snapshot(again, &second);
	assert_bytes(buf_bytes(&first), buf_bytes(&second));
	/* What is known already is not learned twice. */
	assert_ok(journal_replay(buf_bytes(&file), again, &result));
	assert_int_equal(result.good, file.len);
	assert_int_equal(result.learned, 0);
}

/* A snapshot that was taken while learning went on has some of what is in the journal. */
static void repeating_what_is_known_changes_nothing(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20), first = BUF_INIT(1 << 22), second = BUF_INIT(1 << 22);
	CLEANUP(relations_free) struct relations *relations = empty(key), *again = NULL;
	struct relations_writer writer;
	struct journal_result result;
	struct error error;
	for (int64_t day = 0; day < 3; day++)
		live(relations, &file, NOW + day * DAY);
	relations_snapshot_begin(relations, NOW, &writer);
	buf_clear(&file);
	journal_begin(&file, relations);
	for (bool more = true; more;) {
		live(relations, &file, NOW + 3 * DAY);
		more = relations_snapshot_next(&writer, &second);
	}
	live(relations, &file, NOW + 4 * DAY);
	assert_ok(relations_snapshot_read(buf_bytes(&second), 1 << 20, &again, &error));
	assert_ok(journal_replay(buf_bytes(&file), again, &result));
	assert_true(result.learned > 0);
	buf_clear(&second);
	snapshot(relations, &first);
	snapshot(again, &second);
	assert_bytes(buf_bytes(&first), buf_bytes(&second));
}

static struct relations_query numbered(unsigned n, char text[static 64])
{
	(void)snprintf(text, 64, "person%u@firm%u.example", n, n);
	struct relations_query query = {.author = bytes_from_cstr(text), .proven = true};
	query.domain = bytes_from_cstr(strchr(text, '@') + 1);
	return query;
}

/* A record that makes room for another one may go from where the snapshot has not been to where it was. */
static void who_moves_while_a_snapshot_is_written_is_not_lost(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 24), first = BUF_INIT(1 << 24);
	CLEANUP(relations_free) struct relations *relations = empty(key), *again = NULL;
	struct relations_writer writer;
	struct journal_result result;
	struct error error;
	char text[64];
	unsigned n = 0, most = (unsigned)(relations_figures(relations).slots * 8 / 10 * 6 / 7 / 2), moved = 0;
	for (; n < most * 9 / 10; n++) {
		struct relations_query query = numbered(n, text);
		relations_learn(relations, &query, RELATIONS_WANTED, NOW);
	}
	relations_snapshot_begin(relations, NOW, &writer);
	journal_begin(&file, relations);
	for (bool more = true; more;) {
		more = relations_snapshot_next(&writer, &first);
		for (unsigned end = n + most / 70; n < end && n < most; n++) {
			struct relations_query query = numbered(n, text);
			learn(relations, &file, &query, NOW);
			moved += relations->received.moved != TABLE_NOBODY;
		}
	}
	assert_int_equal(relations_figures(relations).evicted, 0);
	assert_true(moved > 10);
	assert_ok(relations_snapshot_read(buf_bytes(&first), 1 << 20, &again, &error));
	assert_ok(journal_replay(buf_bytes(&file), again, &result));
	assert_int_equal(result.good, file.len);
	for (unsigned i = 0; i < n; i++) {
		struct relations_query query = numbered(i, text);
		struct relations_answer answer;
		relations_ask(again, &query, NOW, &answer);
		assert_int_equal(answer.address.days, 1);
		assert_int_equal(answer.domain.days, 1);
	}
}

static void what_changes_nothing_is_not_written(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = empty(key);
	struct relations_query query = sent("1@ours.example");
	learn(relations, &file, &query, NOW);
	size_t len = file.len;
	uint64_t sequence = relations_sequence(relations);
	assert_true(len > 0);
	for (int i = 0; i < 10; i++)
		learn(relations, &file, &query, NOW + i);
	assert_int_equal(file.len, len);
	assert_int_equal(relations_sequence(relations), sequence);
	learn(relations, &file, &query, NOW + DAY);
	assert_true(file.len > len);
	assert_int_equal(relations_sequence(relations), sequence + 1);
}

/* Every text of a lesson, in any case. */
static bool shows(const struct buf *file, const char *text)
{
	struct bytes wanted = bytes_from_cstr(text);
	for (size_t at = 0; at + wanted.len <= file->len; at++)
		if (bytes_eq_nocase(bytes_sub(buf_bytes(file), at, wanted.len), wanted))
			return true;
	return false;
}

static void no_text_is_in_it_but_the_usual_address_of_a_name(void **state)
{
	static const char *const never[] = {
		"Bob",      "Smith", "Ann Chief",     "ann@ours", "ours.example", "ben@ours",      "eve@other",
		"theirs.1", "Ours.", "relay.example", "sealer",   "list.example", "other.example",
	};
	(void)state;
	CLEANUP(buf_done) struct buf first = BUF_INIT(1 << 20), later = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = empty(key);
	struct relations_query query = received("Bob@firm.example", "Bob Smith");
	journal_begin(&first, relations);
	learn(relations, &first, &query, NOW);
	query = sent("Ours.1@ours.example");
	learn(relations, &first, &query, NOW);
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		assert_false(shows(&first, never[i]));
	assert_false(shows(&first, "firm.example"));
	/* Known on two days, the address is kept, in journal and snapshot alike; still nothing else is. */
	query = received("bob@firm.example", "Smith, Bob");
	learn(relations, &later, &query, NOW + DAY);
	assert_true(shows(&later, "bob@firm.example"));
	buf_clear(&first);
	snapshot(relations, &first);
	assert_true(shows(&first, "bob@firm.example"));
	/* The name from elsewhere: a vote against the address, which is kept; the other is not. */
	buf_clear(&later);
	query = received("bob@firm.example", "Bob Smith");
	for (int day = 2; day < 5; day++)
		learn(relations, &first, &query, NOW + day * DAY);
	query = received("thief@firm.example", "Bob Smith");
	learn(relations, &later, &query, NOW + 5 * DAY);
	learn(relations, &later, &query, NOW + 6 * DAY);
	struct relations_answer answer;
	relations_ask(relations, &query, NOW + 6 * DAY, &answer);
	assert_bytes_str(answer.usual, "bob@firm.example");
	assert_int_equal(answer.usual_days, 3);
	assert_false(shows(&later, "thief"));
	assert_false(shows(&later, "smith"));
}

static size_t write_three(struct buf *file)
{
	CLEANUP(relations_free) struct relations *relations = empty(key);
	journal_begin(file, relations);
	size_t head = file->len;
	for (unsigned i = 0; i < 3; i++) {
		char author[32];
		(void)snprintf(author, sizeof(author), "a%u@b.example", i);
		struct relations_query query = {.author = bytes_from_cstr(author), .proven = true};
		/* All of one length. */
		learn(relations, file, &query, NOW + i * DAY);
	}
	assert_int_equal((file->len - head) % 3, 0);
	return head;
}

static unsigned known(const struct relations *relations)
{
	unsigned found = 0;
	for (unsigned i = 0; i < 3; i++) {
		char author[32];
		struct relations_answer answer;
		(void)snprintf(author, sizeof(author), "a%u@b.example", i);
		struct relations_query query = {.author = bytes_from_cstr(author), .proven = true};
		relations_ask(relations, &query, NOW + 3 * DAY, &answer);
		found += answer.address.days > 0;
	}
	return found;
}

static void a_cut_journal_counts_up_to_the_cut(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	size_t head = write_three(&file), one = (file.len - head) / 3;
	for (size_t cut = 0; cut <= file.len; cut++) {
		CLEANUP(relations_free) struct relations *relations = empty(key);
		struct journal_result result;
		size_t whole = cut < head ? 0 : (cut - head) / one;
		assert_ok(journal_replay(bytes_sub(buf_bytes(&file), 0, cut), relations, &result));
		assert_int_equal(result.learned, whole);
		assert_int_equal(result.good, cut < head ? 0 : head + whole * one);
		assert_int_equal(known(relations), whole);
	}
}

static void a_changed_entry_ends_the_journal(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	size_t head = write_three(&file), one = (file.len - head) / 3;
	for (size_t at = 0; at < file.len; at++) {
		CLEANUP(relations_free) struct relations *relations = empty(key);
		struct journal_result result;
		file.ptr[at] ^= (uint8_t)(1u << at % 8);
		enum err err = journal_replay(buf_bytes(&file), relations, &result);
		assert_int_equal(err, at >= head ? ERR_OK : at < 8 ? ERR_UNSUPPORTED : ERR_DENIED);
		size_t whole = at < head ? 0 : (at - head) / one;
		assert_int_equal(result.learned, whole);
		assert_int_equal(result.good, at < head ? 0 : head + whole * one);
		assert_int_equal(known(relations), whole);
		file.ptr[at] ^= (uint8_t)(1u << at % 8);
	}
}

static void a_journal_of_another_key_or_form_is_not_taken(void **state)
{
	(void)state;
	CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
	CLEANUP(relations_free) struct relations *relations = empty((struct hash_key){1, 3});
	struct journal_result result;
	(void)write_three(&file);
	assert_int_equal(journal_replay(buf_bytes(&file), relations, &result), ERR_DENIED);
	assert_int_equal(journal_replay(BYTES_LIT("PSTJRN3\n12345678"), relations, &result), ERR_UNSUPPORTED);
	/* As the first form began: with the length of a question. */
	assert_int_equal(journal_replay(BYTES_LIT("\0\0\0\x51\0\0\0\0\0\0\0\1"), relations, &result), ERR_UNSUPPORTED);
	assert_int_equal(result.learned + result.good, 0);
	assert_int_equal(relations_sequence(relations), 0);
}

/* Its hash is right, and it is wrong: nothing of it is done. */
static void an_entry_with_a_wrong_record_is_none(void **state)
{
	static const struct bytes cases[] = {
		BYTES_INIT("\4abcdef\40\116\40\116\100\0"),     /* of no section */
		BYTES_INIT("\0abcdef\40\116\40\116\100"),       /* cut */
		BYTES_INIT("\0abcdef\40\116\40\116\0\0"),       /* without weight */
		BYTES_INIT("\0abcdef\40\116\37\116\100\0"),     /* seen last before it was seen first */
		BYTES_INIT("\0abcdef\40\116\40\116\100\0\0"),   /* more than it says */
		BYTES_INIT("\2abcdef\40\116\0\0\100\0\5a@b.c"), /* a name that is cut */
		BYTES_INIT("\3abcdef\40\116\37\116\40\116\0\0\0\0\0\0\0\0\0\0\100\0\0\0\0\0\0\0\0\0"),
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf file = BUF_INIT(1 << 20);
		CLEANUP(relations_free) struct relations *relations = empty(key);
		struct journal_result result;
		journal_begin(&file, relations);
		size_t head = file.len;
		buf_add(&file, BYTES_LIT("\1\0\0\0\0\0\0\0\40\116\2\0\1ABCDEF\40\116\40\116\100\0"));
		buf_add(&file, cases[i]);
		uint64_t hash = hash_sip(key, bytes_from(buf_bytes(&file), head));
		for (unsigned shift = 0; shift < 64; shift += 8)
			buf_add_byte(&file, (uint8_t)(hash >> shift));
		assert_ok(journal_replay(buf_bytes(&file), relations, &result));
		assert_int_equal(result.good, head);
		assert_int_equal(relations_figures(relations).records, 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_repeated_is_what_was_learned),
	cmocka_unit_test(repeating_what_is_known_changes_nothing),
	cmocka_unit_test(who_moves_while_a_snapshot_is_written_is_not_lost),
	cmocka_unit_test(what_changes_nothing_is_not_written),
	cmocka_unit_test(no_text_is_in_it_but_the_usual_address_of_a_name),
	cmocka_unit_test(a_cut_journal_counts_up_to_the_cut),
	cmocka_unit_test(a_changed_entry_ends_the_journal),
	cmocka_unit_test(a_journal_of_another_key_or_form_is_not_taken),
	cmocka_unit_test(an_entry_with_a_wrong_record_is_none),
};

UNIT_MAIN(tests)
