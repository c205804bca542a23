/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/store.h: what a store of relations is made of; for relations.c and snapshot.c alone.
 */
#include "profile/names.h"
#include "profile/relations.h"
#include "profile/table.h"

struct relations {
	struct hash_key key;
	uint64_t sequence;
	struct table received, sent;
	struct names names;
	struct forwarders forwarders;
};

/* Days since 1970, 1 to 65535. */
uint16_t relations_day(int64_t now);
