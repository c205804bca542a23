/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/table.h"

#include "base/mem.h"
#include "base/num.h"

#include "base/banned.h"

_Static_assert(sizeof(struct table_line) == 64, "a line of the table is a line of the cache");

#define SETTLED_FACTOR 8u
#define SETTLED_MAX    (2 * TABLE_SLOTS - 1)

uint16_t table_decay(uint16_t weight, unsigned days, unsigned half_life)
{
	unsigned halves = days / half_life, rest = days % half_life;
	if (halves >= 16)
		return 0;
	uint32_t left = (uint32_t)weight >> halves;
	/* Within a half-life the curve is a straight line: the same on every machine. */
	return (uint16_t)(left - left * rest / (2 * half_life));
}

static unsigned days_between(uint16_t from, uint16_t to)
{
	return to > from ? (unsigned)(to - from) : 0;
}

static bool is_settled(const struct table_record *record)
{
	return days_between(record->first, record->last) >= TABLE_SETTLED;
}

static uint32_t strength(const struct table_record *record, uint16_t today, unsigned half_life)
{
	uint32_t left = table_decay(record->weight, days_between(record->last, today), half_life);
	return is_settled(record) ? left * SETTLED_FACTOR : left;
}

enum err table_init(struct table *table, size_t bytes)
{
	size_t line = sizeof(struct table_line), n = bytes / line;
	n = n > 1 ? n - 1 : 1; /* one is lost to alignment */
	*table = (struct table){.n_lines = MIN(n, (size_t)UINT32_MAX)};
	table->block = mem_calloc(table->n_lines + 1, line);
	if (!table->block)
		return ERR_NOMEM;
	uintptr_t at = (uintptr_t)table->block;
	table->lines = (struct table_line *)((uint8_t *)table->block + (line - at % line) % line);
	return ERR_OK;
}

void table_done(struct table *table)
{
	mem_free(table->block);
	*table = (struct table){0};
}

/* The two lines of a key, by different bits of it; they may be one. */
static struct table_line *line_of(const struct table *table, uint64_t key, unsigned which)
{
	uint64_t bits = which == 0 ? (key >> 16) & UINT32_MAX : key & UINT32_MAX;
	return &table->lines[bits * table->n_lines >> 32];
}

void table_prefetch(const struct table *table, uint64_t key)
{
	__builtin_prefetch(line_of(table, key, 0));
	__builtin_prefetch(line_of(table, key, 1));
}

static bool has_key(const struct table_record *record, uint64_t key)
{
	return record->key[0] == (key & UINT16_MAX) && record->key[1] == (key >> 16 & UINT16_MAX) &&
	       record->key[2] == (key >> 32 & UINT16_MAX) && record->weight > 0;
}

static struct table_record *find(const struct table *table, uint64_t key)
{
	for (unsigned which = 0; which < 2; which++) {
		struct table_line *line = line_of(table, key, which);
		for (size_t i = 0; i < TABLE_SLOTS; i++)
			if (has_key(&line->slots[i], key))
				return &line->slots[i];
	}
	return NULL;
}

static uint64_t key_of(const struct table_record *record)
{
	return record->key[0] | (uint64_t)record->key[1] << 16 | (uint64_t)record->key[2] << 32;
}

const struct table_record *table_find(const struct table *table, uint64_t key)
{
	return find(table, key);
}

/* Moves one of the records of the line to its other line; its slot, or NULL when there is no place. */
static struct table_record *make_room(struct table *table, struct table_line *line, uint16_t today, unsigned half_life)
{
	for (size_t i = 0; i < TABLE_SLOTS; i++) {
		uint64_t key = key_of(&line->slots[i]);
		struct table_line *other = line_of(table, key, 0);
		if (other == line)
			other = line_of(table, key, 1);
		for (size_t j = 0; other != line && j < TABLE_SLOTS; j++) {
			if (strength(&other->slots[j], today, half_life) > 0)
				continue;
			other->slots[j] = line->slots[i];
			table->moved = key;
			return &line->slots[i];
		}
	}
	return NULL;
}

