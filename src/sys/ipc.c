/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ipc.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/loop.h"

#include "base/banned.h"

#define READS_A_TURN 64 /* messages handed on before the loop looks at others */

struct waiting {
	struct waiting *next;
	int fd; /* our duplicate, or -1 */
	size_t len;
	uint8_t payload[];
};

struct ipc {
	struct loop_io *io;
	const struct ipc_ops *ops;
	void *ctx;
	int socket;
	bool over;
	bool busy, dead; /* as in sys/stream.c */
	struct waiting *first, **last;
	size_t queued;
};

/* One read buffer a process, as in sys/stream.c. */
static uint8_t read_buffer[IPC_MAX];

union control {
	struct cmsghdr header; /* for the alignment */
	char space[CMSG_SPACE(sizeof(int))];
};

enum err ipc_pair(int ret_fds[2])
{
	const int wanted = (int)(2 * IPC_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds) != 0)
		return ERR_IO;
	for (int i = 0; i < 2; i++) {
		int got = 0;
		socklen_t len = sizeof(got);
		/* Root may go beyond net.core.wmem_max. The kernel keeps 32 bytes of the buffer for itself. */
		if (setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof(wanted)) != 0)
			(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted));
		if (getsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &got, &len) != 0 || got < (int)IPC_MAX + 64) {
			(void)close(ret_fds[0]);
			(void)close(ret_fds[1]);
			errno = ENOBUFS;
			return ERR_LIMIT;
		}
	}
	return ERR_OK;
}

/* The other end has not read enough yet: bytes, or descriptors in flight. */
static bool must_wait(void)
{
	return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS;
}

static ssize_t send_once(int socket, struct bytes payload, int fd)
{
	union {
		const uint8_t *in;
		void *out;
	} data = {.in = payload.ptr};
	struct iovec iov = {.iov_base = data.out, .iov_len = payload.len};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	ssize_t n;
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

/*
 * The first descriptor that came, or -1; false when there were more: CMSG_SPACE() of one has room for two, and the
 * second would stay open for ever.
 */
static bool take_descriptors(struct msghdr *message, int *ret_fd)
{
	bool one = true;
	*ret_fd = -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			if (*ret_fd < 0) {
				*ret_fd = fd;
				continue;
			}
			(void)close(fd);
			one = false;
		}
	}
	return one;
}

/* Length, 0 at the end, -1 with errno. *ret_fd is -1 when none came. What none of ours sends is an end, too. */
static ssize_t receive_once(int socket, uint8_t *buffer, size_t size, int *ret_fd)
{
	struct iovec iov = {.iov_base = buffer, .iov_len = size};
	union control control = {0};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.space,
				 .msg_controllen = sizeof(control.space)};
	ssize_t n;
	*ret_fd = -1;
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return n;
	bool one = take_descriptors(&message, ret_fd);
	if (!one || n == 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		if (*ret_fd >= 0)
			(void)close(*ret_fd);
		*ret_fd = -1;
		return 0;
	}
	return n;
}

static void end(struct ipc *ipc)
{
	if (ipc->over)
		return;
	ipc->over = true;
	loop_io_want(ipc->io, 0);
	ipc->ops->closed(ipc->ctx);
}

static void drop_first(struct ipc *ipc)
{
	struct waiting *gone = ipc->first;
	ipc->first = gone->next;
	if (!ipc->first)
		ipc->last = &ipc->first;
	ipc->queued -= gone->len;
	if (gone->fd >= 0)
		(void)close(gone->fd);
	mem_free(gone);
}

static void on_writable(struct ipc *ipc)
{
	while (ipc->first) {
		ssize_t n = send_once(ipc->socket, bytes_make(ipc->first->payload, ipc->first->len), ipc->first->fd);
		if (n < 0 && must_wait())
			return;
		if (n < 0) {
			end(ipc);
			return;
		}
		drop_first(ipc);
	}
	loop_io_want(ipc->io, LOOP_READ);
}

