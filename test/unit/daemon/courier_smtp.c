/* SPDX-License-Identifier: Apache-2.0 */
/* The courier's word with the next hop: a server on the same loop that answers as a table says. */
#include "daemon/courier_smtp.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/net.h"
#include "sys/stream.h"
#include "unit.h"

#include "base/banned.h"

#define SILENCE ((const char *)0)
#define CLOSES  "" /* the connection */
#define FLOODS  "flood"
#define ENDLESS "endless" /* a reply of lines that none ends */
#define DRIP_MS 20

enum { GREETING, EHLO, MAIL, RCPT, DATA, BODY, STAGES };

/* What the server says in each stage. */
struct script {
	const char *says[STAGES];
	bool in_pieces; /* each reply a byte at a time */
};

struct world {
	struct loop *loop;
	const struct script *script;
	struct net_address address;
	int listener;
	struct loop_io *accepts;
	struct stream *server;
	struct loop_timer *patience, *drip;
	struct buf got;       /* by the server, commands and message */
	size_t stage, parsed; /* what it answers next; of `got` it has answered so much */
	struct bytes dripping;
	struct courier_delivery *delivery;
	unsigned told;
	enum courier_outcome outcome;
	char words[400];
	bool late;
};

/* -- The server ---- */

static void say(struct world *world)
{
	const char *reply = world->stage < STAGES ? world->script->says[world->stage] : CLOSES;
	world->stage++;
	if (!reply)
		return;
	if (strcmp(reply, FLOODS) == 0 || strcmp(reply, ENDLESS) == 0) {
		bool lines = strcmp(reply, ENDLESS) == 0;
		for (size_t i = 0; i < 5000; i++)
			stream_write(world->server, lines ? BYTES_LIT("250-more\r\n") : BYTES_LIT("250 more, and"));
		return;
	}
	if (!reply[0]) {
		stream_finish(world->server);
		return;
	}
	if (world->script->in_pieces) {
		world->dripping = bytes_from_cstr(reply);
		loop_timer_set(world->drip, 0);
		return;
	}
	stream_write(world->server, bytes_from_cstr(reply));
}

static void drip(void *ctx)
{
	struct world *world = ctx;
	if (!world->server || world->dripping.len == 0)
		return;
	stream_write(world->server, bytes_sub(world->dripping, 0, 1));
	world->dripping = bytes_from(world->dripping, 1);
	loop_timer_set(world->drip, 0);
}

static void server_data(void *ctx, struct bytes data)
{
	struct world *world = ctx;
	buf_add(&world->got, data);
	for (;;) {
		struct bytes rest = bytes_from(buf_bytes(&world->got), world->parsed);
		struct bytes stop = world->stage == BODY ? BYTES_LIT("\r\n.\r\n") : BYTES_LIT("\r\n");
		size_t at = bytes_find(rest, stop);
		if (at == BYTES_NONE)
			return;
		world->parsed += at + stop.len;
		say(world);
	}
}

static void server_closed(void *ctx, enum err why)
{
	struct world *world = ctx;
	(void)why;
	stream_free(&world->server);
}

static void on_accept(void *ctx, unsigned events)
{
	static const struct stream_ops ops = {.data = server_data, .closed = server_closed};
	struct world *world = ctx;
	struct net_address peer;
	int fd;
	(void)events;
	if (net_accept(world->listener, &fd, &peer) != ERR_OK)
		return;
	assert_ok(stream_new(world->loop, fd, true, &ops, world, &world->server));
	say(world);
}

/* -- The client ---- */

static void on_done(void *ctx, enum courier_outcome outcome, struct bytes words)
{
	struct world *world = ctx;
	world->told++;
	world->outcome = outcome;
	(void)snprintf(world->words, sizeof(world->words), "%.*s", BYTES_FMT(words));
	loop_timer_set(world->patience, DRIP_MS); /* what the server still reads, and a second call, if there is one */
}

static void give_up(void *ctx)
{
	struct world *world = ctx;
	world->late = world->told == 0;
	loop_stop(world->loop);
}

