/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * store/owed_report.h: the report that we owe, made of the records that were counted for it. Pure: the vault reads the
 * records, who sends the report makes it, piece by piece.
 *
 * Owns:   an owed_report its XML; its texts live in the arena that it was begun with.
 * Bounds: OWED_XML_MAX bytes; OWED_DETAIL_MAX bytes of what a record has beside its columns.
 * Fails:  a record that is damaged is left out and counted, nothing else with it. ERR_SYNTAX: no report can be made of
 *         that policy, by that reporter, or of no record at all; ERR_NOMEM, ERR_LIMIT.
 */
#include "auth/report_mail.h"
#include "base/buf.h"

#define OWED_XML_MAX    ((size_t)64 << 20)
#define OWED_DETAIL_MAX ((size_t)64 << 10)

/* -- Records as they are kept and told ---- */

/*
 * Detail: what a record has beside its columns (envelope, reasons, results) is one value of its row, in which equal
 * things are equal bytes. The lists of the record are within the limits of a report.
 */
void owed_detail_pack(struct buf *buf, const struct report_record *record);

/* A row of the table of records. Each is packed with its length in front; the bytes of one are its place in order. */
struct owed_row {
	struct bytes ip, header_from, disposition, detail;
	uint8_t dkim, spf;
	int64_t count;
};

/* False, and nothing is added: it is larger than any that was counted. */
bool owed_row_pack(struct buf *rows, const struct owed_row *row);
/* Takes the next row off the front; false at the end. */
bool owed_row_next(struct bytes *rows, struct bytes *ret_row);
NODISCARD enum err owed_row_unpack(struct bytes row, struct owed_row *ret_row);

/* -- The report ---- */

/* Who reports. `receiver` is the domain that file names begin with, `host` tells hosts that report for it apart. */
struct owed_reporter {
	struct bytes org, email, contact, generator, receiver, host;
};

struct owed_report {
	struct report_dmarc report; /* n_records are written, and not there any more */
	struct bytes rua, filename;
	struct report_target targets[REPORT_RUA_MAX]; /* of rua; outsiders are to be asked first */
	size_t n_targets;
	struct buf xml;
	size_t damaged; /* records left out */
};

/* That of the day (counted from 1970) on that policy. After an error too, owed_report_done(). */
NODISCARD enum err owed_report_begin(struct owed_report *report, struct arena *arena,
				     const struct owed_reporter *reporter, int64_t day,
				     const struct report_policy *policy, struct bytes rua, struct error *reterr);
/* Adds packed rows; *ret_last is the last of them. What it needs for a row is given back to the arena. */
NODISCARD enum err owed_report_add(struct owed_report *report, struct arena *arena, struct bytes rows,
				   struct bytes *ret_last, struct error *reterr);
/* Adds the whole, compressed, to `gzip`. The same records give the same bytes. */
NODISCARD enum err owed_report_end(struct owed_report *report, struct buf *gzip, struct error *reterr);
void owed_report_done(struct owed_report *report);
