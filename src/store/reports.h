/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/reports.h: reports of DMARC and TLS in the store: those that others sent about our domains, kept once and
 * summed by day and source, and the tallies of what we saw, from which the reports that we owe are made.
 *
 * Days:   counted from 1970, in UTC; store_day() tells that of a time. A report of several days counts for its first.
 * Who:    as store/store.h says. What is added is added to the open transaction.
 * Bounds: STORE_OWED_RECORDS_MAX different records a domain and day: mail from further sources that day is not
 *         reported. Counts saturate at REPORT_COUNT_MAX a row, sums at 9 * 10^15.
 * Fails:  as store/store.h says; ERR_UNSUPPORTED also where the database is older than reports are.
 */
#include "auth/report_dmarc.h"
#include "auth/report_mail.h"
#include "scan/report_part.h"
#include "store/owed_report.h"
#include "store/store.h"

#define STORE_OWED_RECORDS_MAX 20000

int64_t store_day(int64_t seconds);

/* -- Reports that others sent ---- */

/*
 * *ret_new is false when that part of the report is there already (by organization, id, domain and, where one is
 * proven, sender: nobody can take the place of a report of another): nothing was added.
 */
NODISCARD enum err store_report_add(struct store *store, const struct report_part *part, int64_t now, bool *ret_new,
				    struct error *reterr);

/*
 * Days `first` to `last`, both included; of one domain, or of all when it is empty. What the senders in `except` say
 * (",evil.example,other.example,"; empty: none) is left out of DMARC's sums.
 */
struct store_report_query {
	int64_t first, last;
	struct bytes domain, except;
};

/* What is known about a domain from its reports: one row a domain, by name. */
struct store_report_domain {
	struct bytes domain;
	uint64_t reports, receivers; /* proven senders, and organizations of what is not proven */
	int64_t begin, end;          /* seconds: the earliest and the latest that reports are about */
	struct bytes policy;         /* p of the latest report */
};
NODISCARD enum err store_report_domains(struct store *store, const struct store_report_query *query,
					bool (*row)(void *ctx, const struct store_report_domain *domain), void *ctx,
					struct error *reterr);

/*
 * Who says so, of DMARC and then of TLS: by domain, then by how many messages they tell of. `sender` is the domain that
 * DMARC proved, empty where none did; `org` is what the report itself says. All of them are told, also those in
 * `except`.
 */
struct store_report_reporter {
	struct bytes domain; /* of TLS that of the first policy of a report */
	struct bytes sender, org;
	uint64_t reports, messages; /* of TLS no messages */
	bool of_tls;
};
NODISCARD enum err store_report_reporters(struct store *store, const struct store_report_query *query,
					  bool (*row)(void *ctx, const struct store_report_reporter *reporter),
					  void *ctx, struct error *reterr);

/* What one address sent in a domain's name; rows come by domain and address. */
struct store_report_source {
	struct bytes domain, ip;
	uint64_t messages, dkim, spf; /* aligned and passed */
	uint64_t pass;                /* of DMARC: by either */
	uint64_t quarantined, rejected;
	/* Of the largest share that failed: whom DKIM and SPF passed for, which is another than the author; may be
	 * empty. */
	struct bytes failed_dkim_domain, failed_spf_domain, failed_from;
};
NODISCARD enum err store_report_sources(struct store *store, const struct store_report_query *query,
					bool (*row)(void *ctx, const struct store_report_source *source), void *ctx,
					struct error *reterr);

/* Sessions to a domain by what its policy is ("sts", "tlsa", "no-policy-found"). */
struct store_report_tls {
	struct bytes domain, type;
	uint64_t successful, failed;
};
NODISCARD enum err store_report_tls(struct store *store, const struct store_report_query *query,
				    bool (*row)(void *ctx, const struct store_report_tls *tls), void *ctx,
				    struct error *reterr);

struct store_report_tls_failure {
	struct bytes domain, type, result, mx;
	uint64_t sessions;
};
NODISCARD enum err store_report_tls_failures(struct store *store, const struct store_report_query *query,
					     bool (*row)(void *ctx, const struct store_report_tls_failure *failure),
					     void *ctx, struct error *reterr);

/* -- Reports that we owe ---- */

/*
 * One message (or record->count of them) that was judged by a policy whose record asks for reports at `rua`. The policy
 * and rua of the last message of a day are those of the report. ERR_SYNTAX when no report could be written of it.
 */
NODISCARD enum err store_owed_add(struct store *store, int64_t day, const struct report_policy *policy,
				  struct bytes rua, const struct report_record *record, struct error *reterr);

struct store_owed {
	struct report_policy policy;
	struct bytes rua;
	uint64_t records, messages; /* of store_owed_find() only */
	bool sent;                  /* likewise */
};

/*
 * The report of that day to the first domain behind `after` (empty: of all) that is not sent yet; its domain is empty
 * when there is none. Texts live in the arena.
 */
NODISCARD enum err store_owed_next(struct store *store, struct arena *arena, int64_t day, struct bytes after,
				   struct store_owed *ret_owed, struct error *reterr);
/*
 * Adds records of it to `rows` as store/owed_report.h reads them, those behind the row `behind` (empty: all), as long
 * as `rows` has room for STORE_OWED_ROW_MAX more: read and sent in pieces, no report holds up other work. *ret_more:
 * there are others. Rows that are damaged beyond that are left out and counted.
 */
#define STORE_OWED_ROW_MAX ((size_t)70 << 10)
NODISCARD enum err store_owed_rows(struct store *store, int64_t day, struct bytes domain, struct bytes behind,
				   struct buf *rows, bool *ret_more, size_t *ret_damaged, struct error *reterr);
NODISCARD enum err store_owed_sent(struct store *store, int64_t day, struct bytes domain, struct error *reterr);

/*
 * Makes the report at once, for who has the time: it and its gzip. After an error too, owed_report_done().
 */
NODISCARD enum err store_owed_make(struct store *store, struct arena *arena, int64_t day, const struct store_owed *owed,
				   const struct owed_reporter *reporter, struct owed_report *ret_report,
				   struct buf *gzip, struct error *reterr);

/* All that is owed for the days `first` to `last`, sent or not; of one domain, or of all when it is empty. */
NODISCARD enum err store_owed_find(struct store *store, const struct store_report_query *query,
				   bool (*row)(void *ctx, int64_t day, const struct store_owed *owed), void *ctx,
				   struct error *reterr);

/* -- Upkeep ---- */

/* Forgets some of each kind that is older than that, in the open transaction; the oldest first. */
NODISCARD enum err store_report_forget(struct store *store, int64_t reports_before, int64_t owed_before, bool *ret_more,
				       struct error *reterr);