static void on_ready(void *ctx, unsigned events)
{
	struct ipc *ipc = ctx;
	if (ipc->over)
		return;
	ipc->busy = true;
	if (events & LOOP_WRITE)
		on_writable(ipc);
	for (int i = 0; (events & LOOP_READ) && i < READS_A_TURN && !ipc->over; i++) {
		int fd;
		ssize_t n = receive_once(ipc->socket, read_buffer, sizeof(read_buffer), &fd);
		if (n < 0 && (errno == EAGAIN))
			break;
		if (n <= 0) {
			end(ipc);
			break;
		}
		ipc->ops->message(ipc->ctx, bytes_make(read_buffer, (size_t)n), fd);
	}
	ipc->busy = false;
	if (ipc->dead)
		mem_free(ipc);
}

enum err ipc_new(struct loop *loop, int fd, const struct ipc_ops *ops, void *ctx, struct ipc **ret_ipc)
{
	struct ipc *ipc = mem_new(struct ipc, 1);
	if (!ipc)
		return ERR_NOMEM;
	*ipc = (struct ipc){.ops = ops, .ctx = ctx, .socket = fd};
	ipc->last = &ipc->first;
	if (loop_io_new(loop, fd, on_ready, ipc, &ipc->io) != ERR_OK) {
		mem_free(ipc);
		return ERR_NOMEM;
	}
	loop_io_want(ipc->io, LOOP_READ);
	*ret_ipc = ipc;
	return ERR_OK;
}

void ipc_free(struct ipc **ipc)
{
	struct ipc *gone = *ipc;
	if (!gone)
		return;
	while (gone->first)
		drop_first(gone);
	loop_io_free(&gone->io);
	(void)close(gone->socket);
	gone->over = gone->dead = true;
	if (!gone->busy)
		mem_free(gone);
	*ipc = NULL;
}

static enum err enqueue(struct ipc *ipc, struct bytes payload, int fd)
{
	if (ipc->queued + payload.len > IPC_QUEUE_MAX)
		return ERR_LIMIT;
	struct waiting *waiting = mem_alloc(sizeof(*waiting) + payload.len);
	if (!waiting)
		return ERR_NOMEM;
	*waiting = (struct waiting){.fd = fd >= 0 ? dup(fd) : -1, .len = payload.len};
	memcpy(waiting->payload, payload.ptr, payload.len);
	if (fd >= 0 && waiting->fd < 0) {
		mem_free(waiting);
		return ERR_LIMIT;
	}
	*ipc->last = waiting;
	ipc->last = &waiting->next;
	ipc->queued += payload.len;
	loop_io_want(ipc->io, LOOP_READ | LOOP_WRITE);
	return ERR_OK;
}

enum err ipc_send(struct ipc *ipc, struct bytes payload, int fd)
{
	ASSERT(payload.len > 0 && payload.len <= IPC_MAX);
	if (ipc->over)
		return ERR_CLOSED;
	if (ipc->first)
		return enqueue(ipc, payload, fd);
	if (send_once(ipc->socket, payload, fd) >= 0)
		return ERR_OK;
	if (must_wait())
		return enqueue(ipc, payload, fd);
	return ERR_CLOSED; /* the loop reads the end and calls back */
}

static enum err wait_for(int socket, short events)
{
	struct pollfd poll_fd = {.fd = socket, .events = events};
	int n;
	do
		n = poll(&poll_fd, 1, -1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? ERR_IO : ERR_OK;
}

enum err ipc_receive_blocking(int socket, uint8_t *buffer, size_t size, size_t *ret_len, int *ret_fd)
{
	for (;;) {
		ssize_t n = receive_once(socket, buffer, size, ret_fd);
		if (n > 0) {
			*ret_len = (size_t)n;
			return ERR_OK;
		}
		if (n == 0)
			return ERR_CLOSED;
		if (errno != EAGAIN)
			return errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
		TRY(wait_for(socket, POLLIN));
	}
}

enum err ipc_send_blocking(int socket, struct bytes payload, int fd)
{
	while (send_once(socket, payload, fd) < 0) {
		if (!must_wait())
			return ERR_CLOSED;
		TRY(wait_for(socket, POLLOUT));
	}
	return ERR_OK;
}
