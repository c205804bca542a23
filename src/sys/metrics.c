/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/metrics.h"

#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"

#include "base/banned.h"

enum kind { counter, gauge };

static const struct {
	const char *name;
	enum kind kind;
	const char *labels, *help;
} table[] = {
#define METRIC(id, name, kind, labels, help) {name, kind, labels, help},
#include "sys/metrics.def"
#undef METRIC
};

/* Rows do not share cache lines: their writers run on different processors. */
struct row {
	_Alignas(64) int64_t values[METRIC_COUNT];
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

void metrics_add(enum metric metric, int64_t n)
{
	/* One writer a row: a plain store that readers see whole. */
	int64_t *value = &mine->values[metric];
	__atomic_store_n(value, *value + n, __ATOMIC_RELAXED);
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
}
