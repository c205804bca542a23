/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/loop.h: one event loop a process: descriptors, timers, signals. Hides libevent.
 *
 * Owns:  every handle is freed by its owner with its _free function before loop_free().
 * Rules: call-backs run one after another, never nested; a call-back may free any handle, its own too.
 * Fails: ERR_NOMEM.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;
struct event_base;

#define LOOP_READ  1u
#define LOOP_WRITE 2u

NODISCARD enum err loop_new(struct loop **ret_loop);
void loop_free(struct loop **loop);
/* Returns when loop_stop() was called. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Monotonic milliseconds, exact to a tick of the kernel (4 ms at most). */
int64_t loop_now_ms(struct loop *loop);

/* Watches `fd`, which stays the caller's. Nothing is wanted at first. */
NODISCARD enum err loop_io_new(struct loop *loop, int fd, void (*ready)(void *ctx, unsigned events), void *ctx,
			       struct loop_io **ret_io);
/* LOOP_READ, LOOP_WRITE, both or 0. */
void loop_io_want(struct loop_io *io, unsigned events);
void loop_io_free(struct loop_io **io);

/*
 * Fires once, `ms` after loop_timer_set(); setting it again moves it; 0 is a deferred call, in the next turn. What is
 * periodic sets it again when it fires.
 */
NODISCARD enum err loop_timer_new(struct loop *loop, void (*fire)(void *ctx), void *ctx, struct loop_timer **ret_timer);
void loop_timer_set(struct loop_timer *timer, int64_t ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_running(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer **timer);

NODISCARD enum err loop_signal_new(struct loop *loop, int signal_number, void (*fire)(void *ctx), void *ctx,
				   struct loop_signal **ret_signal);
void loop_signal_free(struct loop_signal **signal);

/* The libevent base underneath, for the one library that must be run on it (resolve/upstream.c). */
struct event_base *loop_event_base(struct loop *loop);
