/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * resolve/quick_packet.h: what goes the short way (resolve/quick.h) as bytes: a question, and what comes back for it,
 * from whoever hit the port.
 *
 * Pure; a packet that comes may be anything of any length.
 */
#include "auth/dns.h"

struct quick_packet {
	uint16_t id;
	enum dns_type type;
	struct bytes name; /* as dns_name_valid() wants it, without a dot at its end */
};

/* RFC 1035 4.1, RFC 6891 6.1.2. */
void quick_packet_write(struct buf *buf, const struct quick_packet *question);
/*
 * Whether the packet has the number and the question section (RFC 1035 4.1.2) that we sent, so that no guess of a
 * number is enough.
 */
bool quick_packet_answers(const struct quick_packet *question, struct bytes packet);
/*
 * Whether a packet that answers the question does so in full, so that nobody has to ask further. Then dns_packet_read()
 * gives no failure for it.
 */
bool quick_packet_is_whole(struct arena *scratch, const struct quick_packet *question, struct bytes packet);
