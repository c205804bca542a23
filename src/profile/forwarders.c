/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/forwarders.h"

#include "base/mem.h"
#include "base/num.h"
#include "profile/table.h"

#include "base/banned.h"

enum { COUNT_UNWANTED = 3 };

enum err forwarders_init(struct forwarders *forwarders, size_t bytes)
{
	size_t n = bytes / sizeof(struct forwarder_record) / FORWARDERS_WINDOW;
	n = MAX(n, (size_t)1);
	*forwarders = (struct forwarders){.n_records = MIN(n, (size_t)UINT32_MAX) * FORWARDERS_WINDOW};
	forwarders->records = mem_new(struct forwarder_record, forwarders->n_records);
	return forwarders->records ? ERR_OK : ERR_NOMEM;
}

void forwarders_done(struct forwarders *forwarders)
{
	mem_free(forwarders->records);
	*forwarders = (struct forwarders){0};
}

static struct forwarder_record *window(const struct forwarders *forwarders, uint64_t key)
{
	size_t n = forwarders->n_records / FORWARDERS_WINDOW;
	return &forwarders->records[((key >> 16 & UINT32_MAX) * n >> 32) * FORWARDERS_WINDOW];
}

void forwarders_prefetch(const struct forwarders *forwarders, uint64_t key)
{
	const struct forwarder_record *records = window(forwarders, key);
	for (size_t i = 0; i < FORWARDERS_WINDOW; i += 2)
		__builtin_prefetch(&records[i]);
}

static struct forwarder_record *find(const struct forwarders *forwarders, uint64_t key)
{
	struct forwarder_record *records = window(forwarders, key);
	for (size_t i = 0; i < FORWARDERS_WINDOW; i++)
		if (records[i].first > 0 && records[i].key[0] == (key & UINT16_MAX) &&
		    records[i].key[1] == (key >> 16 & UINT16_MAX) && records[i].key[2] == (key >> 32 & UINT16_MAX))
			return &records[i];
	return NULL;
}

const struct forwarder_record *forwarders_find(const struct forwarders *forwarders, uint64_t key)
{
	return find(forwarders, key);
}

static unsigned days_since(uint16_t day, uint16_t today)
{
	return today > day ? (unsigned)(today - day) : 0;
}

/* In whole half-lives: a part of one would be rounded away from a small count of each day. */
static uint16_t halved(uint16_t count, unsigned half_lives)
{
	return half_lives < 16 ? (uint16_t)(count >> half_lives) : 0;
}

void forwarders_ask(const struct forwarders *forwarders, uint64_t key, uint16_t today, unsigned half_life,
		    struct forwarder_figures *ret_figures)
{
	const struct forwarder_record *record = find(forwarders, key);
	*ret_figures = (struct forwarder_figures){0};
	if (!record)
		return;
	unsigned days = days_since(record->last, today), halves = days_since(record->aged, today) / half_life;
	uint16_t weight = table_decay(record->days, days, half_life);
	if (weight == 0)
		return;
	*ret_figures = (struct forwarder_figures){
		.first_days = (uint16_t)days_since(record->first, today),
		.last_days = (uint16_t)days,
		.days = (uint16_t)MAX((weight + TABLE_DAY / 2) / TABLE_DAY, 1u),
		.intact = halved(record->counts[0], halves),
		.sealed = halved(record->counts[1], halves),
		.broken = halved(record->counts[2], halves),
		.unwanted = halved(record->counts[COUNT_UNWANTED], halves),
		.authors = (uint16_t)__builtin_popcountll(record->authors),
	};
}

bool forwarder_is_trusty(const struct forwarder_figures *figures)
{
	uint32_t all = (uint32_t)figures->intact + figures->sealed + figures->broken + figures->unwanted;
	return figures->days >= 5 && figures->authors >= 3 && figures->intact >= 10 && figures->unwanted * 10u <= all;
}

static struct forwarder_record *place(const struct forwarders *forwarders, uint64_t key, uint16_t weight,
				      uint16_t today, unsigned half_life)
{
	struct forwarder_record *records = window(forwarders, key), *weakest = NULL;
	uint16_t least = 0;
	for (size_t i = 0; i < FORWARDERS_WINDOW; i++) {
		uint16_t left = table_decay(records[i].days, days_since(records[i].last, today), half_life);
		if (records[i].first == 0)
			return &records[i];
		if (!weakest || left < least || (left == least && records[i].last < weakest->last)) {
			weakest = &records[i];
			least = left;
		}
	}
	return least <= weight ? weakest : NULL;
}

/* Brings the counters of the record to today; false: they are. */
static bool advance(struct forwarder_record *record, uint16_t today, unsigned half_life)
{
	unsigned days = days_since(record->last, today), halves = days_since(record->aged, today) / half_life;
	if (days == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(record->counts); i++)
		record->counts[i] = halved(record->counts[i], halves);
	record->aged = (uint16_t)(record->aged + halves * half_life);
	uint32_t weight = (uint32_t)table_decay(record->days, days, half_life) + TABLE_DAY;
	record->days = (uint16_t)MIN(weight, (uint32_t)UINT16_MAX);
	record->last = today;
	record->today = 0;
	return true;
}

bool forwarders_learn(struct forwarders *forwarders, uint64_t key, uint64_t author, enum forwarder_state state,
		      bool unwanted, uint16_t today, unsigned half_life)
{
	struct forwarder_record *record = find(forwarders, key);
	bool changed = false;
	if (state == FORWARDER_NONE || today == 0)
		return false;
	if (!record) {
		record = place(forwarders, key, TABLE_DAY, today, half_life);
		if (!record)
			return false;
		changed = true;
		*record = (struct forwarder_record){
			.key = {(uint16_t)key, (uint16_t)(key >> 16), (uint16_t)(key >> 32)},
			.first = today,
			.last = today,
			.aged = today,
			.days = TABLE_DAY,
		};
	}
	changed |= advance(record, today, half_life);
	unsigned which = unwanted ? COUNT_UNWANTED : (unsigned)state - FORWARDER_INTACT, shift = 4 * which;
	if ((record->today >> shift & 15) < FORWARDER_DAY_MAX) {
		record->today = (uint16_t)(record->today + (1u << shift));
		record->counts[which] = (uint16_t)MIN(record->counts[which] + 1u, (unsigned)UINT16_MAX);
		changed = true;
	}
	uint64_t bit = UINT64_C(1) << (author % FORWARDER_AUTHORS);
	/* A forged author counts for none, and who seals can forge. */
	if (!unwanted && state == FORWARDER_INTACT && !(record->authors & bit)) {
		record->authors |= bit;
		changed = true;
	}
	return changed;
}

void forwarders_restore(struct forwarders *forwarders, const struct forwarder_record *record, uint16_t today,
			unsigned half_life)
{
	uint64_t key = record->key[0] | (uint64_t)record->key[1] << 16 | (uint64_t)record->key[2] << 32;
	struct forwarder_record *slot = find(forwarders, key);
	if (!slot)
		slot = place(forwarders, key, table_decay(record->days, days_since(record->last, today), half_life),
			     today, half_life);
	if (slot)
		*slot = *record;
}
