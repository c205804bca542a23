/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/relations.h"

#include "profile/table.h"
#include "unit.h"

#define DAY   (INT64_C(20000) * 86400)
#define ON(d) (DAY + (int64_t)(d)*86400 + 3600)

static const struct hash_key key = {1, 2};
static struct relations *store;

static int begin(void **state)
{
	(void)state;
	return relations_create(1 << 20, key, &store) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	relations_free(&store);
	return 0;
}

static struct relations_query incoming(const char *author, const char *domain, const char *name, bool proven)
{
	struct relations_query query = {
		.org = BYTES_LIT("ours.example"),
		.author = bytes_from_cstr(author),
		.domain = bytes_from_cstr(domain),
		.name = bytes_from_cstr(name),
		.proven = proven,
		.has_client = true,
		.client = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
	};
	relations_list_add(&query.recipients, BYTES_LIT("ann@ours.example"));
	if (proven)
		relations_list_add(&query.dkim, bytes_from_cstr(domain));
	return query;
}

static struct relations_query outgoing(const char *to, const char *id)
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
	relations_list_add(&query.recipients, bytes_from_cstr(to));
	return query;
}

static struct relations_answer ask(const struct relations_query *query, int day)
{
	struct relations_answer answer;
	relations_ask(store, query, ON(day), &answer);
	return answer;
}

static void learn(const struct relations_query *query, int day)
{
	relations_learn(store, query, RELATIONS_WANTED, ON(day));
}

#define assert_seen(seen, first, last, n)                                                                              \
	do {                                                                                                           \
		assert_int_equal((seen).days, n);                                                                      \
		assert_int_equal((seen).first_days, first);                                                            \
		assert_int_equal((seen).last_days, last);                                                              \
	} while (0)

static void an_empty_store_knows_nothing(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob", true);
	struct relations_answer got = ask(&query, 0), nothing = {0};
	assert_memory_equal(&got, &nothing, sizeof(got));
	query = (struct relations_query){0};
	learn(&query, 0);
	got = ask(&query, 0);
	assert_int_equal(got.org.days, 1);
	got.org = (struct relation_seen){0};
	assert_memory_equal(&got, &nothing, sizeof(got));
}

static void a_correspondent_is_known(void **state)
{
	(void)state;
	struct relations_query query = incoming("Bob@Firm.example", "firm.example", "Bob Smith", true);
	learn(&query, 0);
	learn(&query, 0);
	learn(&query, 10);
	query = incoming("bob@firm.example", "FIRM.example", "SMITH, Bob", true);
	struct relations_answer got = ask(&query, 12);
	assert_seen(got.org, 12, 2, 2);
	assert_seen(got.address, 12, 2, 2);
	assert_seen(got.proven, 12, 2, 2);
	assert_seen(got.pair, 12, 2, 2);
	assert_seen(got.domain, 12, 2, 2);
	assert_seen(got.name, 12, 2, 2);
	assert_seen(got.name_here, 12, 2, 2);
	assert_seen(got.dkim, 12, 2, 2);
	assert_seen(got.network, 12, 2, 2);
	assert_bytes_str(got.usual, "bob@firm.example");
	assert_int_equal(got.usual_days, 1);
	assert_seen(got.wrote, 0, 0, 0);
	assert_false(got.wrote_first);
	/* A year later most is forgotten, and at last all. */
	got = ask(&query, 10 + 360);
	assert_seen(got.address, 370, 360, 1);
	got = ask(&query, 10 + 9 * 180);
	assert_seen(got.address, 0, 0, 0);
}

static void what_differs_is_not_known(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob Smith", true);
	learn(&query, 0);
	/* Another recipient: the author is known, the pair is not. */
	struct relations_query other = query;
	other.recipients.items[0] = BYTES_LIT("carl@ours.example");
	struct relations_answer got = ask(&other, 1);
	assert_int_equal(got.address.days, 1);
	assert_int_equal(got.pair.days, 0);
	/* Of two recipients one is known. */
	relations_list_add(&other.recipients, BYTES_LIT("ann@ours.example"));
	assert_int_equal(ask(&other, 1).pair.days, 1);
	/* Another organisation knows nothing. */
	other = query;
	other.org = BYTES_LIT("theirs.example");
	got = ask(&other, 1);
	assert_int_equal(got.org.days + got.address.days + got.pair.days + got.domain.days + got.name.days +
				 got.dkim.days + got.network.days,
			 0);
	/* Another network, /24 by /24. */
	other = query;
	other.client[15] = 200;
	assert_int_equal(ask(&other, 1).network.days, 1);
	other.client[14] = 3;
	assert_int_equal(ask(&other, 1).network.days, 0);
	/* Another signer. */
	other = query;
	other.dkim.items[0] = BYTES_LIT("mailer.example");
	assert_int_equal(ask(&other, 1).dkim.days, 0);
	relations_list_add(&other.dkim, BYTES_LIT("firm.example"));
	assert_int_equal(ask(&other, 1).dkim.days, 1);
	/* Another author of the domain. */
	other = incoming("eve@firm.example", "firm.example", "Eve", true);
	got = ask(&other, 1);
	assert_int_equal(got.address.days, 0);
	assert_int_equal(got.domain.days, 1);
}

