/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * test/unit/resolve/server.h: a DNS server in the loop of the test itself, by UDP on loopback. What it does with a
 * question, the first letters of the name say:
 *
 *     live   one address, kept for a minute           zero    the same, kept for no time
 *     dead   nothing                                  none    NXDOMAIN
 *     fail   SERVFAIL                                 cut     an empty answer that says to come by TCP
 *     chain  a CNAME to "elsewhere.example", no more  empty   NOERROR and no record
 *     refer  NOERROR, no record, and who should be asked instead
 *     lie    first what does not answer the question: another number, another name, another kind of message
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/loop.h"

struct server {
	struct loop_io *io;
	int fd;
	char text[32]; /* "127.0.0.1@5353" */
	unsigned asked, ports;
	in_port_t seen[64];
};

static inline void server_send(const struct server *server, const struct sockaddr_in *to, const uint8_t *packet,
			       size_t len)
{
	assert_int_equal(sendto(server->fd, packet, len, 0, (const struct sockaddr *)to, sizeof(*to)), len);
}

static inline void server_answer(const struct server *server, const struct sockaddr_in *to, uint8_t *packet, size_t end)
{
	const char *name = (const char *)packet + 13;
	static const uint8_t address[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
	static const uint8_t alias[] = {0xc0, 12,  0,   5,   0,   1,   0, 0,   0,   60,  0,   19,  9,   'e', 'l', 's',
					'e',  'w', 'h', 'e', 'r', 'e', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
	static const uint8_t server_of[] = {0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 60, 0, 5, 2, 'n', 's', 0xc0, 12};
	const uint8_t *record = address;
	size_t record_len = sizeof(address);
	packet[2] = 0x81;
	packet[3] = 0x80;
	memset(packet + 6, 0, 6);
	packet[7] = 1;
	if (strncmp(name, "none", 4) == 0 || strncmp(name, "fail", 4) == 0 || strncmp(name, "cut", 3) == 0 ||
	    strncmp(name, "empty", 5) == 0) {
		packet[7] = 0;
		record_len = 0;
		packet[2] |= name[0] == 'c' ? 2 : 0;
		packet[3] |= name[0] == 'n' ? 3 : name[0] == 'f' ? 2 : 0;
	} else if (strncmp(name, "refer", 5) == 0) {
		record = server_of;
		record_len = sizeof(server_of);
		packet[7] = 0;
		packet[9] = 1;
	} else if (strncmp(name, "chain", 5) == 0) {
		record = alias;
		record_len = sizeof(alias);
	}
	memcpy(packet + end, record, record_len);
	if (strncmp(name, "zero", 4) == 0)
		packet[end + 9] = 0;
	if (strncmp(name, "lie", 3) == 0) {
		packet[0] ^= 1;
		server_send(server, to, packet, end + record_len);
		packet[0] ^= 1;
		packet[13] ^= 1;
		server_send(server, to, packet, end + record_len);
		packet[13] ^= 1;
		packet[2] ^= 0x80;
		server_send(server, to, packet, end + record_len);
		packet[2] ^= 0x80;
		server_send(server, to, packet, 11);
	}
	server_send(server, to, packet, end + record_len);
}

static inline void server_on_ready(void *ctx, unsigned events)
{
	struct server *server = ctx;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[1024];
	(void)events;
	ssize_t len = recvfrom(server->fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
	if (len < 12)
		return;
	bool known = false;
	for (unsigned i = 0; i < server->ports; i++)
		known |= server->seen[i] == from.sin_port;
	if (!known && server->ports < 64)
		server->seen[server->ports++] = from.sin_port;
	server->asked++;
	size_t end = 12;
	while (packet[end])
		end += packet[end] + 1u;
	if (strncmp((const char *)packet + 13, "dead", 4) != 0)
		server_answer(server, &from, packet, end + 5);
}

/* On any port of loopback. */
static inline void server_open(struct server *server, struct loop *loop)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	const int room = 8 << 20;
	*server = (struct server){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
	assert_true(server->fd >= 0);
	/* Room for a flood, as far as the kernel gives it. */
	if (setsockopt(server->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
		(void)setsockopt(server->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(server->text, sizeof(server->text), "127.0.0.1@%u", ntohs(address.sin_port));
	assert_int_equal(loop_io_new(loop, server->fd, server_on_ready, server, &server->io), ERR_OK);
	loop_io_want(server->io, LOOP_READ);
}

static inline void server_close(struct server *server)
{
	loop_io_free(&server->io);
	(void)close(server->fd);
}
