/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/stream.h: a buffered connection on the loop, for the front ends: reads are handed on as they come, writes wait in
 * a bounded buffer, time-outs close what is idle.
 *
 * Owns:   the descriptor. `closed` is called exactly once, unless the owner frees the stream first; the owner frees it
 * then. Bounds: STREAM_WRITE_MAX bytes not yet written; over it the peer is too slow and the stream closes (ERR_LIMIT).
 *         Read what is called back at once: nothing is kept. stream_pause() stops reading (back pressure); so does a
 *         client that leaves more than STREAM_UNREAD_MAX of its answers unread.
 */
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

struct loop;
struct stream;

#define STREAM_READ_SIZE  ((size_t)128 << 10)
#define STREAM_UNREAD_MAX ((size_t)256 << 10) /* answers that a client has not read; then it is not read from */
#define STREAM_WRITE_MAX  ((size_t)160 << 20)
#define STREAM_KEEP       ((size_t)16 << 10) /* of buffer, while nothing waits in it */

struct stream_ops {
	void (*data)(void *ctx, struct bytes data); /* valid during the call */
	void (*closed)(void *ctx, enum err why);    /* ERR_CLOSED: by the peer; ERR_TIMEOUT, ERR_IO, ERR_LIMIT */
	void (*connected)(void *ctx);               /* of stream_connect(); may be NULL */
	void (*drained)(void *ctx);                 /* as stream_more() asked; may be NULL */
	/* The peer sends no more but may still read (it shut down its side). When NULL, that is ERR_CLOSED. */
	void (*ended)(void *ctx);
};

NODISCARD enum err stream_new(struct loop *loop, int fd, bool tcp, const struct stream_ops *ops, void *ctx,
			      struct stream **ret_stream);
/* Around a socket from net_connect(); data flows after `connected`. What is written before is sent then. */
NODISCARD enum err stream_new_connecting(struct loop *loop, int fd, bool tcp, const struct stream_ops *ops, void *ctx,
					 struct stream **ret_stream);
void stream_free(struct stream **stream);

/* Queues `data` and writes at once what the kernel takes. After the end of the stream it is dropped. */
void stream_write(struct stream *stream, struct bytes data);
/* Holds writes back until stream_uncork(), so that several go out as one packet. */
void stream_cork(struct stream *stream);
void stream_uncork(struct stream *stream);
/* Calls `drained` once, from the loop, when all that was written is out: then comes more of what is large. */
void stream_more(struct stream *stream);
/* Closes when all is written; `closed` is called with ERR_OK. */
void stream_finish(struct stream *stream);
void stream_pause(struct stream *stream, bool paused);
/* Closes with ERR_TIMEOUT when nothing was read or written for so long; 0: never. */
void stream_timeout(struct stream *stream, int64_t ms);
/* Closes with ERR_TIMEOUT after so long, whatever flows; 0: no more. Against peers that send a byte now and then. */
void stream_deadline(struct stream *stream, int64_t ms);
size_t stream_unwritten(const struct stream *stream);