static void an_ipv6_network_is_a_48(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob", true);
	memcpy(query.client, (uint8_t[16]){0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, [15] = 1}, 16);
	learn(&query, 0);
	query.client[7] = 99;
	assert_int_equal(ask(&query, 0).network.days, 1);
	query.client[5] = 99;
	assert_int_equal(ask(&query, 0).network.days, 0);
}

static void a_forged_author_is_not_the_known_one(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob Smith", true);
	for (int day = 0; day < 5; day++)
		learn(&query, day);
	struct relations_query forged = incoming("bob@firm.example", "firm.example", "Bob Smith", false);
	struct relations_answer got = ask(&forged, 5);
	assert_int_equal(got.address.days, 0);
	assert_int_equal(got.pair.days, 0);
	assert_int_equal(got.domain.days, 0);
	assert_int_equal(got.name_here.days, 0);
	/* It is told that this address exists, and comes with proof. */
	assert_int_equal(got.proven.days, 5);
	assert_int_equal(got.name.days, 5);
	assert_bytes_str(got.usual, "bob@firm.example");
}

static void an_unproven_author_is_known_by_its_network(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@old.example", "old.example", "Bob Old", false);
	for (int day = 0; day < 5; day++)
		learn(&query, day);
	struct relations_answer got = ask(&query, 5);
	assert_int_equal(got.address.days, 5);
	assert_int_equal(got.pair.days, 5);
	assert_int_equal(got.domain.days, 5);
	assert_int_equal(got.name_here.days, 5);
	assert_int_equal(got.proven.days, 0);
	/* Names are not learned from it, nor networks. */
	assert_int_equal(got.name.days, 0);
	assert_int_equal(got.network.days, 0);
	assert_int_equal(got.usual.len, 0);
	query.client[13] = 7;
	got = ask(&query, 5);
	assert_int_equal(got.address.days + got.pair.days + got.domain.days + got.name_here.days, 0);
	/* Without a client it is one more place. */
	query.has_client = false;
	assert_int_equal(ask(&query, 5).address.days, 0);
	learn(&query, 5);
	assert_int_equal(ask(&query, 5).address.days, 1);
}

static void a_name_that_never_came_from_there_is_seen(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob Smith", true);
	for (int day = 0; day < 5; day++)
		learn(&query, day);
	query = incoming("ceo@freemail.example", "freemail.example", "Bob Smith", true);
	struct relations_answer got = ask(&query, 6);
	assert_int_equal(got.name.days, 5);
	assert_int_equal(got.name_here.days, 0);
	assert_bytes_str(got.usual, "bob@firm.example");
	assert_int_equal(got.usual_days, 4);
	/* Many messages of two days do not make it the usual one. */
	for (int i = 0; i < 200; i++)
		learn(&query, 6 + i % 2);
	got = ask(&query, 8);
	assert_bytes_str(got.usual, "bob@firm.example");
	assert_int_equal(got.name_here.days, 2);
}

static void our_own_names_are_learned_from_what_we_send(void **state)
{
	(void)state;
	struct relations_query query = outgoing("bob@firm.example", "1@ours.example");
	for (int day = 0; day < 3; day++)
		learn(&query, day);
	query = incoming("ann.chief@freemail.example", "freemail.example", "Ann Chief", true);
	struct relations_answer got = ask(&query, 3);
	assert_bytes_str(got.usual, "ann@ours.example");
	assert_int_equal(got.name_here.days, 0);
}

static void nobody_outside_takes_the_name_of_one_of_ours(void **state)
{
	(void)state;
	struct relations_query ours = outgoing("bob@firm.example", "1@ours.example");
	for (int day = 0; day < 4; day++)
		learn(&ours, day);
	/* Every day for two months, with proof, and never taken for spam. */
	struct relations_query thief = incoming("chief@freemail.example", "freemail.example", "Ann Chief", true);
	for (int day = 4; day < 64; day++)
		learn(&thief, day);
	struct relations_answer got = ask(&thief, 64);
	assert_bytes_str(got.usual, "ann@ours.example");
	assert_int_equal(got.usual_days, 3);
	/* One of us has a vote. */
	struct relations_query other = outgoing("bob@firm.example", "2@ours.example");
	other.author = BYTES_LIT("ann.chief@ours.example");
	for (int day = 64; day < 72; day++)
		learn(&other, day);
	assert_bytes_str(ask(&thief, 72).usual, "ann.chief@ours.example");
	/* And whose name is long unused may lose it. */
	for (int day = 72 + 720; day < 72 + 726; day++)
		learn(&thief, day);
	assert_bytes_str(ask(&thief, 72 + 726).usual, "chief@freemail.example");
}

