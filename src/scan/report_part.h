/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/report_part.h: a report of somebody else, cut into parts that are small enough for a message between processes.
 * The same report gives the same parts, and each is kept once for itself (store/reports.h): so they may come twice, in
 * any order, and some of them never, without anything being counted twice.
 *
 * Owns:   a part made or read lives in the arena, or is slices of the report or of what was packed.
 * Bounds: REPORT_PART_UNITS records, or policies and failures of TLS, a part; REPORT_PART_TEXT bytes a text (cut):
 *         packed it is below REPORT_PART_MAX.
 * Fails:  ERR_NOMEM, ERR_SYNTAX.
 */
#include "scan/report_read.h"

struct buf;

#define REPORT_PART_UNITS ((size_t)100)
#define REPORT_PART_TEXT  ((size_t)255)
#define REPORT_PART_MAX   ((size_t)128 << 10)

/* Of a record only what is summed is there: of its results the first DKIM and SPF domain that passed, where DMARC
 * failed. */
struct report_part {
	enum report_kind kind;
	size_t number;       /* from 0 */
	struct bytes sender; /* the author domain that DMARC proved to send it; empty: none */
	struct bytes org, report_id;
	struct bytes domain; /* of TLS that of the first policy of the report */
	struct bytes policy; /* p; of TLS absent */
	int64_t begin, end;  /* of the report, seconds since 1970 */
	const struct report_record *records;
	size_t n_records;
	const struct report_tls_policy *policies; /* each with its sums, or (0 sessions) with one failure */
	size_t n_policies;
};

uint64_t report_part_messages(const struct report_part *part);

/* At least 1: a report without a record is a report too. */
size_t report_parts(const struct report *report);
/* `sender` is the maker's to say: absent. */
NODISCARD enum err report_part_make(struct arena *arena, const struct report *report, size_t number,
				    struct report_part *ret_part);

void report_part_pack(struct buf *buf, const struct report_part *part);
NODISCARD enum err report_part_unpack(struct arena *arena, struct bytes packed, struct report_part *ret_part);
