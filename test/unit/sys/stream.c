/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/net.h"
#include "sys/stream.h"

/* A stream, and its peer as a bare socket that `step` moves on with every few milliseconds. */
struct side {
	struct loop *loop;
	struct stream *stream;
	struct loop_timer *ticker, *patience;
	int peer;
	struct buf got;   /* by the stream */
	size_t peer_read; /* bytes that the peer took */
	void (*step)(struct side *side);
	unsigned steps;
	bool free_in_data, free_in_closed;
	unsigned closed, drained, ended, connected;
	enum err why;
	int64_t began;
};

static void on_data(void *ctx, struct bytes data)
{
	struct side *side = ctx;
	buf_add(&side->got, data);
	if (side->free_in_data) {
		stream_free(&side->stream);
		loop_stop(side->loop);
	}
}

static void on_closed(void *ctx, enum err why)
{
	struct side *side = ctx;
	side->closed++;
	side->why = why;
	if (side->free_in_closed)
		stream_free(&side->stream);
	loop_stop(side->loop);
}

static void on_connected(void *ctx)
{
	((struct side *)ctx)->connected++;
}

static void on_drained(void *ctx)
{
	((struct side *)ctx)->drained++;
}

static void on_ended(void *ctx)
{
	struct side *side = ctx;
	side->ended++;
	stream_write(side->stream, BYTES_LIT("answer"));
	stream_finish(side->stream);
}

static const struct stream_ops plain_ops = {.data = on_data, .closed = on_closed, .connected = on_connected};
static const struct stream_ops full_ops = {
	.data = on_data, .closed = on_closed, .connected = on_connected, .drained = on_drained, .ended = on_ended};

static void tick(void *ctx)
{
	struct side *side = ctx;
	side->steps++;
	if (side->step)
		side->step(side);
	loop_timer_set(side->ticker, 2);
}

static void out_of_patience(void *ctx)
{
	loop_stop(((struct side *)ctx)->loop);
}

static void begin(struct side *side, const struct stream_ops *ops)
{
	int ends[2];
	*side = (struct side){.got = BUF_INIT((size_t)1 << 24), .began = clock_monotonic_ms(), .why = ERR_INTERNAL};
	assert_ok(loop_new(&side->loop));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_ok(stream_new(side->loop, ends[0], false, ops, side, &side->stream));
	assert_ok(loop_timer_new(side->loop, tick, side, &side->ticker));
	assert_ok(loop_timer_new(side->loop, out_of_patience, side, &side->patience));
	side->peer = ends[1];
}

static void run(struct side *side, int64_t patience_ms)
{
	loop_timer_set(side->ticker, 0);
	loop_timer_set(side->patience, patience_ms);
	loop_run(side->loop);
}

static void done(struct side *side)
{
	stream_free(&side->stream);
	loop_timer_free(&side->ticker);
	loop_timer_free(&side->patience);
	loop_free(&side->loop);
	buf_done(&side->got);
	if (side->peer >= 0)
		(void)close(side->peer);
}

static void close_peer(struct side *side)
{
	if (side->peer >= 0)
		(void)close(side->peer);
	side->peer = -1;
}

static void send_a_byte(struct side *side)
{
	static const char text[] = "short reads";
	if (side->steps <= sizeof(text) - 1)
		assert_int_equal(send(side->peer, text + side->steps - 1, 1, 0), 1);
	else
		close_peer(side);
}

static void bytes_are_handed_on_as_they_come(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	side.step = send_a_byte;
	side.free_in_closed = true;
	run(&side, 5000);
	assert_bytes_str(buf_bytes(&side.got), "short reads");
	assert_int_equal(side.closed, 1);
	assert_int_equal(side.why, ERR_CLOSED);
	assert_null(side.stream);
	done(&side);
}

static void read_some(struct side *side)
{
	static char piece[300000];
	ssize_t n = recv(side->peer, piece, sizeof(piece), 0);
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal((uint8_t)piece[i], (uint8_t)((side->peer_read + (size_t)i) % 251));
	if (n > 0)
		side->peer_read += (size_t)n;
}

