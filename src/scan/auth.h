/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/auth.h: who really sent the message: SPF, DKIM, ARC and DMARC of a case, each found out once, for all checks.
 */
#include "auth/arc.h"
#include "auth/dkim.h"
#include "auth/dmarc.h"
#include "auth/spf.h"

struct buf;
struct json;
struct scan;

struct scan_auth {
	bool has_spf;          /* a client outside is known */
	bool has_source;       /* and its address, be it that a relay of ours says: */
	uint8_t source_ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	struct spf_result spf;
	const struct dkim *dkim;
	const struct arc *arc;
	struct dmarc_result dmarc;
	/* What the author domain asks for a message that failed, unless somebody who is believed explains the failure.
	 */
	enum dmarc_policy disposition;
	const struct arc_set *explained_by; /* the sealer who is believed; NULL: nobody */
	bool inside; /* it came from a host of ours, and nobody outside had it before: no policy is held against it */
};

/*
 * The results; NULL: wait for facts (the check returns CHECK_WAIT). Where the DNS is not asked (scan_settings.dns),
 * memory ran out, or the message is one of our own users, `scan_auth_unknown`.
 */
const struct scan_auth *scan_auth(struct scan *scan);
extern const struct scan_auth scan_auth_unknown;
/* Whose SPF is judged, once scan_auth() was called; NULL: nobody's. */
const struct spf_query *scan_auth_query(const struct scan *scan);
/* What is known when the case is done; asks nothing. */
const struct scan_auth *scan_auth_result(const struct scan *scan);

/* Whether a chain holds whose newest sealer wrote down that the message was proven to be of its author domain. */
bool scan_auth_sealed_proof(struct scan *scan, const struct scan_auth *auth);

/* The value of our Authentication-Results field, one line. */
void scan_auth_field(struct buf *buf, const struct scan_auth *auth, struct bytes authserv_id);
/* "spf", "dkim", "dmarc", "arc" as members of the object that is open; `arc_first`: before DMARC. */
void scan_auth_json(struct json *json, const struct scan_auth *auth, bool arc_first);
