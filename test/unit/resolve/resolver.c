/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "auth/dns.h"
#include "resolve/resolver.h"
#include "server.h"

#define DEADLINE_MS 300

struct world {
	struct loop *loop;
	struct server server;
	struct resolver *resolver;
	struct loop_timer *patience;
	unsigned told, late, heard, open;
};

struct waiting {
	struct resolver_wait wait;
	struct world *world;
	struct waiting *victim; /* forgotten by this one */
	const char *again;      /* asked by this one */
	char last[64];          /* what it was told */
};

static bool ask(struct world *world, struct waiting *waiting, const char *name, struct bytes *ret_packed);

static void on_done(void *ctx, struct bytes key, struct bytes packed)
{
	struct waiting *waiting = ctx;
	struct world *world = waiting->world;
	struct bytes ignored;
	(void)key;
	world->told++;
	world->late += packed.ptr[0] == DNS_FAILED;
	(void)snprintf(waiting->last, sizeof(waiting->last), "%.*s", BYTES_FMT(bytes_from(packed, 1)));
	world->open--;
	if (waiting->victim && waiting->victim->wait.at) {
		resolver_forget(&waiting->victim->wait);
		world->open--;
	}
	if (waiting->again) {
		const char *name = waiting->again;
		waiting->again = NULL;
		(void)ask(world, waiting, name, &ignored);
	}
	if (world->open == 0)
		loop_stop(world->loop);
}

static void on_heard(void *ctx, struct bytes key, struct bytes packed)
{
	struct world *world = ctx;
	(void)key;
	(void)packed;
	world->heard++;
}

static void no_patience(void *ctx)
{
	(void)ctx;
	fail_msg("nobody was told");
}

static void open_world_with(struct world *world, size_t zones)
{
	struct error error = {0};
	*world = (struct world){0};
	assert_ok(loop_new(&world->loop));
	assert_ok(loop_timer_new(world->loop, no_patience, NULL, &world->patience));
	loop_timer_set(world->patience, 20000);
	server_open(&world->server, world->loop);
	struct bytes text = bytes_from_cstr(world->server.text);
	const struct upstream_zone zone = {BYTES_LIT("elsewhere.example"), text};
	struct upstream_options options = {
		.forward = &text, .n_forward = 1, .zones = &zone, .n_zones = zones, .fresh = true};
	assert_ok(resolver_new(world->loop, &options, DEADLINE_MS, &world->resolver, &error));
	resolver_listen(world->resolver, on_heard, world);
}

static void open_world(struct world *world)
{
	open_world_with(world, 0);
}

static void close_world(struct world *world)
{
	resolver_free(&world->resolver);
	server_close(&world->server);
	loop_timer_free(&world->patience);
	loop_free(&world->loop);
}

/* Whether the answer was at hand. */
static bool ask(struct world *world, struct waiting *waiting, const char *name, struct bytes *ret_packed)
{
	uint8_t key[DNS_KEY_MAX];
	waiting->world = world;
	waiting->wait.done = on_done;
	waiting->wait.ctx = waiting;
	bool here = resolver_ask(world->resolver, dns_question_key(key, DNS_A, bytes_from_cstr(name)), ret_packed,
				 &waiting->wait);
	world->open += !here;
	return here;
}

static void one_question_serves_all_who_wait(void **state)
{
	struct world world;
	struct waiting waiting[8] = {0};
	struct bytes packed;
	(void)state;
	open_world(&world);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		assert_false(ask(&world, &waiting[i], "live.example", &packed));
	loop_run(world.loop);
	assert_int_equal(world.told, ARRAY_LEN(waiting));
	assert_int_equal(world.late, 0);
	assert_int_equal(world.server.asked, 1);
	assert_int_equal(world.heard, 1);
	assert_true(ask(&world, &waiting[0], "live.example", &packed));
	assert_int_equal(packed.ptr[0] & 15, DNS_FOUND);
	assert_int_equal(world.server.asked, 1);
	close_world(&world);
}

static void who_is_forgotten_is_not_told(void **state)
{
	struct world world;
	struct waiting waiting[4] = {0};
	struct bytes packed;
	(void)state;
	open_world(&world);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		assert_false(ask(&world, &waiting[i], "live.example", &packed));
	/* One before, and the first who is told takes another along; in which order they are told is not promised. */
	resolver_forget(&waiting[1].wait);
	resolver_forget(&waiting[1].wait);
	world.open--;
	waiting[0].victim = &waiting[3];
	waiting[3].victim = &waiting[0];
	loop_run(world.loop);
	assert_int_equal(world.told, 2);
	close_world(&world);
}

static void who_is_told_may_ask_again(void **state)
{
	struct world world;
	struct waiting waiting[2] = {{.again = "zero.example"}, {.again = "other.zero.example"}};
	struct bytes packed;
	(void)state;
	open_world(&world);
	assert_false(ask(&world, &waiting[0], "zero.example", &packed));
	assert_false(ask(&world, &waiting[1], "zero.example", &packed));
	loop_run(world.loop);
	assert_int_equal(world.told, 4);
	assert_int_equal(world.late, 0);
	assert_int_equal(world.server.asked, 3);
	assert_int_equal(resolver_figures(world.resolver)->under_way, 0);
	close_world(&world);
}