static uint8_t pattern[(size_t)4 << 20];

static void fill_pattern(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i % 251);
}

static void what_a_slow_peer_takes_late_is_whole_and_the_end_waits_for_it(void **state)
{
	struct side side;
	(void)state;
	fill_pattern();
	begin(&side, &full_ops);
	side.step = read_some;
	stream_write(side.stream, bytes_make(pattern, sizeof(pattern)));
	assert_true(stream_unwritten(side.stream) > 0);
	stream_finish(side.stream);
	run(&side, 10000);
	assert_int_equal(side.closed, 1);
	assert_int_equal(side.why, ERR_OK);
	while (side.peer_read < sizeof(pattern)) {
		size_t before = side.peer_read;
		read_some(&side);
		assert_true(side.peer_read > before);
	}
	done(&side);
}

static void stop_when_drained(struct side *side)
{
	read_some(side);
	if (side->drained > 0)
		loop_stop(side->loop);
}

static void many_small_writes_come_in_order_and_drained_is_told(void **state)
{
	struct side side;
	(void)state;
	fill_pattern();
	begin(&side, &full_ops);
	side.step = stop_when_drained;
	for (size_t at = 0; at < 1000 * 2510; at += 2510)
		stream_write(side.stream, bytes_make(pattern, 2510)); /* 2510 is a multiple of 251 */
	stream_more(side.stream);
	run(&side, 10000);
	while (recv(side.peer, pattern, 1, MSG_PEEK) == 1)
		read_some(&side);
	assert_int_equal(side.peer_read, 1000 * 2510);
	assert_int_equal(stream_unwritten(side.stream), 0);
	assert_int_equal(side.drained, 1);
	assert_int_equal(side.closed, 0);
	done(&side);
}

static void who_has_more_is_told_even_when_nothing_waits(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &full_ops);
	side.step = stop_when_drained;
	stream_write(side.stream, BYTES_LIT("\0")); /* the first byte of the pattern */
	assert_int_equal(stream_unwritten(side.stream), 0);
	stream_more(side.stream);
	assert_int_equal(side.drained, 0);
	run(&side, 10000);
	assert_int_equal(side.drained, 1);
	done(&side);
}

static void corked_writes_go_out_together(void **state)
{
	struct side side;
	char text[16] = {0};
	(void)state;
	begin(&side, &plain_ops);
	stream_cork(side.stream);
	stream_write(side.stream, BYTES_LIT("one"));
	stream_cork(side.stream);
	stream_write(side.stream, BYTES_LIT("two"));
	stream_uncork(side.stream);
	assert_int_equal(recv(side.peer, text, sizeof(text), 0), -1);
	assert_int_equal(errno, EAGAIN);
	stream_uncork(side.stream);
	assert_int_equal(recv(side.peer, text, sizeof(text), 0), 6);
	assert_string_equal(text, "onetwo");
	done(&side);
}

static void an_idle_stream_times_out_and_says_so(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	stream_timeout(side.stream, 60);
	run(&side, 5000);
	assert_int_equal(side.why, ERR_TIMEOUT);
	assert_true(clock_monotonic_ms() - side.began >= 56);
	done(&side);
}

static void drip(struct side *side)
{
	if (clock_monotonic_ms() - side->began < 600)
		(void)send(side->peer, "x", 1, MSG_NOSIGNAL);
}

static void traffic_puts_the_idle_time_out_off(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	side.step = drip;
	stream_timeout(side.stream, 200);
	run(&side, 5000);
	assert_int_equal(side.why, ERR_TIMEOUT);
	assert_true(clock_monotonic_ms() - side.began >= 780);
	done(&side);
}

static void no_traffic_puts_a_deadline_off(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	side.step = drip;
	stream_timeout(side.stream, 200);
	stream_deadline(side.stream, 100);
	run(&side, 5000);
	assert_int_equal(side.why, ERR_TIMEOUT);
	int64_t took = clock_monotonic_ms() - side.began;
	assert_true(took >= 96 && took < 600);
	done(&side);
}

