/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * cli/dmarc.h: what the verbs of `postern dmarc` share.
 */
#include "base/buf.h"
#include "scan/report_read.h"

/* Adds one report as text for people, or as one JSON object and the end of its line. */
void dmarc_show_text(struct buf *out, struct bytes path, const struct report *report);
void dmarc_show_json(struct buf *out, struct bytes path, const struct report *report);

/* `postern dmarc report`: the sums. */
int dmarc_report(int argc, char **argv);
/* `postern dmarc owed`, `postern dmarc send`: what we owe to others. */
int dmarc_owed(int argc, char **argv);
int dmarc_send(int argc, char **argv);
