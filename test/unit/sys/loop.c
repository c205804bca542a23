/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "sys/clock.h"
#include "sys/loop.h"

struct seen {
	struct loop *loop;
	struct loop_timer *timer, *other;
	struct loop_io *io;
	struct loop_signal *signal;
	int fd;
	unsigned fired, events;
};

static struct loop *fresh_loop(void)
{
	struct loop *loop = NULL;
	assert_ok(loop_new(&loop));
	return loop;
}

static void stop(void *ctx)
{
	struct seen *seen = ctx;
	seen->fired++;
	loop_stop(seen->loop);
}

static void never(void *ctx)
{
	(void)ctx;
	fail_msg("fired");
}

static void a_timer_fires_once_after_its_time(void **state)
{
	struct seen seen = {.loop = fresh_loop()};
	(void)state;
	assert_ok(loop_timer_new(seen.loop, stop, &seen, &seen.timer));
	assert_false(loop_timer_running(seen.timer));
	int64_t begin = clock_monotonic_ms();
	loop_timer_set(seen.timer, 40);
	assert_true(loop_timer_running(seen.timer));
	loop_run(seen.loop);
	assert_true(clock_monotonic_ms() - begin >= 36); /* a tick of the clock less */
	assert_int_equal(seen.fired, 1);
	assert_false(loop_timer_running(seen.timer));
	loop_timer_free(&seen.timer);
	loop_free(&seen.loop);
}

static void a_timer_that_is_set_again_moves_and_a_stopped_one_is_silent(void **state)
{
	struct seen seen = {.loop = fresh_loop()};
	(void)state;
	assert_ok(loop_timer_new(seen.loop, never, &seen, &seen.other));
	assert_ok(loop_timer_new(seen.loop, stop, &seen, &seen.timer));
	loop_timer_set(seen.other, 5);
	loop_timer_set(seen.other, 100000);
	loop_timer_set(seen.timer, 30);
	loop_run(seen.loop);
	loop_timer_set(seen.other, 5);
	loop_timer_stop(seen.other);
	loop_timer_set(seen.timer, 30);
	loop_run(seen.loop);
	assert_int_equal(seen.fired, 2);
	loop_timer_free(&seen.timer);
	loop_timer_free(&seen.other);
	loop_free(&seen.loop);
}

static void again_until_three(void *ctx)
{
	struct seen *seen = ctx;
	if (++seen->fired == 3) {
		loop_timer_free(&seen->timer); /* itself */
		loop_stop(seen->loop);
	} else {
		loop_timer_set(seen->timer, 0);
	}
}

static void a_timer_may_set_and_free_itself(void **state)
{
	struct seen seen = {.loop = fresh_loop()};
	(void)state;
	assert_ok(loop_timer_new(seen.loop, again_until_three, &seen, &seen.timer));
	loop_timer_set(seen.timer, 0);
	loop_run(seen.loop);
	assert_int_equal(seen.fired, 3);
	assert_null(seen.timer);
	loop_free(&seen.loop);
}

static void ready(void *ctx, unsigned events)
{
	struct seen *seen = ctx;
	seen->events |= events;
	loop_stop(seen->loop);
}

static void only_what_is_wanted_is_told(void **state)
{
	struct seen seen = {.loop = fresh_loop()};
	int ends[2];
	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_ok(loop_io_new(seen.loop, ends[0], ready, &seen, &seen.io));
	assert_ok(loop_timer_new(seen.loop, stop, &seen, &seen.timer));
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_timer_set(seen.timer, 20);
	loop_run(seen.loop);
	assert_int_equal(seen.events, 0); /* nothing is wanted at first */
	loop_io_want(seen.io, LOOP_READ);
	loop_run(seen.loop);
	assert_int_equal(seen.events, LOOP_READ);
	loop_io_want(seen.io, 0);
	seen.events = 0;
	loop_timer_set(seen.timer, 20);
	loop_run(seen.loop);
	assert_int_equal(seen.events, 0);
	loop_io_free(&seen.io);
	assert_ok(loop_io_new(seen.loop, ends[1], ready, &seen, &seen.io));
	loop_io_want(seen.io, LOOP_WRITE);
	loop_run(seen.loop);
	assert_int_equal(seen.events, LOOP_WRITE);
	loop_io_free(&seen.io);
	loop_timer_free(&seen.timer);
	loop_free(&seen.loop);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void free_and_close(void *ctx, unsigned events)
{
	struct seen *seen = ctx;
	(void)events;
	seen->fired++;
	loop_io_free(&seen->io);
	(void)close(seen->fd);
}

/* As a listener that a process gives up while others go on with it: its readiness must not wake us any more. */
static void a_freed_descriptor_that_is_open_elsewhere_is_silent(void **state)
{
	struct seen seen = {.loop = fresh_loop()};
	int ends[2];
	(void)state;
	assert_int_equal(pipe(ends), 0);
	int elsewhere = dup(ends[0]);
	seen.fd = ends[0];
	assert_ok(loop_io_new(seen.loop, ends[0], free_and_close, &seen, &seen.io));
	assert_ok(loop_timer_new(seen.loop, stop, &seen, &seen.timer));
	loop_io_want(seen.io, LOOP_READ);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_timer_set(seen.timer, 300);
	uint64_t begin = clock_cpu_usec();
	loop_run(seen.loop);
	assert_int_equal(seen.fired, 2);
	assert_true(clock_cpu_usec() - begin <
		    20000); /* a busy machine may leave little of the 300 ms even to a loop gone wild */
	loop_timer_free(&seen.timer);
	loop_free(&seen.loop);
	(void)close(elsewhere);
	(void)close(ends[1]);
}

static void signals_come_as_call_backs(void **state)
{
	struct seen seen = {.loop = fresh_loop()};
	(void)state;
	assert_ok(loop_signal_new(seen.loop, SIGUSR1, stop, &seen, &seen.signal));
	assert_int_equal(raise(SIGUSR1), 0);
	loop_run(seen.loop);
	assert_int_equal(seen.fired, 1);
	loop_signal_free(&seen.signal);
	loop_free(&seen.loop);
}

static void freeing_nothing_is_fine(void **state)
{
	struct seen none = {0};
	(void)state;
	loop_timer_free(&none.timer);
	loop_io_free(&none.io);
	loop_signal_free(&none.signal);
	loop_free(&none.loop);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_timer_fires_once_after_its_time),
	cmocka_unit_test(a_timer_that_is_set_again_moves_and_a_stopped_one_is_silent),
	cmocka_unit_test(a_timer_may_set_and_free_itself),
	cmocka_unit_test(only_what_is_wanted_is_told),
	cmocka_unit_test(a_freed_descriptor_that_is_open_elsewhere_is_silent),
	cmocka_unit_test(signals_come_as_call_backs),
	cmocka_unit_test(freeing_nothing_is_fine),
};
UNIT_MAIN(tests)
