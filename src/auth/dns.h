/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/dns.h: DNS as the judging code sees it: a question (type and name) and its answer as plain records. Nobody here
 * asks the network: whoever runs the code is a `dns_host` and brings the answers.
 *
 * Names:    bytes between dots as they are, lower case, no dot at the end, "" for the root.
 * Packed:   one answer as one span, in which processes and recorded cases keep it (dns_answer_pack).
 * Bounds:   DNS_RECORDS_MAX records and DNS_PACKED_MAX bytes an answer; what is larger is a failed answer.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "base/ip.h"

struct arena;
struct buf;

enum dns_type { /* numbers of RFC 1035, RFC 3596 */
		DNS_A = 1,
		DNS_NS = 2,
		DNS_PTR = 12,
		DNS_MX = 15,
		DNS_TXT = 16,
		DNS_AAAA = 28,
};

#define DNS_NAME_MAX    253 /* of the text form */
#define DNS_LABEL_MAX   63
#define DNS_RECORDS_MAX 200
#define DNS_PACKED_MAX  ((size_t)24 << 10)
#define DNS_CHAIN_MAX   16 /* CNAMEs that are followed within one answer */

enum dns_state {
	DNS_FOUND,   /* at least one record */
	DNS_NO_DATA, /* the name exists, records of this type do not */
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_FAILED,  /* nobody could tell now: SERVFAIL, no answer in time, a bogus signature, an answer too large */
};

struct dns_record {
	unsigned preference; /* MX */
	struct bytes data;   /* A: 4 bytes. AAAA: 16. TXT: its strings joined. MX, NS, PTR: the name */
};

struct dns_answer {
	enum dns_state state;
	bool secure;         /* validated by DNSSEC */
	struct bytes reason; /* of DNS_FAILED: a few words ("timeout") */
	struct dns_record *records;
	size_t n_records;
};

/*
 * Who answers. ask() gives the answer, or NULL: it is not there yet. The caller then asks whatever else it can ask
 * already, returns AUTH_WAIT, and is called again from its beginning when answers came; so asking the same twice must
 * be cheap. A name that dns_name_valid() refuses is answered with DNS_NO_NAME. Names may be given in any case. Answers
 * live as long as the host says, at least until the caller returned for good.
 */
struct dns_host {
	const struct dns_answer *(*ask)(void *data, enum dns_type type, struct bytes name);
	void *data;
};

/* What a function returns that asks: AUTH_WAIT: call again when answers came; its results are not valid yet. */
enum auth_step { AUTH_DONE, AUTH_WAIT };

static inline const struct dns_answer *dns_ask(const struct dns_host *host, enum dns_type type, struct bytes name)
{
	return host->ask(host->data, type, name);
}

const char *dns_type_name(enum dns_type type); /* "TXT" */
bool dns_type_find(struct bytes name, enum dns_type *ret_type);

/* Whether it can be asked: labels of 1 to 63 bytes, 253 bytes at most, one dot at the end allowed. */
bool dns_name_valid(struct bytes name);
#define DNS_KEY_MAX (DNS_NAME_MAX + 8)
/* "TXT example.com": the one form in which a question is a key. The name in lower case without a dot at its end. */
struct bytes dns_question_key(uint8_t out[static DNS_KEY_MAX], enum dns_type type, struct bytes name);
/* The same in the arena. */
NODISCARD enum err dns_question_write(struct arena *arena, enum dns_type type, struct bytes name,
				      struct bytes *ret_key);
NODISCARD enum err dns_question_read(struct bytes key, enum dns_type *ret_type, struct bytes *ret_name);
/*
 * 192.0.2.1 -> "1.2.0.192.SUFFIX", IPv6 by nibbles (RFC 3596 2.5); `suffix` without leading dot. For PTR the suffix is
 * dns_reverse_suffix(ip). IPv4 comes as ::ffff:a.b.c.d. {NULL, 0} when out of memory.
 */
struct bytes dns_name_reverse(struct arena *arena, const uint8_t ip[16], struct bytes suffix);
struct bytes dns_reverse_suffix(const uint8_t ip[16]);

void dns_answer_pack(struct buf *buf, const struct dns_answer *answer);
/* Spans are slices of `packed`. ERR_SYNTAX, ERR_NOMEM. */
NODISCARD enum err dns_answer_unpack(struct arena *arena, struct bytes packed, struct dns_answer *ret_answer);

/*
 * Reads a DNS message (RFC 1035 4) that answers this question: follows the CNAMEs in it, takes the records of `type`.
 * `ret_ttl`: seconds it may be kept: the smallest TTL of what was used, of a negative answer the SOA's (RFC 2308 5).
 * A code other than NOERROR and NXDOMAIN gives DNS_FAILED; so does a message that is no answer to the question or that
 * is broken. Never fails but for ERR_NOMEM. Names and data are copied.
 */
NODISCARD enum err dns_packet_read(struct arena *arena, struct bytes packet, enum dns_type type, struct bytes name,
				   struct dns_answer *ret_answer, uint32_t *ret_ttl);