static void world_begin(struct world *world, const struct script *script)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *bound = (struct sockaddr *)&world->address.storage;
	*world = (struct world){.script = script, .address.len = sizeof(world->address.storage)};
	buf_init(&world->got, (size_t)4 << 20);
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(world->listener >= 0);
	assert_int_equal(bind(world->listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(world->listener, 1), 0);
	assert_int_equal(getsockname(world->listener, bound, &world->address.len), 0);
	assert_ok(loop_new(&world->loop));
	assert_ok(loop_io_new(world->loop, world->listener, on_accept, world, &world->accepts));
	loop_io_want(world->accepts, LOOP_READ);
	assert_ok(loop_timer_new(world->loop, give_up, world, &world->patience));
	assert_ok(loop_timer_new(world->loop, drip, world, &world->drip));
}

static void world_end(struct world *world)
{
	stream_free(&world->server);
	loop_io_free(&world->accepts);
	(void)close(world->listener);
	loop_timer_free(&world->patience);
	loop_timer_free(&world->drip);
	loop_free(&world->loop);
	buf_done(&world->got);
}

static const struct courier_letter letter = {.helo = BYTES_INIT("mx.example.org"),
					     .from = BYTES_INIT("reports@example.org"),
					     .to = BYTES_INIT("rua@sender.example"),
					     .message = BYTES_INIT("Subject: x\r\n\r\n.dot\r\nend\r\n"),
					     .timeout_ms = 30000};

static void deliver(struct world *world, const struct courier_letter *its)
{
	loop_timer_set(world->patience, 60000);
	assert_ok(courier_deliver(world->loop, &world->address, its, on_done, world, &world->delivery));
	assert_int_equal(world->told, 0); /* from the loop only */
	loop_run(world->loop);
	assert_false(world->late);
	assert_int_equal(world->told, 1);
}

#define GOOD                                                                                                           \
	{                                                                                                              \
		"220 mx ESMTP\r\n", "250-mx\r\n250 HELP\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n",             \
			"250 2.0.0 queued as 7\r\n"                                                                    \
	}

/* -- Cases ---- */

static void a_letter_is_said_in_order_and_its_dots_are_stuffed(void **state)
{
	static const struct script script = {.says = GOOD};
	struct world world;
	(void)state;
	world_begin(&world, &script);
	deliver(&world, &letter);
	assert_int_equal(world.outcome, COURIER_TAKEN);
	assert_string_equal(world.words, "queued as 7");
	assert_bytes_str(buf_bytes(&world.got), "EHLO mx.example.org\r\n"
						"MAIL FROM:<reports@example.org>\r\n"
						"RCPT TO:<rua@sender.example>\r\n"
						"DATA\r\n"
						"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"
						"QUIT\r\n");
	world_end(&world);
}