static void a_deadline_ends_the_wait_and_not_the_question(void **state)
{
	struct world world;
	struct waiting waiting[3] = {0};
	struct bytes packed;
	(void)state;
	open_world(&world);
	assert_false(ask(&world, &waiting[0], "dead.example", &packed));
	loop_run(world.loop);
	assert_string_equal(waiting[0].last, "no answer in time");
	assert_int_equal(resolver_figures(world.resolver)->under_way, 1);
	assert_int_equal(resolver_figures(world.resolver)->late, 1);
	assert_false(ask(&world, &waiting[1], "dead.example", &packed));
	assert_false(ask(&world, &waiting[2], "live.example", &packed));
	loop_run(world.loop);
	assert_string_equal(waiting[1].last, "no answer in time");
	assert_int_equal(world.late, 2);
	close_world(&world);
}

static void what_is_only_asked_is_there_later(void **state)
{
	struct world world;
	struct waiting waiting = {0};
	struct bytes packed;
	uint8_t key[DNS_KEY_MAX];
	(void)state;
	open_world(&world);
	assert_false(
		resolver_ask(world.resolver, dns_question_key(key, DNS_A, BYTES_LIT("live.example")), &packed, NULL));
	assert_false(ask(&world, &waiting, "live.example", &packed));
	loop_run(world.loop);
	assert_int_equal(world.server.asked, 1);
	assert_true(
		resolver_ask(world.resolver, dns_question_key(key, DNS_A, BYTES_LIT("live.example")), &packed, NULL));
	close_world(&world);
}

/*
 * By the short way, and by libunbound, where a zone has servers of its own; it keeps "none" without an SOA for 5 s by
 * all means.
 */
static void what_must_be_fresh_is_asked_each_time(void **state)
{
	static const char *const names[] = {"live.example", "none.example"};
	(void)state;
	for (size_t zones = 0; zones < 2; zones++) {
		struct world world;
		struct waiting waiting = {.wait = {.fresh = true}};
		struct bytes packed;
		open_world_with(&world, zones);
		for (size_t i = 0; i < ARRAY_LEN(names) - zones; i++) {
			unsigned asked = world.server.asked;
			for (unsigned turn = 0; turn < 3; turn++) {
				assert_false(ask(&world, &waiting, names[i], &packed));
				loop_run(world.loop);
			}
			assert_int_equal(world.server.asked, asked + 3);
		}
		assert_int_equal(world.late, 0);
		close_world(&world);
	}
}

static void a_zone_that_answers_nobody_leaves_room(void **state)
{
	static struct waiting waiting[UPSTREAM_BRIEF_MAX];
	struct world world;
	struct waiting live = {0};
	struct bytes packed;
	char name[64];
	unsigned refused = 0;
	(void)state;
	open_world(&world);
	for (unsigned i = 0; i < ARRAY_LEN(waiting); i++) {
		(void)snprintf(name, sizeof(name), "dead%u.example.com", i);
		if (ask(&world, &waiting[i], name, &packed)) {
			assert_bytes_str(packed, "\3too many questions");
			refused++;
		}
	}
	assert_int_equal(resolver_figures(world.resolver)->under_way, ARRAY_LEN(waiting) - refused);
	assert_in_range(refused, ARRAY_LEN(waiting) / 4 * 3, ARRAY_LEN(waiting) - 100);
	/* Their deadline passes, and they still have their places. */
	loop_run(world.loop);
	assert_int_equal(world.late, ARRAY_LEN(waiting) - refused);
	assert_true(ask(&world, &waiting[0], "more.dead.example.com", &packed));
	assert_false(ask(&world, &live, "live.example.org", &packed));
	loop_run(world.loop);
	assert_int_equal(world.told, ARRAY_LEN(waiting) - refused + 1);
	assert_int_equal(world.late, ARRAY_LEN(waiting) - refused);
	assert_int_equal(resolver_figures(world.resolver)->entries, world.told + 0u);
	close_world(&world);
}

/* So many that not even a question of our own has room, which is no sign that nobody is there. */
static void zones_without_number_leave_room_for_known_ones(void **state)
{
	static struct waiting waiting[UPSTREAM_QUESTIONS_MAX];
	struct world world;
	struct waiting live = {0}, other = {0};
	struct bytes packed;
	char name[64];
	unsigned refused = 0;
	(void)state;
	open_world_with(&world, 1);
	assert_false(ask(&world, &live, "live.example", &packed));
	loop_run(world.loop);
	for (unsigned i = 0; i < ARRAY_LEN(waiting); i++) {
		(void)snprintf(name, sizeof(name), "dead%u.example", i);
		refused += ask(&world, &waiting[i], name, &packed);
	}
	assert_int_equal(refused, UPSTREAM_KEPT);
	loop_run(world.loop);
	assert_int_equal(world.late, ARRAY_LEN(waiting) - refused);
	assert_true(ask(&world, &other, "live.other.example", &packed));
	assert_bytes_str(packed, "\3too many questions");
	assert_false(ask(&world, &live, "live.live.example", &packed));
	loop_run(world.loop);
	assert_string_equal(live.last, "");
	assert_false(resolver_figures(world.resolver)->away);
	close_world(&world);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_question_serves_all_who_wait),
	cmocka_unit_test(who_is_forgotten_is_not_told),
	cmocka_unit_test(who_is_told_may_ask_again),
	cmocka_unit_test(a_deadline_ends_the_wait_and_not_the_question),
	cmocka_unit_test(what_is_only_asked_is_there_later),
	cmocka_unit_test(what_must_be_fresh_is_asked_each_time),
	cmocka_unit_test(a_zone_that_answers_nobody_leaves_room),
	cmocka_unit_test(zones_without_number_leave_room_for_known_ones),
};
UNIT_MAIN(tests)
