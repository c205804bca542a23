/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * auth/report_dmarc.h: DMARC aggregate reports: read in the dialects that receivers send (RFC 9990, RFC 7489 appendix C
 * and the drafts before it), written as RFC 9990 says.
 *
 * Owns:   what is read lives in the arena; the XML need not outlive it.
 * Bounds: REPORT_XML_MAX bytes, REPORT_RECORDS_MAX records, REPORT_RESULTS_MAX DKIM or SPF results and
 * REPORT_REASONS_MAX reasons a record (more are skipped: RFC 9990, 3.1.3 sees a hundred at most), REPORT_TEXT_MAX bytes
 * a text (cut). Counts saturate at REPORT_COUNT_MAX. Fails:  ERR_SYNTAX (no XML, no report, a value that cannot be
 * read), ERR_LIMIT, ERR_NOMEM; *reterr names the line. Kind:   order, namespace and case of words do not matter,
 * unknown elements and extensions are skipped with all below them. What must be there: the domain, the period, and of a
 * record its address and count.
 */
#include "base/bytes.h"
#include "base/err.h"

struct arena;
struct buf;

#define REPORT_XML_MAX     ((size_t)128 << 20)
#define REPORT_RECORDS_MAX ((size_t)100000)
#define REPORT_RESULTS_MAX ((size_t)100)
#define REPORT_REASONS_MAX ((size_t)20)
#define REPORT_TEXT_MAX    ((size_t)1000)
#define REPORT_COUNT_MAX   UINT64_C(1000000000000)

#define REPORT_NAMESPACE "urn:ietf:params:xml:ns:dmarc-2.0" /* RFC 9990 */

/* Identifier alignment, as the reporter evaluated it. */
enum report_aligned { REPORT_UNTOLD, REPORT_FAIL, REPORT_PASS };

/*
 * Words (policies, dispositions, results) are lower case and those of RFC 9990 where the report used another name for
 * the same ("hardfail" is "fail"); a word that nobody knows stays. Texts that are absent are {NULL, 0}.
 */
struct report_policy {
	struct bytes domain, p, sp, np, adkim, aspf, fo;
	struct bytes testing;          /* "y", "n" */
	struct bytes discovery_method; /* "psl", "treewalk" */
	struct bytes pct;              /* RFC 7489 */
};

struct report_result {
	struct bytes domain;
	struct bytes selector; /* DKIM */
	struct bytes scope;    /* SPF */
	struct bytes result;
	struct bytes human;
};

struct report_reason {
	struct bytes type, comment;
};

struct report_record {
	struct bytes source_ip; /* in the form of RFC 5952; IPv4 mapped into IPv6 as IPv4 */
	uint64_t count;
	struct bytes disposition;
	enum report_aligned dkim, spf;
	const struct report_reason *reasons;
	size_t n_reasons;
	struct bytes header_from; /* that of the policy when the report is silent */
	struct bytes envelope_from, envelope_to;
	const struct report_result *dkim_results, *spf_results;
	size_t n_dkim, n_spf;
};

struct report_dmarc {
	struct bytes org, email, contact, report_id, generator;
	struct bytes error;
	struct bytes xmlns;
	int64_t begin, end; /* seconds since 1970 */
	struct report_policy policy;
	const struct report_record *records;
	size_t n_records;
};

NODISCARD enum err report_dmarc_read(struct arena *arena, struct bytes xml, struct report_dmarc *ret_report,
				     struct error *reterr);

/*
 * The same piece by piece, for who has others to serve between them. `seed` is as in auth/xml.h; the reader lives in
 * the arena, and report_dmarc_close() gives back what does not. After an error, that only.
 */
struct report_dmarc_reader;
NODISCARD enum err report_dmarc_open(struct arena *arena, uint64_t seed, struct report_dmarc_reader **ret_reader,
				     struct error *reterr);
NODISCARD enum err report_dmarc_feed(struct report_dmarc_reader *reader, struct bytes piece, struct error *reterr);
NODISCARD enum err report_dmarc_finish(struct report_dmarc_reader *reader, struct report_dmarc *ret_report,
				       struct error *reterr);
void report_dmarc_close(struct report_dmarc_reader **reader);

/*
 * Adds the report as RFC 9990 XML; the same report gives the same bytes. What RFC 9990 does not know (pct, xmlns) is
 * not written. ERR_SYNTAX where the schema does not allow a value, something is missing that it wants, or there is no
 * record: *reterr says what. Otherwise the error of the buffer.
 */
NODISCARD enum err report_dmarc_write(const struct report_dmarc *report, struct buf *out, struct error *reterr);
/*
 * The same piece by piece: what comes before the records (those of `report` are not looked at), each record, and at
 * least one of these, then the end. A piece that is ERR_SYNTAX adds nothing, and the next one may follow.
 */
NODISCARD enum err report_dmarc_begin(const struct report_dmarc *report, struct buf *out, struct error *reterr);
NODISCARD enum err report_dmarc_add(const struct report_record *record, struct buf *out, struct error *reterr);
NODISCARD enum err report_dmarc_end(struct buf *out, struct error *reterr);
