/* SPDX-License-Identifier: Apache-2.0 */
#include "profile/names.h"

#include "base/ascii.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

#include "base/banned.h"

_Static_assert(sizeof(struct names_slot) == 64, "a slot is a line of the cache");

/* -- Folding ---- */

#define WORDS_MAX 16

/*
 * Letters of Cyrillic and Greek, lower case, that look like a Latin one in small or as a capital, as which names begin.
 */
static const struct {
	uint16_t code;
	char latin;
} lookalikes[] = {
	{0x3b1, 'a'}, {0x3b2, 'b'}, {0x3b5, 'e'}, {0x3b6, 'z'}, {0x3b7, 'h'}, {0x3b9, 'i'}, {0x3ba, 'k'},
	{0x3bc, 'm'}, {0x3bd, 'n'}, {0x3bf, 'o'}, {0x3c1, 'p'}, {0x3c4, 't'}, {0x3c5, 'y'}, {0x3c7, 'x'},
	{0x430, 'a'}, {0x432, 'b'}, {0x435, 'e'}, {0x43a, 'k'}, {0x43c, 'm'}, {0x43d, 'h'}, {0x43e, 'o'},
	{0x440, 'p'}, {0x441, 'c'}, {0x442, 't'}, {0x443, 'y'}, {0x445, 'x'}, {0x455, 's'}, {0x456, 'i'},
	{0x458, 'j'}, {0x4bb, 'h'}, {0x501, 'd'}, {0x51b, 'q'}, {0x51d, 'w'},
};

