/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/case.h: everything a verdict depends on: message, envelope, facts, settings, version of the definitions. A case
 * can be written to a file and judged again on any machine, with the same verdict to the last bit.
 */
#include "auth/dmarc.h"
#include "base/bytes.h"
#include "base/err.h"
#include "scan/fact.h"
#include "scan/zone.h"

struct arena;
struct buf;

/* How the message came, as the front end knows it. Every span may be empty. */
struct scan_envelope {
	struct bytes frontend; /* "milter", "smtp", "http", "spamd", "command" */
	bool has_client;
	uint8_t client_ip[16];    /* IPv4 as ::ffff:a.b.c.d */
	struct bytes client_name; /* verified reverse name; empty when unknown */
	struct bytes helo;
	bool has_from;
	struct bytes from; /* reverse path without <>; has_from and empty: the null sender */
	struct bytes *recipients;
	size_t n_recipients;
	struct bytes user;     /* authenticated as */
	bool submitted;        /* by a client that may write in our name without that */
	struct bytes hostname; /* ours */
};

struct scan_network {
	uint8_t ip[16];
	unsigned bits; /* of 128; IPv4 prefixes count from 96 */
};

bool scan_network_holds(const struct scan_network *network, const uint8_t ip[16]);
/* "192.0.2.0/24", "2001:db8::/32", "192.0.2.1". ERR_SYNTAX. */
NODISCARD enum err scan_network_parse(struct bytes text, struct scan_network *ret_network);

/* What of the configuration can change a verdict. Thresholds are log-odds in thousandths of a nat. */
struct scan_settings {
	int tag_at, quarantine_at;
	size_t max_parts, max_depth, max_header_bytes, max_memory;
	struct scan_network *trusted;
	size_t n_trusted;
	bool dns; /* whether the DNS is asked */
	enum dmarc_mode dmarc_mode;
	struct bytes authserv_id; /* our name in Authentication-Results; may be empty */
	struct bytes *sealers;    /* whose ARC seal is believed */
	size_t n_sealers;
	struct bytes *relays; /* whose Authentication-Results are believed */
	size_t n_relays;
	struct list_zone *zones; /* lists in the DNS */
	size_t n_zones;
	struct list_local *locals; /* our own lists */
	size_t n_locals;
	size_t list_questions;     /* to zones, about one message; those beyond are not asked */
	struct bytes *own_domains; /* never asked about, like the domains of the recipients */
	size_t n_own_domains;
};
extern const struct scan_settings scan_settings_default;

struct scan_case {
	struct bytes message;
	struct scan_envelope envelope;
	struct fact_list facts; /* FACT_TIME is always there */
	struct scan_settings settings;
	struct bytes definitions; /* version they were judged with */
	struct bytes verdict;     /* JSON of the verdict when it was recorded; may be empty */
};

/* Writes the whole case in its file form (see case.c). */
void case_write(struct buf *buf, const struct scan_case *scan_case);
/* Reads it; spans are slices of `file`. */
NODISCARD enum err case_read(struct arena *arena, struct bytes file, struct scan_case *ret_case, struct error *reterr);
