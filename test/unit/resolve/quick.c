/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "resolve/quick.h"
#include "server.h"

struct world {
	struct loop *loop;
	struct server server;
	struct quick *quick;
	struct loop_timer *patience;
	unsigned told, open;
	bool answered; /* the last one */
};

struct asked {
	struct quick_question question;
	struct world *world;
	char name[64];
};

static void on_done(struct quick_question *question, struct bytes packet)
{
	struct asked *asked = (struct asked *)question;
	asked->world->told++;
	asked->world->answered = packet.len > 0;
	if (--asked->world->open == 0)
		loop_stop(asked->world->loop);
}

static void no_patience(void *ctx)
{
	(void)ctx;
	fail_msg("nobody was told");
}

static void open_world(struct world *world)
{
	*world = (struct world){0};
	assert_ok(loop_new(&world->loop));
	assert_ok(loop_timer_new(world->loop, no_patience, NULL, &world->patience));
	loop_timer_set(world->patience, 20000);
	server_open(&world->server, world->loop);
	struct bytes text = bytes_from_cstr(world->server.text);
	assert_ok(quick_new(world->loop, &text, 1, &world->quick));
}

static void close_world(struct world *world)
{
	quick_free(&world->quick);
	server_close(&world->server);
	loop_timer_free(&world->patience);
	loop_free(&world->loop);
}

static void ask(struct world *world, struct asked *asked, const char *name)
{
	(void)snprintf(asked->name, sizeof(asked->name), "%s", name);
	asked->world = world;
	asked->question = (struct quick_question){.packet = {.type = DNS_A, .name = bytes_from_cstr(asked->name)},
						  .done = on_done};
	assert_ok(quick_ask(world->quick, &asked->question));
	world->open++;
}

static void what_is_plain_and_whole_is_an_answer(void **state)
{
	static const struct {
		const char *name;
		bool answered;
	} cases[] = {
		{"live.example", true}, {"none.example", true},  {"empty.example", true},
		{"lie.example", true},  {"fail.example", false}, {"chain.example", false},
		{"cut.example", false}, {"dead.example", false}, {"refer.example", false},
	};
	struct world world;
	struct asked asked;
	(void)state;
	open_world(&world);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&world, &asked, cases[i].name);
		loop_run(world.loop);
		if (world.answered != cases[i].answered)
			fail_msg("%s", cases[i].name);
	}
	assert_int_equal(world.told, ARRAY_LEN(cases));
	close_world(&world);
}

static void a_port_serves_few_questions(void **state)
{
	struct world world;
	struct asked asked[4 * QUICK_PER_SOCKET];
	(void)state;
	open_world(&world);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ask(&world, &asked[i], "live.example");
	loop_run(world.loop);
	assert_int_equal(world.told, ARRAY_LEN(asked));
	assert_int_equal(world.server.ports, 4);
	close_world(&world);
}

static void nobody_there_is_told_at_once(void **state)
{
	struct world world;
	struct asked asked;
	(void)state;
	open_world(&world);
	loop_timer_set(world.patience, QUICK_WAIT_MS / 2);
	server_close(&world.server);
	ask(&world, &asked, "live.example");
	loop_run(world.loop);
	assert_false(world.answered);
	server_open(&world.server, world.loop); /* only to be closed */
	close_world(&world);
}

static void check_next_server(bool refuses)
{
	struct world world;
	struct server other;
	struct asked asked[QUICK_PATIENCE];
	open_world(&world);
	quick_free(&world.quick);
	server_open(&other, world.loop);
	struct bytes texts[] = {bytes_from_cstr(world.server.text), bytes_from_cstr(other.text)};
	assert_ok(quick_new(world.loop, texts, 2, &world.quick));
	if (refuses)
		server_close(&world.server);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		ask(&world, &asked[i], "dead.example");
		if (refuses)
			loop_run(world.loop);
	}
	if (!refuses)
		loop_run(world.loop);
	assert_int_equal(world.told, QUICK_PATIENCE);
	assert_int_equal(other.asked, 0);
	ask(&world, &asked[0], "live.example");
	loop_run(world.loop);
	assert_true(world.answered);
	assert_int_equal(other.asked, 1);
	server_close(&other);
	if (refuses)
		server_open(&world.server, world.loop); /* only to be closed */
	close_world(&world);
}

static void the_next_server_is_asked_when_one_says_nothing(void **state)
{
	(void)state;
	check_next_server(false);
}

static void the_next_server_is_asked_when_nobody_is_at_one(void **state)
{
	(void)state;
	check_next_server(true);
}

static void servers_are_addresses(void **state)
{
	static const char *const good[] = {"127.0.0.1", "127.0.0.1@5353", "2001:db8::1", "::1@53"};
	static const char *const bad[] = {"", "resolver.example", "127.0.0.1@x", "127.0.0.1:53"};
	struct loop *loop;
	struct quick *quick = NULL;
	(void)state;
	assert_ok(loop_new(&loop));
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct bytes text = bytes_from_cstr(good[i]);
		assert_ok(quick_new(loop, &text, 1, &quick));
		quick_free(&quick);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bytes text = bytes_from_cstr(bad[i]);
		assert_int_not_equal(quick_new(loop, &text, 1, &quick), ERR_OK);
	}
	loop_free(&loop);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_plain_and_whole_is_an_answer),
	cmocka_unit_test(a_port_serves_few_questions),
	cmocka_unit_test(nobody_there_is_told_at_once),
	cmocka_unit_test(the_next_server_is_asked_when_one_says_nothing),
	cmocka_unit_test(the_next_server_is_asked_when_nobody_is_at_one),
	cmocka_unit_test(servers_are_addresses),
};
UNIT_MAIN(tests)