/* U+00C0 to U+00FF and U+0100 to U+017F without their marks; '.': a letter of its own. */
static const char latin_1[] = "aaaaaa.ceeeeiiii.nooooo.ouuuuy..aaaaaa.ceeeeiiii.nooooo.ouuuuy.y";
static const char latin_a[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkkkllllllllllnnnnnnnnn"
			      "oooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
_Static_assert(sizeof(latin_1) == 0x40 + 1 && sizeof(latin_a) == 0x80 + 1, "one letter for each code point");

static uint32_t lower(uint32_t c)
{
	if (c < 0x80)
		return ascii_lower((uint8_t)c);
	if (c >= 0xc0 && c <= 0xff && latin_1[c - 0xc0] != '.')
		return (uint8_t)latin_1[c - 0xc0];
	if (c >= 0x100 && c <= 0x17f)
		return latin_a[c - 0x100] == '.' ? c | 1 : (uint8_t)latin_a[c - 0x100];
	if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	if ((c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f))
		return c | 1;
	return c;
}

static uint32_t fold(uint32_t c)
{
	if (c >= 0xff01 && c <= 0xff5e)
		c -= 0xfee0; /* full-width forms of ASCII */
	c = lower(c);
	for (size_t i = 0; c >= 0x370 && c < 0x530 && i < ARRAY_LEN(lookalikes); i++)
		if (lookalikes[i].code == c)
			return (uint8_t)lookalikes[i].latin;
	return c;
}

/* What people do not see, and marks above letters. */
static bool is_invisible(uint32_t c)
{
	return c == 0xad || (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfe00 && c <= 0xfe0f);
}

/* What stands between words. */
static bool is_gap(uint32_t c)
{
	if (c < 0x80)
		return !ascii_is_alnum(c);
	return (c >= 0x80 && c <= 0xbf && c != 0xaa && c != 0xb5 && c != 0xba) || (c >= 0x2000 && c <= 0x206f) ||
	       (c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) || c == 0x30fb;
}

size_t name_fold(struct bytes name, uint8_t out[static NAME_FOLDED_MAX])
{
	uint8_t text[NAME_FOLDED_MAX];
	struct bytes words[WORDS_MAX];
	size_t len = 0, from = 0, n = 0, at = 0;
	while (n < WORDS_MAX) {
		uint32_t c = name.len > 0 ? fold(utf8_next(&name, NULL)) : ' ';
		uint8_t coded[4];
		bool ends = name.len == 0, skipped = is_invisible(c) || c == '\'' || c == 0x2019;
		bool gap = !skipped && is_gap(c);
		if (!skipped && !gap) {
			size_t size = utf8_encode(c, coded);
			/* One byte a word is kept for the blank. */
			ends |= len + size + n + 1 > sizeof(text);
			if (len + size + n + 1 <= sizeof(text)) {
				memcpy(text + len, coded, size);
				len += size;
			}
		}
		if ((ends || gap) && len > from) {
			struct bytes word = bytes_make(text + from, len - from);
			size_t i = n++;
			for (; i > 0 && bytes_cmp(words[i - 1], word) > 0; i--)
				words[i] = words[i - 1];
			words[i] = word;
			from = len;
		}
		if (ends)
			break;
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			out[at++] = ' ';
		memcpy(out + at, words[i].ptr, words[i].len);
		at += words[i].len;
	}
	return at;
}

/* -- The usual address ---- */

enum err names_init(struct names *names, size_t bytes)
{
	size_t n = bytes / sizeof(struct names_slot) / NAMES_WINDOW;
	n = MAX(n, (size_t)1);
	*names = (struct names){.n_slots = MIN(n, (size_t)UINT32_MAX) * NAMES_WINDOW};
	names->slots = mem_new(struct names_slot, names->n_slots);
	return names->slots ? ERR_OK : ERR_NOMEM;
}

void names_done(struct names *names)
{
	mem_free(names->slots);
	*names = (struct names){0};
}

static struct names_slot *window(const struct names *names, uint64_t key)
{
	return &names->slots[((key >> 16 & UINT32_MAX) * (names->n_slots / NAMES_WINDOW) >> 32) * NAMES_WINDOW];
}

void names_prefetch(const struct names *names, uint64_t key)
{
	struct names_slot *slots = window(names, key);
	for (size_t i = 0; i < NAMES_WINDOW; i++)
		__builtin_prefetch(&slots[i]);
}

static struct names_slot *find(const struct names *names, uint64_t key)
{
	struct names_slot *slots = window(names, key);
	for (size_t i = 0; i < NAMES_WINDOW; i++)
		if (slots[i].weight > 0 && slots[i].key[0] == (key & UINT16_MAX) &&
		    slots[i].key[1] == (key >> 16 & UINT16_MAX) && slots[i].key[2] == (key >> 32 & UINT16_MAX))
			return &slots[i];
	return NULL;
}

const struct names_slot *names_find(const struct names *names, uint64_t key)
{
	return find(names, key);
}

static uint16_t left_of(const struct names_slot *slot, uint16_t today, unsigned half_life)
{
	return table_decay(slot->weight, today > slot->gained ? (unsigned)(today - slot->gained) : 0, half_life);
}

/* The place of the weakest of the window, if that one has less than `weight`. */
static struct names_slot *place(const struct names *names, uint64_t key, uint16_t weight, uint16_t today,
				unsigned half_life)
{
	struct names_slot *slots = window(names, key), *weakest = &slots[0];
	for (size_t i = 1; i < NAMES_WINDOW; i++)
		if (left_of(&slots[i], today, half_life) < left_of(weakest, today, half_life))
			weakest = &slots[i];
	return left_of(weakest, today, half_life) <= weight ? weakest : NULL;
}

static void fill(struct names_slot *slot, uint64_t key, struct bytes address, uint16_t today)
{
	*slot = (struct names_slot){
		.key = {(uint16_t)key, (uint16_t)(key >> 16), (uint16_t)(key >> 32)},
		.gained = today,
		.weight = TABLE_DAY,
		.len = (uint8_t)address.len,
	};
	memcpy(slot->address, address.ptr, address.len);
}

bool names_learn(struct names *names, uint64_t key, struct bytes address, uint16_t today, unsigned half_life)
{
	struct names_slot *slot = find(names, key);
	if (address.len == 0 || address.len > NAMES_ADDRESS_MAX)
		return false;
	if (!slot) {
		slot = place(names, key, TABLE_DAY, today, half_life);
		if (slot)
			fill(slot, key, address, today);
		return slot != NULL;
	}
	uint16_t left = left_of(slot, today, half_life);
	if (bytes_eq(bytes_make(slot->address, slot->len), address)) {
		if (today <= slot->gained)
			return false;
		slot->weight = (uint16_t)MIN((uint32_t)left + TABLE_DAY, (uint32_t)UINT16_MAX);
		slot->gained = today;
	} else if (left <= TABLE_DAY && today > slot->lost && today > slot->gained) {
		fill(slot, key, address, today);
	} else if (left > TABLE_DAY && today > slot->lost) {
		/* Of the weight as it was on `gained`, so that the decay is not taken twice. */
		slot->weight = (uint16_t)(slot->weight - MIN((unsigned)slot->weight - 1, TABLE_DAY));
		slot->lost = today;
	} else {
		return false;
	}
	return true;
}

void names_restore(struct names *names, const struct names_slot *record, uint16_t today, unsigned half_life)
{
	uint64_t key = record->key[0] | (uint64_t)record->key[1] << 16 | (uint64_t)record->key[2] << 32;
	struct names_slot *slot = find(names, key);
	if (!slot)
		slot = place(names, key, left_of(record, today, half_life), today, half_life);
	if (slot)
		*slot = *record;
}
