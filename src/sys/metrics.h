/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/metrics.h: counters and histograms in a page that all our processes share: each process adds to a row of its own
 * without locks, any of them sums the rows up. Declared in sys/metrics.def.
 */
#include <stdint.h>

#include "base/err.h"

struct buf;

enum metric {
#define METRIC(id, name, kind, labels, help) METRIC_##id,
#include "sys/metrics.def"
	METRIC_COUNT
};

enum histogram {
#define HISTOGRAM(id, name, scale, help, ...) HISTOGRAM_##id,
#include "sys/metrics.def"
	HISTOGRAM_COUNT
};
#define HISTOGRAM_BUCKETS 16 /* at most, with the last, which has no bound */

#define METRICS_ROWS 128

/* In the supervisor, before the first fork; row 0 is its own. Without it metrics go nowhere. ERR_NOMEM. */
NODISCARD enum err metrics_init(void);
/* Which row is this process's; a new process on an old row goes on counting there. Gauges of the row begin at 0. */
void metrics_use_row(unsigned row);
void metrics_add(enum metric metric, int64_t n);
void metrics_set(enum metric metric, int64_t value);
/* One value more; below 0 counts as 0. */
void metrics_observe(enum histogram histogram, int64_t value);
/* Gauges of a row whose process died are no longer true. */
void metrics_clear_gauges(unsigned row);
int64_t metrics_sum(enum metric metric);
/* How many values of all processes are in each bucket, not cumulated, and their sum. */
void metrics_histogram(enum histogram histogram, int64_t ret_counts[static HISTOGRAM_BUCKETS], int64_t *ret_sum);
/* All of them, in Prometheus' text format 0.0.4. */
void metrics_render(struct buf *buf);
