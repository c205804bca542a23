/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/net.h: addresses as configuration writes them, listening and connecting sockets. All sockets are non-blocking and
 * close-on-exec. Names are not resolved here: hosts are numeric addresses or unix paths.
 */
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/err.h"

struct net_address {
	struct sockaddr_storage storage;
	socklen_t len;
};

#define NET_TEXT_MAX 160 /* with the NUL */

/* "127.0.0.1:25", "[::1]:25", "unix:/run/x". ERR_SYNTAX with a text that says what is wrong. Pure. */
NODISCARD enum err net_parse(struct bytes text, struct net_address *ret_address, struct error *reterr);
/* The form that net_parse() reads. */
void net_format(const struct net_address *address, char out[static NET_TEXT_MAX]);
/* The 16-byte form (IPv4 mapped); false for unix sockets. */
bool net_ip(const struct net_address *address, uint8_t ret_ip[16]);
/* Whether both, from net_parse(), are the same place. */
bool net_equal(const struct net_address *a, const struct net_address *b);
bool net_is_unix(const struct net_address *address);

/* "192.0.2.1", "192.0.2.1@5353", "2001:db8::1@53": the form in which DNS servers are written. Pure. */
bool net_is_dns_server(struct bytes text);

/*
 * Listens. An old unix socket that nobody listens on is replaced; mode 0660, and as root it is given to the owner and
 * group of its folder. ERR_IO with the reason in *reterr (address in use, no permission).
 */
NODISCARD enum err net_listen(const struct net_address *address, int *ret_fd, struct error *reterr);
/* ERR_AGAIN when there is nobody; ERR_LIMIT when descriptors are short; ERR_IO otherwise. Sets TCP_NODELAY. */
NODISCARD enum err net_accept(int listener, int *ret_fd, struct net_address *ret_peer);
/* Begins to connect: writable when done; then net_connected(). */
NODISCARD enum err net_connect(const struct net_address *address, int *ret_fd);
/* ERR_OK, or ERR_IO with errno set to why it failed. */
NODISCARD enum err net_connected(int fd);
/*
 * Asks the kernel to acknowledge at once. It does not stick, so it is asked before each read: otherwise a peer that
 * writes small packets under Nagle's rule waits 40 ms for our delayed acknowledgement.
 */
void net_quickack(int fd);

/* A listener passed by the service manager (LISTEN_FDS, LISTEN_FDNAMES) under that name; -1 when there is none. */
int net_inherited(const char *name);
/* Tells the service manager (NOTIFY_SOCKET), e.g. "READY=1". Does nothing when there is none. */
void net_notify(const char *state);