static void a_deadline_can_be_lifted(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	stream_deadline(side.stream, 30);
	stream_deadline(side.stream, 0);
	run(&side, 120);
	assert_int_equal(side.closed, 0);
	done(&side);
}

static void an_end_that_is_on_its_way_is_not_put_off_by_a_time_out(void **state)
{
	struct side side;
	(void)state;
	for (int64_t ms = 0; ms <= 60000; ms += 60000) {
		begin(&side, &plain_ops);
		stream_finish(side.stream);
		stream_timeout(side.stream, ms);
		assert_int_equal(side.closed, 0); /* never from inside a call of the owner */
		run(&side, 1000);
		assert_int_equal(side.closed, 1);
		assert_int_equal(side.why, ERR_OK);
		done(&side);
	}
}

static void send_once(struct side *side)
{
	if (side->steps == 1)
		assert_int_equal(send(side->peer, "later", 5, 0), 5);
	if (side->steps == 20) {
		assert_int_equal(side->got.len, 0);
		stream_pause(side->stream, false);
	}
	if (side->steps == 40)
		loop_stop(side->loop);
}

static void a_paused_stream_reads_nothing_until_it_goes_on(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	stream_pause(side.stream, true);
	side.step = send_once;
	run(&side, 5000);
	assert_bytes_str(buf_bytes(&side.got), "later");
	done(&side);
}

static void ask_once_then_read(struct side *side)
{
	static uint8_t buffer[65536];
	ssize_t n;
	if (side->steps == 1)
		assert_int_equal(send(side->peer, "later", 5, 0), 5);
	if (side->steps < 20)
		return;
	if (side->steps == 20)
		assert_int_equal(side->got.len, 0);
	while ((n = recv(side->peer, buffer, sizeof(buffer), 0)) > 0)
		side->peer_read += (size_t)n;
	if (side->got.len > 0)
		loop_stop(side->loop);
}

static void a_peer_that_does_not_read_its_answers_is_not_read_from(void **state)
{
	struct side side;
	size_t sent = 0;
	(void)state;
	begin(&side, &plain_ops);
	for (; stream_unwritten(side.stream) <= STREAM_UNREAD_MAX; sent += sizeof(pattern))
		stream_write(side.stream, bytes_make(pattern, sizeof(pattern)));
	side.step = ask_once_then_read;
	run(&side, 5000);
	assert_bytes_str(buf_bytes(&side.got), "later");
	assert_true(side.peer_read > sent - STREAM_UNREAD_MAX);
	done(&side);
}

static void half_close(struct side *side)
{
	if (side->steps != 1)
		return;
	assert_int_equal(send(side->peer, "question", 8, 0), 8);
	assert_int_equal(shutdown(side->peer, SHUT_WR), 0);
}

static void a_peer_that_ended_its_side_still_gets_its_answer(void **state)
{
	struct side side;
	char text[16] = {0};
	(void)state;
	begin(&side, &full_ops);
	side.step = half_close;
	run(&side, 5000);
	assert_int_equal(side.ended, 1);
	assert_int_equal(side.why, ERR_OK);
	assert_bytes_str(buf_bytes(&side.got), "question");
	assert_int_equal(recv(side.peer, text, sizeof(text), 0), 6);
	assert_string_equal(text, "answer");
	done(&side);
}

static void without_a_call_back_for_it_that_is_the_end(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	side.step = half_close;
	run(&side, 5000);
	assert_int_equal(side.why, ERR_CLOSED);
	done(&side);
}

static void an_owner_may_free_it_in_a_call_back(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	side.step = half_close;
	side.free_in_data = true;
	run(&side, 5000);
	assert_null(side.stream);
	assert_int_equal(side.closed, 0);
	done(&side);
}

