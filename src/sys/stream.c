/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "sys/loop.h"
#include "sys/net.h"

#include "base/banned.h"

struct stream {
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *timer;
	const struct stream_ops *ops;
	void *ctx;
	int fd;
	bool tcp, accepted, connecting, paused, ended, finishing, over;
	bool more; /* the owner has more to write */
	unsigned corks;
	bool ending; /* ends in the next turn of the loop, with ending_why */
	enum err ending_why;
	bool busy, dead; /* in a call-back; freed by the owner inside it: the memory goes when it returns */
	struct buf out;
	size_t out_at;
	int64_t timeout_ms, last_ms, deadline_ms;
};

/* One read buffer a process: a stream hands it on before the next one is read. */
static uint8_t read_buffer[STREAM_READ_SIZE];

/*
 * A client that asks and asks and does not read the answers is not listened to until it has read them. Servers that we
 * talk to are: what they say before they have read all may be that they will not.
 */
static bool is_backed_up(const struct stream *stream)
{
	return stream->accepted && stream->out.len - stream->out_at > STREAM_UNREAD_MAX;
}

static unsigned wants_read(const struct stream *stream)
{
	bool deaf = stream->connecting || stream->paused || stream->ended || stream->finishing || is_backed_up(stream);
	return deaf ? 0 : LOOP_READ;
}

static void update_interest(struct stream *stream)
{
	unsigned want = 0;
	if (stream->over) {
		loop_io_want(stream->io, 0);
		return;
	}
	want |= wants_read(stream);
	if (stream->connecting || ((stream->out.len > stream->out_at || stream->more) && stream->corks == 0))
		want |= LOOP_WRITE;
	loop_io_want(stream->io, want);
}

static void end(struct stream *stream, enum err why)
{
	if (stream->over)
		return;
	stream->over = true;
	loop_timer_stop(stream->timer);
	loop_io_want(stream->io, 0);
	stream->ops->closed(stream->ctx, why);
}

/* Told from the loop, never from inside a call of the owner, who is in the middle of something. */
static void end_soon(struct stream *stream, enum err why)
{
	stream->ending = true;
	stream->ending_why = why;
	loop_timer_set(stream->timer, 0);
}

static void empty(struct stream *stream)
{
	stream->out_at = 0;
	if (stream->out.capacity > STREAM_KEEP && !stream->more)
		buf_done(&stream->out);
	buf_clear(&stream->out);
}

/* Writes what the kernel takes. The stream may have ended then, and may be gone. */
static void flush(struct stream *stream)
{
	while (stream->out.len > stream->out_at) {
		ssize_t n = send(stream->fd, stream->out.ptr + stream->out_at, stream->out.len - stream->out_at,
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN))
			break;
		if (n < 0) {
			end(stream, errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO);
			return;
		}
		stream->out_at += (size_t)n;
		stream->last_ms = loop_now_ms(stream->loop);
	}
	if (stream->out_at == stream->out.len) {
		bool more = stream->more;
		empty(stream);
		if (stream->finishing) {
			end(stream, ERR_OK);
			return;
		}
		stream->more = false;
		if (more && stream->ops->drained)
			stream->ops->drained(stream->ctx);
		if (stream->dead)
			return;
	}
	update_interest(stream);
}

static void on_readable(struct stream *stream)
{
	if (stream->tcp)
		net_quickack(stream->fd);
	ssize_t n = recv(stream->fd, read_buffer, sizeof(read_buffer), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && stream->ops->ended) {
		stream->ended = true;
		update_interest(stream);
		stream->ops->ended(stream->ctx);
		return;
	}
	if (n <= 0) {
		end(stream, n == 0 || errno == ECONNRESET ? ERR_CLOSED : ERR_IO);
		return;
	}
	stream->last_ms = loop_now_ms(stream->loop);
	stream->ops->data(stream->ctx, bytes_make(read_buffer, (size_t)n));
}

static void handle(struct stream *stream, unsigned events)
{
	if (events & LOOP_READ) {
		on_readable(stream);
		return;
	}
	if (stream->connecting) {
		if (net_connected(stream->fd) != ERR_OK) {
			end(stream, ERR_IO);
			return;
		}
		stream->connecting = false;
		stream->last_ms = loop_now_ms(stream->loop);
		update_interest(stream);
		if (stream->ops->connected)
			stream->ops->connected(stream->ctx);
		if (stream->dead || stream->over)
			return;
	}
	flush(stream);
}

static void on_ready(void *ctx, unsigned events)
{
	struct stream *stream = ctx;
	if (stream->over)
		return;
	stream->busy = true;
	handle(stream, events);
	stream->busy = false;
	if (stream->dead)
		mem_free(stream);
}

/* When the stream times out, if nothing happens until then; INT64_MAX: never. */
static int64_t times_out_at(const struct stream *stream)
{
	int64_t at = stream->deadline_ms > 0 ? stream->deadline_ms : INT64_MAX;
	if (stream->timeout_ms > 0 && stream->last_ms + stream->timeout_ms < at)
		at = stream->last_ms + stream->timeout_ms;
	return at;
}

static void arm(struct stream *stream)
{
	int64_t at = times_out_at(stream), now = loop_now_ms(stream->loop);
	if (stream->over || stream->ending)
		return; /* an end that is on its way keeps the timer */
	if (at == INT64_MAX)
		loop_timer_stop(stream->timer);
	else
		loop_timer_set(stream->timer, at > now ? at - now + 1 : 0);
}