static void whom_we_wrote_to_is_known(void **state)
{
	(void)state;
	struct relations_query query = outgoing("Bob@Firm.example", "1@ours.example");
	learn(&query, 0);
	query = incoming("bob@firm.example", "firm.example", "Bob", true);
	struct relations_answer got = ask(&query, 1);
	assert_seen(got.wrote, 1, 1, 1);
	assert_seen(got.wrote_pair, 1, 1, 1);
	assert_true(got.wrote_first);
	learn(&query, 1);
	assert_true(ask(&query, 2).wrote_first);
	query.recipients.items[0] = BYTES_LIT("carl@ours.example");
	got = ask(&query, 2);
	assert_int_equal(got.wrote.days, 1);
	assert_int_equal(got.wrote_pair.days, 0);
	/* The other way round: they wrote first. */
	query = incoming("eve@shop.example", "shop.example", "Eve", true);
	learn(&query, 2);
	struct relations_query reply = outgoing("eve@shop.example", "2@ours.example");
	learn(&reply, 3);
	got = ask(&query, 4);
	assert_int_equal(got.wrote.days, 1);
	assert_false(got.wrote_first);
	/* What a stranger sends in our name does not count as sent by us. */
	query = incoming("ann@ours.example", "ours.example", "Ann Chief", false);
	query.recipients.items[0] = BYTES_LIT("zoe@spam.example");
	learn(&query, 4);
	query = incoming("zoe@spam.example", "spam.example", "Zoe", true);
	assert_int_equal(ask(&query, 5).wrote.days, 0);
}

static void an_answer_to_our_message_is_known(void **state)
{
	(void)state;
	struct relations_query sent = outgoing("bob@mail.firm.example", "Abc.1@ours.example");
	learn(&sent, 0);
	struct relations_query query = incoming("helpdesk@firm.example", "firm.example", "Help", true);
	relations_list_add(&query.references, BYTES_LIT("unknown@firm.example"));
	relations_list_add(&query.references, BYTES_LIT("Abc.1@ours.example"));
	struct relations_answer got = ask(&query, 3);
	assert_seen(got.reply, 3, 3, 1);
	assert_seen(got.reply_there, 3, 3, 1);
	/* Case counts in a Message-ID. */
	query.references.items[1] = BYTES_LIT("abc.1@ours.example");
	assert_int_equal(ask(&query, 3).reply.days, 0);
}

static void an_answer_from_elsewhere_is_told_apart(void **state)
{
	(void)state;
	struct relations_query sent = outgoing("bob@mail.firm.co.uk", "1@ours.example");
	learn(&sent, 0);
	struct relations_query query = incoming("helpdesk@firm.co.uk", "firm.co.uk", "Help", true);
	relations_list_add(&query.references, BYTES_LIT("1@ours.example"));
	struct relations_answer got = ask(&query, 1);
	assert_int_equal(got.reply.days, 1);
	assert_int_equal(got.reply_there.days, 1);
	query.domain = BYTES_LIT("thief.example");
	got = ask(&query, 1);
	assert_int_equal(got.reply.days, 1);
	assert_int_equal(got.reply_there.days, 0);
}

static void unwanted_mail_teaches_nothing_of_people(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob", true);
	query.forwarded = FORWARDER_INTACT;
	query.list = BYTES_LIT("list.example");
	relations_learn(store, &query, RELATIONS_UNWANTED, ON(0));
	struct relations_answer got = ask(&query, 0);
	assert_int_equal(got.org.days + got.address.days + got.pair.days + got.domain.days + got.name.days, 0);
	assert_int_equal(got.forwarders[RELATIONS_LIST].unwanted, 1);
	assert_int_equal(got.forwarders[RELATIONS_LIST].intact, 0);
}

static void forwarders_are_learned_by_each_name(void **state)
{
	(void)state;
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob", false);
	query.forwarded = FORWARDER_SEALED;
	query.relay = BYTES_LIT("lists.example");
	query.sealer = BYTES_LIT("Lists.example");
	query.list = BYTES_LIT("dev.lists.example");
	learn(&query, 0);
	query.list = BYTES_LIT("other.lists.example");
	query.org = BYTES_LIT("theirs.example");
	struct relations_answer got = ask(&query, 1);
	assert_int_equal(got.forwarders[RELATIONS_RELAY].sealed, 1);
	assert_int_equal(got.forwarders[RELATIONS_SEALER].sealed, 1);
	assert_int_equal(got.forwarders[RELATIONS_LIST].days, 0);
}