static void writing_to_a_peer_that_is_gone_ends_it_from_the_loop(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	close_peer(&side);
	stream_write(side.stream, BYTES_LIT("x"));
	assert_int_equal(side.closed, 0);
	run(&side, 5000);
	assert_int_equal(side.closed, 1);
	assert_int_equal(side.why, ERR_CLOSED);
	stream_write(side.stream, BYTES_LIT("dropped"));
	assert_int_equal(stream_unwritten(side.stream), 1);
	done(&side);
}

static void a_peer_that_never_reads_meets_the_bound(void **state)
{
	struct side side;
	(void)state;
	begin(&side, &plain_ops);
	for (size_t sent = 0; sent <= STREAM_WRITE_MAX + 2 * sizeof(pattern); sent += sizeof(pattern))
		stream_write(side.stream, bytes_make(pattern, sizeof(pattern)));
	assert_true(stream_unwritten(side.stream) <= STREAM_WRITE_MAX);
	run(&side, 5000);
	assert_int_equal(side.why, ERR_LIMIT);
	done(&side);
}

/* A listener on a free port of the loopback. */
static int listen_somewhere(struct net_address *ret_address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 5), 0);
	*ret_address = (struct net_address){.len = sizeof(ret_address->storage)};
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ret_address->storage, &ret_address->len), 0);
	return fd;
}

static void connect_to(struct side *side, const struct net_address *address)
{
	int fd;
	begin(side, &plain_ops);
	stream_free(&side->stream);
	assert_ok(net_connect(address, &fd));
	assert_ok(stream_new_connecting(side->loop, fd, true, &plain_ops, side, &side->stream));
}

static void what_was_written_before_the_connection_stands_is_sent_then(void **state)
{
	struct side side;
	struct net_address address;
	char text[8] = {0};
	(void)state;
	int listener = listen_somewhere(&address);
	connect_to(&side, &address);
	stream_write(side.stream, BYTES_LIT("early"));
	stream_finish(side.stream);
	run(&side, 5000);
	assert_int_equal(side.connected, 1);
	assert_int_equal(side.why, ERR_OK);
	int fd = accept(listener, NULL, NULL);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 5);
	assert_string_equal(text, "early");
	(void)close(fd);
	(void)close(listener);
	done(&side);
}

static void a_connection_that_is_refused_is_an_io_error(void **state)
{
	struct side side;
	struct net_address address;
	(void)state;
	(void)close(listen_somewhere(&address));
	connect_to(&side, &address);
	run(&side, 5000);
	assert_int_equal(side.connected, 0);
	assert_int_equal(side.why, ERR_IO);
	done(&side);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(bytes_are_handed_on_as_they_come),
	cmocka_unit_test(what_a_slow_peer_takes_late_is_whole_and_the_end_waits_for_it),
	cmocka_unit_test(many_small_writes_come_in_order_and_drained_is_told),
	cmocka_unit_test(who_has_more_is_told_even_when_nothing_waits),
	cmocka_unit_test(corked_writes_go_out_together),
	cmocka_unit_test(an_idle_stream_times_out_and_says_so),
	cmocka_unit_test(traffic_puts_the_idle_time_out_off),
	cmocka_unit_test(no_traffic_puts_a_deadline_off),
	cmocka_unit_test(a_deadline_can_be_lifted),
	cmocka_unit_test(an_end_that_is_on_its_way_is_not_put_off_by_a_time_out),
	cmocka_unit_test(a_paused_stream_reads_nothing_until_it_goes_on),
	cmocka_unit_test(a_peer_that_does_not_read_its_answers_is_not_read_from),
	cmocka_unit_test(a_peer_that_ended_its_side_still_gets_its_answer),
	cmocka_unit_test(without_a_call_back_for_it_that_is_the_end),
	cmocka_unit_test(an_owner_may_free_it_in_a_call_back),
	cmocka_unit_test(writing_to_a_peer_that_is_gone_ends_it_from_the_loop),
	cmocka_unit_test(a_peer_that_never_reads_meets_the_bound),
	cmocka_unit_test(what_was_written_before_the_connection_stands_is_sent_then),
	cmocka_unit_test(a_connection_that_is_refused_is_an_io_error),
};
UNIT_MAIN(tests)
