/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/loop.h"

#include <event2/event.h>
#include <time.h>

#include "base/mem.h"

#include "base/banned.h"

struct loop {
	struct event_base *base;
};

struct loop_io {
	struct event *read, *write;
	unsigned wanted;
	void (*ready)(void *ctx, unsigned events);
	void *ctx;
};

struct loop_timer {
	struct event *event;
	bool running;
	void (*fire)(void *ctx);
	void *ctx;
};

struct loop_signal {
	struct event *event;
	void (*fire)(void *ctx);
	void *ctx;
};

enum err loop_new(struct loop **ret_loop)
{
	struct loop *loop = mem_new(struct loop, 1);
	struct event_config *config = loop ? event_config_new() : NULL;
	if (config) {
		/*
		 * No changelist: it would tell the kernel of an end of interest in the next turn only, when the
		 * descriptor may be closed here and still be open in another process (a listener); then the kernel goes
		 * on waking us, and nothing can stop it.
		 */
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		loop->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!loop || !loop->base) {
		mem_free(loop);
		return ERR_NOMEM;
	}
	*ret_loop = loop;
	return ERR_OK;
}

void loop_free(struct loop **loop)
{
	if (!*loop)
		return;
	event_base_free((*loop)->base);
	mem_free(*loop);
	*loop = NULL;
}

void loop_run(struct loop *loop)
{
	(void)event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *loop)
{
	(void)event_base_loopbreak(loop->base);
}

int64_t loop_now_ms(struct loop *loop)
{
	struct timespec now;
	(void)loop;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	(void)fd;
	io->ready(io->ctx, what & EV_READ ? LOOP_READ : LOOP_WRITE);
}

enum err loop_io_new(struct loop *loop, int fd, void (*ready)(void *ctx, unsigned events), void *ctx,
		     struct loop_io **ret_io)
{
	struct loop_io *io = mem_new(struct loop_io, 1);
	if (!io)
		return ERR_NOMEM;
	*io = (struct loop_io){.ready = ready, .ctx = ctx};
	io->read = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_io, io);
	io->write = event_new(loop->base, fd, EV_WRITE | EV_PERSIST, on_io, io);
	if (!io->read || !io->write) {
		loop_io_free(&io);
		return ERR_NOMEM;
	}
	*ret_io = io;
	return ERR_OK;
}

static void toggle(struct event *event, bool had, bool wants)
{
	if (wants && !had)
		(void)event_add(event, NULL);
	else if (had && !wants)
		(void)event_del(event);
}

void loop_io_want(struct loop_io *io, unsigned events)
{
	toggle(io->read, io->wanted & LOOP_READ, events & LOOP_READ);
	toggle(io->write, io->wanted & LOOP_WRITE, events & LOOP_WRITE);
	io->wanted = events;
}

void loop_io_free(struct loop_io **io)
{
	if (!*io)
		return;
	if ((*io)->read)
		event_free((*io)->read);
	if ((*io)->write)
		event_free((*io)->write);
	mem_free(*io);
	*io = NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;
	(void)fd;
	(void)what;
	timer->running = false;
	timer->fire(timer->ctx);
}

enum err loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx, struct loop_timer **ret_timer)
{
	struct loop_timer *timer = mem_new(struct loop_timer, 1);
	if (!timer)
		return ERR_NOMEM;
	*timer = (struct loop_timer){.fire = fire, .ctx = ctx};
	timer->event = event_new(loop->base, -1, 0, on_timer, timer);
	if (!timer->event) {
		mem_free(timer);
		return ERR_NOMEM;
	}
	*ret_timer = timer;
	return ERR_OK;
}

void loop_timer_set(struct loop_timer *timer, int64_t ms)
{
	struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
	timer->running = event_add(timer->event, &after) == 0;
}

void loop_timer_stop(struct loop_timer *timer)
{
	(void)event_del(timer->event);
	timer->running = false;
}

bool loop_timer_running(const struct loop_timer *timer)
{
	return timer->running;
}

void loop_timer_free(struct loop_timer **timer)
{
	if (!*timer)
		return;
	event_free((*timer)->event);
	mem_free(*timer);
	*timer = NULL;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *signal = arg;
	(void)fd;
	(void)what;
	signal->fire(signal->ctx);
}

enum err loop_signal_new(struct loop *loop, int signal_number, void (*fire)(void *ctx), void *ctx,
			 struct loop_signal **ret_signal)
{
	struct loop_signal *signal = mem_new(struct loop_signal, 1);
	if (!signal)
		return ERR_NOMEM;
	*signal = (struct loop_signal){.fire = fire, .ctx = ctx};
	signal->event = event_new(loop->base, signal_number, EV_SIGNAL | EV_PERSIST, on_signal, signal);
	if (!signal->event || event_add(signal->event, NULL) != 0) {
		loop_signal_free(&signal);
		return ERR_NOMEM;
	}
	*ret_signal = signal;
	return ERR_OK;
}

void loop_signal_free(struct loop_signal **signal)
{
	if (!*signal)
		return;
	if ((*signal)->event)
		event_free((*signal)->event);
	mem_free(*signal);
	*signal = NULL;
}

struct event_base *loop_event_base(struct loop *loop)
{
	return loop->base;
}
