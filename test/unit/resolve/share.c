/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/err.h"
#include "resolve/share.h"

static struct shares *shares_of(size_t room)
{
	static struct shares shares;
	shares = (struct shares){.secret = {1, 2}, .room = room};
	return &shares;
}

/* For the n-th name below a zone. */
static bool take(struct shares *shares, unsigned n, const char *zone, struct share *share)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "n%u.%s", n, zone);
	return share_take(shares, bytes_from_cstr(name), share);
}

/* For the n-th of many zones. */
static bool take_zone(struct shares *shares, unsigned n, struct share *share)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "zone%u.example", n);
	return share_take(shares, bytes_from_cstr(name), share);
}

static void zone_is_what_one_owner_has(void **state)
{
	static const struct {
		const char *name, *zone;
	} cases[] = {
		{"example.com", "example.com"},
		{"a.b.c.example.com", "example.com"},
		{"_dmarc.example.co.uk", "example.co.uk"},
		{"x.example.co.jp", "example.co.jp"},
		{"co.uk", "co.uk"},
		{"com", "com"},
		{"", ""},
		{"1.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
		{"9.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
		{"192.in-addr.arpa", "192.in-addr.arpa"},
		{"9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		 "2.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
		/* What is no host name hides nothing. */
		{"a:b.example.com", "example.com"},
		{"a b.example.com", "example.com"},
		{"a:1.b:2.c.example.com", "example.com"},
		{"a.b:c", ""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_bytes_str(share_zone(bytes_from_cstr(cases[i].name)), cases[i].zone);
}

static void one_zone_takes_a_part_of_the_room(void **state)
{
	struct shares *shares = shares_of(4096);
	struct share share;
	unsigned n = 0;
	(void)state;
	while (take(shares, n, "dead.example", &share))
		n++;
	assert_in_range(n, 4096 / (SHARE_PART + 1), 4096 / (SHARE_PART + 1) + 1);
	assert_true(take(shares, 0, "live.example", &share));
}

static void many_zones_leave_room_for_others(void **state)
{
	struct shares *shares = shares_of(4096);
	struct share share;
	(void)state;
	/* Each asks for all that it can have, in turn, until nobody gets more. */
	for (unsigned got = 1; got > 0;) {
		got = 0;
		for (unsigned zone = 0; zone < 120; zone++)
			got += take_zone(shares, zone, &share);
	}
	assert_in_range(4096 - shares->taken, 100, 150);
	for (unsigned i = 0; i < 20; i++)
		assert_true(take(shares, i, "live.example", &share));
}

static void the_last_place_is_for_one_who_has_none(void **state)
{
	struct shares *shares = shares_of(8);
	struct share share;
	(void)state;
	for (unsigned i = 0; i < 7; i++)
		assert_true(take_zone(shares, i, &share));
	assert_false(take_zone(shares, 0, &share));
	assert_true(take_zone(shares, 7, &share));
	assert_false(take_zone(shares, 8, &share));
}

static void what_is_returned_can_be_had_again(void **state)
{
	struct shares *shares = shares_of(8);
	struct share had[3];
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_true(take(shares, i, "example.com", &had[i]));
	assert_false(take(shares, 2, "example.com", &had[2]));
	assert_int_equal(had[0].slot, had[1].slot);
	share_return(shares, had[0]);
	assert_true(take(shares, 2, "example.com", &had[2]));
	share_return(shares, had[1]);
	share_return(shares, had[2]);
	assert_int_equal(shares->taken, 0);
}

static void nobody_can_aim_at_a_counter(void **state)
{
	struct shares *shares = shares_of(SHARE_SLOTS);
	struct share victim, share = {.slot = UINT32_MAX}, moved;
	unsigned i = 0;
	(void)state;
	assert_true(take(shares, 0, "victim.example", &victim));
	for (i = 0; share.slot != victim.slot; i++) {
		assert_true(i < 32 * SHARE_SLOTS);
		assert_true(take_zone(shares, i, &share));
		share_return(shares, share);
	}
	/* Under another secret the same two are apart, but for one chance in 65536; and this secret is fixed. */
	shares = shares_of(SHARE_SLOTS);
	shares->secret.k0 = 3;
	assert_true(take(shares, 0, "victim.example", &victim));
	assert_true(take_zone(shares, i - 1, &moved));
	assert_int_not_equal(victim.slot, moved.slot);
}

/* `n` zones ask for one place each; how many got it. */
static unsigned fill(struct shares *shares, unsigned n)
{
	struct share share;
	unsigned got = 0;
	for (unsigned i = 0; i < n; i++)
		got += take_zone(shares, i, &share);
	return got;
}

static void known_zones_have_room_when_all_others_are_dead(void **state)
{
	struct shares *shares = shares_of(4096);
	struct share known, share;
	unsigned n = 0;
	(void)state;
	shares->kept = 1024;
	assert_true(take(shares, 0, "live.example", &known));
	share_return(shares, known);
	share_learn(shares, known, true);
	assert_int_equal(fill(shares, 5000), 3072);
	assert_false(take(shares, 0, "new.example", &share));
	while (take(shares, n, "live.example", &share))
		n++;
	assert_in_range(n, 1024 / (SHARE_PART + 1), 1024 / (SHARE_PART + 1) + 1);
}

static void a_zone_is_known_while_it_failed_less_than_it_answered(void **state)
{
	static const struct {
		unsigned answers, failures;
		bool known;
	} cases[] = {
		{0, 0, false}, {0, 1, false},   {1, 0, true},     {1, 1, false},
		{1, 2, false}, {100, 14, true}, {100, 15, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shares *shares = shares_of(8);
		struct share share, other;
		shares->kept = 4;
		assert_true(take(shares, 0, "live.example", &share));
		for (unsigned n = 0; n < cases[i].answers; n++)
			share_learn(shares, share, true);
		for (unsigned n = 0; n < cases[i].failures; n++)
			share_learn(shares, share, false);
		share_return(shares, share);
		assert_int_equal(fill(shares, 8), 4);
		if (take(shares, 1, "live.example", &other) != cases[i].known)
			fail_msg("%u answers, %u failures", cases[i].answers, cases[i].failures);
	}
}

static void what_others_do_makes_no_zone_unknown(void **state)
{
	struct shares *shares = shares_of(8);
	struct share live, dead;
	(void)state;
	shares->kept = 4;
	assert_true(take(shares, 0, "live.example", &live));
	share_learn(shares, live, true);
	/* As if its counter was the same. */
	dead = (struct share){.slot = live.slot, .tag = live.tag ^ (SHARE_CREDIT + 1)};
	for (unsigned i = 0; i < 100; i++)
		share_learn(shares, dead, false);
	share_return(shares, live);
	assert_int_equal(fill(shares, 8), 4);
	assert_true(take(shares, 0, "live.example", &live));
	share_learn(shares, dead, true);
	assert_false(take(shares, 1, "live.example", &live));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(zone_is_what_one_owner_has),
	cmocka_unit_test(one_zone_takes_a_part_of_the_room),
	cmocka_unit_test(many_zones_leave_room_for_others),
	cmocka_unit_test(the_last_place_is_for_one_who_has_none),
	cmocka_unit_test(what_is_returned_can_be_had_again),
	cmocka_unit_test(nobody_can_aim_at_a_counter),
	cmocka_unit_test(known_zones_have_room_when_all_others_are_dead),
	cmocka_unit_test(a_zone_is_known_while_it_failed_less_than_it_answered),
	cmocka_unit_test(what_others_do_makes_no_zone_unknown),
};
UNIT_MAIN(tests)
