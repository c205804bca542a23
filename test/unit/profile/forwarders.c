/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/forwarders.h"

#include "profile/table.h"
#include "unit.h"

#define HALF 180u
#define DAY  20000u

static struct forwarder_figures ask(const struct forwarders *forwarders, uint64_t key, unsigned day)
{
	struct forwarder_figures figures;
	forwarders_ask(forwarders, key, (uint16_t)day, HALF, &figures);
	return figures;
}

static void what_came_is_counted_by_its_kind(void **state)
{
	(void)state;
	struct forwarders f;
	assert_ok(forwarders_init(&f, 4096));
	assert_int_equal(ask(&f, 9, DAY).days, 0);
	for (uint64_t author = 0; author < 6; author++)
		forwarders_learn(&f, 9, author, FORWARDER_INTACT, false, DAY, HALF);
	for (uint64_t author = 4; author < 8; author++)
		forwarders_learn(&f, 9, author, FORWARDER_SEALED, false, DAY + 1, HALF);
	for (uint64_t author = 20; author < 23; author++)
		forwarders_learn(&f, 9, author, FORWARDER_BROKEN, false, DAY + 2, HALF);
	forwarders_learn(&f, 9, 30, FORWARDER_INTACT, true, DAY + 3, HALF);
	forwarders_learn(&f, 9, 31, FORWARDER_NONE, false, DAY + 3, HALF);
	struct forwarder_figures got = ask(&f, 9, DAY + 5);
	assert_int_equal(got.first_days, 5);
	assert_int_equal(got.last_days, 2);
	assert_int_equal(got.days, 4);
	assert_int_equal(got.intact, 6);
	assert_int_equal(got.sealed, 4);
	assert_int_equal(got.broken, 3);
	assert_int_equal(got.unwanted, 1);
	/* Authors whom nobody proves are none. */
	assert_int_equal(got.authors, 6);
	assert_int_equal(ask(&f, 10, DAY + 5).days, 0);
	forwarders_done(&f);
}

static void one_afternoon_teaches_little(void **state)
{
	(void)state;
	struct forwarders f;
	assert_ok(forwarders_init(&f, 4096));
	for (int i = 0; i < 10000; i++)
		forwarders_learn(&f, 9, 1, FORWARDER_INTACT, false, DAY, HALF);
	struct forwarder_figures got = ask(&f, 9, DAY);
	assert_int_equal(got.intact, FORWARDER_DAY_MAX);
	assert_int_equal(got.days, 1);
	assert_int_equal(got.authors, 1);
	forwarders_learn(&f, 9, 1, FORWARDER_INTACT, false, DAY + 1, HALF);
	assert_int_equal(ask(&f, 9, DAY + 1).intact, FORWARDER_DAY_MAX + 1);
	forwarders_done(&f);
}

static void counts_halve_and_do_not_wrap(void **state)
{
	(void)state;
	struct forwarders f;
	assert_ok(forwarders_init(&f, 4096));
	for (unsigned day = 0; day < 5000; day++)
		for (unsigned i = 0; i < FORWARDER_DAY_MAX; i++)
			forwarders_learn(&f, 9, i, FORWARDER_SEALED, false, (uint16_t)(DAY + day), 60000);
	struct forwarder_figures got;
	forwarders_ask(&f, 9, DAY + 5000, 60000, &got);
	assert_int_equal(got.sealed, UINT16_MAX);
	forwarders_ask(&f, 9, UINT16_MAX, HALF, &got);
	assert_int_equal(got.days, 0);
	assert_int_equal(got.sealed, 0);
	/* One piece of spam is forgotten, though good mail comes every day. */
	forwarders_learn(&f, 5, 1, FORWARDER_BROKEN, true, DAY, HALF);
	for (unsigned day = 0; day < 2 * HALF; day++) {
		assert_int_equal(ask(&f, 5, DAY + day).unwanted, day < HALF);
		forwarders_learn(&f, 5, 1, FORWARDER_INTACT, false, (uint16_t)(DAY + day), HALF);
	}
	assert_int_equal(ask(&f, 5, DAY + 2 * HALF - 1).intact, HALF + HALF / 2);
	assert_int_equal(ask(&f, 5, DAY + 2 * HALF).intact, (HALF + HALF / 2) / 2);
	forwarders_done(&f);
}

static void strangers_do_not_push_out_a_known_list(void **state)
{
	(void)state;
	struct forwarders f;
	assert_ok(forwarders_init(&f, 1)); /* one window */
	for (unsigned day = 0; day < 30; day++)
		forwarders_learn(&f, 9, day, FORWARDER_INTACT, false, (uint16_t)(DAY + day), HALF);
	for (uint64_t key = 100; key < 10000; key++)
		forwarders_learn(&f, key, 1, FORWARDER_INTACT, false, DAY + 30, HALF);
	assert_int_equal(ask(&f, 9, DAY + 30).intact, 30);
	forwarders_done(&f);
}

static void a_trusty_forwarder_has_many_authors_on_many_days(void **state)
{
	(void)state;
	static const struct {
		struct forwarder_figures figures; /* first, last, days, intact, sealed, broken, unwanted, authors */
		bool trusty;
	} cases[] = {
		{{0}, false},
		{{90, 1, 5, 10, 0, 0, 0, 3}, true},
		{{90, 1, 5, 10, 6, 500, 0, 3}, true},
		{{90, 1, 5, 4, 600, 500, 0, 3}, false},
		{{90, 1, 4, 10, 0, 0, 0, 3}, false},
		{{90, 1, 5, 9, 0, 0, 0, 3}, false},
		{{90, 1, 5, 10, 0, 0, 0, 2}, false},
		{{90, 1, 5, 0, 0, 500, 0, 3}, false},
		{{90, 1, 50, 90, 0, 0, 10, 30}, true},
		{{90, 1, 50, 90, 0, 0, 11, 30}, false},
		{{90, 1, 65535, 65535, 65535, 65535, 65535, 64}, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(forwarder_is_trusty(&cases[i].figures), cases[i].trusty);
}

static void who_vouches_for_forged_authors_earns_nothing(void **state)
{
	(void)state;
	struct forwarders f;
	assert_ok(forwarders_init(&f, 4096));
	for (unsigned day = 0; day < 50; day++)
		for (unsigned i = 0; i < FORWARDER_DAY_MAX; i++)
			forwarders_learn(&f, 9, day * FORWARDER_DAY_MAX + i, FORWARDER_SEALED, false,
					 (uint16_t)(DAY + day), HALF);
	struct forwarder_figures got = ask(&f, 9, DAY + 50);
	assert_true(got.sealed > 500);
	assert_false(forwarder_is_trusty(&got));
	/* Nor with a domain of its own that is proven. */
	for (unsigned day = 50; day < 60; day++)
		forwarders_learn(&f, 9, 1, FORWARDER_INTACT, false, (uint16_t)(DAY + day), HALF);
	got = ask(&f, 9, DAY + 60);
	assert_int_equal(got.intact, 10);
	assert_false(forwarder_is_trusty(&got));
	forwarders_done(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_vouches_for_forged_authors_earns_nothing),
	cmocka_unit_test(a_trusty_forwarder_has_many_authors_on_many_days),
	cmocka_unit_test(what_came_is_counted_by_its_kind),
	cmocka_unit_test(one_afternoon_teaches_little),
	cmocka_unit_test(counts_halve_and_do_not_wrap),
	cmocka_unit_test(strangers_do_not_push_out_a_known_list),
};

UNIT_MAIN(tests)