static void texts_that_are_too_long_are_none(void **state)
{
	(void)state;
	static char text[RELATIONS_TEXT_MAX + 1];
	memset(text, 'x', sizeof(text));
	struct relations_query query = {.author = bytes_make(text, sizeof(text)),
					.name = bytes_make(text, sizeof(text))};
	learn(&query, 0);
	struct relations_answer got = ask(&query, 0);
	assert_int_equal(got.address.days + got.name.days, 0);
	for (int i = 0; i < 40; i++)
		relations_list_add(&query.recipients, BYTES_LIT("a"));
	assert_int_equal(query.recipients.count, RELATIONS_LIST_MAX);
	relations_list_add(&query.dkim, bytes_make(text, sizeof(text)));
	relations_list_add(&query.dkim, (struct bytes){0});
	assert_int_equal(query.dkim.count, 0);
}

/* A month of a hundred correspondents, then a day of strangers, three times what the store holds. */
static void a_flood_does_not_make_it_forget(void **state)
{
	(void)state;
	char author[64], name[64];
	for (int day = 0; day < 30; day += 5) {
		for (int i = 0; i < 100; i++) {
			(void)snprintf(author, sizeof(author), "friend%d@firm.example", i);
			(void)snprintf(name, sizeof(name), "Friend %d", i);
			struct relations_query query = incoming(author, "firm.example", name, true);
			learn(&query, day);
		}
	}
	size_t slots = relations_figures(store).slots;
	for (size_t i = 0; i < slots; i++) {
		(void)snprintf(author, sizeof(author), "a%zu@flood%zu.example", i, i);
		struct relations_query query = incoming(author, strchr(author, '@') + 1, author, true);
		learn(&query, 31);
	}
	assert_true(relations_figures(store).evicted > slots);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(author, sizeof(author), "friend%d@firm.example", i);
		(void)snprintf(name, sizeof(name), "Friend %d", i);
		struct relations_query query = incoming(author, "firm.example", name, true);
		struct relations_answer got = ask(&query, 31);
		assert_int_equal(got.address.days, 6);
		assert_int_equal(got.pair.days, 6);
		assert_int_equal(got.name_here.days, 6);
		assert_bytes_str(got.usual, author);
	}
}

static void the_budget_is_kept(void **state)
{
	(void)state;
	static const size_t budgets[] = {65536, 100000, 1 << 20, 10000000};
	for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
		struct relations *other;
		assert_ok(relations_create(budgets[i], key, &other));
		struct relations_figures figures = relations_figures(other);
		assert_true(figures.bytes <= budgets[i]);
		assert_true(figures.bytes > budgets[i] * 9 / 10);
		relations_free(&other);
		assert_null(other);
	}
}

static void any_time_will_do(void **state)
{
	(void)state;
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_C(65535) * 86400, INT64_MAX};
	struct relations_query query = incoming("bob@firm.example", "firm.example", "Bob", true);
	struct relations_answer answer;
	query.forwarded = FORWARDER_INTACT;
	query.relay = BYTES_LIT("relay.example");
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		relations_learn(store, &query, RELATIONS_WANTED, times[i]);
		for (size_t j = 0; j < ARRAY_LEN(times); j++)
			relations_ask(store, &query, times[j], &answer);
	}
	assert_int_equal(relations_sequence(store), ARRAY_LEN(times));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static const struct CMUnitTest tests[] = {
	TEST(an_empty_store_knows_nothing),
	TEST(a_correspondent_is_known),
	TEST(what_differs_is_not_known),
	TEST(an_ipv6_network_is_a_48),
	TEST(a_forged_author_is_not_the_known_one),
	TEST(an_unproven_author_is_known_by_its_network),
	TEST(a_name_that_never_came_from_there_is_seen),
	TEST(our_own_names_are_learned_from_what_we_send),
	TEST(nobody_outside_takes_the_name_of_one_of_ours),
	TEST(whom_we_wrote_to_is_known),
	TEST(an_answer_to_our_message_is_known),
	TEST(an_answer_from_elsewhere_is_told_apart),
	TEST(unwanted_mail_teaches_nothing_of_people),
	TEST(forwarders_are_learned_by_each_name),
	TEST(texts_that_are_too_long_are_none),
	TEST(a_flood_does_not_make_it_forget),
	TEST(the_budget_is_kept),
	TEST(any_time_will_do),
};

UNIT_MAIN(tests)
