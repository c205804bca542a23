/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "sys/file.h"
#include "sys/ipc.h"
#include "sys/loop.h"

#define FDS_MAX 1024

/* One end on a loop, the other as a bare socket in the hands of the test. */
struct end {
	struct loop *loop;
	struct ipc *ipc;
	struct loop_timer *timer;
	int other;
	unsigned messages, closed;
	size_t bytes;
	uint32_t next; /* number that the next message must begin with */
	bool free_in_message, free_in_closed;
	int fd;
	unsigned stop_after;
};

static int open_descriptors(void)
{
	int n = 0;
	for (int fd = 0; fd < FDS_MAX; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void on_message(void *ctx, struct bytes payload, int fd)
{
	struct end *end = ctx;
	uint32_t number = 0;
	if (payload.len >= 4)
		memcpy(&number, payload.ptr, 4);
	assert_int_equal(number, end->next++);
	end->messages++;
	end->bytes += payload.len;
	if (fd >= 0) {
		if (end->fd >= 0)
			(void)close(end->fd);
		end->fd = fd;
	}
	if (end->free_in_message)
		ipc_free(&end->ipc);
	if (end->free_in_message || end->messages == end->stop_after)
		loop_stop(end->loop);
}

static void on_closed(void *ctx)
{
	struct end *end = ctx;
	end->closed++;
	if (end->free_in_closed)
		ipc_free(&end->ipc);
	loop_stop(end->loop);
}

static const struct ipc_ops ops = {on_message, on_closed};

static void give_up(void *ctx)
{
	struct end *end = ctx;
	loop_stop(end->loop);
}

static void begin(struct end *end)
{
	int ends[2];
	*end = (struct end){.fd = -1};
	assert_ok(loop_new(&end->loop));
	assert_ok(ipc_pair(ends));
	assert_ok(ipc_new(end->loop, ends[0], &ops, end, &end->ipc));
	assert_ok(loop_timer_new(end->loop, give_up, end, &end->timer));
	end->other = ends[1];
}

static void run(struct end *end)
{
	loop_timer_set(end->timer, 5000);
	loop_run(end->loop);
}

static void done(struct end *end)
{
	ipc_free(&end->ipc);
	loop_timer_free(&end->timer);
	loop_free(&end->loop);
	if (end->fd >= 0)
		(void)close(end->fd);
	if (end->other >= 0)
		(void)close(end->other);
}

static uint8_t large[IPC_MAX + 64];

static void messages_stay_whole_up_to_the_largest(void **state)
{
	static const size_t sizes[] = {4, 5, 4096, 65536, IPC_MAX};
	struct end end;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t number = 0;
		begin(&end);
		end.stop_after = 1;
		memcpy(large, &number, 4);
		assert_ok(ipc_send_blocking(end.other, bytes_make(large, sizes[i]), -1));
		run(&end);
		assert_int_equal(end.messages, 1);
		assert_int_equal(end.bytes, sizes[i]);
		done(&end);
	}
}

static void a_descriptor_travels_beside_the_message(void **state)
{
	struct end end;
	uint32_t number = 0;
	char text[8] = {0};
	int memfd;
	(void)state;
	begin(&end);
	end.stop_after = 1;
	assert_ok(memfd_new(&memfd));
	assert_ok(file_write_all(memfd, BYTES_LIT("inside")));
	assert_ok(ipc_send_blocking(end.other, bytes_make(&number, 4), memfd));
	(void)close(memfd);
	run(&end);
	assert_true(end.fd >= 0);
	assert_true(fcntl(end.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pread(end.fd, text, sizeof(text), 0), 6);
	assert_string_equal(text, "inside");
	done(&end);
}

/* Reads `n` messages at the bare end; each begins with its number. */
static void read_numbers(struct end *end, uint32_t first, uint32_t n, bool with_fd)
{
	for (uint32_t i = first; i < first + n; i++) {
		size_t len;
		uint32_t number;
		int fd;
		assert_ok(ipc_receive_blocking(end->other, large, sizeof(large), &len, &fd));
		memcpy(&number, large, 4);
		assert_int_equal(number, i);
		assert_int_equal(fd >= 0, with_fd);
		if (fd >= 0)
			(void)close(fd);
	}
}

static void what_a_slow_peer_does_not_take_waits_in_order(void **state)
{
	struct end end;
	int before = open_descriptors(), memfd;
	uint8_t payload[1024] = {0};
	const uint32_t n = 2000;
	(void)state;
	begin(&end);
	assert_ok(memfd_new(&memfd));
	for (uint32_t i = 0; i < n; i++) {
		memcpy(payload, &i, 4);
		assert_ok(ipc_send(end.ipc, bytes_make(payload, sizeof(payload)), i < 300 ? memfd : -1));
	}
	(void)close(memfd);
	/* The loop writes the rest as the other end reads, which here is another process. */
	pid_t pid = fork();
	if (pid == 0) {
		read_numbers(&end, 0, 300, true);
		read_numbers(&end, 300, n - 300, false);
		_exit(0);
	}
	(void)close(end.other);
	end.other = -1;
	run(&end); /* until the reader ends */
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(end.closed, 1);
	done(&end);
	assert_int_equal(open_descriptors(), before);
}

static void the_queue_has_a_bound_and_what_waits_is_freed(void **state)
{
	struct end end;
	int before = open_descriptors(), memfd;
	enum err err = ERR_OK;
	size_t sent = 0;
	(void)state;
	begin(&end);
	assert_ok(memfd_new(&memfd));
	while (err == ERR_OK && sent < 2 * IPC_QUEUE_MAX) {
		err = ipc_send(end.ipc, bytes_make(large, IPC_MAX), sent % 16 == 0 ? memfd : -1);
		sent += IPC_MAX;
	}
	(void)close(memfd);
	assert_int_equal(err, ERR_LIMIT);
	assert_true(sent > IPC_QUEUE_MAX);
	done(&end);
	assert_int_equal(open_descriptors(), before);
}

static void sending_never_blocks_and_never_signals_when_the_peer_is_gone(void **state)
{
	struct end end;
	uint32_t number = 0;
	(void)state;
	begin(&end);
	end.free_in_closed = true;
	(void)close(end.other);
	end.other = -1;
	assert_int_equal(ipc_send(end.ipc, bytes_make(&number, 4), -1), ERR_CLOSED);
	assert_int_equal(end.closed, 0); /* told by the loop, not from inside a call */
	run(&end);
	assert_int_equal(end.closed, 1);
	assert_null(end.ipc);
	done(&end);
}

static void an_owner_may_free_it_while_more_is_there(void **state)
{
	struct end end;
	uint32_t number = 0;
	(void)state;
	begin(&end);
	end.free_in_message = true;
	for (int i = 0; i < 10; i++)
		assert_ok(ipc_send_blocking(end.other, bytes_make(&number, 4), -1));
	run(&end);
	assert_int_equal(end.messages, 1);
	assert_int_equal(end.closed, 0);
	done(&end);
}

/* A message as no ipc_send() makes it. */
static void send_raw(int socket, size_t len, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = large, .iov_len = len};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (n_fds > 0) {
		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	assert_true(sendmsg(socket, &message, MSG_NOSIGNAL) >= 0);
}

static void a_peer_that_sends_what_none_of_ours_does_is_closed(void **state)
{
	static const struct {
		const char *what;
		size_t len, n_fds;
	} cases[] = {
		{"an empty message", 0, 0},
		{"an empty message with a descriptor", 0, 1},
		{"a message too long", IPC_MAX + 1, 0},
		{"one too long with a descriptor", IPC_MAX + 1, 1},
		{"two descriptors", 4, 2},
		{"four descriptors", 4, 4},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct end end;
		int before = open_descriptors(), fds[4];
		begin(&end);
		for (size_t j = 0; j < 4; j++)
			fds[j] = dup(0);
		send_raw(end.other, cases[i].len, fds, cases[i].n_fds);
		for (size_t j = 0; j < 4; j++)
			(void)close(fds[j]);
		run(&end);
		if (end.messages != 0 || end.closed != 1)
			fail_msg("%s: %u messages, closed %u times", cases[i].what, end.messages, end.closed);
		done(&end);
		if (open_descriptors() != before)
			fail_msg("%s: descriptors stay open", cases[i].what);
	}
}

static void on_alarm(int number)
{
	(void)number;
}

static void blocking_calls_go_on_after_signals(void **state)
{
	int ends[2];
	struct sigaction action = {.sa_handler = on_alarm}; /* without SA_RESTART */
	struct itimerval often = {{0, 1000}, {0, 1000}}, off = {0};
	(void)state;
	assert_ok(ipc_pair(ends));
	pid_t pid = fork();
	if (pid == 0) {
		for (uint32_t i = 0; i < 200; i++) {
			uint32_t number = i;
			if (i % 50 == 0)
				(void)usleep(20000);
			memcpy(large, &number, 4);
			if (ipc_send_blocking(ends[1], bytes_make(large, 20000), -1) != ERR_OK)
				_exit(1);
		}
		_exit(0);
	}
	(void)close(ends[1]);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	struct end end = {.other = ends[0]};
	read_numbers(&end, 0, 200, false);
	size_t len;
	int fd, status;
	assert_int_equal(ipc_receive_blocking(ends[0], large, sizeof(large), &len, &fd), ERR_CLOSED);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_int_equal(status, 0);
	(void)close(ends[0]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(messages_stay_whole_up_to_the_largest),
	cmocka_unit_test(a_descriptor_travels_beside_the_message),
	cmocka_unit_test(what_a_slow_peer_does_not_take_waits_in_order),
	cmocka_unit_test(the_queue_has_a_bound_and_what_waits_is_freed),
	cmocka_unit_test(sending_never_blocks_and_never_signals_when_the_peer_is_gone),
	cmocka_unit_test(an_owner_may_free_it_while_more_is_there),
	cmocka_unit_test(a_peer_that_sends_what_none_of_ours_does_is_closed),
	cmocka_unit_test(blocking_calls_go_on_after_signals),
};
UNIT_MAIN(tests)