/* Good until that stage, where the server says something else; nothing is offered in the clear that wants TLS. */
static void each_answer_decides_what_becomes_of_the_letter(void **state)
{
	static const struct {
		int stage;
		const char *reply;
		enum courier_outcome outcome;
		const char *words;
	} cases[] = {
		{GREETING, "220-mx one\r\n220-two\r\n220 three\r\n", COURIER_TAKEN, "queued as 7"},
		{GREETING, "421 4.3.2 later\r\n", COURIER_PUT_OFF, "later"},
		{GREETING, "554 5.7.1 go away\r\n", COURIER_PUT_OFF, "go away"},
		{GREETING, "HTTP/1.1 400 Bad Request\r\n", COURIER_PUT_OFF, "the next hop does not speak SMTP"},
		{GREETING, "220\r\n", COURIER_TAKEN, "queued as 7"},
		{EHLO, "250-mx\r\n250-SIZE\r\n250-STARTTLS\r\n250-8BITMIME\r\n250 DSN\r\n", COURIER_TAKEN,
		 "queued as 7"},
		{EHLO, "250 mx\r\n", COURIER_TAKEN, "queued as 7"},
		{EHLO, "250-mx\r\n250-SIZE 100000\r\n250 HELP\r\n", COURIER_TAKEN, "queued as 7"},
		{EHLO, "250-mx\r\n250 SIZE 25\r\n", COURIER_REFUSED, "the next hop does not take so large a message"},
		{EHLO, "250-mx\r\n250 SIZE 0\r\n", COURIER_TAKEN, "queued as 7"},
		{EHLO, "250-mx\r\n250 SIZE many\r\n", COURIER_TAKEN, "queued as 7"},
		{EHLO, "502 no EHLO\r\n", COURIER_PUT_OFF, "no EHLO"},
		{EHLO, "421 too busy\r\n", COURIER_PUT_OFF, "too busy"},
		{EHLO, "250-mx\r\n550 another code\r\n", COURIER_PUT_OFF, "the next hop does not speak SMTP"},
		{MAIL, "451 4.3.0 not now\r\n", COURIER_PUT_OFF, "not now"},
		{MAIL, "452-4.3.1 full\r\n452 4.3.1 really\r\n", COURIER_PUT_OFF, "full\nreally"},
		{MAIL, "530 5.7.0 Must issue a STARTTLS command first\r\n", COURIER_REFUSED,
		 "Must issue a STARTTLS command first"},
		{MAIL, "552 5.3.4 too large\r\n", COURIER_REFUSED, "too large"},
		{RCPT, "450 4.2.1 greylisted\r\n", COURIER_PUT_OFF, "greylisted"},
		{RCPT, "550-5.1.1 no such\r\n550 5.1.1 user\r\n", COURIER_REFUSED, "no such\nuser"},
		{RCPT, "251 will forward\r\n", COURIER_TAKEN, "queued as 7"},
		{DATA, "451 4.3.0 no\r\n", COURIER_PUT_OFF, "no"},
		{DATA, "554 5.5.1 no valid recipients\r\n", COURIER_REFUSED, "no valid recipients"},
		{DATA, "250 what?\r\n", COURIER_PUT_OFF, "what?"},
		{BODY, "451 4.7.1 try later\r\n", COURIER_PUT_OFF, "try later"},
		{BODY, "554-5.7.1 spam\r\n554 5.7.1 sure\r\n", COURIER_REFUSED, "spam\nsure"},
		{BODY, "354 again?\r\n", COURIER_PUT_OFF, "again?"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int pieces = 0; pieces < 2; pieces++) {
			struct script script = {.says = GOOD, .in_pieces = pieces == 1};
			struct world world;
			script.says[cases[i].stage] = cases[i].reply;
			world_begin(&world, &script);
			deliver(&world, &letter);
			if (world.outcome != cases[i].outcome || strcmp(world.words, cases[i].words) != 0)
				fail_msg("stage %d, %s: outcome %d, \"%s\"", cases[i].stage, cases[i].reply,
					 (int)world.outcome, world.words);
			bool sent = bytes_find(buf_bytes(&world.got), BYTES_LIT("\r\nSubject: x")) != BYTES_NONE;
			assert_int_equal(sent, cases[i].outcome == COURIER_TAKEN || cases[i].stage == BODY);
			assert_true(bytes_find(buf_bytes(&world.got), BYTES_LIT("STARTTLS")) == BYTES_NONE);
			world_end(&world);
		}
	}
}

/* RFC 1870: a server that names SIZE is told it: all that goes over the line but the last dot. */
static void size_is_said_where_it_is_understood(void **state)
{
	static const char *const ehlo[] = {"250-mx\r\n250-SIZE\r\n250 HELP\r\n", "250-mx\r\n250 SIZE 26\r\n"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ehlo); i++) {
		struct script script = {.says = GOOD};
		struct world world;
		script.says[EHLO] = ehlo[i];
		world_begin(&world, &script);
		deliver(&world, &letter);
		assert_int_equal(world.outcome, COURIER_TAKEN);
		assert_true(bytes_find(buf_bytes(&world.got),
				       BYTES_LIT("MAIL FROM:<reports@example.org> SIZE=26\r\n")) != BYTES_NONE);
		world_end(&world);
	}
}

