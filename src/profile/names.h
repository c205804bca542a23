/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * profile/names.h: display names in a form in which those that a person takes for the same are the same, and a table of
 * the address that a name usually comes from, as text that can be shown.
 *
 * Bounds:   a fixed number of slots of 64 bytes; an address of more than NAMES_ADDRESS_MAX bytes is not kept.
 * Usual:    a vote by days: the address in the slot gains a day when the name comes from it and loses one when the name
 *           comes from another, each once a day; at 0 the other one takes the slot.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "profile/table.h"

#define NAME_FOLDED_MAX   192
#define NAMES_ADDRESS_MAX 49
#define NAMES_WINDOW      4u

/*
 * Words in lower case, in alphabetical order, separated by one blank; without punctuation, quotes and characters that
 * cannot be seen; Latin letters without their marks; full-width forms and letters of Cyrillic and Greek that look like
 * Latin ones as those. "Müller, Bob" and "BOB MULLER" give the same. Cut after NAME_FOLDED_MAX bytes. Returns the
 * length; 0: there is no name.
 */
size_t name_fold(struct bytes name, uint8_t out[static NAME_FOLDED_MAX]);

struct names_slot {
	uint16_t key[3];
	uint16_t gained, lost; /* days on which it last was told right and wrong; `lost` 0: never */
	uint16_t weight;       /* as of `gained`; 0: the slot is free */
	uint8_t len;
	uint8_t address[NAMES_ADDRESS_MAX + 2];
};

struct names {
	struct names_slot *slots;
	size_t n_slots; /* a multiple of NAMES_WINDOW */
};

NODISCARD enum err names_init(struct names *names, size_t bytes);
void names_done(struct names *names);
void names_prefetch(const struct names *names, uint64_t key);
const struct names_slot *names_find(const struct names *names, uint64_t key);
/* False: nothing changed. */
bool names_learn(struct names *names, uint64_t key, struct bytes address, uint16_t today, unsigned half_life);
void names_restore(struct names *names, const struct names_slot *slot, uint16_t today, unsigned half_life);
