/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/ipc.h: one end of a SOCK_SEQPACKET pair between two of our processes: whole messages, each with at most one
 * descriptor.
 *
 * Owns:   the socket. A descriptor that comes in belongs to the receiver; one that is sent is duplicated by the kernel
 * and stays the sender's. Bounds: IPC_MAX bytes a message; IPC_QUEUE_MAX bytes may wait when the other end is slow,
 * more is ERR_LIMIT. A peer that sends what ipc_send() cannot (an empty message, one too long, two descriptors) is
 * closed.
 */
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

struct ipc;
struct loop;

#define IPC_MAX       ((size_t)160 << 10)
#define IPC_QUEUE_MAX ((size_t)64 << 20)

struct ipc_ops {
	/* `fd` is -1 when none came. The span is valid during the call. */
	void (*message)(void *ctx, struct bytes payload, int fd);
	/* Once; the owner frees the ipc then or later. */
	void (*closed)(void *ctx);
};

/*
 * Both ends of a new pair: non-blocking, close-on-exec, with buffers large enough for IPC_MAX. ERR_IO with errno;
 * ERR_LIMIT where the kernel gives smaller buffers (net.core.wmem_max).
 */
NODISCARD enum err ipc_pair(int ret_fds[2]);

NODISCARD enum err ipc_new(struct loop *loop, int fd, const struct ipc_ops *ops, void *ctx, struct ipc **ret_ipc);
void ipc_free(struct ipc **ipc);
/* Never blocks. `fd` may be -1. Errors: ERR_LIMIT, ERR_CLOSED, ERR_NOMEM. */
NODISCARD enum err ipc_send(struct ipc *ipc, struct bytes payload, int fd);

/* Without a loop, blocking: for a process that has one conversation only. ERR_CLOSED at the end. */
NODISCARD enum err ipc_receive_blocking(int socket, uint8_t *buffer, size_t size, size_t *ret_len, int *ret_fd);
NODISCARD enum err ipc_send_blocking(int socket, struct bytes payload, int fd);
