/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/report_tls.h: reports on TLS (RFC 8460): how many sessions came about and how many failed, by policy and reason.
 *
 * Owns:   what is read lives in the arena; the JSON need not outlive it.
 * Bounds: REPORT_TLS_MAX bytes, REPORT_TLS_VALUES values, REPORT_TLS_DEPTH levels, REPORT_TLS_MEMBERS of an object, all
 *         counted before anything is built; texts are cut at REPORT_TEXT_MAX, counts saturate at REPORT_COUNT_MAX.
 * Fails:  ERR_SYNTAX (no JSON, no report), ERR_LIMIT, ERR_NOMEM; reterr->at is the line where there is one, and the
 *         text says it too.
 */
#include "auth/report_dmarc.h"
#include "base/bytes.h"
#include "base/err.h"

#define REPORT_TLS_MAX     ((size_t)4 << 20)
#define REPORT_TLS_VALUES  ((size_t)50000)
#define REPORT_TLS_DEPTH   ((size_t)16)
#define REPORT_TLS_MEMBERS ((size_t)200) /* of one object; RFC 8460 knows eight */

struct report_tls_failure {
	struct bytes result_type; /* lower case; RFC 8460, 4.3 */
	struct bytes sending_ip, receiving_ip, receiving_mx, receiving_helo, additional, reason;
	uint64_t sessions;
};

struct report_tls_policy {
	struct bytes type; /* "tlsa", "sts", "no-policy-found"; lower case */
	struct bytes domain;
	const struct bytes *mx_hosts; /* patterns */
	size_t n_mx_hosts;
	uint64_t successful, failed; /* sessions */
	const struct report_tls_failure *failures;
	size_t n_failures;
};

struct report_tls {
	struct bytes org, contact, report_id;
	int64_t begin, end; /* seconds since 1970 */
	const struct report_tls_policy *policies;
	size_t n_policies;
};

NODISCARD enum err report_tls_read(struct arena *arena, struct bytes json, struct report_tls *ret_report,
				   struct error *reterr);
