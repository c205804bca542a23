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
static bool take(struct shares *shares, unsigned n, const char *zone, uint32_t *slot)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "n%u.%s", n, zone);
	return share_take(shares, bytes_from_cstr(name), slot);
}

/* For the n-th of many zones. */
static bool take_zone(struct shares *shares, unsigned n, uint32_t *slot)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "zone%u.example", n);
	return share_take(shares, bytes_from_cstr(name), slot);
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
	uint32_t slot;
	unsigned n = 0;
	(void)state;
	while (take(shares, n, "dead.example", &slot))
		n++;
	assert_in_range(n, 4096 / (SHARE_PART + 1), 4096 / (SHARE_PART + 1) + 1);
	assert_true(take(shares, 0, "live.example", &slot));
}

static void many_zones_leave_room_for_others(void **state)
{
	struct shares *shares = shares_of(4096);
	uint32_t slot;
	(void)state;
	/* Each asks for all that it can have, in turn, until nobody gets more. */
	for (unsigned got = 1; got > 0;) {
		got = 0;
		for (unsigned zone = 0; zone < 120; zone++)
			got += take_zone(shares, zone, &slot);
	}
	assert_in_range(4096 - shares->taken, 100, 150);
	for (unsigned i = 0; i < 20; i++)
		assert_true(take(shares, i, "live.example", &slot));
}

static void the_last_place_is_for_one_who_has_none(void **state)
{
	struct shares *shares = shares_of(8);
	uint32_t slot;
	(void)state;
	for (unsigned i = 0; i < 7; i++)
		assert_true(take_zone(shares, i, &slot));
	assert_false(take_zone(shares, 0, &slot));
	assert_true(take_zone(shares, 7, &slot));
	assert_false(take_zone(shares, 8, &slot));
}

static void what_is_returned_can_be_had_again(void **state)
{
	struct shares *shares = shares_of(8);
	uint32_t slots[3];
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_true(take(shares, i, "example.com", &slots[i]));
	assert_false(take(shares, 2, "example.com", &slots[2]));
	assert_int_equal(slots[0], slots[1]);
	share_return(shares, slots[0]);
	assert_true(take(shares, 2, "example.com", &slots[2]));
	share_return(shares, slots[1]);
	share_return(shares, slots[2]);
	assert_int_equal(shares->taken, 0);
}

static void nobody_can_aim_at_a_counter(void **state)
{
	struct shares *shares = shares_of(SHARE_SLOTS);
	uint32_t victim, slot = UINT32_MAX, moved;
	unsigned i = 0;
	(void)state;
	assert_true(take(shares, 0, "victim.example", &victim));
	for (i = 0; slot != victim; i++) {
		assert_true(i < 32 * SHARE_SLOTS);
		assert_true(take_zone(shares, i, &slot));
		share_return(shares, slot);
	}
	/* Under another secret the same two are apart, but for one chance in 65536; and this secret is fixed. */
	shares = shares_of(SHARE_SLOTS);
	shares->secret.k0 = 3;
	assert_true(take(shares, 0, "victim.example", &victim));
	assert_true(take_zone(shares, i - 1, &moved));
	assert_int_not_equal(victim, moved);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(zone_is_what_one_owner_has),        cmocka_unit_test(one_zone_takes_a_part_of_the_room),
	cmocka_unit_test(many_zones_leave_room_for_others),  cmocka_unit_test(the_last_place_is_for_one_who_has_none),
	cmocka_unit_test(what_is_returned_can_be_had_again), cmocka_unit_test(nobody_can_aim_at_a_counter),
};
UNIT_MAIN(tests)
