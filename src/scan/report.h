/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/report.h: a verdict as JSON (FORMATS.md section 3) and as text for people.
 */
#include "scan/scan.h"

struct buf;
struct json;

/* The whole object, without a line end. */
void report_json(struct buf *buf, const struct scan *scan, struct bytes path, const struct scan_usec *usec);

/* The value of the key "evidence" alone: an array. */
void report_evidence(struct json *json, const char *key, const struct verdict *verdict);

/* What is compared when a case is replayed: class, log-odds, action and evidence, as JSON. */
void report_verdict(struct buf *buf, const struct verdict *verdict);

/*
 * For people: one line "path: class (probability) action", then with `why` a line for each piece of evidence that was
 * weighed: weight and sentence, in Japanese when `japanese`. Foreign text is escaped.
 */
void report_text(struct buf *buf, const struct scan *scan, struct bytes path, bool why, bool japanese);
