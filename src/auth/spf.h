/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/spf.h: whether a host may send mail for a domain: check_host() of RFC 7208.
 *
 * Owns:     results live in the arena, or are slices of the query and of the host's answers.
 * Bounds:   RFC 7208 4.6.4: 10 terms that ask DNS, 2 terms without an answer, 10 names of MX and PTR. Records are read
 * in linear time; nested records are a stack of fixed size. Fails:    never. Without memory left the result is
 * temperror.
 */
#include "auth/dns.h"
#include "auth/spf_record.h"

#define SPF_LOOKUPS_MAX 10
#define SPF_VOID_MAX    2
#define SPF_NAMES_MAX   10

struct spf_query {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	struct bytes helo;
	struct bytes from;     /* the reverse path, with or without <>; empty: HELO is checked (RFC 7208 2.4) */
	struct bytes receiver; /* %{r}: our name; "unknown" when empty */
	int64_t now;           /* %{t}: seconds since 1970 */
};

struct spf_result {
	enum spf_code code;
	bool helo_scope;     /* the domain is that of HELO */
	struct bytes domain; /* what was checked; without dot at its end, as A-labels */
	/*
	 * The directive that decided, as written, or "default" (RFC 7208 9.1). Behind the include or redirect that led
	 * to it: "include:a.example > ip4:192.0.2.1". "" when no record decided.
	 */
	struct bytes mechanism;
	struct bytes explanation; /* of fail: the text of exp=, printable ASCII; "" when there is none */
	struct bytes problem;  /* of permerror and temperror: a sentence with domain, byte (from 1) and term; may hold
				  foreign bytes */
	unsigned lookups;      /* terms that asked DNS */
	unsigned void_lookups; /* of these: terms whose question brought no record */
};

/* AUTH_WAIT: answers are missing; what could be asked has been asked. */
enum auth_step spf_check(struct arena *arena, const struct dns_host *host, const struct spf_query *query,
			 struct spf_result *ret_result);

const char *spf_code_name(enum spf_code code); /* "softfail" (RFC 8601 2.7.2) */