static void a_server_that_goes_or_floods_puts_the_letter_off(void **state)
{
	static const struct {
		const char *how, *words;
	} cases[] = {{CLOSES, "the next hop closed the connection"},
		     {FLOODS, "the next hop does not speak SMTP"},
		     {ENDLESS, "the next hop does not speak SMTP"}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int stage = GREETING; stage < STAGES; stage++) {
			struct script script = {.says = GOOD};
			struct world world;
			script.says[stage] = cases[i].how;
			world_begin(&world, &script);
			deliver(&world, &letter);
			if (world.outcome != COURIER_PUT_OFF)
				fail_msg("%s in stage %d: %d, %s", cases[i].how, stage, (int)world.outcome,
					 world.words);
			if (stage > GREETING || i > 0)
				assert_string_equal(world.words, cases[i].words);
			world_end(&world);
		}
	}
}

static void a_silent_server_is_waited_for_only_so_long(void **state)
{
	(void)state;
	for (int stage = GREETING; stage < STAGES; stage++) {
		struct script script = {.says = GOOD};
		struct courier_letter its = letter;
		struct world world;
		int64_t began = clock_monotonic_ms();
		script.says[stage] = SILENCE;
		its.timeout_ms = 60;
		world_begin(&world, &script);
		deliver(&world, &its);
		assert_int_equal(world.outcome, COURIER_PUT_OFF);
		assert_string_equal(world.words, "the next hop does not answer");
		assert_true(clock_monotonic_ms() - began >= 50);
		world_end(&world);
	}
}

static void where_nobody_listens_the_letter_is_put_off(void **state)
{
	static const struct script script = {.says = GOOD};
	struct world world;
	(void)state;
	world_begin(&world, &script);
	loop_io_free(&world.accepts);
	(void)close(world.listener);
	world.listener = -1;
	deliver(&world, &letter);
	assert_int_equal(world.outcome, COURIER_PUT_OFF);
	assert_string_equal(world.words, "nobody takes mail there");
	world_end(&world);
}

static void long_words_are_cut(void **state)
{
	char reply[1000] = "550 5.7.1 ";
	struct script script = {.says = GOOD};
	struct world world;
	(void)state;
	memset(reply + 10, 'x', 900);
	memcpy(reply + 910, "\r\n", 3);
	script.says[RCPT] = reply;
	world_begin(&world, &script);
	deliver(&world, &letter);
	assert_int_equal(world.outcome, COURIER_REFUSED);
	assert_int_equal(strlen(world.words), 300);
	world_end(&world);
}

static void a_large_message_goes_out_whole(void **state)
{
	static const struct script script = {.says = GOOD};
	struct courier_letter its = letter;
	struct world world;
	CLEANUP(buf_done) struct buf message = BUF_INIT((size_t)4 << 20);
	(void)state;
	for (size_t i = 0; i < 40000; i++)
		buf_printf(&message, "line %zu of a message that does not fit into a socket\r\n", i);
	its.message = buf_bytes(&message);
	world_begin(&world, &script);
	deliver(&world, &its);
	assert_int_equal(world.outcome, COURIER_TAKEN);
	size_t at = bytes_find(buf_bytes(&world.got), BYTES_LIT("line 0 of"));
	assert_bytes(bytes_sub(buf_bytes(&world.got), at, message.len), buf_bytes(&message));
	world_end(&world);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_letter_is_said_in_order_and_its_dots_are_stuffed),
	cmocka_unit_test(each_answer_decides_what_becomes_of_the_letter),
	cmocka_unit_test(size_is_said_where_it_is_understood),
	cmocka_unit_test(a_server_that_goes_or_floods_puts_the_letter_off),
	cmocka_unit_test(a_silent_server_is_waited_for_only_so_long),
	cmocka_unit_test(where_nobody_listens_the_letter_is_put_off),
	cmocka_unit_test(long_words_are_cut),
	cmocka_unit_test(a_large_message_goes_out_whole),
};
UNIT_MAIN(tests)
