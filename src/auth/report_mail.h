/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/report_mail.h: how a DMARC aggregate report reaches who asked for it (RFC 9990, 3.5 and 4): the addresses of a
 * rua tag, the question whether an outsider wants the reports, file name, subject and the whole message.
 *
 * Owns:   results are slices of the input, or live in the arena, or go to the caller's buffer.
 * Bounds: REPORT_RUA_MAX addresses; what comes after them is not used.
 * Fails:  ERR_SYNTAX where a name or an address could not stand in a header, ERR_LIMIT where a name is longer than DNS
 *         allows, ERR_NOMEM.
 */
#include "auth/dmarc.h"
#include "auth/report_dmarc.h"

#define REPORT_RUA_MAX 16

/* A host name of letters, digits, hyphens and underscores: nothing that a header, a file or a shell could misread. */
bool report_domain_plain(struct bytes domain);

struct report_target {
	struct bytes address; /* "reports@example.net" */
	struct bytes host;    /* behind the @ */
	uint64_t size_max;    /* of the message ("!10m" of RFC 7489); UINT64_MAX: not said */
};

/*
 * The mailto addresses of a rua value ("mailto:a@example.com, mailto:b@example.net!10m") in order. What is no such
 * address is left out, as RFC 9989 (4.7) says of URIs that nobody knows. ERR_NOMEM only.
 */
NODISCARD enum err report_rua_read(struct arena *arena, struct bytes rua,
				   struct report_target ret_targets[REPORT_RUA_MAX], size_t *ret_n);

/*
 * The name whose TXT records say whether `host` takes reports for `policy_domain` (RFC 9990, 4): to be asked where the
 * organizational domains of the two differ. ERR_LIMIT: it cannot be asked, so nothing is to be sent.
 */
NODISCARD enum err report_external_question(struct arena *arena, struct bytes policy_domain, struct bytes host,
					    struct bytes *ret_name);
/*
 * Reads one TXT record of it. ERR_OK: it agrees, and *ret_target is where to write to: `asked`, or the address at the
 * same host that the record names. ERR_SYNTAX: this record says nothing. ERR_DENIED: it names other hosts only, so
 * nothing is to be sent to either. ERR_NOMEM.
 */
NODISCARD enum err report_external_read(struct arena *arena, struct bytes txt, const struct report_target *asked,
					struct report_target *ret_target);

/* -- Who may be written to ---- */

enum report_wish { REPORT_WISH_WAIT, REPORT_WISH_YES, REPORT_WISH_NO, REPORT_WISH_UNKNOWN };

/*
 * Whether reports on `policy_domain` are wanted at `target`, and at which address (*ret_target): it is within the
 * organization, or says in its own DNS that it takes them (RFC 9990, 4). WAIT: the host of the DNS has questions that
 * are to be answered first. UNKNOWN: the DNS does not say, for now.
 */
enum report_wish report_wish_ask(struct arena *arena, const struct dns_host *host, enum dmarc_mode mode,
				 struct bytes policy_domain, const struct report_target *target,
				 struct report_target *ret_target);

/* What a judgment found published, as the report is to show it. `result->record` is not NULL. ERR_NOMEM. */
NODISCARD enum err report_policy_of(struct arena *arena, const struct dmarc_result *result, enum dmarc_mode mode,
				    struct report_policy *ret_policy);

/* "receiver!domain!begin!end!id.xml.gz": what RFC 9990 (3.5.2) names unique-id is the id of the report (3.1.4). */
NODISCARD enum err report_filename(struct arena *arena, struct bytes receiver, const struct report_dmarc *report,
				   struct bytes *ret_name);
/*
 * Letters and digits: the same each time that the report is made, another for each domain, period, and host that
 * reports in the receiver's name, so that reports of several hosts are not taken for one.
 */
NODISCARD enum err report_id_make(struct arena *arena, struct bytes receiver, struct bytes host, struct bytes domain,
				  int64_t begin, struct bytes *ret_id);

struct report_mail {
	const struct report_dmarc *report; /* its email is the From address */
	struct bytes receiver;             /* the domain that reports */
	struct bytes to;
	int64_t date; /* seconds since 1970 */
	struct bytes filename, gzip;
};

/* Adds the message, lines ending in CRLF; the Message-ID begins with the
 * Report-ID. The same input gives the same bytes. */
NODISCARD enum err report_mail_write(const struct report_mail *mail, struct buf *out);