static void on_timer(void *ctx)
{
	struct stream *stream = ctx;
	if (stream->ending)
		end(stream, stream->ending_why);
	else if (loop_now_ms(stream->loop) >= times_out_at(stream))
		end(stream, ERR_TIMEOUT);
	else
		arm(stream);
}

static enum err make(struct loop *loop, int fd, bool tcp, bool connecting, const struct stream_ops *ops, void *ctx,
		     struct stream **ret_stream)
{
	struct stream *stream = mem_new(struct stream, 1);
	if (!stream)
		return ERR_NOMEM;
	*stream = (struct stream){.loop = loop,
				  .ops = ops,
				  .ctx = ctx,
				  .fd = -1,
				  .tcp = tcp,
				  .accepted = !connecting,
				  .connecting = connecting};
	buf_init(&stream->out, STREAM_WRITE_MAX);
	stream->last_ms = loop_now_ms(loop);
	if (loop_io_new(loop, fd, on_ready, stream, &stream->io) != ERR_OK ||
	    loop_timer_new(loop, on_timer, stream, &stream->timer) != ERR_OK) {
		stream_free(&stream);
		return ERR_NOMEM;
	}
	stream->fd = fd;
	update_interest(stream);
	*ret_stream = stream;
	return ERR_OK;
}

enum err stream_new(struct loop *loop, int fd, bool tcp, const struct stream_ops *ops, void *ctx,
		    struct stream **ret_stream)
{
	return make(loop, fd, tcp, false, ops, ctx, ret_stream);
}

enum err stream_new_connecting(struct loop *loop, int fd, bool tcp, const struct stream_ops *ops, void *ctx,
			       struct stream **ret_stream)
{
	return make(loop, fd, tcp, true, ops, ctx, ret_stream);
}

void stream_free(struct stream **stream)
{
	struct stream *s = *stream;
	if (!s)
		return;
	loop_io_free(&s->io);
	loop_timer_free(&s->timer);
	if (s->fd >= 0)
		(void)close(s->fd);
	buf_done(&s->out);
	s->over = s->dead = true;
	if (!s->busy)
		mem_free(s);
	*stream = NULL;
}

void stream_write(struct stream *stream, struct bytes data)
{
	if (stream->over || stream->ending || data.len == 0)
		return;
	bool idle = stream->out.len == 0;
	if (stream->out_at > STREAM_READ_SIZE && stream->out_at > stream->out.len / 2) {
		buf_consume(&stream->out, stream->out_at); /* only what is not yet written counts */
		stream->out_at = 0;
	}
	buf_add(&stream->out, data);
	if (buf_err(&stream->out) != ERR_OK) {
		end_soon(stream, ERR_LIMIT);
		return;
	}
	if (stream->corks > 0 || stream->connecting)
		return;
	if (!idle) {
		update_interest(stream);
		return;
	}
	ssize_t n = send(stream->fd, stream->out.ptr, stream->out.len, MSG_NOSIGNAL);
	if (n == (ssize_t)stream->out.len && !stream->finishing) {
		empty(stream);
		stream->last_ms = loop_now_ms(stream->loop);
		return;
	}
	if (n > 0)
		stream->out_at = (size_t)n;
	/* The rest, and an error, are the loop's business. */
	loop_io_want(stream->io, wants_read(stream) | LOOP_WRITE);
}

void stream_cork(struct stream *stream)
{
	stream->corks++;
}

void stream_uncork(struct stream *stream)
{
	ASSERT(stream->corks > 0);
	if (--stream->corks > 0 || stream->over || stream->connecting)
		return;
	size_t left = stream->out.len - stream->out_at;
	if (left == 0)
		return;
	ssize_t n = send(stream->fd, stream->out.ptr + stream->out_at, left, MSG_NOSIGNAL);
	if (n == (ssize_t)left && !stream->finishing) {
		empty(stream);
		stream->last_ms = loop_now_ms(stream->loop);
		update_interest(stream);
		return;
	}
	if (n > 0)
		stream->out_at += (size_t)n;
	loop_io_want(stream->io, wants_read(stream) | LOOP_WRITE);
}

void stream_more(struct stream *stream)
{
	if (stream->over || stream->ending || stream->finishing)
		return;
	stream->more = true;
	update_interest(stream);
}

void stream_finish(struct stream *stream)
{
	if (stream->over)
		return;
	stream->finishing = true;
	update_interest(stream);
	if (stream->out.len == stream->out_at)
		end_soon(stream, ERR_OK);
}

void stream_pause(struct stream *stream, bool paused)
{
	stream->paused = paused;
	if (!stream->over)
		update_interest(stream);
}

void stream_timeout(struct stream *stream, int64_t ms)
{
	stream->timeout_ms = ms;
	stream->last_ms = loop_now_ms(stream->loop);
	arm(stream);
}

void stream_deadline(struct stream *stream, int64_t ms)
{
	stream->deadline_ms = ms > 0 ? loop_now_ms(stream->loop) + ms : 0;
	arm(stream);
}

size_t stream_unwritten(const struct stream *stream)
{
	return stream->out.len - stream->out_at;
}
