/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/peer.h: the other processes that a scanner, a vault, a ledger or a resolver has conversations with.
 *
 * Owns:  the links and their sockets. Who embeds `struct peers` keeps it as long as there are any.
 * Fails: a peer that says what it may not, or what makes no sense, is closed: it is broken or taken over.
 */
#include "wire/wire.h"

struct child;
struct ipc;

/* The beginning of what its owner knows of one. */
struct peer_link {
	struct peer_link *next;
	struct peers *peers;
	enum wire_role role;
	struct ipc *ipc;
};

struct peers {
	void *owner;
	struct child *child;
	enum wire_role self;
	size_t size; /* of a link: zeroed behind the struct peer_link it begins with */
	/*
	 * A message that this role may send. False: it makes no sense. The descriptor (-1: none) is closed after the
	 * call unless it is taken: set to -1.
	 */
	bool (*message)(struct peer_link *link, const struct wire_any *any, int *fd);
	void (*closed)(struct peer_link *link); /* the link goes when this returns; may be NULL */
	struct peer_link *first;
};

/* NULL when there is no memory: the socket is closed then, as it is when the link ends. */
struct peer_link *peer_add(struct peers *peers, enum wire_role role, int socket);
void peer_say(const struct peer_link *to, const struct wire_any *any);
