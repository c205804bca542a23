/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * daemon/scanner_report.h: reports of others that mail to reports.addresses brings: read after the verdict, in steps of
 * a millisecond or two between which other messages are judged, and handed to the gate in parts (scan/report_part.h).
 *
 * Owns:   a copy of each report that waits; the message may go.
 * Bounds: one report is read at a time; WAITING_MAX bytes and LETTERS_MAX reports wait, of any sender half of what the
 *         others leave. What comes beyond that is lost, counted and said: it is still in the mail that brought it.
 */
struct child;
struct peer_link;
struct scan;
struct scan_case;
struct scanner_reports;

/* The report in a message that was judged, if there is one that counts; `from` is the gate that brought it. *reports is
 * NULL until there is the first. */
void scanner_reports_take(struct scanner_reports **reports, struct child *child, const struct peer_link *from,
			  struct scan *scan, const struct scan_case *scan_case);
/* The gate is gone, and so is who would pass on what it brought. */
void scanner_reports_forget(struct scanner_reports *reports, const struct peer_link *from);