/* What the ten slots of a key hold. */
struct choice {
	struct table_record *free;    /* of the emptier line; NULL: none */
	struct table_record *weakest; /* of all */
	uint32_t strength;
	struct table_record *settled; /* the weakest of those; NULL: none */
	uint32_t settled_strength;
	size_t n_settled;
};

static bool is_weaker(const struct table_record *a, uint32_t a_strength, const struct table_record *b,
		      uint32_t b_strength)
{
	return !b || a_strength < b_strength || (a_strength == b_strength && a->last < b->last);
}

static struct choice look(const struct table *table, uint64_t key, uint16_t today, unsigned half_life)
{
	struct choice choice = {0};
	size_t most_free = 0;
	for (unsigned which = 0; which < 2; which++) {
		struct table_line *line = line_of(table, key, which);
		struct table_record *empty = NULL;
		size_t n_free = 0;
		for (size_t i = 0; i < TABLE_SLOTS; i++) {
			struct table_record *slot = &line->slots[i];
			uint32_t value = strength(slot, today, half_life);
			if (value == 0) {
				empty = slot;
				n_free++;
				continue;
			}
			if (is_weaker(slot, value, choice.weakest, choice.strength)) {
				choice.weakest = slot;
				choice.strength = value;
			}
			if (!is_settled(slot))
				continue;
			choice.n_settled++;
			if (is_weaker(slot, value, choice.settled, choice.settled_strength)) {
				choice.settled = slot;
				choice.settled_strength = value;
			}
		}
		if (n_free > most_free) {
			choice.free = empty;
			most_free = n_free;
		}
	}
	return choice;
}

/* NULL: all that is there is stronger. */
static struct table_record *place(struct table *table, uint64_t key, const struct table_record *record, uint16_t today,
				  unsigned half_life)
{
	struct choice choice = look(table, key, today, half_life);
	struct table_record *slot = choice.free;
	for (unsigned which = 0; !slot && which < 2; which++)
		slot = make_room(table, line_of(table, key, which), today, half_life);
	if (!slot) {
		/* What is settled leaves one of the ten to those that come later, or they could never settle. */
		slot = choice.n_settled > SETTLED_MAX ? choice.settled : choice.weakest;
		if (choice.n_settled <= SETTLED_MAX && choice.strength > strength(record, today, half_life)) {
			table->refused++;
			return NULL;
		}
		table->evicted++;
	}
	*slot = *record;
	return slot;
}

const struct table_record *table_learn(struct table *table, uint64_t key, uint16_t today, uint16_t gain,
				       unsigned half_life)
{
	struct table_record *record = find(table, key);
	table->changed = false;
	table->moved = TABLE_NOBODY;
	uint16_t left = record ? table_decay(record->weight, days_between(record->last, today), half_life) : 0;
	if (!record || left == 0) {
		struct table_record fresh = {
			.key = {(uint16_t)key, (uint16_t)(key >> 16), (uint16_t)(key >> 32)},
			.first = today,
			.last = today,
			.weight = gain,
		};
		if (!record) {
			record = place(table, key, &fresh, today, half_life);
			table->changed = record != NULL;
			return record;
		}
		*record = fresh; /* what was forgotten begins anew */
		table->changed = true;
	} else if (today > record->last) {
		record->weight = (uint16_t)MIN((uint32_t)left + gain, (uint32_t)UINT16_MAX);
		record->last = today;
		table->changed = true;
	}
	return record;
}

void table_restore(struct table *table, const struct table_record *record, uint16_t today, unsigned half_life)
{
	uint64_t key = key_of(record);
	struct table_record *old = find(table, key);
	table->moved = TABLE_NOBODY;
	if (old)
		*old = *record;
	else
		(void)place(table, key, record, today, half_life);
}

size_t table_slots(const struct table *table)
{
	return table->n_lines * TABLE_SLOTS;
}

const struct table_record *table_slot(const struct table *table, size_t number)
{
	const struct table_record *record = &table->lines[number / TABLE_SLOTS].slots[number % TABLE_SLOTS];
	return record->weight > 0 ? record : NULL;
}
