/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/received.h: the path a message says it took (RFC 5321 4.4), as Postfix, Sendmail, Exim, qmail, Exchange, Gmail
 * and other mailers write it.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "mail/header.h"

#define RECEIVED_MAX 200

struct received_hop {
	const struct header_field *field;
	struct bytes helo; /* what the client called itself */
	struct bytes rdns; /* name that the server found for it; empty when unknown */
	uint8_t ip[16];    /* of the client; IPv4 as ::ffff:a.b.c.d */
	bool has_ip;
	struct bytes by;   /* the server */
	struct bytes with; /* "ESMTPSA" */
	struct bytes id;
	struct bytes recipient; /* of "for" */
	bool has_date;
	int64_t date;
	bool understood; /* there was at least from or by */
};

struct received_list {
	struct received_hop *hops; /* the newest (topmost) first */
	size_t count;
};

/* Reads every Received field of `header`, at most RECEIVED_MAX. */
NODISCARD enum err received_parse(struct arena *arena, const struct header *header, struct received_list *ret_list);

/*
 * The first hop, from the top, whose client is not ours: not private, loopback or link-local, and not accepted by
 * `trusted` (may be NULL). NULL when there is none. This is the relay that handed the message to us.
 */
const struct received_hop *received_first_untrusted(const struct received_list *list,
						    bool (*trusted)(const uint8_t ip[16], void *ctx), void *ctx);

/* Text of an address, either family, into 16 bytes (IPv4 mapped); brackets and "IPv6:" are accepted. */
bool received_parse_ip(struct bytes text, uint8_t ret_ip[16]);
/* Private, loopback, link-local, unspecified, shared (RFC 6598). */
bool received_ip_is_local(const uint8_t ip[16]);
