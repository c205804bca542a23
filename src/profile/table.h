/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/table.h: a fixed amount of memory that remembers when and on how many days something was seen. A record is
 * twelve bytes; five of them fill a cache line, and a key may lie in two lines, so that looking up costs two misses.
 *
 * Keys:     48 bits of a keyed hash: a sender cannot aim at a line. One key in forty million is mistaken for another.
 * Weight:   TABLE_DAY for each day on which it was seen (a thousand messages of one day count as one), halved with
 *           every half-life that passes; at 0 the record is forgotten.
 * Full:     where the ten slots of a newcomer are taken, one of the ten records moves to its own other line, if that
 *           has place: next to nothing is lost before five slots of six are taken. Else the newcomer takes the place
 *           of the weakest, if that one is not stronger than it is. What was seen over at least a week is settled and
 *           counts eightfold: a flood of strangers pushes out strangers. But one of the ten is left to what is not: a
 *           flood that came twice, a week apart, does not keep out those who come later.
 * Time:     days since 1970, as an argument; a clock that goes back does no harm.
 */
#include "base/bytes.h"
#include "base/err.h"

#define TABLE_DAY     64u /* weight of one day */
#define TABLE_SLOTS   5u
#define TABLE_SETTLED 7u /* days from first to last */
#define TABLE_NOBODY  UINT64_MAX

struct table_record {
	uint16_t key[3];              /* low bits first */
	uint16_t first, last, weight; /* weight as of `last`; 0: the slot is free */
};

struct table_line {
	struct table_record slots[TABLE_SLOTS];
	uint16_t unused[2];
};

struct table {
	void *block;
	struct table_line *lines;
	size_t n_lines;
	uint64_t evicted, refused; /* since it was made */
	/* By the last table_learn(): whether anything was learned that was not known, and who had to move for that. */
	bool changed;
	uint64_t moved; /* key; TABLE_NOBODY */
};

/* The weight that is left after so many days. */
uint16_t table_decay(uint16_t weight, unsigned days, unsigned half_life);

/* At most `bytes`, at least one line. ERR_NOMEM. */
NODISCARD enum err table_init(struct table *table, size_t bytes);
void table_done(struct table *table);

void table_prefetch(const struct table *table, uint64_t key);
const struct table_record *table_find(const struct table *table, uint64_t key);
/* It was seen today: adds `gain` unless that has been done today. NULL when there was no place for it. */
const struct table_record *table_learn(struct table *table, uint64_t key, uint16_t today, uint16_t gain,
				       unsigned half_life);
/* Puts back a record of a snapshot, as far as there is place; `today` is the day of the snapshot. */
void table_restore(struct table *table, const struct table_record *record, uint16_t today, unsigned half_life);

/* Slots are numbered from 0 to table_slots() - 1; NULL: that one is free. */
size_t table_slots(const struct table *table);
const struct table_record *table_slot(const struct table *table, size_t number);
