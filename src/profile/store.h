/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/store.h: what a store of relations is made of, and the form of its records in files; for relations.c,
 * snapshot.c and journal.c alone.
 */
#include "profile/names.h"
#include "profile/relations.h"
#include "profile/table.h"

struct buf;
struct cursor;

enum section { SECTION_RECEIVED, SECTION_SENT, SECTION_NAMES, SECTION_FORWARDERS, SECTION_END }; /* in files */

struct change {
	enum section section;
	uint64_t key;
};

/*
 * Organisation, author, name twice, the id, and three for each recipient, each with one that moved for it; a name's
 * address; the forwarders.
 */
#define CHANGES_MAX (2 * (5 + 3 * RELATIONS_LIST_MAX) + 1 + RELATIONS_FORWARDERS)

struct relations {
	struct hash_key key;
	uint64_t sequence;
	struct table received, sent;
	struct names names;
	struct forwarders forwarders;

	/* What the last lesson changed, and its day. */
	struct change changes[CHANGES_MAX];
	size_t n_changes;
	uint16_t changed_on;
};

/* Days since 1970, 1 to 65535. */
uint16_t relations_day(int64_t now);

/* -- Records in files, little endian (snapshot.c) ---- */

#define RECORD_MAX 64u

union record {
	struct table_record table;
	struct names_slot name;
	struct forwarder_record forwarder;
};

/* NULL: there is none of that key. */
const void *record_find(const struct relations *relations, enum section section, uint64_t key);
void record_put(struct buf *buf, enum section section, const void *slot);
/* False: no store writes such a record, or it is cut. */
bool record_get(struct cursor *cur, enum section section, union record *ret_record);
/* Over the record of that key, or where there is place for it; `today` says how much others weigh. */
void record_restore(struct relations *relations, enum section section, const union record *record, uint16_t today);
