/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/metrics.h"

#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/num.h"

#include "base/banned.h"

enum kind { counter, gauge };

static const struct {
	const char *name;
	enum kind kind;
	const char *labels, *help;
} table[] = {
#define METRIC(id, name, kind, labels, help) {name, kind, labels, help},
#include "sys/metrics.def"
};

/* Those that have fewer bounds end with zeroes. */
static const struct {
	const char *name, *help;
	int64_t scale;
	int64_t bounds[HISTOGRAM_BUCKETS - 1];
} histograms[] = {
#define HISTOGRAM(id, name, scale, help, ...) {name, help, scale, {__VA_ARGS__}},
#include "sys/metrics.def"
};

struct observed {
	int64_t counts[HISTOGRAM_BUCKETS];
	int64_t sum;
};

/* Rows do not share cache lines: their writers run on different processors. */
struct row {
	_Alignas(64) int64_t values[METRIC_COUNT];
	struct observed observed[HISTOGRAM_COUNT];
};

static struct row nowhere;
static struct row *rows;
static struct row *mine = &nowhere;

enum err metrics_init(void)
{
	void *map = mmap(NULL, METRICS_ROWS * sizeof(struct row), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	if (map == MAP_FAILED)
		return ERR_NOMEM;
	rows = map;
	mine = rows;
	return ERR_OK;
}

void metrics_use_row(unsigned row)
{
	if (!rows)
		return;
	mine = &rows[row % METRICS_ROWS];
	metrics_clear_gauges(row);
}

void metrics_clear_gauges(unsigned row)
{
	if (!rows)
		return;
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (table[i].kind == gauge)
			__atomic_store_n(&rows[row % METRICS_ROWS].values[i], 0, __ATOMIC_RELAXED);
}

static size_t count_bounds(enum histogram histogram)
{
	size_t n = 0;
	while (n < HISTOGRAM_BUCKETS - 1 && histograms[histogram].bounds[n] > 0)
		n++;
	return n;
}

static size_t find_bucket(enum histogram histogram, int64_t value)
{
	const int64_t *bounds = histograms[histogram].bounds;
	size_t i = 0;
	while (i < HISTOGRAM_BUCKETS - 1 && bounds[i] > 0 && value > bounds[i])
		i++;
	return i;
}

/* One writer a row: a plain store that readers see whole. */
static void add(int64_t *value, int64_t n)
{
	__atomic_store_n(value, *value + n, __ATOMIC_RELAXED);
}

void metrics_add(enum metric metric, int64_t n)
{
	add(&mine->values[metric], n);
}

void metrics_observe(enum histogram histogram, int64_t value)
{
	struct observed *observed = &mine->observed[histogram];
	value = MAX(value, 0);
	add(&observed->counts[find_bucket(histogram, value)], 1);
	add(&observed->sum, value);
}

void metrics_set(enum metric metric, int64_t value)
{
	__atomic_store_n(&mine->values[metric], value, __ATOMIC_RELAXED);
}

int64_t metrics_sum(enum metric metric)
{
	int64_t sum = 0;
	if (!rows)
		return mine->values[metric];
	for (size_t i = 0; i < METRICS_ROWS; i++)
		sum += __atomic_load_n(&rows[i].values[metric], __ATOMIC_RELAXED);
	return sum;
}

void metrics_histogram(enum histogram histogram, int64_t ret_counts[static HISTOGRAM_BUCKETS], int64_t *ret_sum)
{
	memset(ret_counts, 0, HISTOGRAM_BUCKETS * sizeof(*ret_counts));
	*ret_sum = 0;
	for (size_t row = 0; row < (rows ? METRICS_ROWS : 1); row++) {
		const struct observed *observed = &(rows ? &rows[row] : mine)->observed[histogram];
		for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
			ret_counts[i] += __atomic_load_n(&observed->counts[i], __ATOMIC_RELAXED);
		*ret_sum += __atomic_load_n(&observed->sum, __ATOMIC_RELAXED);
	}
}

static void render_histogram(struct buf *buf, enum histogram histogram)
{
	const char *name = histograms[histogram].name;
	const double scale = (double)histograms[histogram].scale;
	int64_t counts[HISTOGRAM_BUCKETS], sum, below = 0;
	size_t n = count_bounds(histogram);
	metrics_histogram(histogram, counts, &sum);
	buf_printf(buf, "# HELP postern_%s %s.\n# TYPE postern_%s histogram\n", name, histograms[histogram].help, name);
	for (size_t i = 0; i < n; i++) {
		below += counts[i];
		buf_printf(buf, "postern_%s_bucket{le=\"%.15g\"} %lld\n", name,
			   (double)histograms[histogram].bounds[i] / scale, (long long)below);
	}
	/* From the same counts, so that the last bucket and the count agree while others go on counting. */
	below += counts[n];
	buf_printf(buf, "postern_%s_bucket{le=\"+Inf\"} %lld\n", name, (long long)below);
	buf_printf(buf, "postern_%s_sum %.15g\n", name, (double)sum / scale);
	buf_printf(buf, "postern_%s_count %lld\n", name, (long long)below);
}

void metrics_render(struct buf *buf)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		if (table[i].help) {
			buf_printf(buf, "# HELP postern_%s %s.\n", table[i].name, table[i].help);
			buf_printf(buf, "# TYPE postern_%s %s\n", table[i].name,
				   table[i].kind == counter ? "counter" : "gauge");
		}
		buf_printf(buf, "postern_%s", table[i].name);
		if (table[i].labels)
			buf_printf(buf, "{%s}", table[i].labels);
		buf_printf(buf, " %lld\n", (long long)metrics_sum((enum metric)i));
	}
	for (enum histogram histogram = 0; histogram < HISTOGRAM_COUNT; histogram++)
		render_histogram(buf, histogram);
}
